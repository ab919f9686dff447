"""How pages of the docs are run, which tests/slow does: with what their output is compared, and
which ports are replaced.
"""

import pytest

from tests.docs.steps import FIRST, PORTS, matches


@pytest.mark.parametrize(
    "expected, found, same",
    [
        pytest.param("a\nb", "a\nb\n", True, id="same"),
        pytest.param("a … c", "a big bad c\n", True, id="within a line"),
        pytest.param("a … c", "a\nc\n", False, id="not across lines"),
        pytest.param("…\nz", "a\nb\nz\n", True, id="any lines"),
        pytest.param("…\nz", "z\n", True, id="no line"),
        pytest.param("a.c", "abc\n", False, id="dots are dots"),
        pytest.param("", "", True, id="nothing"),
        pytest.param("", "a\n", False, id="something for nothing"),
    ],
)
def test_dots_stand_for_what_varies(expected, found, same):
    assert matches(expected, found) is same


def test_the_ports_of_the_tutorials_are_replaced():
    assert all(shown in FIRST.read_text() for shown in PORTS.values())
