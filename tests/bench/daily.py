"""What does a day cost on which nothing changes, or as much as on a day of conda-forge?

The channel has shards, as conda-forge has.
"""

import hashlib
import time
from tempfile import TemporaryFile

import requests
import zstandard

from tests.bench.channel import SUBDIRS, Channel
from tests.bench.figures import Target, figure, say

# Below this number of records, the fixed costs of a task are most of a publication.
_SMALLEST = 200_000
_PIECE = 2**20
_DIGESTS = ("sha224", "sha256", "sha384", "sha512")

# The tables that grow with the number of packages. The list of a version's content is in a TOAST
# table.
_LARGE_TABLES = """
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
FROM pg_stat_all_tables
WHERE relid = ANY(SELECT unnest(ARRAY[oid, reltoastrelid]) FROM pg_class WHERE relname = ANY(%s))
"""
_TABLES = [
    "core_content",
    "core_contentartifact",
    "core_remoteartifact",
    "core_repositorycontent",
    "core_repositoryversion",
    "conda_condapackage",
    "conda_condapackageinfo",
    "conda_condashard",
    "conda_indexedfile",
    "conda_publishedshard",
]
_NEW_SHARDS = """
SELECT count(*) FROM conda_condashard WHERE pulp_created >= (
    SELECT pulp_created FROM core_publication WHERE pulp_id = %s
)
"""


def run(subjects):
    subject = subjects.synced(
        subjects.other_pulp, Channel(subjects.size, seed=5), write=Channel.write_shards
    )
    pulp, channel, first = subject.pulp, subject.channel, subject.first_sync
    size = channel.records
    yield figure("sync_shards", size, first)
    full = subject.publication[1]

    pulp.settle()
    say("Syncing again, with nothing changed")
    read_before = _rows_read(pulp)
    used = pulp.sync(subject.repository)
    rows = _rows_read(pulp) - read_before
    subject.check_count()
    yield figure(
        "resync_unchanged",
        size,
        used,
        ratio=used.cpu,
        target=Target("<=", 1),
        unit="seconds of CPU",
    )
    yield figure(
        "resync_unchanged_rows",
        size,
        used,
        baseline=size,
        ratio=rows / size,
        target=Target("<=", 0.01),
        smallest=20_000,
        unit="rows of large tables that were read, per package",
    )

    tomorrow = Channel(size, seed=5, next_day=True)
    tomorrow.write_shards(subject.folder)
    _, changes = tomorrow.counts()
    pulp.settle()
    say(f"Syncing {dict(changes)}")
    used = pulp.sync(subject.repository)
    subject.check_count(tomorrow)
    yield figure(
        "resync_shards",
        size,
        used,
        baseline=first.cpu,
        ratio=used.cpu / first.cpu,
        target=Target("<=", 0.03),
        smallest=20_000,
        unit="seconds of CPU",
    )

    say("Publishing that")
    publication, used = pulp.publish(subject.repository)
    changed = sum(len(tomorrow.changed_names(subdir)) for subdir in SUBDIRS)
    with pulp.stack.connect() as connection:
        key = publication.rstrip("/").rpartition("/")[2]
        encoded = connection.execute(_NEW_SHARDS, [key]).fetchone()[0]
    yield figure(
        "publish_changed_shards",
        size,
        used,
        baseline=changed,
        ratio=encoded / changed,
        target=Target("=", 1),
        unit="shards",
    )

    url = pulp.distribute(subject.repository)
    least = sum(map(floor, (f"{url}{path}" for path in _paths())))
    yield figure(
        "publish_daily",
        size,
        used,
        baseline=least,
        ratio=used.cpu / least,
        target=Target("<=", 1.6),
        smallest=_SMALLEST,
        unit="seconds of CPU",
    )
    yield figure(
        "publish_daily_first",
        size,
        used,
        baseline=full.cpu,
        ratio=used.cpu / full.cpu,
        target=Target("<=", 0.25),
        smallest=_SMALLEST,
        unit="seconds of CPU",
    )
    say("Publishing the same again")
    _, used = pulp.publish(subject.repository)
    yield figure(
        "publish_unchanged",
        size,
        used,
        baseline=full.cpu,
        ratio=used.cpu / full.cpu,
        target=Target("<=", 0.05),
        smallest=_SMALLEST,
        unit="seconds of CPU",
    )


def _paths():
    for subdir in SUBDIRS:
        yield from (f"{subdir}/repodata.json", f"{subdir}/run_exports.json")
    yield "channeldata.json"


def floor(url):
    """Return the seconds of CPU to copy a file, to compress it, and to take the checksums of both.

    The compression is as when the target was set.
    """
    with (
        TemporaryFile() as source,
        TemporaryFile() as copy,
        TemporaryFile() as packed,
        requests.get(url, stream=True, timeout=600) as answer,
    ):
        answer.raise_for_status()
        for piece in answer.iter_content(_PIECE):
            source.write(piece)
        size = source.tell()
        source.seek(0)
        start = time.process_time()
        plain, compressed = ([hashlib.new(name) for name in _DIGESTS] for _ in range(2))
        compressor = zstandard.ZstdCompressor(level=1, threads=-1).compressobj(size=size)

        def store(piece):
            packed.write(piece)
            for digest in compressed:
                digest.update(piece)

        while piece := source.read(_PIECE):
            copy.write(piece)
            for digest in plain:
                digest.update(piece)
            if not url.endswith("channeldata.json"):
                store(compressor.compress(piece))
        store(compressor.flush())
        return time.process_time() - start


def _rows_read(pulp):
    with pulp.stack.connect() as connection:
        return connection.execute(_LARGE_TABLES, [_TABLES]).fetchone()[0]
