"""What does it cost that two channels are served as one?

A large channel and an internal one, which changes more often.
"""

import os
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

import orjson

from tests.bench.channel import Channel
from tests.bench.daily import floor
from tests.bench.figures import Target, figure, say
from tests.bench.load import rate
from tests.bench.processes import Used
from tests.bench.requests import Client, shards_of
from tests.support.builders import make_package

INTERNAL = 1000

_ROUNDS = 9
_SECONDS = 1.0
_INDEX = "noarch/repodata_shards.msgpack.zst"

# Below this, the channel is too small for its figures to mean something.
_SMALLEST = 20_000


def run(subjects):
    large = subjects.main
    pulp, size = large.pulp, large.channel.records
    assert large.publication
    internal = subjects.synced(pulp, Channel(min(INTERNAL, size // 2), seed=7))
    # The upstreams have no bytes.
    stored = _store(pulp, internal.repository)
    assert internal.publication
    pulp.settle()
    say("Serving it and the large channel as one")
    members = [pulp.distribution(each.repository)["pulp_href"] for each in (internal, large)]
    merged = [{"distribution": href} for href in members]
    with pulp.meter.measure() as used:
        made = pulp.post("repositories/conda/conda/", name=uuid4().hex, merged_channels=merged)
        (task,) = _merged(pulp, set())
    used.seconds = _seconds(task["started_at"], task)
    yield figure("virtual_first", size, used)
    url = pulp.distribute(made["pulp_href"])
    yield from _change(pulp, internal, url, size)
    urls = url, pulp.distribute(internal.repository)
    yield from _requests(subjects, urls, stored)


def _store(pulp, repository):
    """Add a package to a repository, and return its path."""
    package = make_package(f"stored-{uuid4().hex[:8]}", files={"share/x": os.urandom(2000)})
    with TemporaryDirectory() as folder:
        file = Path(folder) / package.filename
        file.write_bytes(package.data)
        pulp.wait(pulp.upload("content/conda/packages/", file, repository=repository))
    return f"noarch/{package.filename}"


def _change(pulp, internal, url, size):
    """Remove a package of noarch from the internal channel."""
    _, entries, _ = next(internal.channel.names("noarch"))
    filename = entries[0].filename
    version = pulp.get(internal.repository)["latest_version_href"]
    page = pulp.get("content/conda/packages/", repository_version=version, filename=filename)
    (package,) = page["results"]
    body = {"remove_content_units": [package["pulp_href"]]}
    pulp.wait(pulp.post(f"{internal.repository}modify/", **body))
    pulp.settle()
    say("Publishing a change of the internal channel")
    before = _merges(pulp)
    with pulp.meter.measure() as used:
        answer = pulp.post("publications/conda/conda/", repository=internal.repository)
        published = pulp.wait_seldom(answer["task"])
        (task,) = _merged(pulp, before)
    used.seconds = _seconds(published["started_at"], task)
    records = orjson.loads(Client(url).ask("noarch/repodata.json")[1])
    assert filename not in records["packages"] | records["packages.conda"]
    # All files of the subdir that changed.
    paths = [f"noarch/{name}.json" for name in ("repodata", "run_exports")]
    copied = sum(floor(f"{url}{path}") for path in [*paths, "channeldata.json"])
    yield figure(
        "virtual_change",
        size,
        used,
        ratio=used.seconds,
        target=Target("<=", 2),
        unit="seconds",
    )
    yield figure(
        "virtual_change_cpu",
        size,
        used,
        baseline=copied,
        ratio=used.cpu / copied,
        unit="seconds of CPU",
    )


def _merges(pulp):
    """Return the hrefs of the tasks that merged, or will."""
    tasks = pulp.get("tasks/", name="pulp_conda.app.tasks.merge.merge", limit=1000)["results"]
    return {task["pulp_href"] for task in tasks}


def _merged(pulp, before):
    """Return the tasks that merge, after their end."""
    while not (new := _merges(pulp) - before):
        time.sleep(0.1)
    return [pulp.wait_seldom(href) for href in new]


def _seconds(began, task):
    """Return the seconds from a moment to the end of a task."""
    taken = datetime.fromisoformat(task["finished_at"]) - datetime.fromisoformat(began)
    return taken.total_seconds()


def _requests(subjects, urls, stored):
    """Ask the virtual channel and the internal one for the same, in turn."""
    is_large = subjects.size >= _SMALLEST
    tag = [Client(url).ask(_INDEX)[0]["ETag"] for url in urls]
    same = set(shards_of(urls[0], ["noarch"])) & set(shards_of(urls[1], ["noarch"]))
    say("Asking both for the same")
    for url in urls:
        Client(url).ask(stored)
    for name, paths, status, target in (
        ("shard", sorted(same), 200, Target("<=", 1.1)),
        ("unchanged", [_INDEX], 304, Target("<=", 1.1)),
        ("package", [stored], 200, Target("<=", 1.1)),
        ("missing", ["noarch/absent-1.0-0.conda"], 404, None),
    ):
        rates = [], []
        for number in range(_ROUNDS + 1 if is_large else 1):
            for of_url, url, etag in zip(rates, urls, tag):
                headers = {"If-None-Match": etag} if status == 304 else {}
                found = rate(url, paths, headers=headers, seconds=_SECONDS if is_large else 0.05)
                if number or not is_large:
                    of_url.append(found)
        ours, baseline = map(median, rates)
        yield figure(
            f"virtual_{name}",
            subjects.size,
            Used(1 / ours, None, None),
            baseline=baseline,
            ratio=median(other / mine for mine, other in zip(*rates)),
            target=target,
            smallest=_SMALLEST,
            unit="requests per second",
        )
