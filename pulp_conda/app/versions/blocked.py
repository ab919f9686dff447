"""Packages that are blocked: which ones a state has, and where else they are.

Rows of `conda_blockedfile` name the bytes, by sha256. PostgreSQL starts with these rows and finds
their packages by an index, so that the cost depends on what is blocked, and not on the size of the
state. The index is of `lower(sha256)`: digests are in lower case, and the function says which
index is meant.
"""

from collections.abc import Collection, Iterator
from itertools import starmap
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from pulpcore.plugin.models import RepositoryVersion
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.versions.sql import is_member_at, join_memberships, packages_added
from pulp_conda.app.versions.state import State
from pulp_conda.channel.layout import package_path
from pulp_conda.channel.policies.satisfaction import Candidate

_BATCH = 2000

# The first fields of `Candidate` in their order. The others keep their defaults.
_COLUMNS = """
    package.subdir, package.filename, package.name, package.version, package.build,
    package.build_number, package.license, NULL, package.sha256, package.md5, NULL, false,
    package.content_ptr_id
"""

# A subquery that gives the public reason why the bytes of a package are blocked, or NULL.
REASON = """(
    SELECT block.public_reason
    FROM conda_blockedfile AS blocked
        JOIN conda_condablock AS block ON block.pulp_id = blocked.block_id
    WHERE blocked.pulp_domain_id = package._pulp_domain_id AND blocked.sha256 = package.sha256
    ORDER BY block.pulp_created LIMIT 1
)"""

# The condition for packages whose bytes are not blocked.
IS_FREE = """NOT EXISTS (
    SELECT FROM conda_blockedfile AS blocked
    WHERE blocked.pulp_domain_id = package._pulp_domain_id AND blocked.sha256 = package.sha256
)"""

_NAMES = "SELECT DISTINCT name FROM conda_condapackage WHERE _pulp_domain_id = %(domain)s"

_OF_DOMAIN = f"""
SELECT {_COLUMNS} FROM conda_condapackage AS package
WHERE package.name = ANY(%(names)s) AND package._pulp_domain_id = %(domain)s
"""

_NAMES_ADDED = f"SELECT DISTINCT package.name FROM {packages_added()}"

_ADDED = f"""
SELECT {_COLUMNS} FROM {packages_added()}
WHERE member.version_removed_id IS NULL
    AND (package.sha256 = ANY(%(digests)s) OR package.name = ANY(%(names)s))
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

# The packages of each file, looked up by the index, whatever PostgreSQL expects of the tables.
_PACKAGES = """
    CROSS JOIN LATERAL (
        SELECT content_ptr_id, _pulp_domain_id, subdir, filename, sha256 FROM conda_condapackage
        WHERE lower(sha256) = file.sha256 OFFSET 0
    ) AS package
"""

_IN_STATE = f"""
SELECT package.content_ptr_id, package.subdir, package.filename, package.sha256, {REASON}
FROM (
    SELECT DISTINCT sha256 FROM conda_blockedfile WHERE pulp_domain_id = %(domain)s
) AS file
    {_PACKAGES}
    CROSS JOIN LATERAL ({{origin}}) AS member
WHERE package._pulp_domain_id = %(domain)s
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

_PATHS = f"""
SELECT package.subdir, package.filename
FROM unnest(%(digests)s::text[]) AS file (sha256)
    {_PACKAGES}
    CROSS JOIN LATERAL ({{origin}}) AS member
WHERE package._pulp_domain_id = %(domain)s
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

_REPOSITORIES = f"""
SELECT DISTINCT member.repository_id
FROM unnest(%(digests)s::text[]) AS file (sha256)
    {_PACKAGES}
    {join_memberships()}
WHERE package._pulp_domain_id = %(domain)s
"""

# The publications of the versions that have the packages. Only these lists of a row grow with the
# number of files.
_PUBLICATIONS = f"""
SELECT publication.pulp_id,
    array_agg(DISTINCT package.subdir || '/' || package.filename COLLATE "C")
FROM unnest(%(digests)s::text[]) AS file (sha256)
    {_PACKAGES}
    {join_memberships()}
    JOIN core_repositoryversion AS version ON version.repository_id = member.repository_id
        AND {is_member_at("version.number")}
    JOIN core_publication AS publication ON publication.repository_version_id = version.pulp_id
        AND publication.complete
WHERE package._pulp_domain_id = %(domain)s
GROUP BY publication.pulp_id
"""


class BlockedPackage(NamedTuple):
    """A package whose bytes are blocked.

    Attributes:
        key: Of the content unit.
        reason: The public reason of the oldest block.
    """

    key: UUID
    subdir: str
    filename: str
    sha256: str
    reason: str

    @property
    def path(self) -> str:
        return package_path(self.subdir, self.filename)


def names_of_domain() -> list[str]:
    """Return the names of all packages of the domain, sorted. This reads the whole table."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, {"domain": get_domain_pk()})
        return sorted(name for (name,) in cursor.fetchall())


def packages_named(names: Collection[str]) -> Iterator[Candidate]:
    """Yield all packages of the domain with these names, whatever versions they are in."""
    with connection.chunked_cursor() as cursor:
        cursor.itersize = _BATCH
        cursor.execute(_OF_DOMAIN, {"names": list(names), "domain": get_domain_pk()})
        yield from starmap(Candidate, cursor)


def names_added(version: RepositoryVersion) -> list[str]:
    """Return the names of the packages that a version added."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES_ADDED, _facts(version))
        return [name for (name,) in cursor.fetchall()]


def packages_added_by(
    version: RepositoryVersion, digests: Collection[str], names: Collection[str]
) -> list[Candidate]:
    """Return the packages that a version added and that have one of these sha256 or names."""
    facts = {**_facts(version), "digests": list(digests), "names": list(names)}
    with connection.cursor() as cursor:
        cursor.execute(_ADDED, facts)
        return list(starmap(Candidate, cursor.fetchall()))


def blocked_packages(state: State) -> list[BlockedPackage]:
    """Return the packages of a state whose bytes are blocked, in the order of their paths."""
    statement = _IN_STATE.format(origin=state.origin("package.content_ptr_id", "state"))
    with connection.cursor() as cursor:
        cursor.execute(statement, {**state.facts("state"), "domain": get_domain_pk()})
        return list(map(BlockedPackage._make, cursor.fetchall()))


def paths_with(state: State, digests: Collection[str]) -> list[str]:
    """Return the paths of the packages of a state that have one of these sha256, sorted."""
    statement = _PATHS.format(origin=state.origin("package.content_ptr_id", "state"))
    facts = {**state.facts("state"), "digests": list(digests), "domain": get_domain_pk()}
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)
        return list(starmap(package_path, cursor.fetchall()))


def repositories_with(digests: Collection[str]) -> list[UUID]:
    """Return the keys of the repositories that have or had files with these sha256."""
    with connection.cursor() as cursor:
        cursor.execute(_REPOSITORIES, {"digests": list(digests), "domain": get_domain_pk()})
        return [repository for (repository,) in cursor.fetchall()]


def publications_with(digests: Collection[str]) -> dict[UUID, list[str]]:
    """Return the paths of files with these sha256 in the versions of all publications, by the key
    of the publication. Publications without such a file are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PUBLICATIONS, {"digests": list(digests), "domain": get_domain_pk()})
        return dict(cursor.fetchall())


def _facts(version: RepositoryVersion) -> dict[str, Any]:
    return {"version": version.pk, "repository": version.repository_id}
