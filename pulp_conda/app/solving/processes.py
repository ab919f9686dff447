"""Solve environments in child processes, with limits of time and memory.

The program of a child is `pulp_conda.solver`. A child does one job after the other. If a job takes
too long, needs too much memory or crashes, its verdict is `unknown`, and another child goes on.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from gettext import gettext as _
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Generic, TypeVar

from django.conf import settings

from pulp_conda.app.vocabulary import SolverVerdict

# By what the caller knows a job.
Key = TypeVar("Key")

# The time to start a child and to open the repodata. It does not count for the job.
_SECONDS_TO_START = 30

# The messages of Rust and Python when they get no more memory.
_OUT_OF_MEMORY = ("memory allocation of", "MemoryError", "Cannot allocate memory")

_READ_SIZE = 2**20


@dataclass(frozen=True)
class Channel:
    """A channel, as the solver sees it.

    Fields:
        url: The URL of the channel in the records of a solution.
        repodata: The paths of local uncompressed repodata files, by subdir. A subdir that is not
            here has no packages.
    """

    url: str
    repodata: dict[str, Path]


@dataclass(frozen=True)
class Job(Generic[Key]):
    """An environment to solve on a platform.

    Fields:
        key: Its outcome has the same key.
        platform: The subdir to solve it for.
        specs: What to install, as MatchSpecs.
        virtual_packages: What the machine has, as {name: version} (CEP 30).
    """

    key: Key
    platform: str
    specs: tuple[str, ...]
    virtual_packages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome(Generic[Key]):
    """What the solver says about a job.

    Fields:
        key: The key of the job.
        verdict: `solved`, `unsolvable`, or `unknown` if the solver reached a limit or did not work.
        explanation: The words of the solver, or None if the job is solved.
        packages: The records of the solution, sorted by name, each with `fn`, `url` and `channel`.
        seconds: How long the job took.
        peak_mb: The most memory in MiB that the process used until then. The mapped part of the
            repodata counts.
    """

    key: Key
    verdict: SolverVerdict
    explanation: str | None
    packages: list[dict[str, Any]]
    seconds: float
    peak_mb: int


def solve(
    jobs: Iterable[Job[Key]],
    channels: list[Channel],
    *,
    seconds_per_job: float,
    memory_mb: int,
    processes: int = 1,
) -> Iterator[Outcome[Key]]:
    """Yield the `Outcome` of every job, in the order in which the jobs are done.

    The same records and the same job give the same solution. When the generator is closed, no
    child is left running.

    Args:
        channels: The channels in the order of their priority. All packages of a name come from the
            first channel that has the name.
        seconds_per_job: The longest time for a job.
        memory_mb: The memory of each child in MiB. The repodata is mapped and does not count.
        processes: How many children run at the same time.
    """
    # Sorted by platform: a child opens other repodata whenever the platform changes.
    waiting = deque(sorted(jobs, key=lambda job: job.platform))
    request = {
        "memory": memory_mb * 2**20,
        "channels": [
            {"url": c.url, "repodata": {subdir: str(path) for subdir, path in c.repodata.items()}}
            for c in channels
        ],
    }
    children: list[_Child[Key]] = []
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
                        # Memory that it kept from earlier jobs may be the cause. A new child finds
                        # out.
                        waiting.appendleft(child.job)
                    else:
                        yield outcome
        finally:
            for child in children:
                child.end()


def limits() -> dict[str, int]:
    """Return the limits of solving, as keyword arguments of `solve`."""
    return {
        "seconds_per_job": settings.CONDA_SOLVER_SECONDS,
        "memory_mb": settings.CONDA_SOLVER_MEMORY,
        "processes": settings.CONDA_SOLVER_PROCESSES or os.cpu_count() or 1,
    }


class _Child(Generic[Key]):
    """A process that solves, and the job that it works on.

    Attributes:
        answers: The output of the process, one line for each job.
        job: The job that it works on.
        deadline: When it has to be done with the job, in seconds of the monotonic clock.
        is_alive: Whether it can take another job.
        is_worn: Whether it died by itself, in a job that was not its first.
    """

    job: Job[Key]
    deadline: float

    def __init__(
        self, request: dict[str, Any], job: Job[Key], seconds_per_job: float, memory_mb: int
    ) -> None:
        self._seconds = seconds_per_job
        self._memory_mb = memory_mb
        self._errors = TemporaryFile()
        self._process = subprocess.Popen(
            # -P: do not import Python modules from the working directory.
            [sys.executable, "-P", "-m", "pulp_conda.solver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Each thread reserves memory that counts, and there is work for one thread only.
            env=os.environ | {"TOKIO_WORKER_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        )
        assert self._process.stdin and self._process.stdout
        self._input, self.answers = self._process.stdin, self._process.stdout
        self.is_alive = True
        self.is_worn = False
        self._answered = 0
        self._buffer = bytearray()
        self._write(request)
        self.send(job)
        self.deadline += _SECONDS_TO_START

    def send(self, job: Job[Key]) -> None:
        """Give a job to the child, which has none."""
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

    def receive(self) -> Outcome[Key] | None:
        """Read what the child wrote, and return the outcome of the job if it is complete."""
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

    def check_time(self) -> Outcome[Key] | None:
        """If the time of the job is over, end the process, and return an outcome that says so."""
        if time.monotonic() < self.deadline:
            return None
        peak_mb = self._peak_mb()
        self._kill()
        reason = _("the solver was not done after {} seconds").format(self._seconds)
        return self._outcome(SolverVerdict.UNKNOWN, reason, peak_mb=peak_mb)

    def end(self) -> None:
        """End the process in any case, and close its streams."""
        self._kill()
        for stream in (self._input, self.answers, self._errors):
            try:
                stream.close()
            except BrokenPipeError:
                # The process ended before it read all of its input.
                pass

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._input.write(json.dumps(line).encode() + b"\n")
            self._input.flush()
        except BrokenPipeError:
            # The process ended. `receive` finds that out.
            pass

    def _died(self) -> Outcome[Key]:
        self._kill()
        self.is_worn = self._answered > 0
        self._errors.seek(0)
        words = self._errors.read()[-2000:].decode(errors="replace").strip()
        if any(text in words for text in _OUT_OF_MEMORY):
            reason = _("the solver needed more than {} MiB of memory").format(self._memory_mb)
            return self._outcome(SolverVerdict.UNKNOWN, reason, peak_mb=self._memory_mb)
        code = self._process.returncode
        status = signal.Signals(-code).name if code < 0 else code
        reason = _("the solver ended with status {}: {}").format(status, words or _("no message"))
        return self._outcome(SolverVerdict.UNKNOWN, reason)

    def _kill(self) -> None:
        if self.is_alive:
            self._process.kill()
            self._process.wait()
            self.is_alive = False

    def _peak_mb(self) -> int:
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0
        values = dict(line.split(":", 1) for line in status.splitlines())
        return int(values.get("VmHWM", "0 kB").split()[0]) // 1024

    def _outcome(
        self,
        verdict: str,
        explanation: str | None,
        packages: Iterable[dict[str, Any]] = (),
        seconds: float | None = None,
        peak_mb: int = 0,
    ) -> Outcome[Key]:
        if seconds is None:
            seconds = time.monotonic() - self._started
        return Outcome(
            self.job.key, SolverVerdict(verdict), explanation, list(packages), seconds, peak_mb
        )
