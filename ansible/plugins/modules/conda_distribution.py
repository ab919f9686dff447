#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""The URL of a channel."""

DOCUMENTATION = r"""
module: conda_distribution
short_description: Manage the URLs of conda channels
description:
  - Creates, changes and deletes distributions of Pulp's conda plugin. A distribution is the URL of
    a channel, and defines what is served there.
  - To change what a stage of a lifecycle serves, use M(pulp.conda.conda_promote). Other settings of
    its distribution, such as the content guard, are changed with this module.
  - Options that are not given stay as they are. In a new distribution, they have the default of the
    server.
options:
  name:
    description: The name of the distribution.
    type: str
    required: true
  base_path:
    description: The path of the channel below the server's content URL. Required for a new
      distribution.
    type: str
  repository:
    description: The name of the repository whose newest publication is served.
    type: str
  version:
    description: The number of the version of O(repository) to serve. Newer versions are not served.
    type: int
  publication:
    description: The href of the publication to serve, for example from
      M(pulp.conda.conda_publication).
    type: str
  content_guard:
    description: The name of the content guard, which limits who may download. An empty text removes
      it.
    type: str
  private:
    description:
      - Whether only users with the role of a reader may read the channel. V(true) sets a content
        guard for that, and V(false) takes it away. A content guard that was chosen stays.
      - For a new distribution, the default is that everybody may read it, unless the domain has a
        default content guard.
    type: bool
  hidden:
    description: Whether the channel is left out of the list of channels.
    type: bool
  checkpoint:
    description: Whether the checkpoints of O(repository) are served, each at a URL with its date.
    type: bool
  notices:
    description:
      - Notices that clients show to their users. Each has a C(message), a C(level) of V(info),
        V(warning) or V(critical), and C(expires_at). C(id) and C(created_at) have defaults.
    type: list
    elements: dict
  cors_origins:
    description:
      - The web sites whose scripts may read the channel, for example V(https://example.org), or
        V(*) for all. Scripts of a site that is named may use the credentials that the browser has
        for the server. By default, all sites may read a channel without a content guard, and none
        may read one with a content guard.
    type: list
    elements: str
  upload_alias:
    description: A name without slashes by which upload tools find the channel, unique on the
      server. An empty text removes it.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
  - pulp.conda.pulp.labels
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Serve the latest version to members of the team
  pulp.conda.conda_distribution:
    name: forge
    base_path: forge
    repository: forge
    content_guard: team

- name: Serve the latest version to readers of the channel
  pulp.conda.conda_distribution:
    name: team
    base_path: team
    repository: team
    private: true

- name: Serve version 42 for the course
  pulp.conda.conda_distribution:
    name: course
    base_path: courses/2027
    repository: forge
    version: 42

- name: Delete the distribution of the course
  pulp.conda.conda_distribution:
    name: course
    state: absent
"""

RETURN = r"""
distribution:
  description: The distribution. In check mode, the distribution as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    name: forge
    base_path: forge
    base_url: https://pulp.example.org/pulp/content/forge/
    repository: /pulp/api/v3/repositories/conda/conda/01924e1b-1c4d-7b11-a0e5-d0f1b8b3c920/
"""

from datetime import datetime

from ansible_collections.pulp.conda.plugins.module_utils.pulp import LABELS, STATE, results, run

_FIELDS = (
    "base_path",
    "publication",
    "private",
    "hidden",
    "checkpoint",
    "notices",
    "cors_origins",
    "upload_alias",
    "pulp_labels",
)
_TIMES = ("created_at", "expires_at")


def work(module):
    name = module.params["name"]
    distribution = module.context("Distribution", name=name)
    if module.only_names("name"):
        return module.read(
            "Distribution", module.params["name"], distribution=module.existing(distribution)
        )
    if module.params["state"] == "absent":
        return results(*module.converge(distribution, None))
    before = module.existing(distribution)
    if before is None and not module.params["base_path"]:
        module.fail(f"There is no distribution '{name}' yet, and a new one needs a 'base_path'.")
    desired = module.given(*_FIELDS)
    desired["content_guard"] = module.href("ContentGuard", module.params["content_guard"])
    desired.update(_served(module))
    if "notices" in desired and before and _are_same(desired["notices"], before["notices"]):
        del desired["notices"]
    changed, before, after = module.converge(distribution, desired)
    return results(changed, before, after, distribution=after)


def _served(module):
    repository = module.href("Repository", module.params["repository"])
    if module.params["version"] is None:
        return {"repository": repository}
    return {"repository_version": f"{repository}versions/{module.params['version']}/"}


def _are_same(wanted, notices):
    """Return whether the notices have all wanted fields. Others are defaults of the server."""
    return len(wanted) == len(notices) and all(
        _comparable(key, value) == _comparable(key, notice.get(key))
        for new, notice in zip(wanted, notices)
        for key, value in new.items()
    )


def _comparable(key, value):
    """Return a time as a datetime, because the same time has several texts."""
    try:
        return datetime.fromisoformat(value) if key in _TIMES else value
    except (TypeError, ValueError):
        return value


def main():
    run(
        work,
        {
            "name": {"type": "str", "required": True},
            "base_path": {"type": "str"},
            "repository": {"type": "str"},
            "version": {"type": "int"},
            "publication": {"type": "str"},
            "content_guard": {"type": "str"},
            "private": {"type": "bool"},
            "hidden": {"type": "bool"},
            "checkpoint": {"type": "bool"},
            "notices": {"type": "list", "elements": "dict"},
            "cors_origins": {"type": "list", "elements": "str"},
            "upload_alias": {"type": "str"},
            **LABELS,
            **STATE,
        },
        mutually_exclusive=[("repository", "publication")],
        required_by={"version": ("repository",)},
    )


if __name__ == "__main__":
    main()
