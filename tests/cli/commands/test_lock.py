"""Lock files from the command line: written, made a version of, looked for."""

import json
import shlex
from uuid import uuid4

import pytest

from pulp_conda.channel.lockfiles.read import read_lock_file
from tests.support.builders import make_package

BLOCKED = 3


@pytest.fixture
def lock(cli):
    """`pulp conda lock …`; a command is to end with an exit code."""

    def run(*words, exit_code=0):
        outcome = cli("conda", "lock", *words)
        assert outcome.exit_code == exit_code, outcome
        return outcome

    return run


@pytest.fixture(scope="module")
def team(pulp, cli):
    """The name of a lifecycle, and of its repository, which has a package and an environment that
    wants it.
    """
    name = uuid4().hex[:8]
    repository = pulp.post("repositories/conda/conda/", name=name, autopublish=True)["pulp_href"]
    pulp.upload(make_package(f"app-{name}"), repository=repository)
    pulp.environment(repository, "desk", f"app-{name}", platforms=["linux-64"])
    pulp.environment(repository, "lost", f"lost-{name}", platforms=["linux-64"])
    cli.ok("conda", "lifecycle", "create", name, "--repository", name)
    return name


def test_a_lock_file_goes_out_and_comes_back_as_a_version(pulp, cli, lock, team, tmp_path):
    file, package = tmp_path / "pixi.lock", make_package(f"app-{team}")
    export = ("export", team, "--stage", "unstable", "--environment", "desk")
    unsolved = lock(*export, exit_code=1)
    assert "[CND0047]" in unsolved.stderr

    lock(*export, "--solve", "--output", file)
    (locked,) = read_lock_file(file.read_text()).packages
    assert (locked.filename, locked.sha256) == (package.filename, package.record.sha256)
    explicit = lock(*export, "--lock-format", "explicit", "--platform", "linux-64").stdout
    assert explicit.splitlines()[-1].endswith(f"{package.filename}#sha256:{locked.sha256}")

    # Somewhere else there is nothing of it, until its packages come from where it was written.
    target = f"{team}-frozen"
    pulp.post("repositories/conda/conda/", name=target)
    held = lock("import", file, "--repository", target, exit_code=BLOCKED)
    assert json.loads(held.stdout)["outcome"] == "incomplete"
    assert f"    noarch/{package.filename} is not there" in held.stderr
    lock("find", file, "--repository", target, exit_code=BLOCKED)
    rehearsal = lock("import", file, "--repository", target, "--source", f"{team}@1", "--dry-run")
    assert "can be made: 1 added, 0 removed." in rehearsal.stderr
    made = lock("import", file, "--repository", target, "--source", team)
    assert json.loads(made.stdout)["version"] == 1
    again = lock("import", file, "--repository", target, "--source", team)
    assert json.loads(again.stdout)["outcome"] == "unchanged"

    found = lock("find", file, "--repository", team)
    assert json.loads(found.stdout)["versions"]["shown"] == [3, 2, 1]
    assert f"{team}: unstable serves them now." in found.stderr
    before = lock("find", file, "--repository", team, "--version", "0", exit_code=BLOCKED)
    assert "Version 0 lacks:" in before.stderr


def test_a_lock_file_is_larger_than_the_server_takes_json(cli, team, tmp_path):
    lines = (f"https://x.org/c/noarch/p{n}-1-0.conda#sha256:{n:064x}" for n in range(30_000))
    file = tmp_path / "large.lock"
    file.write_text("\n".join(["@EXPLICIT", *lines]))
    outcome = cli("conda", "lock", "import", file, "--repository", team, "--source", team)
    assert outcome.exit_code == BLOCKED, outcome
    assert json.loads(outcome.stdout)["missing"]["count"] == 30_000


def test_what_cannot_be_solved_is_blocked(lock, cli, team):
    export = ("export", team, "--stage", "unstable", "--environment", "lost", "--solve")
    outcome = lock(*export, exit_code=BLOCKED)
    assert f"    lost on linux-64: No candidates were found for lost-{team}" in outcome.stderr
    asked = cli("conda", "lifecycle", "solve", team, "--stage", "unstable", "--environments", "l*")
    (solution,) = json.loads(asked.stdout)
    assert (asked.exit_code, solution["verdict"]) == (BLOCKED, "unsolvable")
    assert "0 of 1 solved." in asked.stderr


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        pytest.param("import {folder}/none.lock", 2, "No such file", id="missing file"),
        pytest.param("import {folder}/bytes.lock", 2, "byte 0 is not UTF-8", id="no text"),
        pytest.param("import {folder}/words.lock", 2, "--repository", id="no repository"),
        pytest.param(
            "import {folder}/words.lock --repository {team}", 1, "[CND0050]", id="no lock file"
        ),
        pytest.param(
            "import {folder}/words.lock --repository {team} --source {team}-x",
            1,
            "There is no conda repository '{team}-x'. Did you mean '{team}'",
            id="unknown source",
        ),
        pytest.param(
            "import {folder}/words.lock --repository {team} --source {team}@77",
            1,
            "Channel '{team}' has no version 77.",
            id="unknown version",
        ),
        pytest.param(
            "export {team} --stage unstable --environment nobody", 1, "[CND0048]", id="environment"
        ),
        pytest.param(
            "export {team} --stage unstable --environment desk --solve --output {folder}/no/where",
            1,
            "No such file or directory",
            id="nowhere to write",
        ),
        pytest.param(
            "export {team} --stage nightly --environment desk",
            1,
            "There is no stage 'nightly'.",
            id="unknown stage",
        ),
        pytest.param(
            "export {team} --stage unstable --environment desk --state v9",
            1,
            "[CND0036]",
            id="unknown state",
        ),
    ],
)
def test_what_is_wrong_is_said(words, exit_code, text, cli, team, tmp_path):
    (tmp_path / "words.lock").write_text("hello")
    (tmp_path / "bytes.lock").write_bytes(b"\xff\xfe")
    names = {"folder": tmp_path, "team": team}
    outcome = cli("conda", "lock", *shlex.split(words.format(**names)))
    assert outcome.exit_code == exit_code, outcome
    assert text.format(**names) in outcome.stderr
    assert (outcome.stdout, "Traceback" in outcome.stderr) == ("", False)
