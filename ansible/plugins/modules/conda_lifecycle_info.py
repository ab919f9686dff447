#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which lifecycles there are, and what their stages serve."""

DOCUMENTATION = r"""
module: conda_lifecycle_info
short_description: List the lifecycles of conda channels
description:
  - Lists the lifecycles of Pulp's conda plugin that the user may see, with their stages, gates and
    what each stage serves. It changes nothing.
options:
  name:
    description:
      - Only the lifecycle of this name.
    type: str
  repository:
    description:
      - Only lifecycles of the repository of this name.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.label_select
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: See what the stages serve
  pulp.conda.conda_lifecycle_info:
    name: team
  register: found
"""

RETURN = r"""
lifecycles:
  description: The lifecycles. In the URL of the webhook, C(***) stands for secrets.
  type: list
  elements: dict
  returned: always
  sample:
    - name: team
      stages:
        - name: unstable
          base_url: https://pulp.example.org/pulp/content/team/unstable/
          gates: []
          state: v43
      webhook_url: https://ci.example.com/hook
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import LABEL_SELECT, run


def work(module):
    repository = None
    if module.params["repository"] is not None:
        found = module.find("Repository", module.params["repository"])
        if "is_stand_in" in found:
            return {"changed": False, "lifecycles": []}
        repository = found["pulp_href"]
    found = module.list(
        "Lifecycle", repository=repository, **module.given("name", "pulp_label_select")
    )
    return {"changed": False, "lifecycles": found}


def main():
    run(
        work,
        {
            "name": {"type": "str"},
            "repository": {"type": "str"},
            **LABEL_SELECT,
        },
    )


if __name__ == "__main__":
    main()
