"""What it takes a process of its own to show: signals, terminals, exit codes, encodings, the
completion of a shell.

All else that the commands do is tested in `tests/cli/commands`.
"""

import hashlib
import json
import re
import signal
import time

import pytest

from tests.support.builders import make_channel, make_package

# So many that an upload, one package a request, can be stopped in between.
PACKAGES = 120


@pytest.fixture
def channel(inside, unique):
    """The name of a channel of one's own."""
    name = f"team-{unique}"
    inside.ok("conda", "channel", "create", name)
    return name


@pytest.fixture
def mirror(inside, upstream, unique):
    make_channel(upstream.folder, [make_package()])
    inside.ok("conda", "channel", "create", unique, "--upstream", upstream.url)
    return unique


@pytest.fixture
def folder(tmp_path, unique):
    """A folder of three packages."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in "abc":
        package = make_package(f"{name}-{unique}")
        (folder / package.filename).write_bytes(package.data)
    return folder


@pytest.fixture
def many(tmp_path, unique):
    """A folder of so many packages that an upload can be stopped in between."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(PACKAGES):
        package = make_package(f"a-{unique}", f"1.{number}")
        (folder / package.filename).write_bytes(package.data)
    return folder


def refused(outcome, *texts, exit_code=1):
    assert outcome.exit_code == exit_code, outcome
    assert "Traceback" not in outcome.stderr
    for text in texts:
        assert text in outcome.stderr


def test_a_question_is_answered_on_the_input_of_the_program(cli, pulp, channel):
    assert cli("conda", "channel", "destroy", channel, stdin="n\n").exit_code == 1
    assert pulp.get("repositories/conda/conda/", name=channel)["count"] == 1
    assert cli("conda", "channel", "destroy", channel, stdin="y\n").exit_code == 0
    assert pulp.get("repositories/conda/conda/", name=channel)["count"] == 0


def test_a_promotion_that_is_held_ends_the_program_with_a_code_of_its_own(
    cli, pulp, make_repository
):
    repository = make_repository(autopublish=True)
    pulp.upload(make_package(), repository=repository)
    approval = {"name": "yes", "kind": "approval"}
    rule = {"name": "no", "kind": "policy", "required": ["nothing"]}
    stages = [{"name": "a"}, {"name": "b", "gates": [approval]}]
    team = pulp.lifecycle(repository, stages=stages)
    promote = ("conda", "lifecycle", "promote", team.name, "--to", "b")
    held = cli(*promote)
    assert (held.exit_code, json.loads(held.stdout)["outcome"]) == (4, "waiting")
    team.set_gates("b", rule)
    held = cli(*promote)
    assert (held.exit_code, json.loads(held.stdout)["outcome"]) == (3, "blocked")


def test_a_sync_draws_what_its_task_reports_on_a_terminal(cli, mirror):
    exit_code, drawn = cli.on_terminal("conda", "channel", "sync", mirror)
    assert exit_code == 0
    assert re.search(r"Downloading repodata +\[#{24}\]  1/1", drawn)


def test_a_sync_in_the_background_is_started_and_not_waited_for(
    cli, inside, pulp, upstream, unique
):
    make_channel(upstream.folder, [make_package()])
    create = ("conda", "channel", "create", unique, "--upstream", upstream.url, "--sync")
    outcome = cli("--background", *create)
    assert outcome.exit_code == 0
    href = outcome.stderr.split("pulp task show --href ")[1].split()[0]
    pulp.wait({"task": href})
    assert inside.json("conda", "channel", "show", unique)["packages"] == 1


def test_a_terminal_that_cannot_write_a_name(cli, inside, unique):
    name = f"{unique}-日本"
    inside.ok("conda", "repository", "create", "--name", name, "--description", name)
    in_ascii = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    refused(cli("conda", "channel", "show", name, environment=in_ascii), "LC_ALL=C.UTF-8")
    in_latin = {"PYTHONIOENCODING": "latin-1"}
    show = ("--format", "table", "conda", "channel", "show", name)
    refused(cli(*show, environment=in_latin), "LC_ALL=C.UTF-8")


def test_ctrl_c_leaves_the_task_alone_and_tells_how_to_look_at_it(
    cli, inside, pulp, upstream, mirror
):
    gate = upstream.hold("noarch/repodata.json.zst")
    process = cli.start("conda", "channel", "sync", mirror)
    assert upstream.reached.wait(60)
    # The upstream may be asked before the program waits for the task. Then it prints dots.
    assert process.stderr.read(1) == "."
    process.send_signal(signal.SIGINT)
    _stdout, stderr = process.communicate(timeout=60)
    gate.set()
    assert process.returncode == 130
    assert "continues on the server" in stderr and "Traceback" not in stderr
    href = stderr.split("pulp task show --href ")[1].split()[0]
    assert f"pulp task cancel --href {href}" in stderr
    pulp.wait({"task": href})
    assert inside.json("conda", "channel", "show", mirror)["version"] == 1


def test_a_command_that_has_waited_long_enough_says_so_with_a_code_of_its_own(
    cli, pulp, upstream, mirror
):
    gate = upstream.hold("noarch/repodata.json.zst")
    outcome = cli("--timeout", "1", "conda", "channel", "sync", mirror)
    gate.set()
    refused(outcome, "not done after 1 seconds", "pulp task show --href", exit_code=124)
    pulp.wait({"task": outcome.stderr.split("pulp task show --href ")[1].split()[0]})


def test_the_shell_completes_commands_and_options(cli, inside):
    script = cli.ok(environment={"_PULP_COMPLETE": "bash_source"}).stdout
    assert "complete " in script and "pulp" in script

    def completed(line, program=inside):
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        answer = program.ok(environment={"_PULP_COMPLETE": "bash_complete", **words}).stdout
        return [line.partition(",")[2] for line in answer.splitlines()]

    assert completed("pulp conda re", program=cli) == ["remote", "repository"]
    assert completed("pulp conda remote create --po") == ["--policy"]
    assert completed("pulp conda remote create --policy imm") == ["immediate"]


def test_bytes_that_the_server_has_go_into_another_channel_without_being_sent(
    cli, inside, channel, folder, unique
):
    inside.ok("conda", "channel", "upload", channel, folder)
    other = f"other-{unique}"
    inside.ok("conda", "channel", "create", other)
    outcome = cli.ok("-v", "-v", "conda", "channel", "upload", other, folder)
    assert len(json.loads(outcome.stdout)["added"]) == 3
    assert "application/octet-stream" not in outcome.stderr


@pytest.fixture
def arrived(pulp, many):
    """Return how many files of `many` the server has, of all or of those named.

    Other processes fill the same server, so only these files are counted.
    """

    def count(*names):
        files = [many / name for name in names] or list(many.iterdir())
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        found = (pulp.get("artifacts/", sha256=digest, limit=1) for digest in digests)
        return sum(page["count"] for page in found)

    return count


@pytest.fixture
def interrupted(cli, arrived, channel, many):
    """An upload, in requests of one file, of which some have arrived."""
    early = sorted(file.name for file in many.iterdir())[3]
    process = cli.start("conda", "channel", "upload", channel, many, "--chunk-size", "2kB")
    deadline = time.monotonic() + 60
    while not arrived(early):
        assert process.poll() is None and time.monotonic() < deadline
    return process


def test_an_upload_that_was_killed_goes_on_the_next_time(
    cli, inside, channel, many, interrupted, arrived
):
    interrupted.kill()
    interrupted.communicate()
    before = arrived()
    assert before < PACKAGES
    assert inside.json("conda", "channel", "show", channel)["version"] == 0

    outcome = cli.ok("-v", "-v", "-v", "conda", "channel", "upload", channel, many)
    assert json.loads(outcome.stdout)["version"] == 1
    # What was on its way when the program was killed may have arrived since.
    assert 0 < outcome.stderr.count(".conda <- ") <= PACKAGES - before
    assert inside.json("conda", "channel", "show", channel)["packages"] == PACKAGES


def test_ctrl_c_ends_an_upload_with_a_word(interrupted):
    process = interrupted
    process.send_signal(signal.SIGINT)
    _stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run the command again" in stderr and "Traceback" not in stderr


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(cli, inside, channel, folder):
    assert "###" not in inside.ok("conda", "channel", "upload", channel, folder, "--dry-run").stderr
    exit_code, drawn = cli.on_terminal("conda", "channel", "upload", channel, folder)
    assert exit_code == 0
    assert re.search(r"Uploading packages +\[#{24}\]  3/3", drawn)
