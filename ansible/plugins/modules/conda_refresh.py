#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""When a channel is synced from its upstream, without anybody asking."""

DOCUMENTATION = r"""
module: conda_refresh
short_description: Keep conda mirrors fresh
description:
  - Says when a repository of Pulp's conda plugin is synced from its remote, without anybody asking.
  - Runs happen in the name of the user who sets this last. They stop when that user may not sync
    the repository any more. Then this module sets it again, as its own user.
  - Options that are left out stay as they are.
options:
  repository:
    description: The name of the repository.
    type: str
    required: true
  interval:
    description: Seconds from one run to the next, at least 60. The first run is at once.
    type: int
  cron:
    description: In place of O(interval), a cron line, for example C(30 3 * * *).
    type: str
  max_age:
    description: In place of O(interval) and O(cron), how many seconds old the metadata may be that
      clients get. Who asks for older metadata gets it at once, and starts a sync.
    type: int
  time_zone:
    description: The time zone of O(cron), for example C(Europe/Berlin). The default of the server
      is UTC.
    type: str
  mirror:
    description: Also remove what the upstream removed.
    type: bool
  lifecycle:
    description: The name of a lifecycle whose first stage is promoted after each run that does not
      fail. An empty text is for none.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Sync the mirror each night
  pulp.conda.conda_refresh:
    repository: forge
    cron: 30 3 * * *
    time_zone: Europe/Berlin
"""

RETURN = r"""
refresh:
  description: When the repository is synced. In check mode, as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    cron: 30 3 * * *
    time_zone: Europe/Berlin
    next_run: "2026-12-01T02:30:00Z"
    failures: 0
    stopped: null
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import STATE, results, run


def work(module):
    repository = module.href("Repository", module.params["repository"])
    context = module.context("Refresh", repository=repository)
    is_new = repository.startswith("<")  # only in check mode
    if module.only_names("repository"):
        found = None if is_new else module.existing(context)
        return module.read("Refresh", module.params["repository"], refresh=found)
    if module.params["state"] == "absent":
        return results(*((False, None, None) if is_new else module.converge(context, None)))
    desired = module.given("interval", "cron", "max_age", "time_zone", "mirror")
    times = {"interval": None, "cron": "", "max_age": None}
    if any(desired.get(name) for name in times):
        desired = {**times, **desired}
    if module.params["lifecycle"] is not None:
        desired["lifecycle"] = module.href("Lifecycle", module.params["lifecycle"]) or None
    if is_new:
        return results(True, None, desired, refresh=desired)
    before = module.existing(context)
    if before and before["stopped"]:
        after = context.update(desired)
        return results(True, before, after, refresh=after)
    changed, before, after = module.converge(context, desired)
    return results(changed, before, after, refresh=after)


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "interval": {"type": "int"},
            "cron": {"type": "str"},
            "max_age": {"type": "int"},
            "time_zone": {"type": "str"},
            "mirror": {"type": "bool"},
            "lifecycle": {"type": "str"},
            **STATE,
        },
        mutually_exclusive=[("interval", "cron", "max_age")],
    )


if __name__ == "__main__":
    main()
