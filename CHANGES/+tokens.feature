Added tokens, by which programs act as a user without its password, for some scopes and channels, and robots, users without a password: ``pulp conda token`` and ``pulp conda robot``.
