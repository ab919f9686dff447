"""Which packages of a repository some of its versions have."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.versions.sql import is_member_at, join_memberships

_HELD = f"""
SELECT DISTINCT package.subdir || '/' || package.filename
FROM unnest(%(subdirs)s::text[], %(filenames)s::text[]) AS wanted (subdir, filename)
    JOIN conda_condapackage AS package ON package._pulp_domain_id = %(domain)s
        AND package.subdir = wanted.subdir AND package.filename = wanted.filename
    {join_memberships()}
WHERE member.repository_id = %(repository)s AND EXISTS (
    SELECT FROM unnest(%(numbers)s::int[]) AS served (number)
    WHERE {is_member_at("served.number")}
)
"""


def held_paths(repository: UUID, numbers: Collection[int], paths: Collection[str]) -> set[str]:
    """Return those of some paths that at least one version of a repository has.

    Args:
        repository: The key of the repository.
        numbers: The numbers of the versions.
        paths: Paths of packages in the channel.
    """
    if not numbers or not paths:
        return set()
    subdirs, filenames = zip(*(path.split("/") for path in paths), strict=True)
    facts = {
        "domain": get_domain_pk(),
        "repository": repository,
        "numbers": list(numbers),
        "subdirs": list(subdirs),
        "filenames": list(filenames),
    }
    with connection.cursor() as cursor:
        cursor.execute(_HELD, facts)
        return {path for (path,) in cursor.fetchall()}
