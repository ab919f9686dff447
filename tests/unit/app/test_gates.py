"""What the gates of a stage may be."""

import pytest

from pulp_conda.app.errors import BadGate
from pulp_conda.app.lifecycle.gates import check_gates

APPROVAL = {"name": "yes", "kind": "approval"}
ENVIRONMENTS = {"name": "solve", "kind": "environments"}


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param({**APPROVAL, "name": "n"}, id="shortest name"),
        pytest.param({**APPROVAL, "name": "n" * 100}, id="longest name"),
        pytest.param({**APPROVAL, "approvals": 10}, id="most approvals"),
        pytest.param({**ENVIRONMENTS, "environments": ["e"]}, id="shortest environment"),
        pytest.param({**ENVIRONMENTS, "environments": ["e" * 255]}, id="longest environment"),
        pytest.param({**ENVIRONMENTS, "environments": ["e"] * 100}, id="most environments"),
    ],
)
def test_a_gate_may_reach_its_limits(gate):
    (checked,) = check_gates([gate], stage="stable")
    assert gate.items() <= checked.items()


@pytest.mark.parametrize(
    ("gate", "limit"),
    [
        pytest.param({**APPROVAL, "name": ""}, "1 to 100", id="no name"),
        pytest.param({**APPROVAL, "name": "n" * 101}, "1 to 100", id="long name"),
        pytest.param({**APPROVAL, "approvals": 11}, "1 to 10", id="many approvals"),
        pytest.param({**ENVIRONMENTS, "environments": [""]}, "1 to 255", id="no environment"),
        pytest.param(
            {**ENVIRONMENTS, "environments": ["e" * 256]}, "1 to 255", id="long environment"
        ),
        pytest.param(
            {**ENVIRONMENTS, "environments": ["e"] * 101}, "at most 100", id="many environments"
        ),
    ],
)
def test_a_gate_beyond_a_limit_is_refused_with_the_limit(gate, limit):
    with pytest.raises(BadGate) as refused:
        check_gates([gate], stage="stable")
    assert limit in refused.value.facts["reason"]


def test_a_stage_has_at_most_50_gates():
    gates = [{**APPROVAL, "name": f"g{number}"} for number in range(51)]
    assert len(check_gates(gates[:50], stage="stable")) == 50
    with pytest.raises(BadGate, match="at most 50"):
        check_gates(gates, stage="stable")
