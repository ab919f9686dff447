"""Runs the tutorials as a reader does who has nothing yet: with the server and the programs that
they install and start.
"""

import os
import shutil
import subprocess

import pytest

from pulp_conda.quickstart.ports import free_port
from pulp_conda.quickstart.services import Stack
from tests.docs.steps import CHECKOUT, FIRST, NAMES, Shell, read_steps, read_tutorial, run_parts
from tests.support.stack import copied_state

LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "build", "*.egg-info", "__pycache__")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_a_tutorial_prints_what_it_says(tmp_path, name):
    ports = {"api": free_port(), "content": free_port()}
    with copied_state() as state:
        state.load()
        state.save(ports=ports)
        shell = Shell(tmp_path, state.folder)
        # Building leaves files behind.
        shutil.copytree(CHECKOUT / "cli", shell.home / "pulp_conda/cli", ignore=LEFT_OUT)
        before, after = read_tutorial(name)
        try:
            run_parts(shell, ports, [*before, *after])
        finally:
            Stack(state).destroy()


def test_the_installation_brings_all_that_is_needed(tmp_path):
    # Not editable, as the test environment is: what is missing in the package is missing here.
    (install,) = read_steps(FIRST.read_text(), apart=True)
    shutil.copytree(CHECKOUT, tmp_path / "checkout", ignore=LEFT_OUT)
    script = f"""set -eu -o pipefail
{install.commands}
cd "$HOME"
python -c "import pulp_conda.pages as p; print(p.__file__)
print(len(p.render_error(404)))"
python -m pulp_conda.quickstart status || test $? = 3
"""
    environment = {**os.environ, "HOME": str(tmp_path), "PULP_CONDA_STATE": str(tmp_path / "state")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path / "checkout",
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/pulp-conda/lib/" in done.stdout
    assert "Pulp does not run." in done.stdout
