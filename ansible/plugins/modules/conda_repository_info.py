#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which repositories there are."""

DOCUMENTATION = r"""
module: conda_repository_info
short_description: List conda repositories
description:
  - Lists the repositories of Pulp's conda plugin that the user may see. It changes nothing.
options:
  name:
    description:
      - Only the repository of this name.
    type: str
  remote:
    description:
      - Only repositories that sync from the remote of this name.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.label_select
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Find the repositories of the team
  pulp.conda.conda_repository_info:
    pulp_label_select: team=a
  register: found

- name: Is there a repository?
  pulp.conda.conda_repository_info:
    name: forge
  register: forge
"""

RETURN = r"""
repositories:
  description: The repositories.
  type: list
  elements: dict
  returned: always
  sample:
    - name: forge
      autopublish: true
      latest_version_href:
        /pulp/api/v3/repositories/conda/conda/01924e1b-1c4d-7b11-a0e5-d0f1b8b3c920/versions/42/
      retain_repo_versions: 30
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import LABEL_SELECT, run


def work(module):
    remote = None
    if module.params["remote"] is not None:
        found = module.find("Remote", module.params["remote"])
        if "is_stand_in" in found:
            return {"changed": False, "repositories": []}
        remote = found["pulp_href"]
    wanted = module.given("name", "pulp_label_select")
    return {"changed": False, "repositories": module.list("Repository", remote=remote, **wanted)}


def main():
    run(
        work,
        {
            "name": {"type": "str"},
            "remote": {"type": "str"},
            **LABEL_SELECT,
        },
    )


if __name__ == "__main__":
    main()
