#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which robots there are."""

DOCUMENTATION = r"""
module: conda_robot_info
short_description: List robots, users without a password
description:
  - Lists the robots of Pulp's conda plugin that the user may see, or finds one. It changes nothing.
options:
  name:
    description: Only the robot of this name.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: List all robots
  pulp.conda.conda_robot_info: {}
  register: found
"""

RETURN = r"""
robots:
  description: The robots. C(username) is the user to which roles are given.
  type: list
  elements: dict
  returned: always
  sample:
    - name: ci
      username: robot+default+ci
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    found = module.list("Robot", **module.given("name"))
    return {"changed": False, "robots": found}


def main():
    run(work, {"name": {"type": "str"}})


if __name__ == "__main__":
    main()
