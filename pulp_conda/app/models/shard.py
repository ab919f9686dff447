"""Shards of publications: shared by what they hold, kept in the database.

A channel of conda-forge's size has seventy thousand of them, two kilobytes each. As stored files
with a row of `Content` each they would take minutes per publication; here a new publication is one
row of two keys per shard, and only what changed is encoded.
"""

from django.db import models

from pulpcore.plugin.models import BaseModel, Publication
from pulpcore.plugin.util import get_domain_pk


class CondaShard(BaseModel):
    """The records of one package name, as clients fetch them (CEP 16).

    Fields:
        key (bytes): What it was made of, see `pulp_conda.channel.metadata.shards.shard_key`.
        sha256 (bytes): The digest of `data`, by which clients ask for it.
        data (bytes): The file.
    """

    key = models.BinaryField(max_length=32)
    sha256 = models.BinaryField(max_length=32, db_index=True)
    data = models.BinaryField()
    # It needs no separate index, because the index of the unique key begins with it.
    pulp_domain = models.ForeignKey(
        "core.Domain", default=get_domain_pk, on_delete=models.CASCADE, db_index=False
    )

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "key")


class PublishedShard(BaseModel):
    """That a publication has a shard."""

    publication = models.ForeignKey(Publication, on_delete=models.CASCADE)
    shard = models.ForeignKey(CondaShard, on_delete=models.PROTECT, db_index=False)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("shard", "publication")
