Added ``pulp conda remote check``, and the action ``check`` of remotes, which compares the shards, ``repodata.json.zst`` and ``repodata.json`` of an upstream and says what differs.
