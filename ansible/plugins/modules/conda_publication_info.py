#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which versions are published."""

DOCUMENTATION = r"""
module: conda_publication_info
short_description: List the publications of conda repositories
description:
  - Lists the publications of a repository of Pulp's conda plugin, the newest first. It changes
    nothing.
options:
  repository:
    description:
      - The name of the repository.
    type: str
    required: true
  version:
    description:
      - Only publications of the version of O(repository) with this number.
    type: int
  checkpoint:
    description:
      - Only publications that are checkpoints, or only others.
    type: bool
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Is the first version published?
  pulp.conda.conda_publication_info:
    repository: team
    version: 1
  register: found
"""

RETURN = r"""
publications:
  description: The publications.
  type: list
  elements: dict
  returned: always
  sample:
    - pulp_href: /pulp/api/v3/publications/conda/conda/01924e1b-3e7f-7d22-b1f6-e1a2c9c4da31/
      checkpoint: false
      package_counts: {noarch: 12}
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    repository, number = module.params["repository"], module.params["version"]
    version = module.find_version(repository, number)
    if version is None:
        return {"changed": False, "publications": []}
    wanted = {"repository_version": version}
    if number is None:
        wanted = {"repository": module.href("Repository", repository)}
    wanted |= module.given("checkpoint")
    found = module.list("Publication", ordering=["-pulp_created"], **wanted)
    return {"changed": False, "publications": found}


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "version": {"type": "int"},
            "checkpoint": {"type": "bool"},
        },
    )


if __name__ == "__main__":
    main()
