#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which workflows may upload to a channel without a stored secret."""

DOCUMENTATION = r"""
module: conda_publisher_info
short_description: List the trusted publishers of conda channels
description:
  - Lists the publishers of Pulp's conda plugin that the user may manage. It changes nothing.
options:
  distribution:
    description: Only publishers of the distribution of this name.
    type: str
  provider:
    description: Only publishers of this CI service.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Which workflows upload to the channel?
  pulp.conda.conda_publisher_info:
    distribution: team
  register: found
"""

RETURN = r"""
publishers:
  description: The publishers.
  type: list
  elements: dict
  returned: always
  sample:
    - name: hello-release
      provider: github
      claims:
        repository_id: "583231"
        repository_owner_id: "9919"
        workflow_file: .github/workflows/release.yml
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    wanted = module.given("provider")
    if module.params["distribution"]:
        found = module.find("Distribution", module.params["distribution"])
        if found.get("is_stand_in"):
            return {"changed": False, "publishers": []}
        wanted["distribution"] = found["pulp_href"]
    publishers = module.list("Publisher", **wanted)
    return {"changed": False, "publishers": publishers}


def main():
    run(work, {"distribution": {"type": "str"}, "provider": {"type": "str"}})


if __name__ == "__main__":
    main()
