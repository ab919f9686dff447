"""Does a large channel cost more than a smaller one?

The figures are the time for each record, and the memory.
"""

from tests.bench.figures import Target, figure

MICRO = 1_000_000


def run(subjects):
    small, large = subjects.smaller, subjects.main
    records = large.channel.records
    baseline = small.first_sync.cpu / small.channel.records * MICRO
    yield figure(
        "sync_growth",
        records,
        large.first_sync,
        baseline=baseline,
        ratio=large.first_sync.cpu / records * MICRO / baseline,
        target=Target("<=", 1.5),
        smallest=40_000,
        unit="microseconds of CPU per record",
    )
    for task, few, many in (
        ("sync", small.first_sync, large.first_sync),
        ("publish", small.publication[1], large.publication[1]),
    ):
        yield figure(
            f"{task}_memory_growth",
            records,
            many,
            baseline=few.peak_rss_mb,
            ratio=many.peak_rss_mb / few.peak_rss_mb,
            target=Target("<=", 1.3),
            smallest=40_000,
            unit="MiB",
        )
