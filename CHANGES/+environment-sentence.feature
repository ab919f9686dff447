People read one sentence when `pulp conda environment create` has registered an environment.
