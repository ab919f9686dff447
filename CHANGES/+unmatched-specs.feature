A sync warns of each spec in ``includes`` and ``excludes`` that matched nothing, with similar package names. ``pulp conda`` and the Ansible collection show the warnings of a sync.
