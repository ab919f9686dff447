"""The gate `approval`: people other than the requester have to approve of the move."""

from collections.abc import Sequence
from gettext import gettext as _

from pulp_conda.app.lifecycle.gates.case import Case, Gate, Verdict
from pulp_conda.app.vocabulary import GateVerdict

MOST = 10


def check(gate: Gate) -> Gate:
    """Return the gate with its defaults.

    Options:
        approvals (int): How many people have to approve. The default is 1.

    Raises:
        ValueError: an option is wrong or unknown.
    """
    unknown = gate.keys() - {"name", "kind", "action", "approvals"}
    if unknown:
        raise ValueError(f"'{min(unknown)}' is no option of it")
    approvals = gate.setdefault("approvals", 1)
    if type(approvals) is not int or not 1 <= approvals <= MOST:
        raise ValueError(f"'approvals' has to be a number from 1 to {MOST}")
    return gate


def channels_of(gate: Gate) -> Sequence[str]:
    """Return the base paths of the other channels that the gate reads: it reads none."""
    return ()


def judge(gate: Gate, case: Case) -> Verdict:
    """Return `passed` if enough people approved of the entry, and `waiting` if not."""
    approvers = [answer["user"] for answer in case.entry.answers if answer["approved"]]
    if len(approvers) >= gate["approvals"]:
        return Verdict(GateVerdict.PASSED, _("Approved by {}.").format(", ".join(approvers)))
    missing = gate["approvals"] - len(approvers)
    return Verdict(GateVerdict.WAITING, _("Waits for {} to approve.").format(missing))
