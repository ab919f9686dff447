"""The quickstart as its users see it: a command, its exit code, and the processes it leaves."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from pulp_conda.quickstart.ports import free_port
from pulp_conda.quickstart.processes import until
from tests.support.stack import copied_state

COMMAND = [sys.executable, "-m", "pulp_conda.quickstart"]


@pytest.fixture
def folder():
    with copied_state() as state:
        state.load()
        state.save(ports={"api": free_port(), "content": free_port()})
        yield state.folder
        run("down", folder=state.folder)


def run(*arguments, folder, code=0):
    done = subprocess.run(
        [*COMMAND, *arguments, "--state", folder], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def status(folder, code=0):
    return json.loads(run("status", "--json", folder=folder, code=code))


def start_in_foreground(folder):
    launcher = subprocess.Popen(
        [*COMMAND, "up", "--state", folder], stdout=subprocess.PIPE, text=True
    )
    for line in launcher.stdout:
        if "Ctrl-C" in line:
            return launcher
    raise AssertionError(f"'up' ended with {launcher.wait()}")


def processes_of(folder):
    """Ids of all processes that work in a state folder, whether recorded or not."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes()
            if os.fsencode(folder) in environment or (entry / "cwd").readlink().is_relative_to(
                folder
            ):
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue  # not a process, not ours, or over
    return found


def test_it_answers_until_it_is_stopped(folder):
    run("up", "--background", folder=folder)
    found = status(folder)
    assert found["running"] and found["state"] == str(folder)
    assert requests.get(f"{found['api_url']}/pulp/api/v3/status/").ok
    assert requests.get(f"{found['content_url']}/pulp/content/").ok
    recorded = [found["pids"][name] for name in ("postgres", "api", "content")]
    recorded += found["pids"]["workers"]
    assert set(recorded) <= set(processes_of(folder))
    run("down", folder=folder)
    assert not processes_of(folder)
    found = status(folder, code=3)
    assert not found["running"]
    assert found["pids"] == {"postgres": None, "api": None, "content": None, "workers": []}
    run("down", folder=folder)


def test_data_survives_a_restart_and_the_second_start_is_fast(folder):
    run("up", "--background", folder=folder)
    found = status(folder)
    login = (found["user"], Path(found["password_file"]).read_text().strip())
    repositories = f"{found['api_url']}/pulp/api/v3/repositories/file/file/"
    assert requests.post(repositories, auth=login, json={"name": "kept"}).status_code == 201
    run("down", folder=folder)
    begin = time.monotonic()
    run("up", "--background", folder=folder)
    assert time.monotonic() - begin < 10
    assert requests.get(repositories, auth=login).json()["results"][0]["name"] == "kept"


def test_up_says_when_it_runs_already(folder):
    run("up", "--background", folder=folder)
    before = status(folder)
    assert before["api_url"] in run("up", folder=folder)
    assert status(folder) == before


def test_two_at_the_same_time_start_one_stack(folder):
    command = [*COMMAND, "up", "--background", "--state", folder]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    assert [launcher.wait(120) for launcher in both] == [0, 0]
    assert len(status(folder)["pids"]["workers"]) == 1
    run("down", folder=folder)
    assert not processes_of(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_everything(folder, number):
    launcher = start_in_foreground(folder)
    launcher.send_signal(number)
    assert launcher.wait(60) == 0
    assert not processes_of(folder)


def test_down_stops_what_another_terminal_keeps_in_the_foreground(folder):
    launcher = start_in_foreground(folder)
    run("down", folder=folder)
    assert launcher.wait(60) == 0
    assert not processes_of(folder)


def test_a_killed_launcher_leaves_no_process(folder):
    launcher = start_in_foreground(folder)
    assert len(processes_of(folder)) > 4
    launcher.kill()
    launcher.wait()
    assert until(lambda: not processes_of(folder), 30), processes_of(folder)


def test_up_replaces_what_is_left_of_a_broken_stack(folder):
    run("up", "--background", folder=folder)
    before = status(folder)["pids"]
    os.kill(before["workers"][0], signal.SIGKILL)
    assert until(lambda: not status_is_running(folder), 10)
    run("up", "--background", folder=folder)
    after = status(folder)["pids"]
    assert not {before["api"], before["content"]} & set(processes_of(folder))
    assert {after["api"], *after["workers"]} <= set(processes_of(folder))


def status_is_running(folder):
    return (
        subprocess.run([*COMMAND, "status", "--state", folder], capture_output=True).returncode == 0
    )


def test_a_foreground_stack_ends_when_one_of_its_programs_does(folder):
    launcher = subprocess.Popen(
        [*COMMAND, "up", "--state", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert until(lambda: status_is_running(folder), 30)
    os.kill(status(folder)["pids"]["content"], signal.SIGKILL)
    errors = launcher.communicate(timeout=60)[1]
    assert launcher.returncode == 1
    assert errors.startswith("Error: 'content' ended.")
    assert not processes_of(folder)


def test_a_server_that_nobody_recorded_is_left_to_down(folder):
    run("up", "--background", folder=folder)
    server = status(folder)["pids"]["postgres"]
    facts = json.loads((folder / "state.json").read_text())
    for name, process in facts["processes"].items():
        if name != "postgres":
            os.kill(process["pid"], signal.SIGTERM)
    (folder / "state.json").write_text(json.dumps(facts | {"processes": {}}))
    message = run("up", folder=folder, code=1)
    assert f"process {server}" in message and "'down'" in message
    run("down", folder=folder)
    assert server not in processes_of(folder)


@pytest.mark.parametrize("option, name", [("--port", "api"), ("--content-port", "content")])
def test_a_used_port_is_named_with_its_owner(folder, option, name):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = run("up", option, str(port), folder=folder, code=1)
    assert message.startswith(
        f"Error: Port '{port}' of 127.0.0.1 is already in use by process {os.getpid()}."
    )
    assert option in message
    assert not processes_of(folder)


def test_secrets_are_for_their_owner_only(folder):
    for name in (
        "admin-password",
        "secret-key",
        "database-fields.key",
        "settings.py",
        "state.json",
    ):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    assert not stat.S_IMODE(folder.stat().st_mode) & 0o007


def test_destroy_removes_a_running_stack(folder):
    run("up", "--background", folder=folder)
    run("destroy", "--yes", folder=folder)
    assert not folder.exists()
    assert not processes_of(folder)


def test_destroy_removes_what_was_never_up(folder):
    fresh = folder.with_name("fresh")
    assert "Port '80000'" in run("up", "--port", "80000", folder=fresh, code=1)
    run("destroy", "--yes", folder=fresh)
    assert not fresh.exists()


def test_destroy_asks_first(folder):
    done = subprocess.run([*COMMAND, "destroy", "--state", folder], input="no\n", text=True)
    assert done.returncode == 1
    assert folder.exists()


@pytest.mark.parametrize("command", [["up"], ["destroy", "--yes"]], ids=["up", "destroy"])
def test_a_folder_of_somebody_else_is_refused(tmp_path, command):
    (tmp_path / "thesis.txt").write_text("years of work")
    message = run(*command, folder=tmp_path, code=1)
    assert f"'{tmp_path}'" in message
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_of_a_newer_version_is_refused(folder):
    (folder / "state.json").write_text('{"version": 99}')
    for command in (["up"], ["down"], ["status"], ["destroy", "--yes"]):
        assert "version '99'" in run(*command, folder=folder, code=1)
    (folder / "state.json").write_text('{"version": 1}')


def test_a_folder_with_a_long_path_has_its_socket_elsewhere(folder):
    long = folder.with_name("long" * 30)
    folder.rename(long)
    run("up", "--background", folder=long)
    short = (long / "postgres" / "socket").resolve()
    assert short.exists() and not short.is_relative_to(long)
    run("down", folder=long)
    assert not short.exists()
    long.rename(folder)
