"""What does a day cost on which nothing changes, or as much as on a day of conda-forge?

The channel has shards, as conda-forge has.
"""

from tests.bench.channel import SUBDIRS, Channel
from tests.bench.figures import Target, figure, say

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
    assert subject.publication

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


def _rows_read(pulp):
    with pulp.stack.connect() as connection:
        return connection.execute(_LARGE_TABLES, [_TABLES]).fetchone()[0]
