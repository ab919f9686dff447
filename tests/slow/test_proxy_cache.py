"""nginx in front of the content app, with a cache that keeps whatever it may."""

from urllib.parse import urlsplit

import msgpack
import pytest
import requests
import zstandard

from tests.support.builders import make_package
from tests.support.nginx import running_nginx

_INDEX = "noarch/repodata_shards.msgpack.zst"


@pytest.fixture(scope="module")
def proxy(stack, tmp_path_factory):
    """The URL of an nginx before the content app."""
    content = f"http://127.0.0.1:{stack.state.facts['ports']['content']}"
    with running_nginx(tmp_path_factory.mktemp("nginx"), content) as url:
        yield url


@pytest.fixture
def channel(pulp, proxy, make_repository, unique):
    """Return a function that makes a channel, perhaps with a guard: its URL behind nginx, and the
    paths of its files.
    """

    def make(guard=None):
        package = make_package(f"cached-{unique}")
        repository = make_repository(autopublish=True)
        pulp.upload(package, repository=repository)
        distribution = pulp.distribution(repository=repository, content_guard=guard)
        url = f"{proxy}{urlsplit(distribution['base_url']).path}"
        shard = _shard(distribution["base_url"], pulp.session.auth)
        return url, [
            f"noarch/{package.filename}",
            shard,
            _INDEX,
            "noarch/repodata.json",
            "noarch/",
            "notices.json",
            "",
            "absent",
        ]

    return make


def _shard(url, login):
    index = requests.get(f"{url}{_INDEX}", auth=login, timeout=60).content
    (digest,) = msgpack.unpackb(zstandard.decompress(index))["shards"].values()
    return f"noarch/shards/{digest.hex()}.msgpack.zst"


def test_the_cache_keeps_packages_and_shards_of_a_public_channel(channel):
    url, (package, shard, *_) = channel()
    for path in (package, shard):
        first, second = (requests.get(url + path, timeout=60) for _ in range(2))
        assert (first.status_code, first.headers["X-Cache-Status"]) == (200, "MISS"), path
        assert (second.status_code, second.headers["X-Cache-Status"]) == (200, "HIT"), path
        assert first.content == second.content


def test_the_cache_gives_nothing_of_a_guarded_channel_to_others(channel, pulp, unique):
    guard = pulp.post("contentguards/core/rbac/", name=unique)["pulp_href"]
    url, paths = channel(guard)
    login = pulp.session.auth
    for path in paths:
        inside = requests.get(url + path, auth=login, timeout=60)
        assert inside.status_code == (404 if path == "absent" else 200), path
        for _ in range(2):
            outside = requests.get(url + path, timeout=60)
            assert outside.status_code == 401, path
            assert outside.headers["X-Cache-Status"] == "MISS", path
        assert requests.get(url + path, auth=login, timeout=60).status_code == inside.status_code
