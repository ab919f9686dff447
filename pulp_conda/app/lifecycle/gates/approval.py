"""Somebody else than the requester has to say yes."""

from gettext import gettext as _

from pulp_conda.app.lifecycle.gates.case import Verdict

_MOST = 10


def check(gate):
    """Return the gate.

    Options:
        approvals (int): How many people have to say yes. The default is 1.
    """
    unknown = gate.keys() - {"name", "kind", "action", "approvals"}
    if unknown:
        raise ValueError(f"'{min(unknown)}' is no option of it")
    approvals = gate.setdefault("approvals", 1)
    if type(approvals) is not int or not 1 <= approvals <= _MOST:
        raise ValueError(f"'approvals' has to be a number from 1 to {_MOST}")
    return gate


def channels_of(gate):
    """Return the base paths of the other channels that it looks at."""
    return ()


def judge(gate, case):
    """Return whether enough people approved of the entry."""
    approvers = [answer["user"] for answer in case.entry.answers if answer["approved"]]
    if len(approvers) >= gate["approvals"]:
        return Verdict("passed", _("Approved by {}.").format(", ".join(approvers)))
    missing = gate["approvals"] - len(approvers)
    return Verdict("waiting", _("Waits for {} to approve.").format(missing))
