#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Manage the repository of a channel, which has its packages."""

DOCUMENTATION = r"""
module: conda_repository
short_description: Manage conda repositories
description:
  - Creates, changes and deletes repositories of Pulp's conda plugin. A repository has the packages
    of one channel in all of its subdirs, and keeps its earlier versions.
  - Options that are not given stay as they are. In a new repository, they have the default of the
    server.
options:
  name:
    description: The name of the repository.
    type: str
    required: true
  description:
    description: A description for people. An empty text removes it.
    type: str
  remote:
    description: The name of the remote to sync from. An empty text removes it.
    type: str
  autopublish:
    description: Whether each new version is published automatically. Distributions of the
      repository then serve it.
    type: bool
  retain_repo_versions:
    description: How many versions are kept. With V(0), all of them.
    type: int
  retain_checkpoints:
    description: How many checkpoints are kept. With V(0), all of them.
    type: int
  channel_relations:
    description:
      - Channels that clients load together with this one. C(base) has a higher priority, and
        C(overrides) a lower one. Both are paths relative to the URL of the channel.
    type: dict
  convert:
    description: Whether packages that are uploaded as C(.tar.bz2) also appear as C(.conda).
    type: bool
  legacy_metadata:
    description: Whether to also publish the files that clients from before 2023 need.
    type: bool
  subdirs:
    description:
      - The subdirs that clients find before they have packages. Subdirs with packages and C(noarch)
        are always there.
      - An empty list takes the default of the server, the platforms of conda-forge.
    type: list
    elements: str
  shards:
    description: Whether to publish sharded repodata. Without shards, mamba sees each move of a
      stage at once instead of a day later.
    type: bool
  selection:
    description:
      - What a sync takes from the upstream, with what that needs. It has C(groups) of C(specs),
        C(environments) and C(lock_files), and the bounds C(with_dependencies), C(newest),
        C(for_each), C(machines), C(base_channels), C(builds), C(prereleases), C(track_features),
        C(min_age_days), C(max_age_days), C(keep_days), C(max_packages) and C(max_bytes).
      - Keys that are not given stay as they are. In a new selection, they have the default of the
        server. An empty dictionary removes the selection.
    type: dict
  merged_channels:
    description:
      - Makes this a virtual channel, which serves the packages of these channels as one. The order
        counts. Only a new repository can become one, and it stays one.
      - The list is replaced as a whole.
    type: list
    elements: dict
    suboptions:
      distribution:
        description: The name of the distribution of the channel.
        type: str
        required: true
      owns:
        description: Patterns for the package names that come from this channel alone, also while
          it has no such package.
        type: list
        elements: str
        default: []
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
  - pulp.conda.pulp.labels
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Manage a repository with an upstream that publishes each version
  pulp.conda.conda_repository:
    name: forge
    remote: forge
    autopublish: true
    retain_repo_versions: 30

- name: Manage a repository that mirrors what two groups of packages need
  pulp.conda.conda_repository:
    name: tools
    remote: forge
    autopublish: true
    selection:
      with_dependencies: true
      groups:
        - specs: [numpy >=2, pandas]
        - specs: [ruff, pre-commit]
      for_each: [python 3.12.*, python 3.13.*]

- name: Manage a virtual channel in which the names of the team come from the team alone
  pulp.conda.conda_repository:
    name: all
    autopublish: true
    merged_channels:
      - distribution: team
        owns: ["acme-*"]
      - distribution: forge

- name: Delete a repository and its versions
  pulp.conda.conda_repository:
    name: experiments
    state: absent
"""

RETURN = r"""
repository:
  description: The repository. In check mode, the repository as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    name: forge
    autopublish: true
    remote: /pulp/api/v3/remotes/conda/conda/01924e1b-0b2f-7c3a-9f64-6f1d2f2f7a10/
    retain_repo_versions: 30
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import LABELS, STATE, results, run

try:
    from pulp_glue.conda.selection import merge_selection
    from pulp_glue.conda.virtual import merged_channel
except ImportError:
    pass  # the module reports this when it runs

_FIELDS = (
    "description",
    "autopublish",
    "channel_relations",
    "convert",
    "legacy_metadata",
    "shards",
    "pulp_labels",
)


def work(module):
    repository = module.context("Repository", name=module.params["name"])
    if module.only_names("name"):
        return module.read(
            "Repository", module.params["name"], repository=module.existing(repository)
        )
    if module.params["state"] == "absent":
        return results(*module.converge(repository, None))
    desired = module.given(*_FIELDS)
    for option, number in module.given("retain_repo_versions", "retain_checkpoints").items():
        desired[option] = number or ""  # an empty text clears it
    if module.params["subdirs"] is not None:
        # An empty text clears it.
        desired["subdirs"] = list(dict.fromkeys(module.params["subdirs"])) or ""
    if module.params["selection"] is not None:
        there = (module.existing(repository) or {}).get("selection")
        wanted = module.params["selection"]
        # An empty text clears it.
        merged = merge_selection(there, wanted) if wanted else ""
        desired |= {} if merged is None else {"selection": merged}
    if module.params["merged_channels"] is not None:
        desired["merged_channels"] = [
            merged_channel(module.href("Distribution", each["distribution"]), each["owns"])
            for each in module.params["merged_channels"]
        ]
    desired["remote"] = module.href("Remote", module.params["remote"])
    changed, before, after = module.converge(repository, desired)
    return results(changed, before, after, repository=after)


def main():
    run(
        work,
        {
            "name": {"type": "str", "required": True},
            "description": {"type": "str"},
            "remote": {"type": "str"},
            "autopublish": {"type": "bool"},
            "retain_repo_versions": {"type": "int"},
            "retain_checkpoints": {"type": "int"},
            "channel_relations": {"type": "dict"},
            "convert": {"type": "bool"},
            "legacy_metadata": {"type": "bool"},
            "subdirs": {"type": "list", "elements": "str"},
            "shards": {"type": "bool"},
            "selection": {"type": "dict"},
            "merged_channels": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "distribution": {"type": "str", "required": True},
                    "owns": {"type": "list", "elements": "str", "default": []},
                },
            },
            **LABELS,
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
