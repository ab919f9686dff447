"""Solve environments in child processes, with limits of time and memory.

What solves is `pulp_conda.solver`. A child works through jobs until one takes too long, needs too much memory or crashes;
then that job has the verdict `unknown`, and another child goes on.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from gettext import gettext as _
from pathlib import Path
from tempfile import TemporaryFile

SOLVED = "solved"
UNSOLVABLE = "unsolvable"
UNKNOWN = "unknown"

# For a child to start and to open the repodata, besides what a job may take.
_SECONDS_TO_START = 30

# What the allocators of Rust and Python say before they give up.
_OUT_OF_MEMORY = ("memory allocation of", "MemoryError", "Cannot allocate memory")

_READ_SIZE = 2**20


@dataclass(frozen=True)
class Channel:
    """A channel, as the solver sees it.

    Fields:
        url: The URL that the records of the solution get.
        repodata: The paths of local files, uncompressed, by subdir; a subdir without one has no packages.
    """

    url: str
    repodata: dict[str, Path]


@dataclass(frozen=True)
class Job:
    """An environment on a platform; the key is the caller's."""

    key: object
    platform: str
    specs: tuple[str, ...]
    virtual_packages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What the solver says of a job.

    Fields:
        key: Of the job.
        verdict: `solved`, `unsolvable`, or `unknown` if the solver ran into a limit or could not work.
        explanation: The solver's own words, or None for what is solved.
        packages: The records of the solution by name, each with `fn`, `url` and `channel`.
        seconds: How long it took.
        peak_mb: The most memory that the process had up to its end, in MiB, the mapped part of the repodata counted.
    """

    key: object
    verdict: str
    explanation: str | None
    packages: list[dict]
    seconds: float
    peak_mb: int


def solve(jobs, channels, *, seconds_per_job, memory_mb, processes=1):
    """Yield the `Outcome` of every job as it comes; nothing is left running when the generator is closed.

    The same records and the same job give the same solution.

    Args:
        channels: A list of `Channel`, in the order of their priority: a package name comes from the first that has it.
        memory_mb: MiB of memory for each process. Repodata is mapped and does not count.
        processes: How many children there are at a time.
    """
    # A child opens the repodata of a platform when a job of another comes.
    waiting = deque(sorted(jobs, key=lambda job: job.platform))
    request = {
        "memory": memory_mb * 2**20,
        "channels": [
            {"url": c.url, "repodata": {subdir: str(path) for subdir, path in c.repodata.items()}}
            for c in channels
        ],
    }
    children = []
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or children:
                while waiting and len(children) < processes:
                    child = _Child(request, waiting.popleft(), seconds_per_job, memory_mb)
                    children.append(child)
                    selector.register(child.answers, selectors.EVENT_READ, child)
                first = min(child.deadline for child in children)
                events = selector.select(max(0, first - time.monotonic()))
                ready = [key.data for key, _events in events]
                for child in list(children):
                    outcome = child.receive() if child in ready else child.check_time()
                    if outcome is None:
                        continue
                    if child.is_alive and waiting:
                        child.send(waiting.popleft())
                    else:
                        selector.unregister(child.answers)
                        children.remove(child)
                        child.end()
                    if child.is_worn:
                        # What it kept of the jobs before may be to blame: only a new child tells.
                        waiting.appendleft(child.job)
                    else:
                        yield outcome
        finally:
            for child in children:
                child.end()


class _Child:
    """A process that solves, and the job that it has.

    Attributes:
        answers: Where its answers come from.
        job: What it works at.
        deadline: When it should be done with that, on the monotonic clock.
        is_alive: Whether it can be given another job.
        is_worn: It died by itself, in a job that was not its first.
    """

    def __init__(self, request, job, seconds_per_job, memory_mb):
        self._seconds = seconds_per_job
        self._memory_mb = memory_mb
        self._errors = TemporaryFile()
        self._process = subprocess.Popen(
            # -P: what lies in the folder is no Python of ours.
            [sys.executable, "-P", "-m", "pulp_conda.solver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Threads reserve memory that counts, and there is one thing to do.
            env=os.environ | {"TOKIO_WORKER_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        )
        self.answers = self._process.stdout
        self.is_alive = True
        self.is_worn = False
        self._answered = 0
        self._buffer = bytearray()
        self._write(request)
        self.send(job)
        self.deadline += _SECONDS_TO_START

    def send(self, job):
        """Give the child a job; it has none."""
        self.job = job
        self._started = time.monotonic()
        self.deadline = self._started + self._seconds
        self._write(
            {
                "platform": job.platform,
                "specs": job.specs,
                "virtual_packages": job.virtual_packages,
            }
        )

    def receive(self):
        """Read what there is, and return the outcome of the job if that is the end of it."""
        data = os.read(self.answers.fileno(), _READ_SIZE)
        if not data:
            return self._died()
        self._buffer += data
        if not data.endswith(b"\n"):
            return None
        answer = json.loads(self._buffer)
        self._buffer.clear()
        self._answered += 1
        return self._outcome(**answer)

    def check_time(self):
        """End the process and return an outcome if the time is over."""
        if time.monotonic() < self.deadline:
            return None
        peak_mb = self._peak_mb()
        self._kill()
        reason = _("the solver was not done after {} seconds").format(self._seconds)
        return self._outcome(UNKNOWN, reason, peak_mb=peak_mb)

    def end(self):
        """End the process, whatever it does."""
        self._kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            try:
                stream.close()
            except BrokenPipeError:
                # What a process that is gone has not read.
                pass

    def _write(self, line):
        try:
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            # It died, and reading says so.
            pass

    def _died(self):
        self._kill()
        self.is_worn = self._answered > 0
        self._errors.seek(0)
        words = self._errors.read()[-2000:].decode(errors="replace").strip()
        if any(text in words for text in _OUT_OF_MEMORY):
            reason = _("the solver needed more than {} MiB of memory").format(self._memory_mb)
            return self._outcome(UNKNOWN, reason, peak_mb=self._memory_mb)
        status = self._process.returncode
        if status < 0:
            status = signal.Signals(-status).name
        reason = _("the solver ended with status {}: {}").format(status, words or _("no message"))
        return self._outcome(UNKNOWN, reason)

    def _kill(self):
        if self.is_alive:
            self._process.kill()
            self._process.wait()
            self.is_alive = False

    def _peak_mb(self):
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0
        values = dict(line.split(":", 1) for line in status.splitlines())
        return int(values.get("VmHWM", "0 kB").split()[0]) // 1024

    def _outcome(self, verdict, explanation, packages=(), seconds=None, peak_mb=0):
        if seconds is None:
            seconds = time.monotonic() - self._started
        return Outcome(self.job.key, verdict, explanation, list(packages), seconds, peak_mb)
