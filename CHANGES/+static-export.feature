Added `pulp conda export to`, which writes a channel to a folder that any web server can serve, and
brings it up to date by what changed, and `pulp conda export verify`. A filesystem exporter of Pulp
now refuses a channel with shards, because it would leave the shards out.
