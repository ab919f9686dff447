Added environments as content (``content/conda/environments/``), read from ``environment.yml``, ``pixi.toml``, ``pyproject.toml`` or a list of match specs, with the virtual packages of each platform.
