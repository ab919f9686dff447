Added `shards` to repositories, `--no-shards` on the command line: a channel without sharded repodata, for clients of mamba 2.8, which keep a shard index for a day.
