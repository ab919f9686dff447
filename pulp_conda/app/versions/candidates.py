"""The packages of a repository version, as rules and the promotion of single packages look at
them.
"""

from collections.abc import Iterable, Iterator

from django.db import connection

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.versions.sql import facts_of, is_member_at, join_memberships, keys_of
from pulp_conda.channel.policies.satisfaction import Candidate

_BATCH = 2000

_COLUMNS = """
    package.subdir, package.filename, package.name, package.version, package.build,
    package.build_number, package.license, {depends}, package.sha256, package.md5,
    COALESCE(package.indexed_timestamp, indexed.indexed_timestamp), {is_new}, package.content_ptr_id
"""

_INDEXED = """
    LEFT JOIN conda_indexedfile AS indexed ON indexed.repository_id = %(repository)s
        AND indexed.sha256 = package.sha256
"""

# The file says whether a package is new: a correction of its record makes no new package. In the
# select list, where PostgreSQL asks the second question of few rows; as a join it would compare all
# with all.
_IS_NEW = f"""
    CASE WHEN package.content_ptr_id IN (
        {keys_of("before_version")}
    ) THEN false ELSE NOT EXISTS (
        SELECT FROM conda_condapackage AS same
            {join_memberships("same")}
        WHERE same._pulp_domain_id = package._pulp_domain_id AND same.subdir = package.subdir
            AND same.filename = package.filename AND same.sha256 = package.sha256
            AND member.repository_id = %(before_repository)s AND {is_member_at("%(before_number)s")}
    ) END
"""

_ALL = f"""
SELECT {_COLUMNS}
FROM conda_condapackage AS package
    {_INDEXED}
WHERE package.content_ptr_id IN (
    {keys_of()}
)
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

# By the members with these names alone, so that the cost does not depend on the size of the
# version.
_NAMED = f"""
SELECT {_COLUMNS}
FROM conda_condapackage AS package
    {join_memberships()}
    {_INDEXED}
WHERE package.name = ANY(%(names)s) AND member.repository_id = %(repository)s
    AND {is_member_at("%(number)s")}
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

_NAMES = f"""
SELECT DISTINCT name FROM conda_condapackage WHERE content_ptr_id IN (
    {keys_of()}
)
"""


def candidates(
    version: RepositoryVersion,
    before: RepositoryVersion | None = None,
    with_depends: bool = False,
) -> Iterator[Candidate]:
    """Yield a `Candidate` for each package of a repository version, in the order of their paths.

    Args:
        before: A version whose packages are not new, or None.
    """
    depends = "package.depends" if with_depends else "NULL"
    statement = _ALL.format(depends=depends, is_new=_IS_NEW if before else "true")
    facts = facts_of(version)
    if before:
        facts |= {f"before_{name}": value for name, value in facts_of(before).items()}
    with connection.chunked_cursor() as cursor:
        cursor.itersize = _BATCH
        cursor.execute(statement, facts)
        yield from map(Candidate._make, cursor)


def candidates_named(version: RepositoryVersion, names: Iterable[str]) -> list[Candidate]:
    """Return a `Candidate` with its dependencies for each package of these names."""
    statement = _NAMED.format(depends="package.depends", is_new="true")
    with connection.cursor() as cursor:
        cursor.execute(statement, {**facts_of(version), "names": list(names)})
        return list(map(Candidate._make, cursor.fetchall()))


def names_of(version: RepositoryVersion) -> list[str]:
    """Return the names of all packages of a repository version."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, facts_of(version))
        return [name for (name,) in cursor.fetchall()]
