"""The attestations of packages."""

from django.db import models

from pulpcore.plugin.models import BaseModel
from pulpcore.plugin.util import get_domain_pk


class CondaSidecar(BaseModel):
    """The attestations of a package, as clients fetch them: a JSON list of Sigstore bundles (CEP
    50).

    Fields:
        sha256 (str): The digest of `data`, by which records name it (`attestations_sha256`).
        data (bytes): The file.
    """

    sha256 = models.CharField(max_length=64)
    data = models.BinaryField()
    pulp_domain = models.ForeignKey(
        "core.Domain", default=get_domain_pk, on_delete=models.CASCADE, db_index=False
    )

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "sha256")
