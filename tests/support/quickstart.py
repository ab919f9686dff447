"""The command of the quickstart, and the processes that it leaves."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from pulp_conda.quickstart.ports import free_port
from tests.support.stack import copied_state

COMMAND = [sys.executable, "-m", "pulp_conda.quickstart"]


@contextmanager
def state_folder():
    """A folder as after the first `up` and `down`, on ports that are free. What runs there at the
    end is stopped.
    """
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


def status_is_running(folder):
    return (
        subprocess.run([*COMMAND, "status", "--state", folder], capture_output=True).returncode == 0
    )
