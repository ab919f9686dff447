#!/usr/bin/python
"""The packages of a channel."""

DOCUMENTATION = r"""
module: conda_repository
short_description: Manage conda repositories
description:
  - Creates, changes and deletes repositories of Pulp's conda plugin. A repository holds the
    packages of one channel, in
    all its subdirs, and keeps its earlier versions.
  - Options that are left out stay as they are; in a new repository they have the server's default.
options:
  name:
    description: The name of the repository.
    type: str
    required: true
  description:
    description: What people read about it. An empty text removes it.
    type: str
  remote:
    description: The name of the remote to sync from. An empty text removes it.
    type: str
  autopublish:
    description: Whether each new version is published at once, so that distributions of the
      repository serve it.
    type: bool
  retain_repo_versions:
    description: How many versions are kept. With V(0), all of them.
    type: int
  retain_checkpoints:
    description: How many checkpoints are kept. With V(0), all of them.
    type: int
  channel_relations:
    description:
      - Channels that clients shall load with this one, C(base) with a higher priority and
        C(overrides) with a lower one,
        as paths from the URL of the channel.
    type: dict
  legacy_metadata:
    description: Whether to publish the files for clients of before 2023, too.
    type: bool
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
  - pulp.conda.pulp.labels
author:
  - The pulp_conda developers
"""

EXAMPLES = r"""
- name: A repository that follows an upstream, and publishes itself
  pulp.conda.conda_repository:
    name: forge
    remote: forge
    autopublish: true
    retain_repo_versions: 30

- name: A repository that goes with its versions
  pulp.conda.conda_repository:
    name: experiments
    state: absent
"""

RETURN = r"""
repository:
  description: The repository. In check mode, as it would be.
  type: dict
  returned: when O(state=present)
  sample:
    name: forge
    autopublish: true
    remote: /pulp/api/v3/remotes/conda/conda/01924e1b-0b2f-7c3a-9f64-6f1d2f2f7a10/
    retain_repo_versions: 30
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import LABELS, STATE, results, run

_FIELDS = (
    "description",
    "autopublish",
    "channel_relations",
    "legacy_metadata",
    "pulp_labels",
)


def work(module):
    repository = module.context("Repository", name=module.params["name"])
    if module.params["state"] == "absent":
        return results(*module.converge(repository, None))
    desired = module.given(*_FIELDS)
    for option, number in module.given("retain_repo_versions", "retain_checkpoints").items():
        desired[option] = number or ""  # which clears it
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
            "legacy_metadata": {"type": "bool"},
            **LABELS,
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
