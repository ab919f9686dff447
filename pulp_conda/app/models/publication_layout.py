"""What the next publication of a channel has to know of one."""

from django.db import models

from pulp_conda.app.models.publication import CondaPublication


class PublicationLayout(models.Model):
    """Where the entries of each package name stand in the files of a publication.

    With it, a later publication encodes only what changed since, and copies the rest.

    Fields:
        writer (str): A digest of everything besides the packages that the bytes of the files depend
            on: versions of this plugin and of libraries, levels, and settings of the repository.
        facts (dict): The patches that held, and a checksum of what was known of files.
        data (bytes): The places, see `pulp_conda.app.publishing.base`.
    """

    publication = models.OneToOneField(
        CondaPublication, primary_key=True, on_delete=models.CASCADE, related_name="layout"
    )
    writer = models.CharField(max_length=64)
    facts = models.JSONField()
    data = models.BinaryField()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
