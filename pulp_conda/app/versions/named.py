"""All files of one package name in a state, at the cost of that name."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.versions.blocked import REASON
from pulp_conda.app.versions.state import State

# Each lookup is by its own index, whatever the statistics say: see `sql.BY_INDEX`.
_FILES = f"""
SELECT package.content_ptr_id, package.subdir, package.filename, package.version, package.build,
    package.build_number, package.size, package.sha256, package.timestamp,
    package.attestations_sha256, content.pulp_created,
    EXISTS (
        SELECT FROM core_contentartifact AS file
        WHERE file.content_id = package.content_ptr_id AND file.artifact_id IS NOT NULL
    ),
    {REASON}
FROM (
        SELECT * FROM conda_condapackage WHERE name = %(name)s AND _pulp_domain_id = %(domain)s
        OFFSET 0
    ) AS package
    CROSS JOIN LATERAL ({{origin}}) AS member
    JOIN core_content AS content ON content.pulp_id = package.content_ptr_id
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""


class NamedFile(NamedTuple):
    """A file of a package name.

    Attributes:
        timestamp: When it was built, in milliseconds since 1970, or None.
        since: When this server got to know it.
        is_here: Whether its bytes are on this server.
        blocked: The public reason why its bytes are blocked, or None.
    """

    package: UUID
    subdir: str
    filename: str
    version: str
    build: str
    build_number: int
    size: int | None
    sha256: str
    timestamp: int | None
    attestations_sha256: str
    since: datetime
    is_here: bool
    blocked: str | None


def files_of_name(state: State, name: str) -> list[NamedFile]:
    """Return all files that a state has of a name, sorted by subdir and file name."""
    facts: dict[str, Any] = {"name": name, "domain": get_domain_pk(), **state.facts("state")}
    statement = _FILES.format(origin=state.origin("package.content_ptr_id", "state"))
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)
        return [NamedFile(*row) for row in cursor.fetchall()]
