Added copying of packages between repositories by match specs, with or without their dependencies: ``repositories/conda/conda/…/copy/``.
