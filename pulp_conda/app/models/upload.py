"""A file that a client sent to a channel, and what became of it."""

from django.conf import settings
from django.db import models

from pulpcore.plugin.models import Artifact, BaseModel
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models.distribution import CondaDistribution
from pulp_conda.app.models.package import CondaPackage
from pulp_conda.app.models.repository import CondaRepository
from pulp_conda.app.vocabulary import UploadState, choices_of


class CondaUpload(BaseModel):
    """A file that waits until a task adds it to a channel, and later what became of it.

    A client that goes away does not lose it, and a task that dies leaves it to the next one.

    Fields:
        repository (CondaRepository): Where the package is added.
        distribution (CondaDistribution): The channel to which it was sent. None if it was sent to
            the repository: then it need not be published.
        user (User), token_name (str): Who sent it, and the name of the token that was used.
        filename (str): The name of the file, as the client said it.
        subdir (str): The subdir that the client said, or empty. Once the package is in the channel,
            its subdir.
        artifact (Artifact): The file, until it is decided what becomes of it.
        size (int), sha256 (str), md5 (str): The bytes of the file and its digests in hex.
        attestation (list): The Sigstore bundles that came with it.
        force (bool): The package may replace another file of the same name.
        state (str): An `UploadState`.
        batch (UUID): The files that came with it by several requests, or None.
        task (UUID): The task whose result says what became of it, or None.
        converted_from (CondaPackage): The `.tar.bz2` of which this server makes the file, or None
            for a file that a client sent. As long as the state is `converting`, there is no
            artifact, and neither size nor digest.
        attempts (int): How many tasks took it. It is more than one if the first died.
        is_suspect (bool): A task reads the file now, or died while it did. Only noted once a task
            has died.
        errors (list): Why it was not added: {"code", "text"}.
        version (int): The number of the version that has the package, or None.
        decided_at (datetime): When its state became another one than `waiting`.
    """

    repository = models.ForeignKey(CondaRepository, on_delete=models.CASCADE)
    distribution = models.ForeignKey(CondaDistribution, null=True, on_delete=models.SET_NULL)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    token_name = models.TextField(default="")
    filename = models.TextField()
    subdir = models.TextField(default="")
    # The cleanup of orphans skips what is protected.
    artifact = models.ForeignKey(Artifact, null=True, on_delete=models.PROTECT)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    md5 = models.CharField(max_length=32, default="")
    attestation = models.JSONField(default=list)
    force = models.BooleanField(default=False)
    state = models.TextField(choices=choices_of(UploadState), default=UploadState.WAITING.value)
    batch = models.UUIDField(null=True)
    task = models.UUIDField(null=True)
    converted_from = models.ForeignKey(CondaPackage, null=True, on_delete=models.CASCADE)
    attempts = models.PositiveSmallIntegerField(default=0)
    is_suspect = models.BooleanField(default=False)
    errors = models.JSONField(default=list)
    version = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(null=True)
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.CASCADE)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        ordering = ("pulp_created", "pk")
        indexes = [
            models.Index(
                fields=["repository"],
                name="conda_uploads_undecided",
                condition=models.Q(decided_at=None),
            ),
            models.Index(fields=["decided_at"], name="conda_uploads_decided"),
            models.Index(
                fields=["batch"], name="conda_uploads_batch", condition=~models.Q(batch=None)
            ),
            models.Index(
                fields=["task"], name="conda_uploads_task", condition=~models.Q(task=None)
            ),
        ]
