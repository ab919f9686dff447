"""Which versions have the packages of a lock file, answered at any number of versions.

PostgreSQL starts with the paths that a lock file names, and reads the memberships of the packages
at these paths. Other content of the versions is not read.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection

from pulpcore.plugin.models import RepositoryVersion
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.versions.membership import change_contents
from pulp_conda.app.versions.sql import is_member_at, join_memberships, keys_of
from pulp_conda.channel.lockfiles.model import LockedPackage

# The packages that repositories have or had at the paths of a lock file: one row for each
# membership.
_HELD = f"""
FROM unnest(%(subdirs)s::text[], %(filenames)s::text[], %(sha256s)s::text[], %(md5s)s::text[])
        AS locked (subdir, filename, sha256, md5)
    JOIN conda_condapackage AS package ON package._pulp_domain_id = %(domain)s
        AND package.subdir = locked.subdir AND package.filename = locked.filename
    {join_memberships()}
"""

# As `pulp_conda.channel.lockfiles.read.compare` has it: a sha256 counts more than an md5, and
# without a hash nothing is proven.
_IS_SAME = """
CASE
    WHEN locked.sha256 <> '' AND package.sha256 <> '' THEN locked.sha256 = package.sha256
    WHEN locked.md5 <> '' AND package.md5 <> '' THEN locked.md5 = package.md5
    ELSE false
END
"""

# For each path the right file, or else another file to report. It is taken from the first source
# that has it, as it was there last.
_FIND = f"""
SELECT DISTINCT ON (locked.subdir, locked.filename)
    locked.subdir, locked.filename, package.content_ptr_id, package.sha256, package.md5
{_HELD}
    JOIN unnest(%(repositories)s::uuid[], %(versions)s::int[])
        WITH ORDINALITY AS source (repository, version, place)
        ON source.repository = member.repository_id
        AND (source.version IS NULL OR (
            {is_member_at("source.version")}
        ))
ORDER BY locked.subdir, locked.filename, {_IS_SAME} DESC, source.place,
    removed.number DESC NULLS FIRST, added.number DESC
"""

# A version has at most one package at a path. So the number of memberships that include a version
# is the number of packages that it serves.
_COUNT = f"""
WITH held AS (
    SELECT added.number AS since, removed.number AS until
    {_HELD}
    WHERE member.repository_id = %(repository)s AND {_IS_SAME}
), change AS (
    SELECT number, sum(step) AS step
    FROM (SELECT since, 1 FROM held UNION ALL SELECT until, -1 FROM held WHERE until IS NOT NULL)
        AS change (number, step)
    GROUP BY number
)
SELECT number, count FROM (
    SELECT number, complete, coalesce(sum(step) OVER (ORDER BY number), 0) AS count
    FROM core_repositoryversion LEFT JOIN change USING (number)
    WHERE repository_id = %(repository)s
) AS version
WHERE complete ORDER BY number DESC
"""


# What to add to a version and what to remove, so that it has exactly some packages.
_CREATE = f"""
CREATE TEMP TABLE conda_to_add AS SELECT unnest(%(contents)s::uuid[]) AS content;
CREATE TEMP TABLE conda_to_remove AS
    SELECT package.content_ptr_id AS content
    FROM ({keys_of()}) AS member
        JOIN conda_condapackage AS package ON package.content_ptr_id = member.content;
WITH stay AS (
    DELETE FROM conda_to_remove USING conda_to_add
    WHERE conda_to_remove.content = conda_to_add.content RETURNING conda_to_add.content
)
DELETE FROM conda_to_add USING stay WHERE conda_to_add.content = stay.content
"""


def find_locked(
    packages: Sequence[LockedPackage], sources: Sequence[tuple[str, int | None]]
) -> dict[tuple[str, str], Sequence[Any]]:
    """Return what repositories have of the packages of a lock file.

    Args:
        packages: `LockedPackage`s.
        sources: (key of a repository, number of a version) where to look, the most wanted first;
            for None as the number, all versions count.

    Returns:
        Key, sha256 and md5 of the stored package by path; the right file, if one of the sources has
        it.
    """
    repositories, versions = zip(*sources, strict=True)
    facts = {
        **_facts(packages),
        "repositories": [str(repository) for repository in repositories],
        "versions": list(versions),
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIND, facts)
        return {(subdir, filename): found for subdir, filename, *found in cursor}


def count_locked(packages: Sequence[LockedPackage], repository_pk: UUID | str) -> dict[int, int]:
    """Return for each version of a repository how many of these packages it serves, as {number:
    count}, newest first.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {**_facts(packages), "repository": repository_pk})
        return {number: int(count) for number, count in cursor}


@contextmanager
def exact_change(version: RepositoryVersion, contents: list[UUID]) -> Iterator[tuple[int, int]]:
    """Have in tables what a version lacks to have exactly some packages, and what it has too many;
    give their numbers.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CREATE, {"contents": contents, "version": version.pk})
        try:
            cursor.execute(
                "SELECT (SELECT count(*) FROM conda_to_add), (SELECT count(*) FROM conda_to_remove)"
            )
            yield cursor.fetchone()
        finally:
            cursor.execute("DROP TABLE conda_to_add, conda_to_remove")


def apply_change(version: RepositoryVersion) -> None:
    """Carry out what `exact_change` found, in a version that is being made."""
    change_contents(
        version,
        added="SELECT content FROM conda_to_add",
        removed="SELECT content FROM conda_to_remove",
    )


def _facts(packages: Sequence[LockedPackage]) -> dict[str, Any]:
    return {
        "domain": get_domain_pk(),
        "subdirs": [package.subdir for package in packages],
        "filenames": [package.filename for package in packages],
        "sha256s": [package.sha256 or "" for package in packages],
        "md5s": [package.md5 or "" for package in packages],
    }
