#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which environments gates solve."""

DOCUMENTATION = r"""
module: conda_environment_info
short_description: List environments that gates solve
description:
  - Lists the environments in a repository of Pulp's conda plugin. It changes nothing.
  - The text of an environment is not in the list. M(pulp.conda.conda_environment) returns it.
options:
  repository:
    description:
      - The name of the repository.
    type: str
    required: true
  version:
    description:
      - The number of the version of O(repository). The default is the latest one.
    type: int
  name:
    description:
      - Only the environment of this name.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: See for which platforms the environments are solved
  pulp.conda.conda_environment_info:
    repository: team
  register: found
"""

RETURN = r"""
environments:
  description: The environments, without their text.
  type: list
  elements: dict
  returned: always
  sample:
    - name: analysis
      format: environment.yml
      platforms: [linux-64, osx-arm64]
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    version = module.find_version(module.params["repository"], module.params["version"])
    if version is None:
        return {"changed": False, "environments": []}
    found = module.list("Environment", repository_version=version, **module.given("name"))
    return {"changed": False, "environments": found}


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "version": {"type": "int"},
            "name": {"type": "str"},
        },
    )


if __name__ == "__main__":
    main()
