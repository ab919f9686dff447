"""Start processes, recognize them later from another process, and stop them.

A process is recorded by its id *and* the moment it started, so that an id which the system gave to somebody
else in the meantime is never mistaken for ours. Reads ``/proc``, so Linux only.
"""

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Process:
    """A process and, when it leads a session (all of ours do), its descendants in there."""

    pid: int
    started: str  # id of the boot, clock ticks since then

    @classmethod
    def find(cls, pid):
        """The process that has this id now, or None."""
        found = _stat(pid)
        return cls(pid, found.started) if found else None

    @property
    def is_alive(self):
        return Process.find(self.pid) == self

    def session(self):
        """Ids of the processes in the session it leads, also of those that outlived it."""
        leader = Process.find(self.pid)
        if leader and leader != self:
            return []
        pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
        return [pid for pid in pids if (found := _stat(pid)) and found.session == self.pid]

    def stop(self, number, patience):
        """Send the signal, and after ``patience`` seconds kill what is left of its session."""
        if self.is_alive:
            _send(self.pid, number)
        if not until(lambda: not self.session(), patience):
            self.kill()

    def kill(self):
        for pid in self.session():
            _send(pid, signal.SIGKILL)
        until(lambda: not self.session(), 10)


def spawn(
    command,
    *,
    log,
    env,
    cwd,
    account=None,
    stdin=subprocess.DEVNULL,
    when_launcher_dies=None,
):
    """Start a process in a session of its own.

    ``when_launcher_dies`` is the signal that the kernel sends it when the thread which called this is gone,
    however it went; without it the process survives.
    """
    prepare = None
    if when_launcher_dies:
        launcher = os.getpid()

        def prepare():
            _libc.prctl(PR_SET_PDEATHSIG, when_launcher_dies)
            if os.getppid() != launcher:  # it died before the kernel knew
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
            preexec_fn=prepare,
            **as_account(account),
        )


def as_account(account):
    """Arguments for ``subprocess`` to run something as another account; None is the own one."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def until(condition, patience, pause=0.02):
    """Ask again and again, for at most ``patience`` seconds; returns the last answer."""
    deadline = time.monotonic() + patience
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return answer


@dataclass(frozen=True)
class _Stat:
    session: int
    started: str


def _stat(pid):
    """What the kernel says about a process that is not yet over, else None."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may contain anything
    if fields[0] in "ZX":
        return None
    return _Stat(session=int(fields[3]), started=f"{_boot_id()}/{fields[19]}")


@cache
def _boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
