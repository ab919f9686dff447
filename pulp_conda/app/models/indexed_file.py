"""When a channel first offered a file."""

from django.db import connection, models

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.versions.sql import packages_added


class IndexedFile(models.Model):
    """When a channel first offered a file: set once, and kept whatever happens to its record (CEP
    47).

    Fields:
        sha256 (str): The digest of the file.
        indexed_timestamp (int): Milliseconds since 1970.
    """

    pk = models.CompositePrimaryKey("repository_id", "sha256")
    repository = models.ForeignKey(
        "conda.CondaRepository", on_delete=models.CASCADE, db_index=False
    )
    sha256 = models.CharField(max_length=64)
    indexed_timestamp = models.BigIntegerField()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"

    @classmethod
    def note(cls, version: RepositoryVersion, seed: bool) -> None:
        """Note the files that a version added, at its moment, unless they were there before or
        their upstream says it.

        Args:
            seed: Take the moment when they were built, if that is past: a million old packages are
                not new because we mirror them since today (CEP 47).
        """
        facts = {
            "repository": version.repository_id,
            "version": version.pk,
            "seed": seed,
            "moment": int(version.pulp_created.timestamp() * 1000),
        }
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, facts)


_NOTE = f"""
INSERT INTO conda_indexedfile (repository_id, sha256, indexed_timestamp)
SELECT DISTINCT ON (package.sha256 COLLATE "C") %(repository)s, package.sha256,
    CASE WHEN %(seed)s THEN LEAST(package.timestamp, %(moment)s) ELSE %(moment)s END
FROM {packages_added()}
WHERE package.indexed_timestamp IS NULL
ORDER BY package.sha256 COLLATE "C", package.timestamp
ON CONFLICT DO NOTHING
"""
