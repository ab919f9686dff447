"""Which publication a version or a repository has, and which a distribution served last.

In SQL: each request asks this, and what Django does to make it of a queryset takes five times as
    long as the answer.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db import connection

# Both are also parts of the statement in `served`.
NEWEST = """
SELECT publication.pulp_id
FROM core_publication AS publication
    JOIN core_repositoryversion AS version ON version.pulp_id = publication.repository_version_id
WHERE version.{key} = {value} AND publication.complete
ORDER BY version.number DESC, publication.pulp_created DESC LIMIT 1
"""
TURNS = """
SELECT publication_id, pulp_last_updated FROM core_distributedpublication
WHERE distribution_id = {distribution}
ORDER BY pulp_last_updated DESC LIMIT 2
"""


def newest_publication(key: Literal["pulp_id", "repository_id"], value: UUID) -> UUID | None:
    """Return the key of the newest complete publication of a version, or of the newest version of a
    repository.
    """
    rows = _rows(NEWEST.format(key=key, value="%s"), value)
    return rows[0][0] if rows else None


def latest_turns(distribution: UUID) -> list[tuple[UUID, datetime]]:
    """Return the last two publications that a distribution served, and since when, newest first.

    None if DISTRIBUTED_PUBLICATION_RETENTION_PERIOD is 0: then nobody notes them.
    """
    return _rows(TURNS.format(distribution="%s"), distribution)


def _rows(statement: str, key: UUID) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [key])
        return cursor.fetchall()
