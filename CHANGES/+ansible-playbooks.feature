Added the playbooks ``pulp.conda.mirror_and_curate`` and ``pulp.conda.ci_promotes`` and a changelog to the Ansible collection. The names of the mirror and of the channel are variables.
