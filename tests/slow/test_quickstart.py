"""Restarts, kills and signals of whole Pulps that the quickstart has started."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from pulp_conda.quickstart.processes import until
from pulp_conda.quickstart.state import State
from tests.support.quickstart import (
    COMMAND,
    processes_of,
    run,
    start_in_foreground,
    state_folder,
    status,
    status_is_running,
)


@pytest.fixture
def folder():
    with state_folder() as folder:
        yield folder


def test_data_survives_a_restart_and_the_second_start_migrates_nothing(folder):
    run("up", "--background", folder=folder)
    found = status(folder)
    login = (found["user"], Path(found["password_file"]).read_text().strip())
    repositories = f"{found['api_url']}/pulp/api/v3/repositories/file/file/"
    assert requests.post(repositories, auth=login, json={"name": "kept"}).status_code == 201
    run("down", folder=folder)
    log = State(folder).log("manager")
    log.unlink()
    run("up", "--background", folder=folder)
    # To load Pulp for a migration, of which there is none, would take seconds.
    assert not log.exists()
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


def test_up_does_not_stop_a_server_that_nobody_recorded(folder):
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


def test_destroy_removes_a_running_stack(folder):
    run("up", "--background", folder=folder)
    run("destroy", "--yes", folder=folder)
    assert not folder.exists()
    assert not processes_of(folder)


def test_a_folder_with_a_long_path_has_its_socket_elsewhere(folder):
    long = folder.with_name("long" * 30)
    folder.rename(long)
    run("up", "--background", folder=long)
    short = (long / "postgres" / "socket").resolve()
    assert short.exists() and not short.is_relative_to(long)
    run("down", folder=long)
    assert not short.exists()
    long.rename(folder)
