"""The recipes for CI are one story in three languages. tests/slow/test_command_line.py runs the
steps of one.
"""

import re
import subprocess

import pytest

from tests.docs.ci import read_github, read_gitlab, read_jenkins

SCRIPTS = {
    "github": "\n".join(step["run"] for step in read_github()),
    "gitlab": "\n".join(line for script in read_gitlab() for line in script),
    "jenkins": "\n".join(read_jenkins()),
}


@pytest.mark.parametrize("service", SCRIPTS)
def test_a_recipe_is_a_script_that_bash_understands(service):
    done = subprocess.run(["bash", "-n"], input=SCRIPTS[service], text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_all_services_do_the_same():
    steps = {
        tuple(
            re.findall(
                r"\b(?:conda (?:install|create|run)|pip install|rattler-build|pulp [a-z ]+[a-z])",
                script,
            )
        )
        for script in SCRIPTS.values()
    }
    assert len(steps) == 1
    (steps,) = steps
    verbs = [step for step in steps if step.startswith("pulp ")]
    assert [verb.removeprefix("pulp conda ") for verb in verbs] == [
        "pulp config create",
        "channel upload team dist",
        "channel show team",
        "lifecycle url team",
        "lifecycle promote team",
        "lifecycle promote team",
    ]
