#!/usr/bin/python
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
  - The pulp_conda developers
"""

EXAMPLES = r"""
- name: Who may upload?
  pulp.conda.conda_member_info:
    channel: team
  register: found
"""

RETURN = r"""
members:
  description: Who has which role. RV(members[].granted) is false if other roles allow the same, and
    RV(members[].complete) is false if parts of the channel lack the role.
  type: list
  elements: dict
  returned: always
  sample:
    - role: uploader
      user: ci
      group: null
      granted: true
      complete: true
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
