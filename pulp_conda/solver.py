"""Solve environments on the repodata of channels with py-rattler, as its users do.

    python -m pulp_conda.solver

A program of its own, since py-rattler starts threads that the process which started them had better not survive, and
since what a solver needs of memory and time is known only afterwards. It loads no Django and opens no connection.

Standard input has a line of JSON for what is common to all jobs, and one for each job. It ends the program at once, also
in the middle of a job, so that nobody has to look for it when its parent is gone.
    channels: Objects with the `url` of a channel and `repodata`, the paths of its `repodata.json` by subdir. The first
        channel that has a package name is the only one for it.
    memory: Bytes of memory that the program may have, files that are mapped not counted.

A job:
    platform, specs: What to solve, and for which subdir.
    virtual_packages: The versions of virtual packages by name; for `__archspec` its microarchitecture.

Standard output has a line for each job:
    verdict: `solved`, `unsolvable`, or `unknown` if something is wrong with the repodata or the job.
    explanation: Why it is not solved, or null.
    packages: Records with `fn`, `url` and `channel`, sorted by name.
    seconds: How long it took.
    peak_mb: The most memory that the program had so far, in MiB, mapped files counted.
"""

import asyncio
import json
import os
import resource
import sys
import time
from queue import SimpleQueue
from threading import Thread

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

# Bytes without which no job can be done, however small it is.
_LEAST_MEMORY = 2**24


def main():
    lines = SimpleQueue()
    Thread(target=_read, args=(lines,), daemon=True).start()
    request = json.loads(lines.get())
    # Threads that cannot start for want of memory would be waited for.
    asyncio.run(solve_with_sparse_repodata([], []))
    # Private memory and not the address space, which would count the repodata that is mapped.
    resource.setrlimit(resource.RLIMIT_DATA, (request["memory"], request["memory"]))
    # Where less is left, a thread of py-rattler fails, and the answer that it has is waited for.
    bytearray(_LEAST_MEMORY)
    sources = _Sources(request["channels"])
    while True:
        job = json.loads(lines.get())
        started = time.monotonic()
        answer = _solve(job, sources)
        answer |= {"seconds": time.monotonic() - started, "peak_mb": _peak_mb()}
        print(json.dumps(answer), flush=True)


def _read(lines):
    """Pass on the lines of the parent, and end with them."""
    for line in sys.stdin.buffer:
        lines.put(line)
    # A normal exit after asynchronous calls of py-rattler crashes now and then.
    os._exit(0)


class _Sources:
    """The repodata of one platform, open."""

    def __init__(self, channels):
        self._channels = channels
        self._platform = None
        self._opened = []

    def of(self, platform):
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


def _open(url, subdir, path):
    try:
        return SparseRepoData(Channel(url), subdir, path)
    except (OSError, ValueError) as error:
        # The path is nothing to those who read this.
        reason = str(error).replace(path, "it")
        raise ValueError(
            f"the repodata of '{subdir}' in '{url}' cannot be read: {reason}"
        ) from None


def _solve(job, sources):
    packages = []
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
        # py-rattler has a class of errors for each thing that can be wrong with records.
        verdict, explanation = "unknown", str(error)
    if explanation is not None:
        explanation = explanation.removeprefix("Cannot solve the request because of: ").strip()
        if len(explanation) > _LONGEST_EXPLANATION:
            explanation = f"{explanation[:_LONGEST_EXPLANATION]}…"
    return {"verdict": verdict, "explanation": explanation, "packages": packages}


def _virtual_package(name, version):
    build = "0"
    if name == "__archspec":
        # CEP 30: packages match the build.
        version, build = "1", version
    return GenericVirtualPackage(PackageName(name), Version(version), BuildString(build))


def _order(package):
    return package["name"], package["url"]


def _peak_mb():
    # What `getrusage` says would include the memory of the process that started this one.
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        # There may be none left to make a sentence of.
        os.write(2, b"MemoryError\n")
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)
