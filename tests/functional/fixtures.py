"""Channels, mirrors and packages for functional tests; each test gets its own."""

from dataclasses import dataclass
from uuid import uuid4

import pytest

from tests.support.builders import make_package
from tests.support.upstream import Upstream


@dataclass(frozen=True)
class Mirror:
    """A remote, an autopublished repository and a distribution of it: hrefs, and the channel's URL."""

    name: str
    remote: str
    repository: str
    distribution: str
    url: str


@pytest.fixture
def unique():
    """A short word that no other test has, fit for package names."""
    return uuid4().hex[:8]


@pytest.fixture
def make_upstream(tmp_path_factory):
    """Start another server with an empty folder."""
    running = []

    def make():
        upstream = Upstream(tmp_path_factory.mktemp("upstream"))
        running.append(upstream.__enter__())
        return upstream

    yield make
    for upstream in running:
        upstream.__exit__()


@pytest.fixture
def upstream(make_upstream):
    return make_upstream()


@pytest.fixture
def make_repository(pulp):
    def make(**options):
        return pulp.post("repositories/conda/conda/", name=uuid4().hex, **options)["pulp_href"]

    return make


@pytest.fixture
def repository(pulp, make_repository):
    return pulp.get(make_repository())


@pytest.fixture
def make_mirror(pulp, upstream, make_repository):
    """Mirror the upstream, or another URL; options go to the remote."""

    def make(**options):
        name = f"mirror-{uuid4().hex[:8]}"
        body = {"url": upstream.url, "policy": "on_demand", **options}
        remote = pulp.post("remotes/conda/conda/", name=name, **body)["pulp_href"]
        repository = make_repository(remote=remote, autopublish=True)
        distribution = pulp.distribution(repository=repository)
        return Mirror(name, remote, repository, distribution["pulp_href"], distribution["base_url"])

    return make


@pytest.fixture
def make_packages(pulp, unique):
    """Upload packages of these names, and return their hrefs. Names end in a word of the test."""

    def make(*names):
        return [pulp.upload(make_package(f"{name}-{unique}"))["pulp_href"] for name in names]

    return make
