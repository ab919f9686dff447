#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which packages a repository has."""

DOCUMENTATION = r"""
module: conda_package_info
short_description: List the packages of conda repositories
description:
  - Lists the packages in a version of a repository of Pulp's conda plugin. It changes nothing.
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
  spec:
    description:
      - Only packages that this match spec matches, for example C(numpy >=2,<3), with the newest one
        first.
      - It has the exact name of a package, or O(name) is given, too.
    type: str
  name:
    description:
      - Only packages of this name.
    type: str
  subdir:
    description:
      - Only packages in this subdir.
    type: str
  filename:
    description:
      - Only packages of this file name, for example C(hello-1.0-0.conda).
    type: str
  limit:
    description:
      - How many packages to list at most. With V(0), all of them.
    type: int
    default: 100
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Find the newest numpy 2 of the team
  pulp.conda.conda_package_info:
    repository: team
    spec: numpy 2.*
    subdir: linux-64
    limit: 1
  register: found
"""

RETURN = r"""
packages:
  description: The packages.
  type: list
  elements: dict
  returned: always
  sample:
    - name: numpy
      version: 2.1.0
      build: py313h1_0
      subdir: linux-64
      filename: numpy-2.1.0-py313h1_0.conda
      sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
more:
  description: Whether there are more packages than O(limit).
  type: bool
  returned: always
  sample: false
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    version = module.find_version(module.params["repository"], module.params["version"])
    if version is None:
        return {"changed": False, "packages": [], "more": False}
    wanted = {
        "repository_version": version,
        "match": module.params["spec"],
        **module.given("name", "subdir", "filename"),
    }
    limit = max(module.params["limit"], 0)
    found = module.list("Package", limit=limit and limit + 1, **wanted)
    is_cut = 0 < limit < len(found)
    return {"changed": False, "packages": found[: limit or None], "more": is_cut}


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "version": {"type": "int"},
            "spec": {"type": "str"},
            "name": {"type": "str"},
            "subdir": {"type": "str"},
            "filename": {"type": "str"},
            "limit": {"type": "int", "default": 100},
        },
    )


if __name__ == "__main__":
    main()
