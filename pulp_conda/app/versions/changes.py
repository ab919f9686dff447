"""What changed between two versions of a repository, as the publisher has to know it: which names
of which subdirs may have other metadata.
"""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from django.db import connection

from pulpcore.plugin.models import RepositoryVersion
from pulpcore.plugin.util import get_domain_pk

# A subdir and a package name.
Name = tuple[str, str]

_BETWEEN = """
SELECT pulp_id FROM core_repositoryversion
WHERE repository_id = %(repository)s AND number > %(low)s AND number <= %(high)s
"""

# The versions are values of the statement, so that PostgreSQL looks for how many rows each of them
# has. If it only knew the average, it would read all memberships.
_MEMBERSHIPS = """
SELECT package.subdir, package.name, count(*) FILTER (WHERE changed.is_added)
FROM (
    SELECT content_id, true AS is_added FROM core_repositorycontent
    WHERE version_added_id = ANY(%(versions)s::uuid[])
    UNION ALL
    SELECT content_id, false FROM core_repositorycontent
    WHERE version_removed_id = ANY(%(versions)s::uuid[])
) AS changed CROSS JOIN LATERAL (
    SELECT subdir, name FROM conda_condapackage
    WHERE content_ptr_id = changed.content_id OFFSET 0
) AS package
GROUP BY package.subdir, package.name
"""

_LEARNED = """
SELECT DISTINCT package.subdir, package.name
FROM conda_condapackageinfo AS info CROSS JOIN LATERAL (
    SELECT content_ptr_id, _pulp_domain_id, subdir, name FROM conda_condapackage
    WHERE lower(sha256) = info.sha256 OFFSET 0
) AS package
WHERE info.pulp_domain_id = %(domain)s AND package._pulp_domain_id = %(domain)s
    AND (
        (info.run_exports_known_at > %(since)s AND info.run_exports_known_at <= %(made)s)
        OR (info.read_at > %(since)s AND info.read_at <= %(made)s)
    )
    AND EXISTS (
        SELECT FROM core_repositorycontent AS member
        WHERE member.content_id = package.content_ptr_id AND member.repository_id = %(repository)s
    )
"""

_SUMMARIZED = """
SELECT DISTINCT name FROM conda_upstreamsummary
WHERE repository_id = %(repository)s AND since > %(low)s AND since <= %(high)s
"""

_OF_FILES = """
SELECT DISTINCT package.subdir, package.name
FROM unnest(%(digests)s::text[]) AS file (sha256) CROSS JOIN LATERAL (
    SELECT _pulp_domain_id, subdir, name FROM conda_condapackage
    WHERE lower(sha256) = file.sha256 OFFSET 0
) AS package
WHERE package._pulp_domain_id = %(domain)s
"""

_OF_PATHS = """
SELECT DISTINCT package.name FROM unnest(%(filenames)s::text[]) AS wanted CROSS JOIN LATERAL (
    SELECT name FROM conda_condapackage
    WHERE _pulp_domain_id = %(domain)s AND subdir = %(subdir)s AND filename = wanted OFFSET 0
) AS package
"""

# A transaction may note a fact with a moment before one at which others looked, and commit it after
# they did. Then the number of facts until that moment differs, or the sum of their hashes. Each
# file has a row, so the table is read once for all moments.
_KNOWN = """
SELECT {columns} FROM (
    SELECT run_exports_known_at AS exports, read_at AS info, hashtext(sha256) AS hash
    FROM conda_condapackageinfo WHERE pulp_domain_id = %(domain)s OFFSET 0
) AS known
"""
_KNOWN_UNTIL = """
count(*) FILTER (WHERE exports <= %({made})s),
coalesce(sum(hash) FILTER (WHERE exports <= %({made})s), 0),
count(*) FILTER (WHERE info <= %({made})s),
coalesce(sum(hash) FILTER (WHERE info <= %({made})s), 0)
"""
# Of `_KNOWN_UNTIL`.
COLUMNS_OF_KNOWN = 4
_SUMMARIES = """
SELECT count(*), coalesce(sum(hashtext(name)), 0)::bigint FROM conda_upstreamsummary
WHERE repository_id = %(repository)s AND since <= %(number)s
"""


class Changes(NamedTuple):
    """What may differ in the metadata of two versions.

    Attributes:
        names: The names that changed, each with its subdir. Some of them need not have changed.
        summarized: The names of which the upstream says something else.
        added: How many packages were added.
    """

    names: set[Name]
    summarized: set[str]
    added: int


def changes_between(
    base: RepositoryVersion, version: RepositoryVersion, is_learned: bool = True
) -> Changes:
    """Return what changed from a version to the same or a later one of its repository.

    The cost is that of the changes, and of one pass over the facts of the domain if any is new.

    Args:
        is_learned: Whether something may have become known of packages from one to the other.
    """
    if base.pk == version.pk:
        return Changes(set(), set(), 0)
    facts: dict[str, Any] = {
        "repository": version.repository_id,
        "low": base.number,
        "high": version.number,
        "since": base.pulp_created,
        "made": version.pulp_created,
        "domain": get_domain_pk(),
    }
    facts["versions"] = [key for (key,) in _rows(_BETWEEN, facts)]
    members = _rows(_MEMBERSHIPS, facts)
    names = {(subdir, name) for subdir, name, _ in members}
    if is_learned:
        names |= set(_rows(_LEARNED, facts))
    summarized = {name for (name,) in _rows(_SUMMARIZED, facts)}
    return Changes(names, summarized, sum(added for _, _, added in members))


def names_of_files(digests: Iterable[str]) -> set[Name]:
    """Return the subdirs and names of the packages of the domain with these sha256."""
    return set(_rows(_OF_FILES, {"digests": list(digests), "domain": get_domain_pk()}))


def names_at(subdir: str, filenames: Collection[str]) -> set[str]:
    """Return the names of the packages of the domain that have one of these file names."""
    facts = {"subdir": subdir, "filenames": list(filenames), "domain": get_domain_pk()}
    return {name for (name,) in _rows(_OF_PATHS, facts)}


def known_at(*versions: RepositoryVersion) -> list[list[int]]:
    """Return a checksum, for each version, of all facts that its metadata are made of, besides its
    packages and patches.

    It only changes if a fact is noted late: with a moment before that of the version. Where the
    first four numbers of two versions are equal, nothing became known of packages between them.

    Args:
        versions: Of one repository.
    """
    facts = {f"made_{place}": version.pulp_created for place, version in enumerate(versions)}
    columns = ",".join(_KNOWN_UNTIL.format(made=made) for made in facts)
    (known,) = _rows(_KNOWN.format(columns=columns), {**facts, "domain": get_domain_pk()})
    checksums = []
    for place, version in enumerate(versions):
        start = place * COLUMNS_OF_KNOWN
        summaries = {"repository": version.repository_id, "number": version.number}
        (of_summaries,) = _rows(_SUMMARIES, summaries)
        checksums.append([*known[start : start + COLUMNS_OF_KNOWN], *of_summaries])
    return checksums


def _rows(statement: str, facts: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)
        return cursor.fetchall()
