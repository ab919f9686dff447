"""How long do many small packages take to be in a channel, sent by one client and by several?"""

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest.mock import patch
from uuid import uuid4

import rattler
import requests
from pulp_glue.common.context import PulpContext
from pulp_glue.conda.context import PulpCondaRepositoryContext
from pulp_glue.conda.upload import Upload
from rattler.index import index_fs

from tests.bench.figures import Target, figure, say
from tests.bench.processes import Used, cpu_seconds
from tests.support.builders import make_package

PACKAGES = 1000
OF_CLIENTS = 200
CLIENTS = {"four": (4, 60), "twenty": (20, 15)}


def run(subjects):
    pulp = subjects.other_pulp
    count = min(PACKAGES, subjects.size // 20)
    say(f"Uploading {count} packages by one client")
    with TemporaryDirectory(prefix="pulp-conda-bench-") as folder:
        noarch = Path(folder, "noarch")
        noarch.mkdir()
        for package in _packages(count):
            (noarch / package.filename).write_bytes(package.data)
        repository = _repository(pulp)
        with _measured(pulp) as used, patch.dict(os.environ, XDG_CACHE_HOME=folder):
            report = _upload(pulp, repository["name"], sorted(noarch.iterdir()))
        assert (report.version, len(report.added)) == (1, count), report
        start = time.perf_counter()
        rattler_index(folder)
        baseline = time.perf_counter() - start
    facts = {"smallest": PACKAGES}
    yield figure(
        "upload_many",
        count,
        used,
        baseline=baseline,
        ratio=used.seconds / count * PACKAGES,
        target=Target("<=", 60),
        unit="seconds",
        **facts,
    )
    yield figure(
        "upload_cpu",
        count,
        used,
        ratio=used.cpu / count * 1000,
        target=Target("<=", 20),
        unit="milliseconds",
        **facts,
    )
    slowest, longest = 0.0, 0.0
    count = min(OF_CLIENTS, subjects.size // 20)
    for name, (clients, versions) in CLIENTS.items():
        say(f"Uploading {count} packages by {clients} clients")
        repository = _repository(pulp)
        with _measured(pulp) as used, _asking_for_status(pulp) as waits:
            made, seconds = _upload_by(pulp, repository["pulp_href"], _packages(count), clients)
        slowest, longest = max(slowest, *waits), max(longest, *seconds)
        yield figure(
            f"upload_{name}_clients",
            count,
            used,
            ratio=made,
            target=Target("<=", versions),
            smallest=OF_CLIENTS,
            unit="versions",
        )
    yield figure(
        "upload_wait",
        count,
        Used(longest, None, None),
        ratio=longest,
        target=Target("<=", 5),
        smallest=OF_CLIENTS,
        unit="seconds",
    )
    yield figure(
        "upload_status",
        count,
        Used(slowest, None, None),
        ratio=slowest,
        target=Target("<=", 1),
        smallest=OF_CLIENTS,
        unit="seconds",
    )


def rattler_index(folder):
    """Index the packages of a folder, as a channel without a server has to be indexed."""
    asyncio.run(index_fs(folder, rattler.Subdir("noarch"), write_zst=True, write_shards=True))


def _packages(count):
    random = Random(count)
    word = uuid4().hex[:8]
    return [
        make_package(
            f"p{number}-{word}", files={f"share/{file}": random.randbytes(300) for file in range(5)}
        )
        for number in range(count)
    ]


def _repository(pulp):
    return pulp.post("repositories/conda/conda/", name=uuid4().hex, autopublish=True)


def _upload(pulp, name, files):
    """Upload files as `pulp conda channel upload` does."""
    settings = {"base_url": pulp.url, "username": "admin", "password": pulp.stack.password}
    context = PulpContext.from_config(settings)
    return Upload(PulpCondaRepositoryContext(context, entity={"name": name})).run(files)


def _upload_by(pulp, repository, packages, clients):
    """Upload packages by some clients, each one after the other. A client is answered when its
    package is served.

    Returns:
        How many versions that made, and the seconds that each answer took.
    """
    url = pulp.distribute(repository)
    seconds = []
    waiting = iter(packages)
    lock = threading.Lock()

    def work():
        with requests.Session() as session:
            session.auth = ("admin", pulp.stack.password)
            while True:
                with lock:
                    package = next(waiting, None)
                if package is None:
                    return
                path = f"{url}noarch/{package.filename}"
                start = time.perf_counter()
                session.put(path, package.data, timeout=300).raise_for_status()
                seconds.append(time.perf_counter() - start)

    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(work) for _ in range(clients)]:
            done.result()
    assert pulp.count(repository) == len(packages)
    return pulp.get(f"{repository}versions/")["count"] - 1, seconds


@contextmanager
def _measured(pulp):
    """Yield a `Used` that is filled in at the end, with the CPU of all processes of the server."""
    processes = pulp.stack.state.processes
    before = {name: cpu_seconds(process.pid) for name, process in processes.items()}
    used, start = Used(), time.monotonic()
    yield used
    used.seconds = time.monotonic() - start
    spent = {name: cpu_seconds(processes[name].pid) - before[name] for name in before}
    used.cpu_postgres = spent.pop("postgres")
    used.cpu_client = sum(spent.values())


@contextmanager
def _asking_for_status(pulp):
    """Yield a list, to which the seconds are added that each answer to `status/` takes."""
    waits = []
    over = threading.Event()

    def ask():
        while not over.wait(0.1):
            start = time.perf_counter()
            requests.get(f"{pulp.url}/pulp/api/v3/status/", timeout=60).raise_for_status()
            waits.append(time.perf_counter() - start)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()
