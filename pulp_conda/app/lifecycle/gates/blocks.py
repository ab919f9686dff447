"""The check for blocked packages. Every move is checked, and the check cannot be overridden.

It is not a gate of a stage. A report contains it only if the new state lists blocked packages.
"""

from gettext import gettext as _

from pulp_conda.app.lifecycle.gates.case import SHOWN, Gate, Verdict
from pulp_conda.app.models import CondaPublication
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.versions.blocked import blocked_packages
from pulp_conda.app.vocabulary import GateAction, GateVerdict

# How reports name it.
GATE: Gate = {"name": "blocks", "kind": "blocks", "action": GateAction.BLOCK.value}


def judge(publication: CondaPublication) -> Verdict | None:
    """Return `failed` if a publication lists packages that are blocked, or None if it does not."""
    findings = [
        {"path": package.path, "sha256": package.sha256, "reason": package.reason}
        for package in blocked_packages(served_state(publication))
        if package.sha256 not in publication.withheld
    ]
    if not findings:
        return None
    summary = _("Blocked on this server: {}.").format(len(findings))
    return Verdict(GateVerdict.FAILED, summary, findings[:SHOWN], len(findings))
