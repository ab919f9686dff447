Added repodata patches as content (``content/conda/patches/``), which correct, revoke or remove packages of a channel for as long as they are part of it.
