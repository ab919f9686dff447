"""Tenants of one Pulp have channels, packages and bytes of their own."""

from urllib.parse import urlsplit

import pytest

from tests.support.both_ways import Asker, fast_paths
from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed
from tests.support.replication import Replication


@pytest.fixture(scope="module")
def tenants(make_domain):
    """The API of two domains."""
    return make_domain("red"), make_domain("blue")


def test_a_channel_works_in_its_domain_and_nowhere_else(tenants, upstream, unique):
    red, blue = tenants
    package = make_package(f"tenant-{unique}")
    make_channel(upstream.folder, [package])
    urls = []
    for pulp in tenants:
        remote = pulp.post("remotes/conda/conda/", name=unique, url=upstream.url)["pulp_href"]
        repository = pulp.post(
            "repositories/conda/conda/", name=unique, remote=remote, autopublish=True
        )["pulp_href"]
        assert pulp.sync(repository) == 1
        body = {"name": unique, "base_path": unique, "repository": repository}
        task = pulp.post("distributions/conda/conda/", **body)
        urls.append(pulp.get(pulp.created(task, "/distributions/"))["base_url"])

    uploaded = make_package(f"only-red-{unique}")
    red.upload(
        uploaded,
        repository=red.get("repositories/conda/conda/", name=unique)["results"][0]["pulp_href"],
    )
    assert red.names(urls[0]) == [f"only-red-{unique}", f"tenant-{unique}"]
    assert blue.names(urls[1]) == [f"tenant-{unique}"]
    assert "/red/" in urls[0] and "/blue/" in urls[1]
    assert f"--channel {urls[0].rstrip('/')}" in red.fetch(urls[0], "").text
    for url, pulp in zip(urls, tenants, strict=True):
        assert pulp.fetch(url, f"noarch/{package.filename}").content == package.data
    assert blue.fetch(urls[1], f"noarch/{uploaded.filename}").status_code == 404
    assert blue.get("content/conda/packages/", name=f"only-red-{unique}")["count"] == 0
    # Each domain keeps its own copy, so each asked the upstream.
    assert upstream.asked(package.filename) == [200, 200]

    filenames = [package.filename, uploaded.filename]
    for url, missing in zip(urls, (4, 5), strict=True):
        asker, base = Asker(url), urlsplit(url).path
        statuses = asker.compare(fast_paths(asker, base, filenames))
        # One domain does not have what was uploaded to the other.
        assert statuses[404] == missing


def test_a_stage_of_a_domain_is_read_as_it_was_there_alone(tenants, unique):
    red, blue = tenants
    repository = red.post("repositories/conda/conda/", name=f"past-{unique}", autopublish=True)
    href = repository["pulp_href"]
    lifecycle = red.lifecycle(href)
    for name in ("one", "two"):
        red.upload(make_package(f"{name}-{unique}"), repository=href)
    url = lifecycle.urls["unstable"]
    for past in (f"{url}at/", f"{url[:-1]}@"):
        assert red.names(f"{past}v1/") == [f"one-{unique}"]
        assert len(red.names(f"{past}v2/")) == 2
        answer = red.fetch(f"{past}v1", "")
        assert answer.history[0].status_code == 301 and answer.url == f"{past}v1/"
        assert f"--channel {url}at/v1 " in answer.text
        elsewhere = past.replace("/red/", "/blue/")
        answer = blue.fetch(f"{elsewhere}v1/", "noarch/repodata.json")
        assert answer.text == "404: Not Found"


def test_a_channel_is_replicated_from_another_pulp_as_its_url_serves_it(make_domain, unique):
    # Without channels of the same names, as other tests here have them in both domains.
    red, blue = make_domain("source"), make_domain("replica")
    repository = red.post(
        "repositories/conda/conda/",
        name=unique,
        autopublish=True,
        channel_relations={"base": "../forge"},
        shards=False,
    )["pulp_href"]
    packages = [make_package(f"{name}-{unique}") for name in ("one", "two")]
    for package in packages:
        red.upload(package, repository=repository)
    channel = red.distribution(
        publication=red.newest_publication(repository),
        notices=[{"message": "Hello", "level": "info", "expires_at": "2999-01-01T00:00:00Z"}],
    )
    red.post("distributions/conda/conda/", name=f"empty-{unique}", base_path=f"empty-{unique}")
    replicate = Replication(red, blue, unique).run

    replicate()
    (replica,) = blue.get("distributions/conda/conda/", name=channel["name"])["results"]
    assert replica["base_url"] == channel["base_url"].replace("/source/", "/replica/")
    for path in ("noarch/repodata.json", "notices.json"):
        assert (
            blue.fetch(replica["base_url"], path).json()
            == red.fetch(channel["base_url"], path).json()
        )
    index = blue.fetch(replica["base_url"], "noarch/repodata_shards.msgpack.zst")
    assert index.status_code == 404
    bytes_here = blue.fetch(replica["base_url"], f"noarch/{packages[0].filename}").content
    assert bytes_here == packages[0].data
    # A channel that serves nothing is one without packages, there and here.
    (empty,) = blue.get("distributions/conda/conda/", name=f"empty-{unique}")["results"]
    assert blue.names(empty["base_url"]) == []

    # Nothing changed, so nothing is synced, and nothing updated.
    assert sorted(replicate()) == ["finalize_replication", "replicate_distributions"]
    (gone,) = red.get("content/conda/packages/", name=f"one-{unique}")["results"]
    red.modify(repository, remove=[gone["pulp_href"]])
    red.patch(channel["pulp_href"], publication=red.newest_publication(repository))
    replicate()
    assert blue.names(replica["base_url"]) == [f"two-{unique}"]

    # A stage serves what its history says, so it is not replaced by a channel of its name.
    repository = replica["repository_version"].partition("versions/")[0]
    stages = [{"name": "here", "distribution": replica["pulp_href"]}, {"name": "stable"}]
    lifecycle = blue.lifecycle(repository, stages=stages)
    with pytest.raises(TaskFailed) as failed:
        replicate()
    assert failed.value.code == "CND0173" and "[CND0039]" in failed.value.description
    assert lifecycle.state("here") == "v2"
