"""How many bytes the packages of a version have, and how many of these are on the server."""

from typing import Any, NamedTuple

from django.db import connection

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.versions.sql import WITH_CHANGED, keys_of

# One file may be that of several packages.
_OF_ALL = f"""
WITH package AS MATERIALIZED (
    SELECT content_ptr_id, size FROM conda_condapackage WHERE content_ptr_id IN ({keys_of()})
)
SELECT (SELECT coalesce(sum(size), 0)::bigint FROM package), (
    SELECT coalesce(sum(size), 0)::bigint FROM core_artifact WHERE pulp_id IN (
        SELECT artifact_id FROM core_contentartifact
        WHERE content_id IN (SELECT content_ptr_id FROM package)
    )
)
"""

_OF_CHANGES = f"""{WITH_CHANGED}
SELECT coalesce(sum(sign * package.size), 0)::bigint, coalesce(sum(sign * file.size), 0)::bigint
FROM changed CROSS JOIN LATERAL (SELECT CASE WHEN is_added THEN 1 ELSE -1 END AS sign) AS signed
CROSS JOIN LATERAL (
    SELECT size FROM conda_condapackage WHERE content_ptr_id = changed.content_id OFFSET 0
) AS package LEFT JOIN LATERAL (
    SELECT artifact.size FROM core_contentartifact AS place
        JOIN core_artifact AS artifact ON artifact.pulp_id = place.artifact_id
    WHERE place.content_id = changed.content_id OFFSET 0
) AS file ON true
"""


class Sizes(NamedTuple):
    """Sums of bytes.

    Attributes:
        referenced: As the records of all packages say.
        stored: Of the files that are on the server. One that several packages have counts once.
    """

    referenced: int
    stored: int


def sizes_of(version: RepositoryVersion) -> Sizes:
    """Return the sizes of a version. This reads a row for each package."""
    return _sizes(_OF_ALL, {"version": version.pk})


def sizes_between(low: int, version: RepositoryVersion) -> Sizes:
    """Return by how much the sizes grew since a version. The cost is that of the changes.

    Args:
        low: The number of a version of the same repository that is not deleted. Otherwise its
            changes count as those of the next one.
    """
    facts = {"repository": version.repository_id, "low": low, "high": version.number}
    return _sizes(_OF_CHANGES, facts)


def _sizes(statement: str, facts: dict[str, Any]) -> Sizes:
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)
        return Sizes(*cursor.fetchone())
