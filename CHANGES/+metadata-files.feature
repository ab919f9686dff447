Added ``run_exports.json``, ``channeldata.json``, the ``v3`` section, ``channel_relations`` and, with ``legacy_metadata``, ``current_repodata.json`` and ``repodata.json.bz2`` to publications.
