Added replication: ``pulp upstream-pulp replicate`` copies the conda channels of another Pulp, if ``pulp-glue-conda`` is installed on the server.
