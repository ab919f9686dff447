#!/usr/bin/python
"""A new version of a repository, from what its upstream has now."""

DOCUMENTATION = r"""
module: conda_sync
short_description: Sync conda repositories from their upstreams
description:
  - Makes a new version of a repository from what the upstream has now, and waits for it. If nothing
    changed there, no
    version is made, and nothing is changed.
options:
  repository:
    description: The name of the repository.
    type: str
    required: true
  remote:
    description: The name of the remote to sync from. The default is that of the repository.
    type: str
  mirror:
    description:
      - Whether the new version equals the upstream. Otherwise packages that the upstream deleted
        stay, so that lock files
        keep working.
    type: bool
    default: false
  optimize:
    description: Whether to ask the upstream only for what changed since the last sync.
    type: bool
    default: true
extends_documentation_fragment:
  - pulp.conda.pulp
attributes:
  check_mode:
    support: partial
    details: The upstream is not asked. A change is foreseen for a repository that was never filled,
      and for no other.
author:
  - The pulp_conda developers
"""

EXAMPLES = r"""
- name: Take what is new
  pulp.conda.conda_sync:
    repository: forge
  register: synced

- name: Say what came
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
  description: How many files differ from the version before, by kind.
  type: dict
  returned: when changed, but in check mode
  sample: {added: 15, removed: 12}
summaries:
  description: What became of the names of packages, counted.
  type: dict
  returned: when changed, but in check mode
  sample: {upgraded: 12, new: 3}
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import results, run, version_number


def work(module):
    name = module.params["repository"]
    found = module.find("Repository", name)
    remote = module.href("Remote", module.params["remote"])
    if not (remote or found.get("remote") or "is_stand_in" in found):
        module.fail(f"Repository '{name}' has no remote. Give one here, or set the repository's.")
    if "is_stand_in" in found:
        return results(True, None, {"version": 1})
    before = version_number(found)
    if module.check_mode:
        after = before or 1
        foreseen = results(after != before, {"version": before}, {"version": after})
        return {**foreseen, "version": before}
    body = {**module.given("mirror", "optimize"), **({"remote": remote} if remote else {})}
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
        },
    )


if __name__ == "__main__":
    main()
