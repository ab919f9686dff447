Show in ``pulp conda status`` when a virtual channel cannot follow the channels that it merges.
