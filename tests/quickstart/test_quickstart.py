"""The quickstart as users see it: commands, exit codes, and the processes that are left.

Restarts, kills and signals of whole Pulps are in tests/slow/test_quickstart.py.
"""

import os
import socket
import stat
import subprocess

import pytest
import requests

from pulp_conda.quickstart import postgres
from tests.support.quickstart import COMMAND, processes_of, run, state_folder, status


@pytest.fixture
def folder():
    with state_folder() as folder:
        yield folder


def test_it_answers_until_it_is_stopped(folder):
    run("up", "--background", folder=folder)
    found = status(folder)
    assert found["running"] and found["state"] == str(folder)
    assert requests.get(f"{found['api_url']}/pulp/api/v3/status/").ok
    assert requests.get(f"{found['content_url']}/pulp/content/").ok
    # The board asks who you are.
    board = requests.get(f"{found['api_url']}/pulp/api/v3/conda/board/")
    assert board.ok and "/auth/login/" in board.url
    assert f"CONDA_BOARD_ORIGIN = '{found['api_url']}'" in (folder / "settings.py").read_text()
    recorded = [found["pids"][name] for name in ("postgres", "api", "content")]
    recorded += found["pids"]["workers"]
    assert set(recorded) <= set(processes_of(folder))
    run("down", folder=folder)
    assert not processes_of(folder)
    found = status(folder, code=3)
    assert not found["running"]
    assert found["pids"] == {"postgres": None, "api": None, "content": None, "workers": []}
    run("down", folder=folder)


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


def test_destroy_removes_what_was_never_up(folder):
    fresh = folder.with_name("fresh")
    assert "Port '80000'" in run("up", "--port", "80000", folder=fresh, code=1)
    run("destroy", "--yes", folder=fresh)
    assert not fresh.exists()


def test_destroy_asks_first(folder):
    done = subprocess.run([*COMMAND, "destroy", "--state", folder], input="no\n", text=True)
    assert done.returncode == 1
    assert folder.exists()


def test_a_new_folder_in_the_place_of_a_removed_one_has_its_own_database(tmp_path, monkeypatch):
    # As for a folder below /root. The database that was left has secrets of another key.
    monkeypatch.setattr(postgres, "can_reach", lambda account, path: False)
    monkeypatch.setattr(postgres, "ELSEWHERE", tmp_path / "elsewhere")
    state = tmp_path / "state"
    state.mkdir()
    first, second = (postgres.choose_home(state) for _ in range(2))
    assert first.parent == second.parent == tmp_path / "elsewhere"
    assert first != second


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
