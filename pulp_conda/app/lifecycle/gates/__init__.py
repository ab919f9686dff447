"""What must hold before a stage moves.

A gate is a JSON object of a stage:

    name: What people call it, unique in the stage.
    kind: One of `KINDS`, a module of this package, which says what else the object has.
    action: `block`, or `warn`, which lets the stage move and says what is wrong.

A module of a kind has `check(gate)`, which returns the gate with its defaults or raises `ValueError`,
`judge(gate, case)`, which returns a `Verdict`, and `channels_of(gate)`.
"""

import re

from pulp_conda.app.errors import BadGate
from pulp_conda.app.lifecycle.gates import approval, environments, policy
from pulp_conda.app.lifecycle.gates.case import Case, Verdict
from pulp_conda.channel.errors import BadPolicy, ChannelError

KINDS = {"environments": environments, "policy": policy, "approval": approval}
ACTIONS = ("block", "warn")

# A stage with more than this is a mistake, and each may cost minutes.
_MOST = 50

# What no JSON in PostgreSQL can have.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")

__all__ = ["ACTIONS", "KINDS", "Case", "Verdict", "channels_of", "check_gates", "judge"]


def check_gates(gates, stage):
    """Return gates with their defaults.

    Args:
        gates: What somebody gave for a stage.
        stage: The name of the stage, for errors.

    Raises:
        BadGate, BadPolicy: with the name of the gate and what is wrong.
    """
    if not isinstance(gates, list) or len(gates) > _MOST:
        raise BadGate(gate="", stage=stage, reason=f"'gates' has to be a list of at most {_MOST}")
    checked = []
    for number, gate in enumerate(gates, start=1):
        name = gate.get("name", "") if isinstance(gate, dict) else ""
        try:
            checked.append(_check_gate(gate, [other["name"] for other in checked]))
        except BadPolicy:
            raise
        except ChannelError as error:
            raise BadGate(gate=name or number, stage=stage, reason=error.text.rstrip(".")) from None
        except ValueError as error:
            raise BadGate(gate=name or number, stage=stage, reason=str(error)) from None
    return checked


def _check_gate(gate, names):
    if not isinstance(gate, dict):
        raise ValueError("it has to be an object with 'name', 'kind' and 'action'")
    name, kind, action = gate.get("name"), gate.get("kind"), gate.get("action", "block")
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        raise ValueError("its 'name' has to be a text of 1 to 100 characters")
    if name in names:
        raise ValueError("another gate has this name")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"its 'kind' has to be one of {', '.join(KINDS)}")
    if not isinstance(action, str) or action not in ACTIONS:
        raise ValueError("its 'action' has to be 'block' or 'warn'")
    gate = KINDS[kind].check({**gate, "action": action})
    if any(map(_NO_TEXT.search, _texts(gate))):
        raise ValueError("it holds a NUL or half a character, which no text has")
    return gate


def _texts(value):
    """Yield all texts in a value that is made of lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)


def channels_of(gate):
    """Return the base paths of the other channels of this server that a gate looks at."""
    return KINDS[gate["kind"]].channels_of(gate)


def judge(gates, case):
    """Return what each gate says of a move, as (gate, `Verdict`)."""
    return [(gate, KINDS[gate["kind"]].judge(gate, case)) for gate in gates]
