Made the sync of a day's changes cheaper: keys that stay in a version are kept by a look into what goes, and where whole names were read, nothing is looked up by path.
