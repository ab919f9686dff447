Added tokens, by which programs act as a user without its password, for some scopes and channels.
