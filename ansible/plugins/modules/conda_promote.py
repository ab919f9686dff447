#!/usr/bin/python
"""A stage serves what the stage before it serves, if its gates allow that."""

DOCUMENTATION = r"""
module: conda_promote
short_description: Promote conda channels from stage to stage
description:
  - Lets a stage of a lifecycle serve what the stage before it serves, or puts single packages on
    top of what it serves.
    The gates of the stage are asked.
  - A stage that serves the same already is not changed, and neither is one that a gate holds.
  - In check mode, the server is asked what would happen.
options:
  lifecycle:
    description: The name of the lifecycle.
    type: str
    required: true
  stage:
    description: The name of the stage that moves.
    type: str
    required: true
  source:
    description:
      - The stage to take from. The default is the one before; of single packages, the first one.
    type: str
  source_state:
    description: Something that the source serves or served, such as V(v42). The default is what it
      serves now.
    type: str
  specs:
    description: Match specs of single packages to promote. Left out, the whole state of the source
      is promoted.
    type: list
    elements: str
  with_dependencies:
    description: Whether single packages bring what they depend on, as far as the stage does not
      have it.
    type: bool
    default: true
  reason:
    description: Why, for the history.
    type: str
  overrides:
    description: Gates to pass whatever they say, each with the reason. It needs a permission of its
      own.
    type: dict
  fail_on_block:
    description: Whether the module fails if a gate holds the stage. A promotion that waits for an
      approval is no failure.
    type: bool
    default: true
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers
"""

EXAMPLES = r"""
- name: Everything that testing has goes to stable
  pulp.conda.conda_promote:
    lifecycle: team
    stage: stable
    reason: release 7
  register: promoted

- name: Somebody has to approve
  ansible.builtin.debug:
    msg: "Entry {{ promoted.report.entry }} of the history waits for an approval."
  when: promoted.outcome == 'waiting'

- name: A fix that cannot wait
  pulp.conda.conda_promote:
    lifecycle: team
    stage: stable
    specs: ["openssl 3.5.5"]
    overrides:
      rules: CVE-2026-1, tried by hand
"""

RETURN = r"""
outcome:
  description:
    - What became of it, V(moved), V(unchanged), V(blocked) by a gate or V(waiting) for an approval.
      In check mode, what
      would become of it.
  type: str
  returned: unless the lifecycle does not exist yet, in check mode
  sample: moved
summary:
  description: The report for people, line by line.
  type: list
  elements: str
  returned: unless the lifecycle does not exist yet, in check mode
  sample:
    - stable moves from v41 to v42 (12 upgraded, 3 new).
    - "Gate 'rules' (policy) passed: All rules are kept."
report:
  description: All that the server says of it.
  type: dict
  returned: unless the lifecycle does not exist yet, in check mode
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import (
    PulpException,
    contexts,
    results,
    run,
    vocabulary,
)

try:
    from pulp_glue.conda.lifecycle import describe_report
except ImportError:
    pass  # the module says so when it runs


def work(module):
    stage = module.params["stage"]
    if "is_stand_in" in module.find("Lifecycle", module.params["lifecycle"]):
        return results(True, None, {stage: "what comes"})
    lifecycle = module.context(
        "Lifecycle", pulp=module.asking_pulp, name=module.params["lifecycle"]
    )
    waiting = _waiting_states(lifecycle, stage)
    try:
        report = _promote(module, lifecycle)
    except PulpException as error:
        if not module.comes_later(error):
            raise
        return results(True, None, {stage: "what comes"})
    outcome = report["outcome"]
    summary = describe_report(report)
    is_moved = outcome == vocabulary.MoveOutcome.MOVED
    is_waiting = outcome == vocabulary.MoveOutcome.WAITING
    is_changed = is_moved or (is_waiting and report["after"] not in waiting)
    served = report["after"] if is_moved else report["before"]
    told = {
        **results(is_changed, {stage: report["before"]}, {stage: served}),
        "outcome": outcome,
        "report": report,
        "summary": summary,
    }
    if outcome == vocabulary.MoveOutcome.BLOCKED and module.params["fail_on_block"]:
        module.fail("\n".join(summary), **told)
    return told


def _promote(module, lifecycle):
    body = module.given("source", "reason", "overrides")
    body["dry_run"] = module.check_mode
    if module.params["specs"] is None:
        if module.params["source_state"]:
            body["state"] = module.params["source_state"]
        return lifecycle.promote(module.params["stage"], **body)
    body["with_dependencies"] = module.params["with_dependencies"]
    return lifecycle.promote_packages(module.params["stage"], module.params["specs"], **body)


def _waiting_states(lifecycle, stage):
    """Return what waits for an approval already: to ask for it again is no change."""
    history = contexts.PulpCondaHistoryContext(lifecycle.pulp_ctx, lifecycle)
    query = {"stage": stage, "outcome": vocabulary.EntryOutcome.WAITING.value}
    return {entry["state"] for entry in history.list(limit=0, offset=0, parameters=query)}


def main():
    run(
        work,
        {
            "lifecycle": {"type": "str", "required": True},
            "stage": {"type": "str", "required": True},
            "source": {"type": "str"},
            "source_state": {"type": "str"},
            "specs": {"type": "list", "elements": "str"},
            "with_dependencies": {"type": "bool", "default": True},
            "reason": {"type": "str"},
            "overrides": {"type": "dict"},
            "fail_on_block": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("specs", "source_state")],
    )


if __name__ == "__main__":
    main()
