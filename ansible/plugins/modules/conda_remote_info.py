#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which upstreams there are."""

DOCUMENTATION = r"""
module: conda_remote_info
short_description: List the upstreams of conda channels
description:
  - Lists the remotes of Pulp's conda plugin that the user may see, without their secrets. It
    changes nothing.
options:
  name:
    description:
      - Only the remote of this name.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.label_select
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: See whether the remote has a token
  pulp.conda.conda_remote_info:
    name: partner
  register: found
"""

RETURN = r"""
remotes:
  description:
    - The remotes. C(hidden_fields) says which secrets are set. In URLs, C(***) stands for secrets.
  type: list
  elements: dict
  returned: always
  sample:
    - name: partner
      url: https://conda.example.org/partner
      includes: []
      policy: on_demand
      hidden_fields: [{name: token, is_set: true}]
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import LABEL_SELECT, run


def work(module):
    wanted = module.given("name", "pulp_label_select")
    return {"changed": False, "remotes": module.list("Remote", **wanted)}


def main():
    run(
        work,
        {
            "name": {"type": "str"},
            **LABEL_SELECT,
        },
    )


if __name__ == "__main__":
    main()
