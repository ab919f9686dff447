"""What is known of a channel besides its content: how its syncs went, and how large it is."""

from django.db import models

from pulp_conda.app.models.repository import CondaRepository


class ChannelCondition(models.Model):
    """How the syncs of a repository went, and how large its newest published version is.

    It is written when something happens, so that nobody has to count packages to answer a request.
    Not fields of the repository: whoever changes that would write old values back.

    Fields:
        checked_at (datetime): When the last good sync began, or None if there was none.
        failures (int): How many syncs have failed since then.
        error (dict): Why the last one failed: {"code", "text"}; None if it did not fail.
        failed_at (datetime): When that was.
        version (int): The number of the version that was measured, or None if none was.
        referenced_size (int): The sum of the sizes of their files in bytes, as the records say.
        stored_size (int): How many bytes of these are on the server. Of packages with the same
            bytes, one counts.
        measured_at (datetime): When that was counted in full. Between, changes are added to it.
    """

    repository = models.OneToOneField(
        CondaRepository, primary_key=True, on_delete=models.CASCADE, related_name="condition"
    )
    checked_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    error = models.JSONField(null=True)
    failed_at = models.DateTimeField(null=True)
    version = models.BigIntegerField(null=True)
    referenced_size = models.BigIntegerField(null=True)
    stored_size = models.BigIntegerField(null=True)
    measured_at = models.DateTimeField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
