"""What a sync keeps of an upstream besides its packages."""

from django.db import models


class UpstreamShards(models.Model):
    """The shard index of a subdir as the last sync saw it, to fetch only what changed since.

    Fields:
        data (bytes): The file.
    """

    pk = models.CompositePrimaryKey("repository_id", "subdir")
    repository = models.ForeignKey(
        "conda.CondaRepository", on_delete=models.CASCADE, db_index=False
    )
    subdir = models.TextField()
    data = models.BinaryField()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"


class UpstreamSummary(models.Model):
    """The entry of a package name in the channeldata.json of an upstream.

    It is for packages whose files are not downloaded yet.

    Fields:
        since (int): The number of the repository version from which on it holds.
        summary (dict): The entry of the name.
    """

    pk = models.CompositePrimaryKey("repository_id", "name", "since")
    repository = models.ForeignKey(
        "conda.CondaRepository", on_delete=models.CASCADE, db_index=False
    )
    name = models.TextField()
    since = models.IntegerField()
    summary = models.JSONField()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
