Added remotes and syncs that mirror conda channels, as a whole or by subdirs and match specs, on demand or at once.
