"""Store the shards of a publication."""

import logging
from hashlib import sha256

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from pulp_conda.app.models import CondaShard
from pulp_conda.channel.metadata.shards import encode_shard, shard_key

log = logging.getLogger(__name__)

# Packages and names that wait in memory, those of the last name aside.
_BATCH = 5000

# Locked, so that nobody clears away what is about to be used; other publications may take it at the same time.
_PUBLISH = """
WITH shard AS (
    SELECT pulp_id, key, sha256 FROM conda_condashard
    WHERE pulp_domain_id = %(domain)s AND key = ANY(%(keys)s) FOR KEY SHARE
), published AS (
    INSERT INTO conda_publishedshard (pulp_id, pulp_created, pulp_last_updated, publication_id, shard_id)
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

# What another publication uses at this moment is not waited for. Each is looked up, as no statistics can make that slow.
_REMOVE_UNUSED = """
DELETE FROM conda_condashard WHERE pulp_id IN (
    SELECT pulp_id FROM conda_condashard AS shard
    WHERE (SELECT shard_id FROM conda_publishedshard WHERE shard_id = shard.pulp_id LIMIT 1) IS NULL
    FOR UPDATE SKIP LOCKED
)
"""


class ShardStore:
    """Gives a publication its shards, and encodes only those that no publication has yet."""

    def __init__(self, publication):
        self._publication = publication
        self._waiting = {}
        self._size = 0
        self._digests = {}

    def add(self, name, entries, removed):
        """Take what the shard of a package name shall hold, as `encode_shard` wants it."""
        self._waiting[shard_key(entries, removed)] = (name, entries, removed)
        self._size += 1 + len(entries)
        if self._size >= _BATCH:
            self._store()

    def finish(self):
        """Return the digests of the shards since the last call, by package name."""
        self._store()
        digests, self._digests = self._digests, {}
        return digests

    def _store(self):
        digests = self._publish(self._waiting)
        while missing := [key for key in self._waiting if key not in digests]:
            self._create(missing)
            digests |= self._publish(missing)
        for key, (name, _, _) in self._waiting.items():
            self._digests[name] = digests[key]
        self._waiting = {}
        self._size = 0

    def _publish(self, keys):
        """Add to the publication what is stored of these shards, and return their digests."""
        facts = {
            "domain": self._publication.pulp_domain_id,
            "publication": self._publication.pk,
            "keys": list(keys),
        }
        with connection.cursor() as cursor:
            cursor.execute(_PUBLISH, facts)
            return {bytes(key): bytes(digest) for key, digest in cursor}

    def _create(self, keys):
        now = timezone.now()
        domain = self._publication.pulp_domain_id
        try:
            with (
                transaction.atomic(),
                connection.cursor() as cursor,
                connection.wrap_database_errors,
                cursor.copy(_COPY) as copy,
            ):
                copy.set_types(_TYPES)
                for key in keys:
                    _, entries, removed = self._waiting[key]
                    data = encode_shard(entries, removed, settings.CONDA_ZSTD_LEVEL)
                    pk = CondaShard._meta.pk.get_default()
                    copy.write_row((pk, now, now, domain, key, sha256(data).digest(), data))
        except IntegrityError:
            # Another publication stored one at this moment; those that are still missing are tried again.
            log.debug("A shard was stored twice")


def remove_unused_shards():
    """Clear away what no publication has any more."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Not by the ORM, which would first load all of them.
            cursor.execute(_REMOVE_UNUSED)
    except IntegrityError:
        # Another publication began to use one at this moment; the next publish tries again.
        log.debug("Unused shards were not removed")
