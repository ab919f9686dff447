Added sharded repodata to publications, so that clients only fetch the package names that they need.
