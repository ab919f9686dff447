#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Sync a repository with its upstream."""

DOCUMENTATION = r"""
module: conda_sync
short_description: Sync conda repositories from their upstreams
description:
  - Makes a new version of a repository from the current packages of the upstream, and waits for it.
    If the upstream did not change, no version is made.
options:
  repository:
    description: The name of the repository.
    type: str
    required: true
  remote:
    description: The name of the remote to sync from. The default is the remote of the repository.
    type: str
  mirror:
    description:
      - Whether to remove packages that the upstream deleted. Without this, they stay, so that lock
        files keep working.
    type: bool
    default: false
  optimize:
    description: Whether to fetch only what changed in the upstream since the last sync.
    type: bool
    default: true
  allow_mass_removal:
    description:
      - Whether O(mirror) may remove a large part of a subdir or of the repository at once. Without
        this, the sync fails then, because the upstream may be empty by accident.
    type: bool
extends_documentation_fragment:
  - pulp.conda.pulp
attributes:
  check_mode:
    support: partial
    details: The module sends no request to the upstream. It only predicts a change if the
      repository has no packages yet.
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Sync the mirror
  pulp.conda.conda_sync:
    repository: forge
  register: synced

- name: Show what changed
  ansible.builtin.debug:
    msg: "Version {{ synced.version }}: {{ synced.summaries }}"
  when: synced is changed
"""

RETURN = r"""
version:
  description: The number of the latest version.
  type: int
  returned: unless the repository does not exist yet, in check mode
  sample: 43
counts:
  description: How many files differ from the version before, by kind of change.
  type: dict
  returned: when changed, except in check mode
  sample: {added: 15, removed: 12}
summaries:
  description: How many package names were upgraded, added and so on.
  type: dict
  returned: when changed, except in check mode
  sample: {upgraded: 12, new: 3}
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import results, run, version_number


def work(module):
    name = module.params["repository"]
    found = module.find("Repository", name)
    remote = module.href("Remote", module.params["remote"])
    if not (remote or found.get("remote") or "is_stand_in" in found):
        module.fail(f"Repository '{name}' has no remote. Give 'remote', or set it there.")
    if "is_stand_in" in found:
        return results(True, None, {"version": 1})
    before = version_number(found)
    if module.check_mode:
        after = before or 1
        foreseen = results(after != before, {"version": before}, {"version": after})
        return {**foreseen, "version": before}
    body = module.given("mirror", "optimize", "allow_mass_removal")
    if remote:
        body["remote"] = remote
    module.context("Repository", name=name).sync(body)
    repository = module.context("Repository", name=name)
    after = version_number(repository.entity)
    if after == before:
        return {**results(False, None, None), "version": after}
    changes = repository.get_version_context(after).diff(base=before, limit=1)
    told = {key: changes[key] for key in ("counts", "summaries")}
    made = results(True, {"version": before}, {"version": after, **told})
    return {**made, "version": after, **told}


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "remote": {"type": "str"},
            "mirror": {"type": "bool", "default": False},
            "optimize": {"type": "bool", "default": True},
            "allow_mass_removal": {"type": "bool"},
        },
    )


if __name__ == "__main__":
    main()
