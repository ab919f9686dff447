"""What do all files of a channel cost?

The baseline is `orjson.dumps` and zstd of the same records from memory, with the level that was the
default when the targets were set.
"""

import time
from dataclasses import dataclass
from itertools import groupby

import msgpack
import orjson
import requests
import zstandard

from tests.bench.channel import SUBDIRS
from tests.bench.figures import Target, figure, say

_LEVEL = 3


def run(subjects):
    main = subjects.main
    size = main.channel.records
    url = main.url
    _, published = main.publication
    yield figure(
        "publish_memory",
        size,
        published,
        ratio=published.peak_rss_mb,
        target=Target("<=", 400),
        unit="MiB",
    )
    say("Encoding the same records from memory")
    repodata, shards = _Encoding(), _Encoding()
    found = 0
    for subdir in SUBDIRS:
        answer = requests.get(f"{url}{subdir}/repodata.json", timeout=600)
        answer.raise_for_status()
        document = orjson.loads(answer.content)
        del answer
        found += len(document["packages"]) + len(document["packages.conda"])
        by_name = _by_name(document)
        with repodata:
            _compress(orjson.dumps(document), threads=-1)
        with shards:
            for shard in by_name:
                _compress(msgpack.packb(shard))
    assert found == size, f"{found} of {size} packages were published"
    yield figure(
        "publish",
        size,
        published,
        baseline=repodata.seconds,
        ratio=published.seconds / repodata.seconds,
        unit="seconds",
    )
    yield figure(
        "publish_first",
        size,
        published,
        baseline=repodata.cpu,
        ratio=published.cpu / repodata.cpu,
        target=Target("<=", 9),
        smallest=20_000,
        unit="seconds of CPU",
    )
    both = repodata.cpu + shards.cpu
    yield figure(
        "publish_cpu_with_shards",
        size,
        published,
        baseline=both,
        ratio=published.cpu / both,
        unit="seconds of CPU",
    )


@dataclass
class _Encoding:
    """Adds up what blocks take."""

    seconds: float = 0.0
    cpu: float = 0.0

    def __enter__(self):
        self._start = time.monotonic(), time.process_time()

    def __exit__(self, *exception):
        start, cpu = self._start
        self.seconds += time.monotonic() - start
        self.cpu += time.process_time() - cpu


def _compress(data, threads=0):
    return zstandard.ZstdCompressor(level=_LEVEL, threads=threads).compress(data)


def _by_name(document):
    """The records of each name, as their shard has them."""
    entries = [
        (record["name"], section, filename, record)
        for section in ("packages", "packages.conda")
        for filename, record in document[section].items()
    ]
    entries.sort(key=lambda entry: entry[:3])
    shards = []
    for _, of_name in groupby(entries, key=lambda entry: entry[0]):
        shard = {"packages": {}, "packages.conda": {}, "removed": []}
        for _, section, filename, record in of_name:
            shard[section][filename] = record
        shards.append(shard)
    return shards
