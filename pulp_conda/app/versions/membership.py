"""Which content a repository version has, changed in bulk.

pulpcore loads every key of a version into Python to copy what the version before has, and again for
each change. Here PostgreSQL moves the keys as sets. The rows in the database are the same as
pulpcore's; tests compare them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Subquery

from pulpcore.plugin.models import Repository, RepositoryContent, RepositoryVersion

from pulp_conda.app.versions.sql import BY_INDEX, MEMBER, MEMBERSHIPS, keys_of

_NOTHING = "SELECT NULL::uuid WHERE false"

# If content was removed in this version and is added again, its old membership continues. If it was
# added in this version and is removed again, its membership is deleted. Keys that stay keep their
# order. EXCEPT would sort them by their hashes, and PostgreSQL then needs a minute to make a hash
# table of 200,000 keys, instead of 0.1 seconds. The subquery makes it hash the few keys that go: it
# expects ten rows from `unnest` of an array, however long that is.
_CHANGE = f"""
WITH added (content) AS MATERIALIZED ({{added}}), removed (content) AS MATERIALIZED ({{removed}}),
known AS MATERIALIZED (
    SELECT content, member.pulp_id, version_removed_id
    FROM added LEFT JOIN LATERAL {MEMBERSHIPS.format(content="added.content")} AS member
        ON repository_id = %(repository)s
        AND (version_removed_id IS NULL OR version_removed_id = %(version)s)
), back AS (
    UPDATE core_repositorycontent SET version_removed_id = NULL, pulp_last_updated = now()
    WHERE pulp_id IN (SELECT pulp_id FROM known WHERE version_removed_id IS NOT NULL)
    RETURNING content_id
), new AS (
    INSERT INTO core_repositorycontent
        (pulp_id, pulp_created, pulp_last_updated, repository_id, content_id, version_added_id)
    SELECT (%(prefix)s || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, now(), now(),
        %(repository)s, content, %(version)s
    FROM (SELECT content FROM known WHERE pulp_id IS NULL ORDER BY content) AS unknown
    RETURNING content_id
), present AS MATERIALIZED (
    SELECT member.pulp_id, version_added_id
    FROM removed CROSS JOIN LATERAL {MEMBERSHIPS.format(content="removed.content")} AS member
    WHERE repository_id = %(repository)s AND version_removed_id IS NULL
), never AS (
    DELETE FROM core_repositorycontent
    WHERE pulp_id IN (SELECT pulp_id FROM present WHERE version_added_id = %(version)s)
    RETURNING content_id
), gone AS (
    UPDATE core_repositorycontent SET version_removed_id = %(version)s, pulp_last_updated = now()
    WHERE pulp_id IN (SELECT pulp_id FROM present WHERE version_added_id <> %(version)s)
    RETURNING content_id
), came AS MATERIALIZED (SELECT content_id FROM back UNION ALL SELECT content_id FROM new),
went AS MATERIALIZED (SELECT content_id FROM never UNION ALL SELECT content_id FROM gone)
UPDATE core_repositoryversion SET pulp_last_updated = now(), content_ids = CASE
    WHEN EXISTS (SELECT FROM went) THEN ARRAY(
        SELECT content FROM unnest(content_ids) AS content
        WHERE content NOT IN (SELECT unnest(ARRAY(SELECT content_id FROM went)))
    )
    ELSE content_ids
END || ARRAY(SELECT content_id FROM came)
WHERE pulp_id = %(version)s AND (EXISTS (SELECT FROM came) OR EXISTS (SELECT FROM went))
"""

_KEYS = "SELECT unnest(content_ids) FROM core_repositoryversion WHERE pulp_id = '{}'"

_WANTED = f"""
SELECT content FROM ({keys_of("base")}) AS member WHERE content <> ALL(%(removed)s::uuid[])
UNION SELECT unnest(%(added)s::uuid[])
"""

# What a version adds to the one before.
_NEW = """
SELECT content_id FROM core_repositorycontent
WHERE repository_id = %(repository)s AND version_added_id = %(version)s
    AND version_removed_id IS NULL
"""

# The other members that have the path of a new package, or the name of a new environment.
_REPLACED = f"""
SELECT other.content_ptr_id
FROM conda_new
    JOIN {{table}} AS new ON new.content_ptr_id = conda_new.content
    JOIN {{table}} AS other ON {{same_key}} AND other._pulp_domain_id = new._pulp_domain_id
WHERE {MEMBER.format(content="other.content_ptr_id")} IS NOT NULL
EXCEPT SELECT content FROM conda_new
"""
_NOTHING_ELSE = """
SELECT NOT EXISTS (
    SELECT FROM core_repositorycontent
    WHERE repository_id = %(repository)s AND version_added_id <> %(version)s
        AND version_removed_id IS NULL
)
"""
_SAME_KEY = {
    "conda_condapackage": "other.subdir = new.subdir AND other.filename = new.filename",
    "conda_condaenvironment": "other.name = new.name",
}

# Numbers are sorted much faster than paths.
_TWICE = f"""
SELECT EXISTS (
    SELECT FROM conda_condapackage WHERE content_ptr_id IN ({_NEW})
    GROUP BY hashtextextended(filename, hashtextextended(subdir, 0)) HAVING count(*) > 1
)
"""


def begin(repository: Repository, base: RepositoryVersion | None = None) -> RepositoryVersion:
    """Return a new version that has what the latest one has, or what another one has."""
    latest = repository.latest_version()
    version = RepositoryVersion(
        repository=repository, number=repository.next_version, base_version=base
    )
    # Not by `save`, whose hook would take the keys through Python.
    RepositoryVersion.objects.bulk_create([version])
    keys = RepositoryVersion.objects.filter(pk=latest.pk).values("content_ids")
    RepositoryVersion.objects.filter(pk=version.pk).update(content_ids=Subquery(keys))
    _forget_keys(version)
    if base:
        present, wanted = _KEYS.format(latest.pk), _KEYS.format(base.pk)
        change_contents(version, f"{wanted} EXCEPT {present}", f"{present} EXCEPT {wanted}")
    return version


def change_contents(
    version: RepositoryVersion, added: str = _NOTHING, removed: str = _NOTHING
) -> None:
    """Add content to a version that is being made, and remove content from it.

    One statement for both, because each statement writes all keys of the version again.

    Args:
        added, removed: A query in SQL that gives keys; no key comes from both.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        # New memberships get keys that follow each other. That is cheaper for indexes than random
        # keys.
        prefix = RepositoryContent._meta.pk.get_default().hex[:24]
        statement = _CHANGE.format(added=added, removed=removed)
        cursor.execute(statement, _facts(version) | {"prefix": prefix})
    _forget_keys(version)


def become(
    version: RepositoryVersion,
    base: RepositoryVersion,
    added: Iterable[UUID],
    removed: Iterable[UUID],
) -> None:
    """Give a version that is being made what another one has, with some content more and some less.

    Args:
        base: The other version, of whatever repository.
        added, removed: Keys of content.
    """
    facts = {"base": base.pk, "added": list(added), "removed": list(removed)}
    with keys_in_table("conda_wanted", _WANTED, facts):
        present, wanted = _KEYS.format(version.pk), "SELECT content FROM conda_wanted"
        change_contents(version, f"{wanted} EXCEPT {present}", f"{present} EXCEPT {wanted}")


def remove_replaced(version: RepositoryVersion) -> None:
    """Remove content that new content of this version replaces.

    A new package replaces the one at its path, and a new environment the one of its name. New is
    what the version before does not have or, if the version has a base, what the base does not
    have.
    """
    new = _NEW
    if version.base_version_id:
        new = f"{_KEYS.format(version.pk)} EXCEPT {_KEYS.format(version.base_version_id)}"
    elif _is_true(version, _NOTHING_ELSE):
        return
    with keys_in_table("conda_new", new, _facts(version)):
        for table, same_key in _SAME_KEY.items():
            change_contents(version, removed=_REPLACED.format(table=table, same_key=same_key))


def is_new_path_twice(version: RepositoryVersion) -> bool:
    """Say whether two packages that this version added have the same path."""
    return _is_true(version, _TWICE)


@contextmanager
def keys_in_table(name: str, query: str, parameters: Any) -> Iterator[None]:
    """Keep the keys that a query gives in a temporary table, for the time of a `with` block."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE {name} (content) AS {query}", parameters)
        yield
        cursor.execute(f"DROP TABLE {name}")


def _is_true(version: RepositoryVersion, question: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, _facts(version))
        return cursor.fetchone()[0]


def _forget_keys(version: RepositoryVersion) -> None:
    # Sixteen megabytes for a million packages: loaded again if somebody asks.
    version.__dict__.pop("content_ids", None)


def _facts(version: RepositoryVersion) -> dict[str, Any]:
    return {"repository": version.repository_id, "version": version.pk}
