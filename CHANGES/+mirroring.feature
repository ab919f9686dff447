Added remotes and syncs that mirror conda channels, as a whole or by subdirs and match specs. Files are downloaded on demand or during the sync.
