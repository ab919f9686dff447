Added syncs that prefer an upstream's sharded repodata and fetch only the changed shards. They also take ``run_exports``, ``v3`` records, ``removed``, ``indexed_timestamp`` and attestations.
