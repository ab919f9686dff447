#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who did what to which channel."""

DOCUMENTATION = r"""
module: conda_act_info
short_description: List who did what to conda channels
description:
  - Lists the acts that Pulp's conda plugin has noted, as far as the user may see them. It changes
    nothing.
options:
  channel:
    description:
      - Only what was done to a repository, distribution, remote or lifecycle of this name, to its
        versions and to its stages.
    type: str
  workflow:
    description: Only what was done by a trusted workflow, for example C(octo/hello).
    type: str
  actor:
    description: Only what this user did.
    type: str
  token:
    description: Only what was done by a token of this name.
    type: str
  verb:
    description: Only acts of this kind.
    type: str
    choices:
      - created
      - updated
      - deleted
      - changed_content
      - deleted_version
      - moved
      - granted
      - revoked
      - minted
  name:
    description: Only what was done to objects of this name.
    type: str
  limit:
    description: How many acts to list at most, the newest first.
    type: int
    default: 100
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Who moved the stage?
  pulp.conda.conda_act_info:
    name: team/stable
    verb: moved
  register: found
"""

RETURN = r"""
acts:
  description: The acts, the newest first.
  type: list
  elements: dict
  returned: always
  sample:
    - verb: moved
      resource_name: team/stable
      actor: ada
      details:
        entry: 7
        kind: promoted
        outcome: moved
        state: v42
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run

_FILTERS = {
    "channel": "channel",
    "workflow": "workflow",
    "actor": "actor",
    "verb": "verb",
    "name": "resource_name",
    "token": "token",
}


def work(module):
    given = module.given(*_FILTERS)
    wanted = {_FILTERS[name]: value for name, value in given.items() if value is not None}
    acts = module.context("Act").list(limit=module.params["limit"], offset=0, parameters=wanted)
    return {"changed": False, "acts": acts}


def main():
    run(
        work,
        {
            "channel": {"type": "str"},
            "workflow": {"type": "str"},
            "actor": {"type": "str"},
            # The name of a token, not its secret.
            "token": {"type": "str", "no_log": False},
            "verb": {
                "type": "str",
                "choices": [
                    "created",
                    "updated",
                    "deleted",
                    "changed_content",
                    "deleted_version",
                    "moved",
                    "granted",
                    "revoked",
                    "minted",
                ],
            },
            "name": {"type": "str"},
            "limit": {"type": "int", "default": 100},
        },
    )


if __name__ == "__main__":
    main()
