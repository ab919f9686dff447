"""When a channel first offered a file."""

from django.db import connection, models

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.versions.sql import packages_added
from pulp_conda.channel.records import FIRST_INDEXED


class IndexedFile(models.Model):
    """When a channel first offered a file: set once, and kept whatever happens to its record.

    There are two answers. Metadata say what CEP 47 wants, which may be the word of an upstream. A
    quarantine goes by the clock of this server, unless it has a reason to believe the upstream.

    Fields:
        sha256 (str): The digest of the file.
        indexed_timestamp (int): For the metadata. Milliseconds since 1970, as in the other fields.
        seen_timestamp (int): When a version of this repository first had the file. None for files
            that were noted before this field was there.
        believed_timestamp (int): An earlier date of the upstream that counts as well. None if there
            is none, or if the upstream is not believed.
    """

    pk = models.CompositePrimaryKey("repository_id", "sha256")
    repository = models.ForeignKey(
        "conda.CondaRepository", on_delete=models.CASCADE, db_index=False
    )
    sha256 = models.CharField(max_length=64)
    indexed_timestamp = models.BigIntegerField()
    seen_timestamp = models.BigIntegerField(null=True)
    believed_timestamp = models.BigIntegerField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"

    @classmethod
    def note(
        cls, version: RepositoryVersion, is_first_sync: bool = False, trust_dates: bool = False
    ) -> None:
        """Note the files that a version added, at its moment, unless they were noted before.

        Args:
            is_first_sync: Believe when they were built: a million old packages are not new because
                we mirror them since today.
            trust_dates: Believe since when their upstream says that it has them.
        """
        facts = {
            "repository": version.repository_id,
            "version": version.pk,
            "is_first_sync": is_first_sync,
            "trust_dates": trust_dates,
            "first_indexed": FIRST_INDEXED,
            "moment": int(version.pulp_created.timestamp() * 1000),
        }
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, facts)


# The date of a build that is later than CEP 47 is no `indexed_timestamp`: a channel of that time
# would have given its own. In a first sync, the later one of both dates is believed.
_NOTE = f"""
INSERT INTO conda_indexedfile
    (repository_id, sha256, indexed_timestamp, seen_timestamp, believed_timestamp)
SELECT DISTINCT ON (package.sha256 COLLATE "C") %(repository)s, package.sha256,
    COALESCE(
        package.indexed_timestamp,
        CASE WHEN %(is_first_sync)s AND package.timestamp < %(first_indexed)s
            THEN LEAST(package.timestamp, %(moment)s) END,
        %(moment)s
    ),
    %(moment)s,
    LEAST(
        CASE WHEN %(is_first_sync)s
            THEN GREATEST(package.timestamp, package.indexed_timestamp) END,
        CASE WHEN %(trust_dates)s THEN package.indexed_timestamp END
    )
FROM {packages_added()}
ORDER BY package.sha256 COLLATE "C", package.timestamp
ON CONFLICT DO NOTHING
"""
