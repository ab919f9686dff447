"""The packages of a repository version, as rules and the promotion of single packages look at them."""

from django.db import connection

from pulp_conda.channel.policies.satisfaction import Candidate

_BATCH = 2000

_COLUMNS = """
    package.subdir, package.filename, package.name, package.version, package.build, package.build_number,
    package.license, {depends}, package.sha256, package.md5,
    COALESCE(package.indexed_timestamp, indexed.indexed_timestamp), {is_new}, package.content_ptr_id
"""

_INDEXED = """
    LEFT JOIN conda_indexedfile AS indexed ON indexed.repository_id = %(repository)s
        AND indexed.sha256 = package.sha256
"""

# The file says whether a package is new: a correction of its record makes no new package. In the select list, where
# PostgreSQL asks the second question of few rows; as a join it would compare all with all.
_IS_NEW = """
    CASE WHEN package.content_ptr_id IN (
        SELECT unnest(content_ids) FROM core_repositoryversion WHERE pulp_id = %(before_version)s
    ) THEN false ELSE NOT EXISTS (
        SELECT FROM conda_condapackage AS same
            JOIN core_repositorycontent AS member ON member.content_id = same.content_ptr_id
            JOIN core_repositoryversion AS added ON added.pulp_id = member.version_added_id
            LEFT JOIN core_repositoryversion AS removed ON removed.pulp_id = member.version_removed_id
        WHERE same._pulp_domain_id = package._pulp_domain_id AND same.subdir = package.subdir
            AND same.filename = package.filename AND same.sha256 = package.sha256
            AND member.repository_id = %(before_repository)s AND added.number <= %(before_number)s
            AND (removed.number IS NULL OR removed.number > %(before_number)s)
    ) END
"""

_ALL = f"""
SELECT {_COLUMNS}
FROM conda_condapackage AS package
    {_INDEXED}
WHERE package.content_ptr_id IN (
    SELECT unnest(content_ids) FROM core_repositoryversion WHERE pulp_id = %(version)s
)
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

# By the members with these names alone, so that the cost does not depend on the size of the version.
_NAMED = f"""
SELECT {_COLUMNS}
FROM conda_condapackage AS package
    JOIN core_repositorycontent AS member ON member.content_id = package.content_ptr_id
    JOIN core_repositoryversion AS added ON added.pulp_id = member.version_added_id
    LEFT JOIN core_repositoryversion AS removed ON removed.pulp_id = member.version_removed_id
    {_INDEXED}
WHERE package.name = ANY(%(names)s) AND member.repository_id = %(repository)s
    AND added.number <= %(number)s AND (removed.number IS NULL OR removed.number > %(number)s)
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

_NAMES = """
SELECT DISTINCT name FROM conda_condapackage WHERE content_ptr_id IN (
    SELECT unnest(content_ids) FROM core_repositoryversion WHERE pulp_id = %(version)s
)
"""


def candidates(version, before=None, with_depends=False):
    """Yield a `Candidate` for each package of a repository version, in the order of their paths.

    Args:
        before: A version whose packages are not new, or None.
    """
    depends = "package.depends" if with_depends else "NULL"
    statement = _ALL.format(depends=depends, is_new=_IS_NEW if before else "true")
    facts = _facts(version)
    if before:
        facts |= {f"before_{name}": value for name, value in _facts(before).items()}
    with connection.chunked_cursor() as cursor:
        cursor.itersize = _BATCH
        cursor.execute(statement, facts)
        yield from map(Candidate._make, cursor)


def candidates_named(version, names):
    """Return a `Candidate` with its dependencies for each package of these names."""
    statement = _NAMED.format(depends="package.depends", is_new="true")
    with connection.cursor() as cursor:
        cursor.execute(statement, {**_facts(version), "names": list(names)})
        return list(map(Candidate._make, cursor.fetchall()))


def names_of(version):
    """Return the names of all packages of a repository version."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, _facts(version))
        return [name for (name,) in cursor.fetchall()]


def _facts(version):
    return {
        "version": version.pk,
        "number": version.number,
        "repository": version.repository_id,
    }
