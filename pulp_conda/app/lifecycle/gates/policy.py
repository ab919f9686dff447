"""The packages of the candidate have to keep rules: age, licenses, what is blocked or required, and dependencies."""

from gettext import gettext as _

from django.utils import timezone

from pulp_conda.app.lifecycle.gates.case import SHOWN, Verdict, find_channel, served_by
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.versions.candidates import candidates
from pulp_conda.channel.policies.rules import evaluate, read_policy

_COMMON = ("name", "kind", "action")


def check(gate):
    """Return the gate; its options are those of `pulp_conda.channel.policies.rules.read_policy`."""
    for channel in channels_of(gate):
        find_channel(channel)
    return gate


def channels_of(gate):
    """Return the base paths of the other channels that it looks at."""
    dependencies = _read(gate).dependencies
    return dependencies.base_channels if dependencies else ()


def judge(gate, case):
    """Return whether the packages keep the rules of the gate."""
    policy = _read(gate)
    version = version_of(case.publication)
    before = case.before and version_of(case.before)
    try:
        served = [served_by(find_channel(channel)) for channel in channels_of(gate)]
    except ValueError as error:
        return Verdict("unknown", _("Nobody can tell: {}.").format(error))
    verdict = evaluate(
        policy,
        candidates(version, before, with_depends=bool(policy.dependencies)),
        now=timezone.now(),
        base=(package for publication in served for package in candidates(version_of(publication))),
    )
    findings = [
        {"rule": finding.rule, "subject": finding.subject, "text": finding.text}
        for finding in verdict.findings
    ]
    return Verdict(
        "passed" if verdict.passed else "failed",
        _summary(verdict.counts),
        findings[:SHOWN],
        verdict.count,
    )


def _read(gate):
    options = {name: value for name, value in gate.items() if name not in _COMMON}
    return read_policy(options, gate=gate["name"])


def _summary(counts):
    if not counts:
        return _("All rules are kept.")
    return _("Against the rules: {}.").format(
        ", ".join(f"{count} {rule}" for rule, count in sorted(counts.items()))
    )
