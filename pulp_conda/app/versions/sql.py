"""Parts of SQL statements about repository versions, each written once.

A version keeps the keys of all its content in an array (`content_ids`). Besides, each content of a
repository has memberships, which say in which version it was added and in which it was removed. The
array is fast for a whole version, memberships are fast for a few content units.

Code outside of `versions/` does not name `core_repositoryversion` and `core_repositorycontent`.
"""

# Let PostgreSQL look up each change by an index, in the order in which the joins are written, so
# that the cost is that of the change. Its statistics are older than the sync: they may say that a
# table is empty that has a million rows now. So the statements leave it no choice: a value in a
# subquery or LATERAL instead of a join, EXCEPT instead of NOT EXISTS, and OFFSET 0 around the one
# column whose index is meant. Plans that are forbidden so look very expensive, and PostgreSQL would
# compile the statements (`jit`), which takes longer than to run them.
BY_INDEX = """
SET LOCAL jit = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_seqscan = off;
SET LOCAL join_collapse_limit = 1
"""

# The memberships of a content, in all repositories.
MEMBERSHIPS = """(
    SELECT pulp_id, repository_id, version_added_id, version_removed_id
    FROM core_repositorycontent WHERE content_id = {content} OFFSET 0
)"""

# The key of the membership that a content has in the latest version of a repository, if any.
MEMBER = f"""(
    SELECT member.pulp_id FROM {MEMBERSHIPS} AS member
    WHERE member.repository_id = %(repository)s AND member.version_removed_id IS NULL LIMIT 1
)"""

# Tables for a query: `changed` has each content that was added or removed in one of the versions
# after `low`, up to `high`. Each lookup is by its own index, see `BY_INDEX`.
WITH_CHANGED = """
WITH between AS (
    SELECT pulp_id FROM core_repositoryversion
    WHERE repository_id = %(repository)s AND number > %(low)s AND number <= %(high)s
), changed AS (
    SELECT member.content_id, true AS is_added FROM between CROSS JOIN LATERAL (
        SELECT content_id FROM core_repositorycontent
        WHERE version_added_id = between.pulp_id OFFSET 0
    ) AS member
    UNION ALL
    SELECT member.content_id, false FROM between CROSS JOIN LATERAL (
        SELECT content_id FROM core_repositorycontent
        WHERE version_removed_id = between.pulp_id OFFSET 0
    ) AS member
)
"""


def keys_of(version: str = "version") -> str:
    """Return a query for the keys of all that a version has; `version` names the parameter with its
    key.
    """
    return f"""
    SELECT unnest(content_ids) AS content FROM core_repositoryversion WHERE pulp_id = %({version})s
"""


def join_memberships(package: str = "package") -> str:
    """Return joins that add the memberships of packages, and the versions that added them and
    removed them.

    Args:
        package: The alias of `conda_condapackage`.
    """
    return f"""
    JOIN core_repositorycontent AS member ON member.content_id = {package}.content_ptr_id
    JOIN core_repositoryversion AS added ON added.pulp_id = member.version_added_id
    LEFT JOIN core_repositoryversion AS removed ON removed.pulp_id = member.version_removed_id
"""


def is_member_at(number: str) -> str:
    """Return the condition for a membership that is joined so: the version of a number has the
    content.
    """
    return f"(added.number <= {number} AND (removed.number IS NULL OR removed.number > {number}))"


def is_in_one_of(repositories: str, content: str) -> str:
    """Return the condition that a version of one of several repositories has a content.

    Args:
        repositories: The name of the parameter with the keys of the repositories.
        content: The key of the content, as an expression of SQL.
    """
    return f"""EXISTS (
        SELECT FROM {MEMBERSHIPS.format(content=content)} AS member
        WHERE member.repository_id = ANY(%({repositories})s)
    )"""


def packages_of_latest() -> str:
    """Return what stands behind FROM for the packages of the latest version of a repository, as
    `member` and `package`.
    """
    return """
    core_repositorycontent AS member
    JOIN conda_condapackage AS package ON package.content_ptr_id = member.content_id
        AND member.repository_id = %(repository)s AND member.version_removed_id IS NULL
"""


def packages_added() -> str:
    """Return what stands behind FROM for the packages that a version added, removed since or
    not.
    """
    return """
    core_repositorycontent AS member
    JOIN conda_condapackage AS package ON package.content_ptr_id = member.content_id
        AND member.repository_id = %(repository)s AND member.version_added_id = %(version)s
"""
