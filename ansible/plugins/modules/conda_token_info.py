#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which tokens there are."""

DOCUMENTATION = r"""
module: conda_token_info
short_description: List tokens, without their secrets
description:
  - Lists the tokens of Pulp's conda plugin that the user may see. It changes nothing.
options:
  name:
    description: Only tokens of this name.
    type: str
  owner:
    description: Only tokens of this user or robot.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: See when the tokens of a robot were last used
  pulp.conda.conda_token_info:
    owner: robot+default+ci
  register: found
"""

RETURN = r"""
tokens:
  description: The tokens.
  type: list
  elements: dict
  returned: always
  sample:
    - name: github
      owner: robot+default+ci
      scopes: [upload]
      channels: [team/unstable]
      expires: "2027-12-01T00:00:00Z"
      last_used: "2026-12-01T08:12:11.123456Z"
      revoked: null
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    wanted = module.given("name", "owner")
    found = module.list("Token", **wanted)
    return {"changed": False, "tokens": found}


def main():
    run(work, {"name": {"type": "str"}, "owner": {"type": "str"}})


if __name__ == "__main__":
    main()
