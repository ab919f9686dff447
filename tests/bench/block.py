"""How soon is a blocked package gone from ten channels that have it?"""

import time
from uuid import uuid4

import requests

from tests.bench.figures import Target, figure, say
from tests.bench.processes import Used

CHANNELS = 10


def run(subjects):
    main = subjects.main
    pulp, size = main.pulp, main.channel.records
    _, published = main.publication
    version = pulp.get(main.repository)["latest_version_href"]
    say(f"Publishing the same packages in {CHANNELS - 1} more repositories")
    repositories = [main.repository, *(_copied(pulp, version) for _ in range(CHANNELS - 1))]
    urls = [pulp.distribute(repository) for repository in repositories]
    pulp.settle()
    page = pulp.get("content/conda/packages/", repository_version=version, limit=1)
    package = page["results"][0]
    files = [f"{url}{package['subdir']}/{package['filename']}" for url in urls]

    before = {pulp.newest_publication(repository) for repository in repositories}

    say("Blocking a package")
    began = time.monotonic()
    block = pulp.post("conda/blocks/", sha256=package["sha256"], public_reason="It is measured.")
    statuses = [requests.head(file, timeout=60).status_code for file in files]
    refused = time.monotonic() - began
    assert statuses == [451] * CHANNELS, statuses
    yield figure(
        "block_bytes",
        size,
        Used(refused, None, None),
        ratio=refused,
        target=Target("<=", 1),
        unit="seconds",
    )
    _wait(pulp, block["task_group"])
    took = time.monotonic() - began
    published_again = {pulp.newest_publication(repository) for repository in repositories}
    assert published_again.isdisjoint(before)
    baseline = CHANNELS * published.seconds
    yield figure(
        "block_metadata",
        size,
        Used(took, None, None),
        baseline=baseline,
        ratio=took / baseline,
        unit="seconds",
    )
    # The other figures are about channels with all of their packages.
    _wait(pulp, pulp.delete(block["pulp_href"])["task_group"])


def _copied(pulp, version):
    """Make a repository with the packages of a version, publish it, and return its href."""
    repository = pulp.post("repositories/conda/conda/", name=uuid4().hex)["pulp_href"]
    pulp.measure(f"{repository}modify/", base_version=version)
    pulp.publish(repository)
    return repository


def _wait(pulp, group):
    """Wait until all tasks of a group are completed, also those that its tasks dispatch."""
    while True:
        tasks = pulp.get(group)["tasks"]
        for task in tasks:
            pulp.wait(task["pulp_href"])
        if len(pulp.get(group)["tasks"]) == len(tasks):
            return
