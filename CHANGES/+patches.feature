Added repodata patches as content (``content/conda/patches/``), which correct, revoke or remove packages of a channel as long as the repository has the patch.
