#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Manage the stages of a channel."""

DOCUMENTATION = r"""
module: conda_lifecycle
short_description: Manage the lifecycles of conda channels
description:
  - Creates, changes and deletes lifecycles of Pulp's conda plugin. A lifecycle has stages. Each
    stage has its own URL, and gates with conditions that must hold before it moves.
  - Options that are not given stay as they are. In a new lifecycle, they have the default of the
    server.
  - With O(state=absent), the history is deleted. The distributions stay, and serve the same
    content.
options:
  name:
    description: The name of the lifecycle.
    type: str
    required: true
  repository:
    description: The name of the repository that the first stage follows. Required for a new
      lifecycle. It cannot be changed later.
    type: str
  base_path:
    description:
      - The start of the base paths of the distributions that a new lifecycle makes. The stage
        C(testing) is served at C(<base_path>/testing). The default is O(name).
    type: str
  stages:
    description:
      - The stages in their order. Name all existing stages in their order, and new stages at the
        end.
      - The default of a new lifecycle is C(unstable), C(testing) and C(stable), without gates.
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the stage.
        type: str
        required: true
      distribution:
        description: The name of the distribution that becomes the stage. The default is a new one.
        type: str
      content_guard:
        description:
          - The name of the content guard of a new stage. An empty text lets everybody read it. The
            default is the guard of the other stages.
          - To change the guard of an existing stage, use M(pulp.conda.conda_distribution).
        type: str
      gates:
        description:
          - The conditions that must hold before the stage moves. Without this option, the gates
            stay as they are. An empty list removes them.
          - Each gate has a C(name), a C(kind) of V(environments), V(policy) or V(approval), an
            C(action) of V(block) (the default) or V(warn), and the options of its kind.
        type: list
        elements: dict
  private:
    description: Whether only users with the role of a reader may read the stages. V(true) sets a
      content guard on each stage without one, and V(false) takes that guard away from all stages. A
      content guard that somebody chose stays, so V(false) is then refused.
    type: bool
  retain_days:
    description: For how many days earlier states of a stage stay installable. With V(-1), as long
      as the lifecycle exists.
    type: int
  announce:
    description: Whether the notices of a stage tell its users about its moves.
    type: bool
  webhook_url:
    description: The URL to POST events to. An empty text removes it.
    type: str
  webhook_secret:
    description: The secret to sign messages with. It is C(whsec_) and 24 to 64 random bytes in
      base64. An empty text removes it, and messages are not signed then.
    type: str
  update_secrets:
    description:
      - When to send O(webhook_secret), and other secrets in the query of O(webhook_url). The server
        never shows them, so the module cannot compare them.
      - With V(on_create), they are sent with a new lifecycle or a different O(webhook_url), and
        O(webhook_secret) also if the lifecycle has none. With V(always), they are sent each time,
        which counts as a change.
    type: str
    choices: [on_create, always]
    default: on_create
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
  - pulp.conda.pulp.labels
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Manage three stages for a team
  pulp.conda.conda_lifecycle:
    name: team
    repository: team
    stages:
      - name: unstable
      - name: testing
        gates:
          - name: environments
            kind: environments
      - name: stable
        gates:
          - name: rules
            kind: policy
            minimum_age: {days: 7}
            licenses: {denied: ["AGPL-*"]}
          - name: second pair of eyes
            kind: approval
    webhook_url: https://ci.example.com/hook
    webhook_secret: "{{ webhook_secret }}"

- name: Delete the lifecycle, but keep its channels
  pulp.conda.conda_lifecycle:
    name: team
    state: absent
"""

RETURN = r"""
lifecycle:
  description: The lifecycle. In check mode, the lifecycle as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    name: team
    stages:
      - name: unstable
        base_url: https://pulp.example.org/pulp/content/team/unstable/
        gates: []
        state: v43
      - name: stable
        base_url: https://pulp.example.org/pulp/content/team/stable/
        gates: [{name: second pair of eyes, kind: approval, action: block, approvals: 1}]
        state: v42
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import (
    LABELS,
    STATE,
    is_shown_as,
    results,
    run,
    vocabulary,
)

# The fields that the server adds to gates, by kind.
_DEFAULTS = {
    "environments": {"environments": ["*"], "platforms": [], "channels": []},
    "policy": {},
    "approval": {"approvals": 1},
}


def work(module):
    name = module.params["name"]
    lifecycle = module.context("Lifecycle", name=name)
    before = module.existing(lifecycle)
    if module.only_names("name"):
        return module.read("Lifecycle", name, lifecycle=before)
    if module.params["state"] == "absent":
        changed, before, _after = module.converge(lifecycle, None)
        return results(changed, _configuration(before), None)
    if before is None and not module.params["repository"]:
        module.fail(f"There is no lifecycle '{name}' yet, and a new one needs a 'repository'.")
    changed, before, after = module.converge(lifecycle, _desired(module, before))
    if module.params["webhook_secret"] == "" and _has_secret(before):
        # It is not among the fields that are compared.
        changed, after = True, lifecycle.update({"webhook_secret": ""})
    for warning in after.get("warnings", ()) if changed else ():
        module.warn(warning)
    return results(changed, _configuration(before), _configuration(after), lifecycle=after)


def _desired(module, before):
    desired = module.given("announce", "private", "pulp_labels", "webhook_url")
    desired["repository"] = module.href("Repository", module.params["repository"])
    if module.params["retain_days"] is not None:
        days = module.params["retain_days"]
        desired["retain_days"] = "" if days < 0 else days  # an empty text clears it
    if before is None:
        desired |= module.given("base_path")
    secret = module.params["webhook_secret"]
    url = module.params["webhook_url"]
    is_always = module.params["update_secrets"] == "always"
    is_same_url = before is not None and (url is None or is_shown_as(before["webhook_url"], url))
    if url and is_same_url and not is_always:
        del desired["webhook_url"]
    if secret and (is_always or not is_same_url or not _has_secret(before)):
        desired["webhook_secret"] = secret
    if module.params["stages"] is not None:
        old = {stage["name"]: stage for stage in before["stages"]} if before else {}
        stages = [_stage(module, stage, old) for stage in module.params["stages"]]
        if stages != [_part(old[name], ("name", "gates", "distribution")) for name in old]:
            desired["stages"] = stages
    return desired


def _has_secret(lifecycle):
    hidden = lifecycle["hidden_fields"] if lifecycle else ()
    return any(field["is_set"] for field in hidden if field["name"] == "webhook_secret")


def _stage(module, stage, old):
    """Return the wanted stage. Fields that are not given come from the existing stage."""
    wanted = {"name": stage["name"]}
    before = old.get(stage["name"])
    if stage["gates"] is not None:
        wanted["gates"] = [_with_defaults(gate) for gate in stage["gates"]]
    elif before:
        wanted["gates"] = before["gates"]
    if stage["distribution"]:
        wanted["distribution"] = module.href("Distribution", stage["distribution"])
    elif before:
        wanted["distribution"] = before["distribution"]
    if stage["content_guard"] is not None and not before:
        wanted["content_guard"] = module.href("ContentGuard", stage["content_guard"]) or None
    return wanted


def _with_defaults(gate):
    action = vocabulary.GateAction.BLOCK.value
    return {"action": action, **_DEFAULTS.get(gate.get("kind"), {}), **gate}


def _configuration(lifecycle):
    """Return the settings of a lifecycle, without the current states of its stages."""
    if not lifecycle:
        return None
    stages = [
        _part(stage, ("name", "gates", "distribution")) for stage in lifecycle.get("stages", ())
    ]
    return {**lifecycle, "stages": stages}


def _part(mapping, keys):
    return {key: mapping[key] for key in keys if key in mapping}


def main():
    stage = {
        "name": {"type": "str", "required": True},
        "distribution": {"type": "str"},
        "content_guard": {"type": "str"},
        "gates": {"type": "list", "elements": "dict"},
    }
    run(
        work,
        {
            "name": {"type": "str", "required": True},
            "repository": {"type": "str"},
            "base_path": {"type": "str"},
            "stages": {"type": "list", "elements": "dict", "options": stage},
            "private": {"type": "bool"},
            "retain_days": {"type": "int"},
            "announce": {"type": "bool"},
            "webhook_url": {"type": "str"},
            "webhook_secret": {"type": "str", "no_log": True},
            "update_secrets": {
                "type": "str",
                "choices": ["on_create", "always"],
                "default": "on_create",
                "no_log": False,
            },
            **LABELS,
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
