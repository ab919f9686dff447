"""The content of one repository version, page by page.

pulpcore compares the keys of all content of a type with the keys of the version. With a million
packages that takes seconds, or hours if PostgreSQL has no statistics of the version yet.
"""

from uuid import UUID

from django.db import connection, transaction

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.versions.sql import BY_INDEX, is_member_at

# With the order of the index of memberships, from its end. Otherwise PostgreSQL may read and sort
# all members, if it thinks that there are few.
_IN_ORDER = f"{BY_INDEX}; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off"
_PAGE = f"""
SELECT member.content_id
FROM core_repositorycontent AS member
    JOIN core_repositoryversion AS added ON added.pulp_id = member.version_added_id
    LEFT JOIN core_repositoryversion AS removed ON removed.pulp_id = member.version_removed_id
WHERE member.repository_id = %(repository)s AND {is_member_at("%(number)s")}
    AND (SELECT pulp_type FROM core_content WHERE pulp_id = member.content_id) = %(type)s
ORDER BY member.content_id DESC
LIMIT %(limit)s OFFSET %(offset)s
"""


def count_members(version: RepositoryVersion, pulp_type: str) -> int:
    """Return how many content units of a type a complete version has, as it was counted once."""
    counts = version.counts.filter(content_type=pulp_type, count_type="P")
    return counts.values_list("count", flat=True).first() or 0


def page_of_members(
    version: RepositoryVersion, pulp_type: str, offset: int, limit: int
) -> list[UUID]:
    """Return the keys of some of the content units of a type that a version has, the highest keys
    first.

    The cost is that of the page and of those before it.
    """
    facts = {
        "repository": version.repository_id,
        "number": version.number,
        "type": pulp_type,
        "offset": offset,
        "limit": limit,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_IN_ORDER)
        cursor.execute(_PAGE, facts)
        return [key for (key,) in cursor.fetchall()]
