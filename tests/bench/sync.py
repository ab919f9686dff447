"""What does the first sync of a channel cost, on demand?

The baselines are other things that one could do with the same records.
"""

from tempfile import TemporaryDirectory

from tests.bench import stock
from tests.bench.bare_copy import connected, copy_rows
from tests.bench.channel import Channel
from tests.bench.figures import Target, figure, say
from tests.support.stack import running_database

STOCK_RECORDS = 10_000
MICRO = 1_000_000


def run(subjects):
    main = subjects.main
    size = main.channel.records
    per_record = main.first_sync.cpu / size * MICRO
    yield figure(
        "sync_memory",
        size,
        main.first_sync,
        ratio=main.first_sync.peak_rss_mb,
        target=Target("<=", 400),
        unit="MiB",
    )

    say("Copying the same rows without any logic")
    with main.pulp.stack.connect() as source:
        counts, copied = copy_rows(source)
    assert set(counts.values()) == {size}, counts
    yield figure(
        "sync_copy",
        size,
        main.first_sync,
        baseline=copied.cpu / size * MICRO,
        ratio=main.first_sync.cpu / copied.cpu,
        target=Target("<=", 2),
        smallest=20_000,
        unit="microseconds of CPU per record",
    )

    records = min(STOCK_RECORDS, size)
    say(f"Syncing {records} records with pulpcore's pipeline")
    baseline = _stock_sync(records).cpu / records * MICRO
    yield figure(
        "sync_stock",
        size,
        main.first_sync,
        baseline=baseline,
        ratio=baseline / per_record,
        target=Target(">=", 20),
        smallest=20_000,
        unit="microseconds of CPU per record",
    )


def _stock_sync(records):
    with (
        TemporaryDirectory() as folder,
        running_database() as state,
        connected(state) as (_, postgres),
    ):
        Channel(records).write_flat(folder)
        return stock.run(state, postgres, "sync", folder)
