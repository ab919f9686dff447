Added what a package says of itself to the REST API: ``about``, ``run_exports``, ``licenses``, ``link`` and ``traits`` of its scripts and prefixes, read at upload.
