"""Gates: conditions that must hold before a stage moves.

A gate is a JSON object of a stage:

    name: What people call it, unique in the stage.
    kind: A `GateKind`. Each kind is a module of this package, which defines the other options.
    action: `block`, or `warn`, which lets the stage move and reports what is wrong.

The module of a kind has three functions. `check(gate)` returns the gate with its defaults or raises
`ValueError`. `judge(gate, case)` returns a `Verdict`. `channels_of(gate)` returns the base paths of
the other channels that the gate reads. Whether they exist is no question for `check`: its answer
would come before or after that of other checks, and so differ for channels that are hidden.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet

from pulp_conda.app.errors import BadGate
from pulp_conda.app.lifecycle.gates import approval, environments, policy
from pulp_conda.app.lifecycle.gates.case import Case, Gate, Verdict, find_channel
from pulp_conda.app.vocabulary import GateAction, GateKind
from pulp_conda.channel.errors import BadPolicy, ChannelError
from pulp_conda.channel.storable import find_unstorable

KINDS = {
    GateKind.ENVIRONMENTS: environments,
    GateKind.POLICY: policy,
    GateKind.APPROVAL: approval,
}

# More gates in a stage are a mistake, and each may take minutes.
_MOST = 50
LONGEST_NAME = 100

__all__ = [
    "KINDS",
    "Case",
    "Gate",
    "Judgement",
    "Verdict",
    "channels_of",
    "check_gates",
    "judge",
]


class Judgement(NamedTuple):
    """What a gate says about a move."""

    gate: Gate
    verdict: Verdict


def check_gates(
    gates: Any, stage: str, old: Sequence[Gate] = (), channels: QuerySet | None = None
) -> list[Gate]:
    """Check the gates of a stage, and return them with their defaults.

    Args:
        gates: Untrusted input: any JSON.
        stage: The name of the stage, for errors.
        old: The gates that the stage has now. They may stay, whatever channels they read.
        channels: The distributions that other gates may read. The default is all.

    Raises:
        BadGate, BadPolicy: for the first gate that is wrong, with its name and the reason.
    """
    if not isinstance(gates, list) or len(gates) > _MOST:
        raise BadGate(gate="", stage=stage, reason=f"'gates' has to be a list of at most {_MOST}")
    checked: list[Gate] = []
    for number, gate in enumerate(gates, start=1):
        name = gate.get("name", "") if isinstance(gate, dict) else ""
        try:
            gate = _check_gate(gate, [other["name"] for other in checked])
            for channel in channels_of(gate) if gate not in old else ():
                find_channel(channel, channels)
            checked.append(gate)
        except BadPolicy:
            raise
        except ChannelError as error:
            raise BadGate(gate=name or number, stage=stage, reason=error.text.rstrip(".")) from None
        except ValueError as error:
            raise BadGate(gate=name or number, stage=stage, reason=str(error)) from None
    return checked


def _check_gate(gate: Any, names: list[str]) -> Gate:
    if not isinstance(gate, dict):
        raise ValueError("it has to be an object with 'name', 'kind' and 'action'")
    if bad := find_unstorable(gate):
        raise ValueError(f"'{bad.place}' {bad.reason}")
    name, kind, action = (
        gate.get("name"),
        gate.get("kind"),
        gate.get("action", GateAction.BLOCK.value),
    )
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise ValueError(f"its 'name' has to be a text of 1 to {LONGEST_NAME} characters")
    if name in names:
        raise ValueError("another gate has this name")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"its 'kind' has to be one of {', '.join(KINDS)}")
    if not isinstance(action, str) or action not in list(GateAction):
        raise ValueError("its 'action' has to be 'block' or 'warn'")
    return KINDS[GateKind(kind)].check({**gate, "action": action})


def channels_of(gate: Gate) -> Sequence[str]:
    """Return the base paths of the other channels of this server that a gate reads."""
    return KINDS[gate["kind"]].channels_of(gate)


def judge(gates: list[Gate], case: Case) -> list[Judgement]:
    """Return what each gate says about a move, in the order of the gates."""
    return [Judgement(gate, KINDS[gate["kind"]].judge(gate, case)) for gate in gates]
