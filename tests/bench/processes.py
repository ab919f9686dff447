"""What processes of this machine used so far, read from /proc.

These are seconds of CPU, and the largest amount of memory.
"""

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLING_SECONDS = 0.05


@dataclass
class Used:
    """What something took.

    Attributes:
        seconds: By the clock, whatever else the machine did meanwhile.
        cpu_client: Of the worker and the task that it ran, or of the program that did the work.
        cpu_postgres: Of all processes of the database server.
        peak_rss_mb: Of the process that used most memory at a time, in MiB.
    """

    seconds: float = 0.0
    cpu_client: float = 0.0
    cpu_postgres: float = 0.0
    peak_rss_mb: float | None = None

    @property
    def cpu(self):
        return self.cpu_client + self.cpu_postgres


class Meter:
    """Measures a process and a PostgreSQL server, each with all its descendants.

    Args:
        client: The process id of what works, a worker for example.
        postgres: That of the server.
    """

    def __init__(self, client, postgres):
        self._client = client
        self._postgres = postgres

    @contextmanager
    def measure(self):
        """Yield a `Used` that is filled in at the end.

        By then the client's children have ended, and are counted.
        """
        used = Used()
        start = time.monotonic()
        client, postgres = cpu_seconds(self._client), cpu_seconds(self._postgres)
        with _watched_memory(self._client) as peak:
            yield used
            used.seconds = time.monotonic() - start
            while _children(self._client):
                time.sleep(0.01)
        used.cpu_client = cpu_seconds(self._client) - client
        used.cpu_postgres = cpu_seconds(self._postgres) - postgres
        used.peak_rss_mb = peak[0] / 1024


@contextmanager
def own_work(used, postgres):
    """Add to a `Used` what this process and a PostgreSQL server use within the block.

    Children of this process are not counted.
    """
    start, client, server = time.monotonic(), time.process_time(), cpu_seconds(postgres)
    yield
    used.seconds += time.monotonic() - start
    used.cpu_client += time.process_time() - client
    used.cpu_postgres += cpu_seconds(postgres) - server


def cpu_seconds(pid):
    """Return the seconds of CPU that a process used so far.

    With those of its living descendants, and of all children that it has waited for.
    """
    while True:
        family = [pid, *descendants(pid)]
        ticks = sum(map(_cpu_ticks, family))
        # A process that ended in the meantime may be counted twice, or not at all: once as itself,
        # and once with those that were waited for.
        if family == [pid, *descendants(pid)]:
            return ticks / _TICKS


def descendants(pid):
    """Return the ids of the children of a process, and theirs."""
    found = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def peak_rss_kb(pid):
    """Return the most memory that a process ever had, or 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line), 0)


@contextmanager
def _watched_memory(pid):
    peak = [0]
    over = threading.Event()

    def watch():
        while not over.wait(_SAMPLING_SECONDS):
            # Without children it is idle; a task begins as a copy of it.
            for child in descendants(pid) or [pid]:
                peak[0] = max(peak[0], peak_rss_kb(child))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _children(pid):
    children = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    except OSError:
        pass  # It ended meanwhile.
    return children


def _cpu_ticks(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))  # utime, stime, and both of children that were waited for
