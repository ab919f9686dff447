"""How many requests of clients does a process of the content app answer?

Each kind is asked for in turn with what aiohttp alone answers, so that whatever else the machine
does is equally in the way of both.
"""

import os
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import uuid4

import msgpack
import zstandard

from tests.bench.figures import Target, figure, say
from tests.bench.load import rate
from tests.bench.processes import Used, cpu_seconds
from tests.bench.server import serving
from tests.support.builders import make_package
from tests.support.content_apps import content_app
from tests.support.gateway import call
from tests.support.nginx import static_nginx
from tests.support.variables import CORPUS

_ROUNDS = 5
_SECONDS = 1.0
_NAMES = ("python", "numpy", "pandas", "matplotlib")
_SUBDIRS = ("noarch", "linux-64")
_REPODATA = CORPUS.parent / "repodata"

# Below this, the channel is too small for its figures to mean something.
_SMALLEST = 20_000


@dataclass(frozen=True)
class _Case:
    """A kind of requests, and the part of aiohttp's rate that they have to reach."""

    name: str
    paths: list
    target: float
    status: int = 200
    method: str = "GET"
    headers: dict = field(default_factory=dict)


def run(subjects):
    pulp = subjects.other_pulp
    seconds = _SECONDS if subjects.size >= _SMALLEST else 0.05
    repository, url, cases = _small_channel(pulp)
    cases.append(_Case("cold_shard", shards_of(subjects.main.url), 1 / 10))
    subjects.main.pulp.settle()
    pulp.settle()
    say("Asking one process, with eight connections")
    with serving() as bare:
        for case in cases:
            start = subjects.main.url if case.name == "cold_shard" else url
            yield _compared(subjects, start, bare, case, seconds)
    say("Asking with a token")
    yield _token(subjects, pulp, url, pulp.distribute_privately(repository), cases[0], seconds)
    say("Asking two processes")
    yield _two_processes(subjects, pulp, urlsplit(url).path, cases[0], seconds)
    yield from _solve_phase(subjects, pulp)


def _compared(subjects, url, bare, case, seconds):
    client = Client(url)
    sizes = [len(client.ask(path, case)[1]) for path in case.paths[:1]]
    path = [f"/{case.status}/{sizes[0]}"]
    options = {"method": case.method, "seconds": seconds}
    if case.name != "cold_shard":
        rate(url, case.paths, headers=case.headers, **options)
    ours, baselines = [], []
    for _ in range(_rounds(subjects)):
        paths = case.paths
        if case.name == "cold_shard":
            # Each only once.
            paths = case.paths[len(ours) :: _ROUNDS]
        ours.append(rate(url, paths, headers=case.headers, **options))
        baselines.append(rate(bare, path, **options))
    return figure(
        f"requests_{case.name}",
        subjects.size,
        Used(1 / median(ours), None, None),
        baseline=median(baselines),
        ratio=median(mine / other for mine, other in zip(ours, baselines)),
        target=Target(">=", case.target),
        smallest=_SMALLEST,
        unit="requests per second",
    )


def _token(subjects, pulp, url, private, case, seconds):
    """Ask for the same with and without a guard, in turn, and compare the CPU that it takes."""
    urls, headers = [url, private[0]], [{}, {"Authorization": f"Bearer {private[1]}"}]
    taken, began = ([], []), time.monotonic()
    for number in range(_rounds(subjects) + 1):
        for of_url, each, sent in zip(taken, urls, headers):
            before, start = _cpu_of_answers(pulp), time.monotonic()
            found = rate(each, case.paths, headers=sent, seconds=seconds)
            answered = found * (time.monotonic() - start)
            if number:
                of_url.append(1000 * (_cpu_of_answers(pulp) - before) / answered)
    public, with_token = map(median, taken)
    return figure(
        "requests_token",
        subjects.size,
        Used(time.monotonic() - began, None, None),
        baseline=public,
        ratio=with_token - public,
        target=Target("<=", 0.05),
        smallest=_SMALLEST,
        unit="milliseconds of CPU per request",
    )


def _cpu_of_answers(pulp):
    """Return the seconds of CPU that the content app and PostgreSQL used so far."""
    processes = pulp.stack.state.processes
    return sum(cpu_seconds(processes[name].pid) for name in ("content", "postgres"))


def _two_processes(subjects, pulp, path, case, seconds):
    rates = [], []
    with ExitStack() as until_exit:
        urls = [
            until_exit.enter_context(content_app(pulp.stack.state, workers=workers))
            for workers in (1, 2)
        ]
        for number in range(_rounds(subjects) + 1):
            for of_url, url in zip(rates, urls):
                found = rate(url + path, case.paths, seconds=seconds, connections=16)
                if number:
                    of_url.append(found)
    return figure(
        "requests_two_processes",
        subjects.size,
        Used(1 / median(rates[1]), None, None),
        baseline=median(rates[0]),
        ratio=median(two / one for one, two in zip(*rates)),
        target=Target(">=", 1.7),
        smallest=_SMALLEST,
        unit="requests per second",
    )


def _solve_phase(subjects, pulp):
    """Read what a solve needs by shards: from here, from nginx, and from here with a token."""
    with ExitStack() as until_exit:
        if subjects.size >= _SMALLEST and _REPODATA.is_dir():
            say("Reading what a solve needs of real records")
            upstream = until_exit.enter_context(_real_records())
            repository = pulp.mirror(until_exit.enter_context(serving(upstream)))
            pulp.sync(repository)
            pulp.publish(repository)
            url, names = pulp.distribute(repository), _NAMES
        else:
            say("Reading what a solve needs")
            main = subjects.main
            pulp, repository, url = main.pulp, main.repository, main.url
            names = [name for name, _, _ in islice(subjects.main.channel.names("noarch"), 20)]
        private, token = pulp.distribute_privately(repository)
        static, of_nginx = (Path(until_exit.enter_context(TemporaryDirectory())) for _ in range(2))
        _copy_shards(url, static)
        urls = [
            url,
            until_exit.enter_context(static_nginx(of_nginx, static)),
            private.replace("/pulp/content/", f"/t/{token}/pulp/content/"),
        ]
        taken = [], [], []
        for number in range(_rounds(subjects) + 1):
            for of_url, each in zip(taken, urls):
                with TemporaryDirectory() as cache:
                    answer = call("query", url=each, cache=cache, names=names, subdirs=_SUBDIRS)
                if number:
                    of_url.append(answer["seconds"])
    ours, baseline, with_token = map(median, taken)
    for name, seconds, compared, target in (
        ("requests_of_solve", ours, baseline, 1.5),
        ("requests_of_solve_token", with_token, ours, 1.2),
    ):
        yield figure(
            name,
            subjects.size,
            Used(seconds, None, None),
            baseline=compared,
            ratio=seconds / compared,
            target=Target("<=", target),
            smallest=_SMALLEST,
            unit="seconds",
        )


@contextmanager
def _real_records():
    """Yield a folder with real records of conda-forge as a channel."""
    with TemporaryDirectory() as folder:
        for subdir in _SUBDIRS:
            (Path(folder) / subdir).mkdir()
            source = _REPODATA / f"mined_conda-forge_{subdir}.json.zst"
            shutil.copy(source, Path(folder) / subdir / "repodata.json.zst")
        yield folder


def _rounds(subjects):
    return _ROUNDS if subjects.size >= _SMALLEST else 1


def _small_channel(pulp):
    """Make a channel of stored packages, and return its repository, its URL and its cases."""
    name = uuid4().hex[:8]
    repository = pulp.post("repositories/conda/conda/", name=name, autopublish=True)["pulp_href"]
    sizes = {"large": 100_000, "small": 2_000, "old": 2_000}
    packages = {
        key: make_package(f"{key}-{name}", files={"share/x": os.urandom(size)})
        for key, size in sizes.items()
    }
    for package in packages.values():
        with TemporaryDirectory() as folder:
            file = Path(folder) / package.filename
            file.write_bytes(package.data)
            pulp.wait(pulp.upload("content/conda/packages/", file, repository=repository))
    url = pulp.distribute(repository)
    old = pulp.get("content/conda/packages/", name=f"old-{name}")["results"][0]["pulp_href"]
    pulp.wait(pulp.post(f"{repository}modify/", remove_content_units=[old]))
    index = Client(url).headers("noarch/repodata_shards.msgpack.zst")
    paths = {key: [f"noarch/{package.filename}"] for key, package in packages.items()}
    return (
        repository,
        url,
        [
            _Case("shard", shards_of(url, ["noarch"]), 1 / 4),
            _Case("head", paths["large"], 1 / 4, method="HEAD"),
            _Case(
                "unchanged",
                ["noarch/repodata_shards.msgpack.zst"],
                1 / 4,
                304,
                headers={"If-None-Match": index["ETag"]},
            ),
            _Case("package", paths["large"], 1 / 7),
            _Case("old_package", paths["old"], 1 / 10),
            _Case("missing", ["noarch/absent-1.0-0.conda"], 1 / 10, 404),
        ],
    )


def shards_of(url, subdirs=_SUBDIRS):
    client, paths = Client(url), []
    for subdir in subdirs:
        data = client.ask(f"{subdir}/repodata_shards.msgpack.zst")[1]
        shards = msgpack.unpackb(zstandard.decompress(data))["shards"]
        paths += [f"{subdir}/shards/{digest.hex()}.msgpack.zst" for digest in shards.values()]
    return paths


def _copy_shards(url, folder):
    """Write the shards of a channel and their indexes as files."""
    client = Client(url)
    paths = [f"{subdir}/repodata_shards.msgpack.zst" for subdir in _SUBDIRS]
    for path in [*paths, *shards_of(url)]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(client.ask(path)[1])


class Client:
    """A connection that is kept."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._base = parts.path
        self._connection = HTTPConnection(parts.netloc, timeout=60)

    def ask(self, path, case=None):
        """Return the headers and the body; the status has to be that of the case."""
        method, headers = (case.method, case.headers) if case else ("GET", {})
        self._connection.request(method, self._base + path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        expected = case.status if case else 200
        assert answer.status == expected, f"{method} {path}: {answer.status}"
        return answer.headers, body

    def headers(self, path):
        return self.ask(path)[0]
