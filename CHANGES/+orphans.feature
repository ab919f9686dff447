Whoever uploads a package to no repository sees it, by the new role ``conda.condapackage_viewer`` on it, and can add it to a repository.
