Added more metadata of packages to the REST API: ``about``, ``run_exports``, ``licenses``, ``link``, and ``traits`` of the scripts and prefixes, which are read during the upload.
