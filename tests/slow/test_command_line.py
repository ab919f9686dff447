"""Runs the guide to the command line, and the recipe of one CI service: tests/docs/test_ci.py shows
that the others do the same.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pulp_conda.quickstart.sample import HELLO_2, build_package
from tests.docs.ci import read_blocks, read_github
from tests.docs.conda import write_conda
from tests.docs.steps import CHECKOUT, matches, read_steps
from tests.support.program import Cli

PASSWORD = "a-long-Password-1"

# The sample channel stands for what a recipe builds: conda's build tools are on no package index.
BUILD = """\
#!{python}
import sys
from pathlib import Path
from pulp_conda.quickstart.sample import GREETING, HELLO, build_package
assert sys.argv[1:] == ["build", "--recipe", "recipe", "--output-dir", "dist"]
for package in (GREETING, HELLO):
    build_package(Path("dist/noarch"), **package)
"""


@pytest.fixture(scope="module")
def admin(docs_stack, empty_docs_stack, tmp_path_factory):
    """The program `pulp` of the administrator of a Pulp that is prepared as the guide says."""
    empty_docs_stack()
    cli = Cli(
        tmp_path_factory.mktemp("cli"),
        base_url=docs_stack.api_url,
        username="admin",
        password=docs_stack.password,
    )
    prepare = "\n".join(read_blocks("Prepare the server", "bash"))
    path = {"PATH": _path(), "ROBOT_PASSWORD": PASSWORD}
    _bash(prepare, cli.folder, cli.environment | path)
    return cli


@pytest.fixture
def run_as_github(tmp_path, docs_stack, admin):
    """Run the steps of the workflow in an empty folder, as a job for a branch or a tag, and return
    what it wrote.
    """
    home, programs, exported = tmp_path / "home", tmp_path / "programs", tmp_path / "exported"
    home.mkdir()
    programs.mkdir()
    exported.touch()
    write_conda(programs / "conda")
    build = programs / "rattler-build"
    build.write_text(BUILD.format(python=sys.executable))
    build.chmod(0o755)

    def run(kind, name):
        environment = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": _path(programs),
            "GITHUB_ENV": str(exported),
            "GITHUB_SHA": "1b9ee3f",
            "GITHUB_REF_NAME": name,
            "PULP_URL": docs_stack.api_url,
            "PULP_USER": "robot",
            "PULP_PASSWORD": PASSWORD,
        }
        printed = ""
        for step in read_github():
            # The programs are here already, and so is their configuration in the second job.
            if step["name"] == "Install the tools" or (home / ".config").exists() and "env" in step:
                continue
            if step.get("if", f"github.ref_type == '{kind}'") == f"github.ref_type == '{kind}'":
                variables = dict(line.split("=", 1) for line in exported.read_text().splitlines())
                printed += _bash(step["run"], tmp_path, environment | variables)
        return printed

    return run


def _path(*folders):
    return os.pathsep.join([*map(str, folders), str(Path(sys.executable).parent), os.defpath])


def _bash(script, folder, environment):
    # As GitHub runs `shell: bash`.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


def test_what_is_pushed_is_tested_and_what_is_tagged_waits_for_its_release(admin, run_as_github):
    printed = run_as_github("branch", "main")
    assert "Version 1. Files: 2 added." in printed
    assert "Hello from a conda channel (hello 1.0)" in printed
    assert "testing moves from nothing to v1 (packages: 2 new; files: 2 added)." in printed

    # A job that is run again has nothing to do.
    assert "No new version. Files: 2 already present." in run_as_github("branch", "main")

    run_as_github("tag", "v1.0")
    history = admin.json("conda", "lifecycle", "history", "team", "--kind", "promoted")
    assert [(entry["stage"], entry["outcome"], entry["reason"]) for entry in history][::-1] == [
        ("testing", "moved", "1b9ee3f"),
        ("stable", "waiting", "v1.0"),
    ]
    assert {entry["requested_by"] for entry in history} == {"robot"}


def test_every_command_of_the_guide_to_the_command_line_prints_what_it_says(admin, tmp_path):
    build_package(tmp_path / "dist", **HELLO_2)
    for step in read_steps((CHECKOUT / "docs/user/guides/command-line.md").read_text()):
        printed = _bash(step.commands, tmp_path, admin.environment | {"PATH": _path()})
        assert matches(step.prints, printed), f"line {step.line} prints:\n{printed}"
