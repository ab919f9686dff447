#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Promote a channel from one stage to the next, if the gates allow it."""

DOCUMENTATION = r"""
module: conda_promote
short_description: Promote conda channels from stage to stage
description:
  - Lets a stage of a lifecycle serve what the stage before it serves, or adds single packages to
    what it serves. The gates of the stage are checked first.
  - A stage is not changed if it already serves the same, or if a gate blocks it.
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
      - The stage to take from. The default is the stage before. For single packages, the default is
        the first stage.
    type: str
  source_state:
    description: A current or earlier state of the source, such as V(v42). The default is its
      current state.
    type: str
  specs:
    description: Match specs of single packages to promote. Without this option, the whole state of
      the source is promoted.
    type: list
    elements: str
  with_dependencies:
    description: For single packages, whether to promote what can be installed, with the
      dependencies that the stage does not have. Otherwise, all packages that match a spec are
      promoted, and nothing else.
    type: bool
    default: true
  newest:
    description: With dependencies of single packages, how many of the newest releases to promote
      for each spec and each dependency. V(0) promotes all. The default is 2.
    type: int
  virtual_packages:
    description: With dependencies of single packages, what the machines have that no channel
      brings, as versions by name, such as V(__cuda). Write versions in quotes.
    type: dict
  reason:
    description: The reason. It is kept in the history.
    type: str
  overrides:
    description: Gates whose results are ignored, each with the reason. This needs its own
      permission.
    type: dict
  fail_on_block:
    description: Whether the module fails if a gate blocks the stage. A promotion that waits for an
      approval is not a failure.
    type: bool
    default: true
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Promote the state of testing to stable
  pulp.conda.conda_promote:
    lifecycle: team
    stage: stable
    reason: release 7
  register: promoted

- name: Report that the promotion waits for an approval
  ansible.builtin.debug:
    msg: "Entry {{ promoted.report.entry }} of the history waits for an approval."
  when: promoted.outcome == 'waiting'

- name: Promote an urgent fix
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
    - "The outcome: V(moved), V(unchanged), V(blocked) by a gate, or V(waiting) for an approval. In
      check mode, the outcome that a promotion would have."
  type: str
  returned: unless the lifecycle does not exist yet, in check mode
  sample: moved
summary:
  description: The report for people, as a list of lines.
  type: list
  elements: str
  returned: unless the lifecycle does not exist yet, in check mode
  sample:
    - stable moves from v41 to v42 (12 upgraded, 3 new).
    - "Gate 'rules' (policy) passed: All rules are kept."
report:
  description: The full report of the server.
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
    pass  # the module reports this when it runs


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
    body |= module.given("with_dependencies", "newest", "virtual_packages")
    return lifecycle.promote_packages(module.params["stage"], module.params["specs"], **body)


def _waiting_states(lifecycle, stage):
    """Return the states that already wait for an approval. Another request is not a change."""
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
            "newest": {"type": "int"},
            "virtual_packages": {"type": "dict"},
            "reason": {"type": "str"},
            "overrides": {"type": "dict"},
            "fail_on_block": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("specs", "source_state")],
    )


if __name__ == "__main__":
    main()
