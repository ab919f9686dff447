#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Users without a password, for programs."""

DOCUMENTATION = r"""
module: conda_robot
short_description: Manage robots, users without a password
description:
  - Creates and deletes robots of Pulp's conda plugin. A robot acts by tokens, see
    M(pulp.conda.conda_token).
  - With a robot, its tokens and its roles are deleted.
options:
  name:
    description: Letters, digits, dots, C(_) and C(-). Unique in the domain.
    type: str
    required: true
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Create a robot for CI
  pulp.conda.conda_robot:
    name: ci
    state: present
  register: robot

- name: Let it upload to a channel
  pulp.conda.conda_member:
    channel: team
    role: uploader
    users: ["{{ robot.user }}"]
"""

RETURN = r"""
robot:
  description: The robot. In check mode, as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    name: ci
user:
  description: The name of its user, to which roles are given.
  type: str
  returned: unless O(state=absent), and not for a new robot in check mode
  sample: robot+default+ci
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import STATE, results, run


def work(module):
    context = module.context("Robot", name=module.params["name"])
    if module.params["state"] == "absent":
        return results(*module.converge(context, None))
    if module.only_names("name"):
        after = module.existing(context)
        told = module.read("Robot", module.params["name"], robot=after)
    else:
        changed, before, after = module.converge(context, {})
        told = results(changed, before, after, robot=after)
    return {**told, **({"user": after["username"]} if after and "username" in after else {})}


def main():
    run(work, {"name": {"type": "str", "required": True}, **STATE})


if __name__ == "__main__":
    main()
