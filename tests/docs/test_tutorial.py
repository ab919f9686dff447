"""Runs the blocks of the tutorials, all against one running Pulp.

The guides run in tests/slow/test_guides.py. The tutorials with a Pulp that they start and stop, and
with what they install, run in tests/slow/test_tutorial.py.
"""

import pytest

from tests.docs.steps import (
    FIRST,
    NAMES,
    PORTS,
    matches,
    quiet,
    read_tutorial,
)


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


def _on_a_running_pulp(part):
    """Leave away what installs the program, which is here already, and what is said of a start."""
    if isinstance(part, str):
        return part
    if "pip " in part.commands:
        return ""
    return quiet(part) if "quickstart up" in part.commands else part


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_a_tutorial_prints_what_it_says(run_docs, name):
    before, _stop = read_tutorial(name)
    run_docs(list(map(_on_a_running_pulp, before)))


def test_the_ports_of_the_tutorials_are_replaced():
    assert all(shown in FIRST.read_text() for shown in PORTS.values())
