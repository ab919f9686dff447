"""Start processes, recognize them later from another process, and stop them.

A process is recorded by its id *and* the moment when it started. The system may give the same id to
another process later, and we never take that one for ours. This module reads ``/proc``, so it works
on Linux only.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pwd import struct_passwd
from typing import Any, Self, TypeAlias, TypeVar

# A process that we have started ourselves.
Child: TypeAlias = "subprocess.Popen[bytes]"

_Answer = TypeVar("_Answer")

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Process:
    """A process and, if it leads a session, the other processes of the session.

    All processes that we start lead a session of their own.

    Attributes:
        started: The id of the boot of the machine, and the clock ticks from there to the start.
    """

    pid: int
    started: str

    @classmethod
    def find(cls, pid: int) -> Self | None:
        """Return the process that has this id now, or None."""
        found = _stat(pid)
        return cls(pid, found.started) if found else None

    @property
    def is_alive(self) -> bool:
        return Process.find(self.pid) == self

    def session(self) -> list[int]:
        """Return the ids of the processes in the session that it leads, or led until it ended."""
        leader = Process.find(self.pid)
        if leader and leader != self:
            return []
        pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
        return [pid for pid in pids if (found := _stat(pid)) and found.session == self.pid]

    def stop(self, number: int, patience: float) -> None:
        """Send a signal, and kill what is left of its session after ``patience`` seconds."""
        if self.is_alive:
            _send(self.pid, number)
        if not until(lambda: not self.session(), patience):
            self.kill()

    def kill(self) -> None:
        """Kill all processes of its session, and wait for their end."""
        for pid in self.session():
            _send(pid, signal.SIGKILL)
        until(lambda: not self.session(), 10)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    account: struct_passwd | None = None,
    stdin: int = subprocess.DEVNULL,
    when_launcher_dies: int | None = None,
) -> Child:
    """Start a process in its own session.

    Args:
        log: The file to which its output is appended.
        account: Another account that runs it, see `as_account`.
        when_launcher_dies: The signal that the kernel sends it when the thread that called this
            function has ended, for whatever reason. Without a signal the process goes on.
    """
    launcher = os.getpid()

    def die_with_launcher() -> None:
        assert when_launcher_dies
        _libc.prctl(PR_SET_PDEATHSIG, when_launcher_dies)
        if os.getppid() != launcher:  # The launcher ended before the kernel knew of the signal.
            os.kill(os.getpid(), when_launcher_dies)

    with open(log, "ab") as output:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=output,
            stderr=output,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=die_with_launcher if when_launcher_dies else None,
            **as_account(account),
        )


def as_account(account: struct_passwd | None) -> dict[str, Any]:
    """Return the arguments with which ``subprocess`` runs a program as another account.

    Args:
        account: The other account, or None for the account of this process.
    """
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def until(condition: Callable[[], _Answer], patience: float, pause: float = 0.02) -> _Answer:
    """Ask until the answer is true, for at most ``patience`` seconds. Return the last answer."""
    deadline = time.monotonic() + patience
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return answer


@dataclass(frozen=True)
class _Stat:
    session: int
    started: str


def _stat(pid: int) -> _Stat | None:
    """Return what the kernel says about a process, or None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program is in parentheses before the fields, and may contain any characters.
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return _Stat(session=int(fields[3]), started=f"{_boot_id()}/{fields[19]}")


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
