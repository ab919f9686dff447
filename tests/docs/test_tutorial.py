"""Runs the blocks of the tutorials and guides, all against one running Pulp.

The tutorials with a Pulp that they start and stop, and with what they install, run in
tests/slow/test_tutorial.py.
"""

import pytest

from tests.docs.steps import (
    CHECKOUT,
    FIRST,
    NAMES,
    PORTS,
    Shell,
    matches,
    quiet,
    read_steps,
    read_tutorial,
    run_parts,
)
from tests.support.conda import CondaPulp
from tests.support.stack import running_stack

# What the next guide may make as well, in an order in which it can be deleted.
MADE = [
    "conda/lifecycles/",
    "distributions/conda/conda/",
    "repositories/conda/conda/",
    "remotes/conda/conda/",
]


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


@pytest.fixture(scope="module")
def server():
    """A Pulp that no other tests use: the guides make things of the same names, and each needs it
    empty.
    """
    with running_stack() as stack:
        yield stack


@pytest.fixture
def run(server, tmp_path):
    """Run parts of pages against an empty Pulp."""
    shell = Shell(tmp_path, server.state.folder)
    yield lambda parts: run_parts(shell, server.state.facts["ports"], parts)
    with CondaPulp(server.api_url, "admin", server.password) as pulp:
        for path in MADE:
            for made in pulp.list(path):
                pulp.delete(made["pulp_href"])
        for user in pulp.list("users/"):
            if user["username"] != "admin":
                pulp.delete(user["pulp_href"])
        pulp.post("orphans/cleanup/", orphan_protection_time=0)


def _on_a_running_pulp(part):
    """Leave away what installs the program, which is here already, and what is said of a start."""
    if isinstance(part, str):
        return part
    if "pip " in part.commands:
        return ""
    return quiet(part) if "quickstart up" in part.commands else part


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_a_tutorial_prints_what_it_says(run, name):
    before, _stop = read_tutorial(name)
    run(list(map(_on_a_running_pulp, before)))


def test_the_ports_of_the_tutorials_are_replaced():
    assert all(shown in FIRST.read_text() for shown in PORTS.values())


# What a guide takes for granted, in terms of what a tutorial leaves behind.
GUIDES = {
    "announce": ("first-channel", 'STABLE=$(field result.pulp_href <<<"$STABLE")'),
    "gates": ("safe-releases", ""),
    "time-travel": ("safe-releases", ""),
    "lifecycle": (
        "first-channel",
        """\
pulp "${REPOSITORY}modify/" --header "$JSON" \\
    --data "{\\"base_version\\": \\"${REPOSITORY}versions/1/\\"}" | finish >/dev/null
TESTING=$(field result.pulp_href <<<"$TESTING")
STABLE=$(field result.pulp_href <<<"$STABLE")
APPROVER=ada:a-long-Password-1
ADA=$(pulp /pulp/api/v3/users/ --header "$JSON" \\
    --data '{"username": "ada", "password": "a-long-Password-1"}' | field pulp_href)
pulp "${ADA}roles/" --header "$JSON" \\
    --data '{"role": "conda.condalifecycle_approver", "content_object": null}' >/dev/null""",
    ),
    "patch": (
        "first-channel",
        """\
python - <<'END'
from pathlib import Path
from pulp_conda.quickstart.sample import build_package
instructions = '{"packages.conda": {"hello-2.0-0.conda": {"license": "MIT"}}}'
files = {"noarch/patch_instructions.json": instructions}
build_package(Path.cwd(), name="team-repodata-patches", version="1.0", files=files)
END
pulp /pulp/api/v3/content/conda/packages/ \\
    --form file=@team-repodata-patches-1.0-0.conda | finish >/dev/null""",
    ),
    "promote": ("first-channel", ""),
}


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_of_a_guide_prints_what_it_says(run, guide):
    tutorial, granted = GUIDES[guide]
    before = [quiet(part) for part in read_tutorial(tutorial)[0]]
    text = (CHECKOUT / f"docs/user/guides/{guide}.md").read_text()
    run([*before, granted, *read_steps(text)])
