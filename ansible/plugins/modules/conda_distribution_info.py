#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which channels there are, and where."""

DOCUMENTATION = r"""
module: conda_distribution_info
short_description: List the URLs of conda channels
description:
  - Lists the distributions of Pulp's conda plugin that the user may see. A distribution is the URL
    of a channel. It changes nothing.
options:
  name:
    description:
      - Only the distribution of this name.
    type: str
  base_path:
    description:
      - Only the distribution at this path.
    type: str
  repository:
    description:
      - Only distributions of the repository of this name.
      - Distributions that stay at a version, at a publication or at what a stage serves are not
        among them.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.label_select
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Get the URL of a channel
  pulp.conda.conda_distribution_info:
    name: forge
  register: found

- name: Show it
  ansible.builtin.debug:
    var: found.distributions[0].base_url
"""

RETURN = r"""
distributions:
  description: The distributions.
  type: list
  elements: dict
  returned: always
  sample:
    - name: forge
      base_path: forge
      base_url: https://pulp.example.org/pulp/content/forge/
      private: false
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import LABEL_SELECT, run


def work(module):
    repository = None
    if module.params["repository"] is not None:
        found = module.find("Repository", module.params["repository"])
        if "is_stand_in" in found:
            return {"changed": False, "distributions": []}
        repository = found["pulp_href"]
    wanted = module.given("name", "base_path", "pulp_label_select")
    found = module.list("Distribution", repository=repository, **wanted)
    return {"changed": False, "distributions": found}


def main():
    run(
        work,
        {
            "name": {"type": "str"},
            "base_path": {"type": "str"},
            "repository": {"type": "str"},
            **LABEL_SELECT,
        },
    )


if __name__ == "__main__":
    main()
