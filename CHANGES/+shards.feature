Added sharded repodata to publications, so that clients fetch only the names they need.
