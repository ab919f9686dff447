"""The metadata files written for one state of a channel."""

from django.db import models

from pulpcore.plugin.models import AutoAddObjPermsMixin, Publication


class CondaPublication(Publication, AutoAddObjPermsMixin):
    """The metadata files of a repository version. Packages are passed through from the version.

    Fields:
        package_counts (dict): The number of packages by subdir; its keys are the subdirs that the channel has.
    """

    TYPE = "conda"

    package_counts = models.JSONField(default=dict)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_condapublication", "Can manage roles on conda publications"),
        ]
