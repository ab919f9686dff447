Made the last step of syncs and of changes to repositories, in which the new version gets its packages, a matter of sets in the database.
