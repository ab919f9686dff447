#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which packages are blocked."""

DOCUMENTATION = r"""
module: conda_block_info
short_description: List the blocks of conda packages
description:
  - Lists the blocks of Pulp's conda plugin that the user may see, or finds one. It changes nothing.
options:
  sha256:
    description: Only the block of this SHA-256, in hex.
    type: str
  spec:
    description: Only the block of this match spec.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: See what is blocked
  pulp.conda.conda_block_info: {}
  register: found

- name: Is this build blocked?
  pulp.conda.conda_block_info:
    spec: xz 5.6.0|5.6.1
"""

RETURN = r"""
blocks:
  description: The blocks, the newest first.
  type: list
  elements: dict
  returned: always
  sample:
    - spec: xz 5.6.0|5.6.1
      public_reason: It has a backdoor (CVE-2024-3094). Use xz 5.4.6.
      author: ada
      file_count: 4
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    wanted = {key: value for key, value in module.given("sha256", "spec").items() if value}
    found = module.list("Block", **wanted)
    return {"changed": False, "blocks": found}


def main():
    run(
        work,
        {"sha256": {"type": "str"}, "spec": {"type": "str"}},
        mutually_exclusive=[("sha256", "spec")],
    )


if __name__ == "__main__":
    main()
