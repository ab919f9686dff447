"""How long does it take to add a hundred packages to a version of all records?"""

from tests.bench import stock
from tests.bench.channel import Channel
from tests.bench.figures import Target, figure, say

ADDED = 100


def run(subjects):
    main = subjects.main
    pulp, size = main.pulp, main.channel.records
    ours, theirs = (_loose_packages(subjects, seed) for seed in (11, 12))
    pulp.settle()
    say(f"Adding {ADDED} packages")
    _, used = pulp.measure(f"{main.repository}modify/", add_content_units=ours)
    assert pulp.count(main.repository) == size + ADDED
    yield figure(
        "modify",
        size,
        used,
        ratio=used.seconds,
        target=Target("<=", 5),
        unit="seconds",
    )

    say(f"Adding {ADDED} packages with pulpcore's add_content")
    pulp.settle()
    postgres = pulp.stack.state.processes["postgres"].pid
    baseline = stock.run(pulp.stack.state, postgres, "modify", main.repository, *theirs)
    assert pulp.count(main.repository) == size + 2 * ADDED
    yield figure(
        "modify_stock",
        size,
        used,
        baseline=baseline.seconds,
        ratio=baseline.seconds / used.seconds,
        target=Target(">=", 5),
        smallest=20_000,
        unit="seconds",
    )


def _loose_packages(subjects, seed):
    """Return the hrefs of packages that the server has, in another repository."""
    pulp = subjects.main.pulp
    loose = subjects.synced(pulp, Channel(ADDED, seed=seed))
    version = pulp.get(loose.repository)["latest_version_href"]
    packages = pulp.list(
        "content/conda/packages/", repository_version=version, fields="pulp_href", limit=ADDED
    )
    return [package["pulp_href"] for package in packages]
