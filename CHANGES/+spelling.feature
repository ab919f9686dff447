Errors of ``pulp conda`` name the options of the command instead of the fields of the REST API, and end with their code.
