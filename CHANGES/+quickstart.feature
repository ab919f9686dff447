Added ``pulp-conda-quickstart``, which runs a whole Pulp from one folder without root, containers or a database server.
