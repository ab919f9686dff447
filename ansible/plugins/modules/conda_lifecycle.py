#!/usr/bin/python
"""The stages through which a channel moves."""

DOCUMENTATION = r"""
module: conda_lifecycle
short_description: Manage the lifecycles of conda channels
description:
  - Creates, changes and deletes lifecycles of Pulp's conda plugin. A lifecycle has stages, each
    with a URL of its own and
    with gates that say what must hold before it moves.
  - Options that are left out stay as they are; in a new lifecycle they have the server's default.
  - With O(state=absent), the distributions stay and serve what they serve, and the history goes.
options:
  name:
    description: The name of the lifecycle.
    type: str
    required: true
  repository:
    description: The name of the repository that the first stage follows. Required for a new
      lifecycle, and not changed.
    type: str
  base_path:
    description:
      - Where the distributions go that a new lifecycle makes, the stage C(testing) to
        C(<base_path>/testing). The default
        is O(name).
    type: str
  stages:
    description:
      - The stages in their order. All that are there have to be named, in their order; new ones go
        to the end.
      - The default of a new lifecycle are C(unstable), C(testing) and C(stable), without gates.
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
      gates:
        description:
          - What must hold before the stage moves. Left out, gates stay as they are; an empty list
            removes them.
          - Each has a C(name), a C(kind) of V(environments), V(policy) or V(approval), an C(action)
            of V(block), the
            default, or V(warn), and the options of its kind.
        type: list
        elements: dict
  retain_days:
    description: For how many days what a stage served stays installable. With V(-1), as long as the
      lifecycle exists.
    type: int
  announce:
    description: Whether the users of a stage are told what moved, in its notices.
    type: bool
  webhook_url:
    description: Where to POST what happens. An empty text removes it.
    type: str
  webhook_secret:
    description: With what messages are signed, C(whsec_) and 24 to 64 random bytes in base64.
    type: str
  update_secrets:
    description:
      - When to send O(webhook_secret). The server never shows it, so nobody can compare it.
      - With V(on_create), it is sent with a new lifecycle or another O(webhook_url). With
        V(always), it is sent each time,
        which counts as a change.
    type: str
    choices: [on_create, always]
    default: on_create
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers
"""

EXAMPLES = r"""
- name: Three stages for a team
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

- name: The lifecycle goes, its channels stay
  pulp.conda.conda_lifecycle:
    name: team
    state: absent
"""

RETURN = r"""
lifecycle:
  description: The lifecycle. In check mode, as it would be.
  type: dict
  returned: when O(state=present)
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
    STATE,
    results,
    run,
    vocabulary,
)

# What the server adds to a gate of a kind.
_DEFAULTS = {
    "environments": {"environments": ["*"], "platforms": [], "channels": []},
    "policy": {},
    "approval": {"approvals": 1},
}


def work(module):
    name = module.params["name"]
    lifecycle = module.context("Lifecycle", name=name)
    before = module.existing(lifecycle)
    if module.params["state"] == "absent":
        changed, before, _after = module.converge(lifecycle, None)
        return results(changed, _configuration(before), None)
    if before is None and not module.params["repository"]:
        module.fail(f"There is no lifecycle '{name}' yet, and a new one needs a 'repository'.")
    changed, before, after = module.converge(lifecycle, _desired(module, before))
    return results(changed, _configuration(before), _configuration(after), lifecycle=after)


def _desired(module, before):
    desired = module.given("announce", "webhook_url")
    desired["repository"] = module.href("Repository", module.params["repository"])
    if module.params["retain_days"] is not None:
        days = module.params["retain_days"]
        desired["retain_days"] = "" if days < 0 else days  # a text clears it
    if before is None:
        desired |= module.given("base_path")
    secret = module.params["webhook_secret"]
    url = module.params["webhook_url"]
    is_new = before is None or (url is not None and (before["webhook_url"] or "") != url)
    if secret is not None and (is_new or module.params["update_secrets"] == "always"):
        desired["webhook_secret"] = secret
    if module.params["stages"] is not None:
        old = {stage["name"]: stage for stage in before["stages"]} if before else {}
        stages = [_stage(module, stage, old) for stage in module.params["stages"]]
        if stages != [_part(old[name], ("name", "gates", "distribution")) for name in old]:
            desired["stages"] = stages
    return desired


def _stage(module, stage, old):
    """Return a stage as it has to be, with all that stays of the one that is there."""
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
    return wanted


def _with_defaults(gate):
    action = vocabulary.GateAction.BLOCK.value
    return {"action": action, **_DEFAULTS.get(gate.get("kind"), {}), **gate}


def _configuration(lifecycle):
    """Return what is set of a lifecycle, without where it stands."""
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
        "gates": {"type": "list", "elements": "dict"},
    }
    run(
        work,
        {
            "name": {"type": "str", "required": True},
            "repository": {"type": "str"},
            "base_path": {"type": "str"},
            "stages": {"type": "list", "elements": "dict", "options": stage},
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
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
