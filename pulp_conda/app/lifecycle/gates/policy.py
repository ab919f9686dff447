"""The gate `policy`: the packages of the new state keep the rules of a policy.

Rules are about age, licenses, blocked and required packages, and dependencies.
"""

from collections.abc import Sequence
from gettext import gettext as _
from itertools import chain

from django.utils import timezone

from pulp_conda.app.lifecycle.gates.case import SHOWN, Case, Gate, Verdict, find_channel, served_by
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.versions.candidates import candidates
from pulp_conda.app.vocabulary import GateVerdict
from pulp_conda.channel.errors import BadPolicy
from pulp_conda.channel.policies.rules import (
    Policy,
    PolicyVerdict,
    evaluate,
    read_policy,
)

_COMMON = ("name", "kind", "action")


def check(gate: Gate) -> Gate:
    """Return the gate. Its options are those of `pulp_conda.channel.policies.rules.read_policy`.

    Raises:
        BadPolicy: an option is wrong or unknown.
    """
    _read(gate)
    return gate


def channels_of(gate: Gate) -> Sequence[str]:
    """Return the base paths of the other channels that the gate reads."""
    dependencies = _read(gate).dependencies
    return dependencies.base_channels if dependencies else ()


def judge(gate: Gate, case: Case) -> Verdict:
    """Return `passed` if the packages keep the rules of the gate, and `failed` if not."""
    try:
        policy = _read(gate)
    except BadPolicy as error:
        # A spec of it was taken before specs without a clear meaning were refused.
        return Verdict(GateVerdict.UNKNOWN, _("The gate has no result: {}").format(error))
    try:
        served = [served_by(find_channel(channel)) for channel in channels_of(gate)]
    except ValueError as error:
        return Verdict(GateVerdict.UNKNOWN, _("The gate has no result: {}.").format(error))
    verdict = evaluate(
        policy,
        candidates(
            case.state,
            case.state_before,
            with_depends=bool(policy.dependencies),
            with_ages=bool(policy.minimum_age),
        ),
        now=timezone.now(),
        base=chain.from_iterable(candidates(served_state(publication)) for publication in served),
    )
    findings = [
        {"rule": finding.rule, "subject": finding.subject, "text": finding.text}
        for finding in verdict.findings
    ]
    return Verdict(
        GateVerdict.PASSED if verdict.passed else GateVerdict.FAILED,
        _summary(verdict),
        findings[:SHOWN],
        verdict.count,
    )


def _read(gate: Gate) -> Policy:
    options = {name: value for name, value in gate.items() if name not in _COMMON}
    return read_policy(options, gate=gate["name"])


def _summary(verdict: PolicyVerdict) -> str:
    if verdict.passed:
        summary = _("All rules are kept.")
    else:
        counts = ", ".join(f"{count} {rule}" for rule, count in sorted(verdict.counts.items()))
        summary = _("Against the rules: {}.").format(counts)
    if verdict.old_by_date:
        summary += " " + _("Old enough by a date of the upstream: {}.").format(verdict.old_by_date)
    return summary
