"""Store the shards of a publication."""

import logging
from hashlib import sha256

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from pulp_conda.app.models import CondaShard, PublishedShard
from pulp_conda.channel.shards import encode_shard, shard_key

log = logging.getLogger(__name__)

_BATCH = 500


class ShardStore:
    """Gives a publication its shards, and encodes only those that no publication has yet."""

    def __init__(self, publication):
        self._publication = publication
        self._waiting = {}
        self._digests = {}

    def add(self, name, entries, removed):
        """Take what the shard of a package name shall hold, as `encode_shard` wants it."""
        self._waiting[shard_key(entries, removed)] = (name, entries, removed)
        if len(self._waiting) >= _BATCH:
            self._store()

    def finish(self):
        """Return the digests of the shards since the last call, by package name."""
        self._store()
        digests, self._digests = self._digests, {}
        return digests

    def _store(self):
        with transaction.atomic():
            # Locked, so that nobody clears away what is about to be used.
            shards = self._existing(self._waiting)
            missing = self._waiting.keys() - shards.keys()
            CondaShard.objects.bulk_create(
                map(self._encode, sorted(missing)), ignore_conflicts=True
            )
            shards |= self._existing(missing)
            PublishedShard.objects.bulk_create(
                (
                    PublishedShard(publication=self._publication, shard_id=pk)
                    for pk, _ in shards.values()
                ),
                ignore_conflicts=True,
            )
        for key, (name, _, _) in self._waiting.items():
            self._digests[name] = shards[key][1]
        self._waiting = {}

    def _existing(self, keys):
        rows = CondaShard.objects.filter(
            pulp_domain=self._publication.pulp_domain_id, key__in=list(keys)
        ).select_for_update(no_key=True)
        return {
            bytes(key): (pk, bytes(digest))
            for key, pk, digest in rows.values_list("key", "pk", "sha256")
        }

    def _encode(self, key):
        _, entries, removed = self._waiting[key]
        data = encode_shard(entries, removed, settings.CONDA_ZSTD_LEVEL)
        return CondaShard(
            key=key,
            sha256=sha256(data).digest(),
            data=data,
            pulp_domain_id=self._publication.pulp_domain_id,
        )


def remove_unused_shards():
    """Clear away what no publication has any more."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Not by the ORM, which would first load all of them.
            cursor.execute(
                "DELETE FROM conda_condashard WHERE NOT EXISTS"
                " (SELECT FROM conda_publishedshard WHERE shard_id = conda_condashard.pulp_id)"
            )
    except IntegrityError:
        # Another publication began to use one at this moment; the next publish tries again.
        log.debug("Unused shards were not removed")
