Added copying of packages between repositories by match specs, with or without what they depend on: ``repositories/conda/conda/…/copy/``.
