#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who has which role in a channel."""

DOCUMENTATION = r"""
module: conda_member_info
short_description: List who has which role in a conda channel
description:
  - Lists the users and groups who read, upload to, promote, approve or own a channel of Pulp's
    conda plugin. It changes nothing.
options:
  channel:
    description: The name of the channel, which is that of its repository.
    type: str
    required: true
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Who may upload?
  pulp.conda.conda_member_info:
    channel: team
  register: found
"""

RETURN = r"""
members:
  description: Who has which role.
  type: list
  elements: dict
  returned: always
  contains:
    role:
      description: The name of the role.
      type: str
      returned: always
      sample: uploader
    user:
      description: The name of the user, or null for a group.
      type: str
      returned: always
      sample: ci
    group:
      description: The name of the group, or null for a user.
      type: str
      returned: always
      sample: null
    granted:
      description: Whether the role was given. It is false if other roles allow the same.
      type: bool
      returned: always
      sample: true
    complete:
      description: Whether all parts of the channel have it. It is false if some lack the role.
      type: bool
      returned: always
      sample: true
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    repository = module.find("Repository", module.params["channel"])
    if repository.get("is_stand_in"):
        return {"changed": False, "members": []}
    context = module.context("Repository", name=module.params["channel"])
    return {"changed": False, "members": context.members()}


def main():
    run(work, {"channel": {"type": "str", "required": True}})


if __name__ == "__main__":
    main()
