#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""When channels are synced without anybody asking, and how the last runs went."""

DOCUMENTATION = r"""
module: conda_refresh_info
short_description: List what keeps conda mirrors fresh
description:
  - Lists when repositories of Pulp's conda plugin are synced without anybody asking, and how the
    last runs went. It changes nothing.
options:
  repository:
    description: Only that of the repository of this name.
    type: str
  runs:
    description: How many of the last runs to list.
    type: int
    default: 10
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: How did the last run go?
  pulp.conda.conda_refresh_info:
    repository: forge
    runs: 1
  register: found
"""

RETURN = r"""
refreshes:
  description: When repositories are synced.
  type: list
  elements: dict
  returned: always
  sample:
    - cron: 30 3 * * *
      time_zone: Europe/Berlin
      failures: 0
      stopped: null
runs:
  description: The last runs, the newest first.
  type: list
  elements: dict
  returned: always
  sample:
    - outcome: failed
      error:
        code: CND0016
        text: "Remote 'forge': 'https://conda.example.org/' cannot be reached …"
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import run


def work(module):
    wanted = {}
    if module.params["repository"]:
        found = module.find("Repository", module.params["repository"])
        if found.get("is_stand_in"):
            return {"changed": False, "refreshes": [], "runs": []}
        wanted["repository"] = found["pulp_href"]
    refreshes = module.list("Refresh", **wanted)
    count = module.params["runs"]
    runs = module.context("RefreshRun").list(limit=count, offset=0, parameters=wanted)
    return {"changed": False, "refreshes": refreshes, "runs": runs}


def main():
    run(work, {"repository": {"type": "str"}, "runs": {"type": "int", "default": 10}})


if __name__ == "__main__":
    main()
