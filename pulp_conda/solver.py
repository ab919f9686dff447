"""Solve environments on the repodata of channels with py-rattler, as its users do.

    python -m pulp_conda.solver

This is a separate program for two reasons. py-rattler starts threads, which can crash a process
when it ends. And the memory and time of a solver are not known in advance. The program does not
load Django, and opens no connection.

Standard input has one line of JSON for all jobs, and then one line for each job. When standard
input is closed, the program ends at once, even in the middle of a job. So it also ends when its
parent ends.
    channels: Objects with the `url` of a channel and `repodata`, the paths of its `repodata.json`
        by subdir. All packages of a name come from the first channel that has this name.
    memory: Bytes of memory that the program may use. Mapped files do not count.

A job:
    platform: The subdir to solve for.
    specs: The match specs to solve.
    virtual_packages: The versions of virtual packages by name. For `__archspec` it is the
        microarchitecture.

Standard output has a line for each job:
    verdict: `solved`, `unsolvable`, or `unknown` if something is wrong with the repodata or the
        job.
    explanation: Why it is not solved, or null.
    packages: Records with `fn`, `url` and `channel`, sorted by name.
    seconds: How long the job took.
    peak_mb: The most memory that the program has used so far, in MiB. Mapped files count.
"""

import asyncio
import json
import os
import resource
import sys
import time
from queue import SimpleQueue
from threading import Thread
from typing import Any, NoReturn

from rattler import (
    BuildString,
    Channel,
    GenericVirtualPackage,
    MatchSpec,
    PackageName,
    SparseRepoData,
    Version,
    solve_with_sparse_repodata,
)
from rattler.exceptions import SolverError

_LONGEST_EXPLANATION = 8000

# The fewest bytes of memory that a job needs.
_LEAST_MEMORY = 2**24


def main() -> NoReturn:
    """Answer jobs until standard input is closed."""
    lines: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(lines,), daemon=True).start()
    request = json.loads(lines.get())
    # Start the threads of py-rattler before memory is limited. It would wait for ever for a thread
    # that cannot start.
    asyncio.run(solve_with_sparse_repodata([], []))
    # Limit the private memory. A limit of the address space would also count the mapped repodata.
    resource.setrlimit(resource.RLIMIT_DATA, (request["memory"], request["memory"]))
    # With less memory a thread of py-rattler fails, and py-rattler waits for its answer for ever.
    # So try it here, where it raises a MemoryError.
    bytearray(_LEAST_MEMORY)
    sources = _Sources(request["channels"])
    while True:
        job = json.loads(lines.get())
        started = time.monotonic()
        answer = _solve(job, sources)
        answer |= {"seconds": time.monotonic() - started, "peak_mb": _peak_mb()}
        print(json.dumps(answer), flush=True)


def _read(lines: "SimpleQueue[bytes]") -> NoReturn:
    """Pass on the lines of standard input, and end the program after the last one."""
    for line in sys.stdin.buffer:
        lines.put(line)
    # A normal exit after asynchronous calls of py-rattler sometimes crashes.
    os._exit(0)


class _Sources:
    """The repodata of one platform, opened."""

    def __init__(self, channels: list[dict[str, Any]]) -> None:
        self._channels = channels
        self._platform: str | None = None
        self._opened: list[SparseRepoData] = []

    def of(self, platform: str) -> list[SparseRepoData]:
        """Return the repodata for a platform, in the order of the channels.

        The repodata of another platform is closed.
        """
        if platform != self._platform:
            for repodata in self._opened:
                repodata.close()
            self._platform = None
            self._opened = [
                _open(channel["url"], subdir, path)
                for channel in self._channels
                for subdir, path in channel["repodata"].items()
                if subdir in (platform, "noarch")
            ]
            self._platform = platform
        return self._opened


def _open(url: str, subdir: str, path: str) -> SparseRepoData:
    try:
        return SparseRepoData(Channel(url), subdir, path)
    except (OSError, ValueError) as error:
        # The path means nothing to the people who read this.
        reason = str(error).replace(path, "it")
        raise ValueError(
            f"the repodata of '{subdir}' in '{url}' cannot be read: {reason}"
        ) from None


def _solve(job: dict[str, Any], sources: _Sources) -> dict[str, Any]:
    packages: list[dict[str, Any]] = []
    explanation: str | None
    try:
        records = asyncio.run(
            solve_with_sparse_repodata(
                [MatchSpec(spec) for spec in job["specs"]],
                sources.of(job["platform"]),
                virtual_packages=[_virtual_package(*x) for x in job["virtual_packages"].items()],
            )
        )
        packages = sorted((json.loads(record.to_json()) for record in records), key=_order)
        verdict, explanation = "solved", None
    except SolverError as error:
        verdict, explanation = "unsolvable", str(error)
    except MemoryError:
        raise
    except Exception as error:
        # py-rattler has many classes of errors, one for each thing that can be wrong with a record.
        verdict, explanation = "unknown", str(error)
    if explanation is not None:
        explanation = explanation.removeprefix("Cannot solve the request because of: ").strip()
        if len(explanation) > _LONGEST_EXPLANATION:
            explanation = f"{explanation[:_LONGEST_EXPLANATION]}…"
    return {"verdict": verdict, "explanation": explanation, "packages": packages}


def _virtual_package(name: str, version: str) -> GenericVirtualPackage:
    build = "0"
    if name == "__archspec":
        # The microarchitecture is the build (CEP 30).
        version, build = "1", version
    return GenericVirtualPackage(PackageName(name), Version(version), BuildString(build))


def _order(package: dict[str, Any]) -> tuple[str, str]:
    return package["name"], package["url"]


def _peak_mb() -> int:
    # `getrusage` would include the memory of the process that started this one.
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        # There may not be enough memory for a longer message.
        os.write(2, b"MemoryError\n")
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)
