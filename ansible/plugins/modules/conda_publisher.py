#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Workflows of CI services that upload to a channel without a stored secret."""

DOCUMENTATION = r"""
module: conda_publisher
short_description: Manage the trusted publishers of conda channels
description:
  - Makes, changes and deletes publishers of Pulp's conda plugin. A publisher is a workflow of a CI
    service that may upload to a channel without a stored secret.
  - Options that are left out stay as they are. A publisher stays with its channel.
options:
  name:
    description: The name of the publisher.
    type: str
    required: true
  distribution:
    description: The name of the distribution to which the workflow uploads. Required for a new
      publisher.
    type: str
  provider:
    description: The name of the CI service in the setting C(WORKLOAD_IDENTITY) of the server.
      Required for a new publisher.
    type: str
  claims:
    description:
      - What the service has to say of the workflow, as values by the name of the claim. All are
        compared exactly. Required for a new publisher.
      - GitHub needs C(repository_id), C(repository_owner_id) and C(workflow_file). GitLab needs
        C(project_id), C(namespace_id) and C(ci_config_file).
    type: dict
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Let the release workflow upload
  pulp.conda.conda_publisher:
    name: hello-release
    distribution: team
    provider: github
    claims:
      repository_id: "583231"
      repository_owner_id: "9919"
      workflow_file: .github/workflows/release.yml
      environment: release
"""

RETURN = r"""
publisher:
  description: The publisher. In check mode, as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    name: hello-release
    provider: github
    claims:
      repository_id: "583231"
      repository_owner_id: "9919"
      workflow_file: .github/workflows/release.yml
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import STATE, results, run

_NEEDED = ("distribution", "provider", "claims")


def work(module):
    context = module.context("Publisher", name=module.params["name"])
    if module.only_names("name"):
        return module.read("Publisher", module.params["name"], publisher=module.existing(context))
    if module.params["state"] == "absent":
        return results(*module.converge(context, None))
    desired = module.given(*_NEEDED)
    missing = [option for option in _NEEDED if option not in desired]
    if missing and module.existing(context) is None:
        module.fail(f"There is no such publisher yet, and a new one needs '{missing[0]}'.")
    if "distribution" in desired:
        desired["distribution"] = module.href("Distribution", desired["distribution"])
    if "claims" in desired:
        desired["claims"] = {name: _text(value) for name, value in desired["claims"].items()}
    changed, before, after = module.converge(context, desired)
    return results(changed, before, after, publisher=after)


def _text(value):
    """Return a claim as the server shows it: YAML may have made a number or a boolean of it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def main():
    run(
        work,
        {
            "name": {"type": "str", "required": True},
            "distribution": {"type": "str"},
            "provider": {"type": "str"},
            "claims": {"type": "dict"},
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
