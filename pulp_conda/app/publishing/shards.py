"""Store the shards of a publication."""

import logging
from collections.abc import Collection, Iterable
from hashlib import sha256
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from pulp_conda.app.compression import levels
from pulp_conda.app.models import CondaPublication, CondaShard
from pulp_conda.channel.metadata.shards import ShardEntry, encode_shard, shard_key

log = logging.getLogger(__name__)

# How many packages and names wait in memory. The last name may add any number of packages.
_BATCH = 5000

# The rows are locked, so that no other task removes a shard that is about to be used. Other
# publications may use it at the same time.
_PUBLISH = """
WITH shard AS (
    SELECT pulp_id, key, sha256 FROM conda_condashard
    WHERE pulp_domain_id = %(domain)s AND key = ANY(%(keys)s) FOR KEY SHARE
), published AS (
    INSERT INTO conda_publishedshard (
        pulp_id, pulp_created, pulp_last_updated, publication_id, shard_id
    )
    SELECT gen_random_uuid(), now(), now(), %(publication)s, pulp_id FROM shard
    ON CONFLICT DO NOTHING
)
SELECT key, sha256 FROM shard
"""

_COPY = """
COPY conda_condashard (pulp_id, pulp_created, pulp_last_updated, pulp_domain_id, key, sha256, data)
FROM STDIN (FORMAT binary)
"""
_TYPES = ("uuid", "timestamptz", "timestamptz", "uuid", "bytea", "bytea", "bytea")

# Does not wait for shards that another publication uses at this moment. Looks up each shard by
# itself, so that wrong statistics cannot make PostgreSQL choose a slow plan.
_REMOVE_UNUSED = """
DELETE FROM conda_condashard WHERE pulp_id IN (
    SELECT pulp_id FROM conda_condashard AS shard
    WHERE (
        SELECT shard_id FROM conda_publishedshard WHERE shard_id = shard.pulp_id LIMIT 1
    ) IS NULL
    FOR UPDATE SKIP LOCKED
)
"""


class _Shard(NamedTuple):
    """What the shard of a package name shall hold: its packages, and the files once removed."""

    name: str
    entries: list[ShardEntry]
    removed: Collection[str]


class ShardStore:
    """Gives a publication its shards, and encodes only those that no publication has yet."""

    def __init__(self, publication: CondaPublication) -> None:
        self._publication = publication
        self._waiting: dict[bytes, _Shard] = {}
        self._size = 0
        self._digests: dict[str, bytes] = {}

    def add(self, name: str, entries: list[ShardEntry], removed: Collection[str]) -> None:
        """Take the content of the shard of a package name.

        Args:
            removed: The names of package files that the channel had once.
        """
        self._waiting[shard_key(entries, removed)] = _Shard(name, entries, removed)
        self._size += 1 + len(entries)
        if self._size >= _BATCH:
            self._store()

    def finish(self) -> dict[str, bytes]:
        """Store the shards that wait.

        Returns:
            By package name, the sha256 of each shard since the last call, in binary.
        """
        self._store()
        digests, self._digests = self._digests, {}
        return digests

    def _store(self) -> None:
        digests = self._publish(self._waiting)
        while missing := [key for key in self._waiting if key not in digests]:
            self._create(missing)
            digests |= self._publish(missing)
        for key, shard in self._waiting.items():
            self._digests[shard.name] = digests[key]
        self._waiting = {}
        self._size = 0

    def _publish(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Add those of these shards that are stored to the publication.

        Returns:
            Their sha256 in binary, by key.
        """
        facts = {
            "domain": self._publication.pulp_domain_id,
            "publication": self._publication.pk,
            "keys": list(keys),
        }
        with connection.cursor() as cursor:
            cursor.execute(_PUBLISH, facts)
            return {bytes(key): bytes(digest) for key, digest in cursor}

    def _create(self, keys: Iterable[bytes]) -> None:
        """Encode shards and store them; none of them if another publication stores one now."""
        now = timezone.now()
        domain = self._publication.pulp_domain_id
        level = levels().shards
        try:
            with (
                transaction.atomic(),
                connection.cursor() as cursor,
                connection.wrap_database_errors,
                cursor.copy(_COPY) as copy,
            ):
                copy.set_types(_TYPES)
                for key in keys:
                    shard = self._waiting[key]
                    data = encode_shard(shard.entries, shard.removed, level)
                    pk = CondaShard._meta.pk.get_default()
                    copy.write_row((pk, now, now, domain, key, sha256(data).digest(), data))
        except IntegrityError:
            # The caller tries those that are still missing once more.
            log.debug("A shard was stored twice")


def remove_shards(publication: CondaPublication) -> None:
    """Take all shards from a publication that is not complete yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM conda_publishedshard WHERE publication_id = %s", [publication.pk]
        )


def remove_unused_shards() -> None:
    """Delete the shards that no publication has any more."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Not with Django's models, which would first load all of these shards.
            cursor.execute(_REMOVE_UNUSED)
    except IntegrityError:
        # A publication started to use one at this moment. The next cleanup tries again.
        log.debug("Unused shards were not removed")
