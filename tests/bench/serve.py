"""Does it matter to a client how large a channel is?

And do large files come as fast as from a static file server?
"""

import time
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import msgpack
import zstandard

from tests.bench.channel import SUBDIRS, Channel
from tests.bench.figures import Target, figure, say
from tests.bench.processes import Used
from tests.bench.server import serving

SMALL = 1000
WARMUP = 20
REQUESTS = 300
TRANSFER = 400 * 2**20


def run(subjects):
    large = subjects.main
    small = subjects.synced(subjects.other_pulp, Channel(min(SMALL, subjects.size // 2), seed=3))
    requests = min(REQUESTS, subjects.size // 20)
    clients = _Client(large.url), _Client(small.url)
    say(f"Asking for {requests} of each kind")
    paths = [_paths(subject, client) for subject, client in zip((large, small), clients)]
    for kind, status in (("package", 304), ("missing", 404), ("shard", 200)):
        # The upstream has no files: whoever asked for one would wait for its answer.
        headers = {"If-None-Match": "*"} if kind == "package" else {}
        seconds = [], []
        for number in range(WARMUP + requests):
            # In turn, so that whatever else the machine does is equally in the way of both.
            for client, of_client, taken in zip(clients, paths, seconds):
                start = time.perf_counter()
                found, _ = client.ask(of_client[kind][number], headers)
                taken.append(time.perf_counter() - start)
                assert found == status, f"GET of a {kind}: {found}"
        ours, baseline = (median(taken[WARMUP:]) for taken in seconds)
        yield figure(
            f"latency_{kind}",
            large.channel.records,
            Used(ours, None, None),
            baseline=baseline * 1000,
            ratio=ours / baseline,
            target=Target("<=", 1.5),
            smallest=20_000,
            unit="milliseconds",
        )
    yield from _throughput(large, clients[0])


def _throughput(subject, client):
    path = "linux-64/repodata.json.zst"
    say("Downloading a large file again and again")
    _, content = client.ask(path)
    with TemporaryDirectory() as folder:
        (Path(folder) / "linux-64").mkdir()
        (Path(folder) / path).write_bytes(content)
        with serving(folder) as url:
            clients, downloads = (client, _Client(f"{url}/")), ([], [])
            for _ in range(max(6, min(100, TRANSFER // len(content)))):
                for server, of_server in zip(clients, downloads):
                    of_server.append(server.download(path, len(content)))
    # With the answer to the request, and of the body alone.
    for bench, part, target in (
        ("throughput", 0, Target(">=", 0.8)),
        ("throughput_of_body", 1, None),
    ):
        ours, baseline = (median(times[part] for times in of_server) for of_server in downloads)
        yield figure(
            bench,
            subject.channel.records,
            Used(ours, None, None),
            baseline=len(content) / baseline / 2**20,
            ratio=baseline / ours,
            target=target,
            smallest=20_000,
            unit="MiB per second",
        )


def _paths(subject, client):
    """Return paths to ask for, by kind, spread over the channel."""
    chance = Random(4)
    packages, shards = [], []
    indexes = [client.ask(f"{subdir}/repodata_shards.msgpack.zst")[1] for subdir in SUBDIRS]
    client.close()  # The server would, before all names are drawn.
    for subdir, data in zip(SUBDIRS, indexes):
        for name, entries, _ in subject.channel.names(subdir):
            packages.append(f"{subdir}/{chance.choice(entries).filename}")
        index = msgpack.unpackb(zstandard.decompress(data))
        shards += [f"{subdir}/shards/{hash.hex()}.msgpack.zst" for hash in index["shards"].values()]
    missing = [path.replace("/", "/no-", 1) for path in packages]
    kinds = {"package": packages, "missing": missing, "shard": shards}
    return {kind: chance.choices(found, k=WARMUP + REQUESTS) for kind, found in kinds.items()}


class _Client:
    """A connection that is kept, as those of conda clients are."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._base = parts.path
        self._connection = HTTPConnection(parts.netloc, timeout=60)
        self._buffer = bytearray(2**20)

    def ask(self, path, headers={}):
        """Return the status and the body."""
        self._connection.request("GET", self._base + path, headers=headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self):
        """Leave the connection; the next request makes another one."""
        self._connection.close()

    def download(self, path, size):
        """Return the seconds that a file takes, and those from its headers on."""
        start = time.perf_counter()
        self._connection.request("GET", self._base + path)
        answer = self._connection.getresponse()
        begin = time.perf_counter()
        while count := answer.readinto(self._buffer):
            size -= count
        end = time.perf_counter()
        assert size == 0, f"{path}: {size} bytes are missing"
        return end - start, end - begin
