Added replication: ``pulp upstream-pulp replicate`` keeps the conda channels of another Pulp, if ``pulp-glue-conda`` is installed on the server.
