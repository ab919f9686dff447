"""Which versions have the packages of a lock file, answered at any number of versions.

PostgreSQL goes from the paths that a lock file names to the memberships of the packages there, and never through what
the versions have besides.
"""

from django.db import connection

from pulpcore.plugin.util import get_domain_pk

# The packages that repositories have, or had, at the paths of a lock file, one row for each membership.
_HELD = """
FROM unnest(%(subdirs)s::text[], %(filenames)s::text[], %(sha256s)s::text[], %(md5s)s::text[])
        AS locked (subdir, filename, sha256, md5)
    JOIN conda_condapackage AS package ON package._pulp_domain_id = %(domain)s
        AND package.subdir = locked.subdir AND package.filename = locked.filename
    JOIN core_repositorycontent AS member ON member.content_id = package.content_ptr_id
    JOIN core_repositoryversion AS added ON added.pulp_id = member.version_added_id
    LEFT JOIN core_repositoryversion AS removed ON removed.pulp_id = member.version_removed_id
"""

# As `pulp_conda.channel.lockfiles.read.compare` has it: a sha256 counts more than an md5, and without a hash nothing is proven.
_IS_SAME = """
CASE
    WHEN locked.sha256 <> '' AND package.sha256 <> '' THEN locked.sha256 = package.sha256
    WHEN locked.md5 <> '' AND package.md5 <> '' THEN locked.md5 = package.md5
    ELSE false
END
"""

# Of each path the right file, or else another one to tell of; from the first source that has it, as it was last there.
_FIND = f"""
SELECT DISTINCT ON (locked.subdir, locked.filename)
    locked.subdir, locked.filename, package.content_ptr_id, package.sha256, package.md5
{_HELD}
    JOIN unnest(%(repositories)s::uuid[], %(versions)s::int[])
        WITH ORDINALITY AS source (repository, version, place) ON source.repository = member.repository_id
        AND (source.version IS NULL OR (
            added.number <= source.version AND coalesce(removed.number > source.version, true)
        ))
ORDER BY locked.subdir, locked.filename, {_IS_SAME} DESC, source.place, removed.number DESC NULLS FIRST, added.number DESC
"""

# A version has at most one package of a path, so it serves as many of the packages as memberships span it.
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


def find_locked(packages, sources):
    """Return what repositories have of the packages of a lock file.

    Args:
        packages: `LockedPackage`s.
        sources: (key of a repository, number of a version) where to look, the most wanted first; for None as the
            number, all versions count.

    Returns:
        Key, sha256 and md5 of the stored package by path; the right file, if one of the sources has it.
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


def count_locked(packages, repository_pk):
    """Return for each version of a repository how many of these packages it serves, as {number: count}, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {**_facts(packages), "repository": repository_pk})
        return {number: int(count) for number, count in cursor}


def _facts(packages):
    return {
        "domain": get_domain_pk(),
        "subdirs": [package.subdir for package in packages],
        "filenames": [package.filename for package in packages],
        "sha256s": [package.sha256 or "" for package in packages],
        "md5s": [package.md5 or "" for package in packages],
    }
