Made the last step of syncs and of changes to repositories faster: the packages of the new version are added by set operations in the database.
