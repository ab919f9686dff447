"""Two workers take the same packages at the same moment."""

import json

import pytest

from tests.support.builders import make_record

RECORDS = [make_record(f"p{number}") for number in range(6000)]


@pytest.fixture
def busy(make_domain, unique):
    """The API of a domain where nobody else has packages."""
    return make_domain(f"busy-{unique}")


def _write(upstream, records):
    (upstream.folder / "noarch").mkdir()
    repodata = {"packages.conda": {record.filename: record.fields for record in records}}
    (upstream.folder / "noarch/repodata.json").write_text(json.dumps(repodata))


def test_two_syncs_of_the_same_packages_do_not_get_in_each_other_s_way(busy, make_upstream):
    repositories = []
    for name, records in (("forward", RECORDS), ("backward", RECORDS[::-1])):
        upstream = make_upstream()
        _write(upstream, records)
        remote = busy.post("remotes/conda/conda/", name=name, url=upstream.url, subdirs=["noarch"])[
            "pulp_href"
        ]
        body = {"name": name, "remote": remote}
        repositories.append(busy.post("repositories/conda/conda/", **body)["pulp_href"])
    for options in ({}, {"optimize": False}):
        tasks = [busy.start_sync(repository, **options) for repository in repositories]
        for task in tasks:
            busy.wait(task)
    for repository in repositories:
        version = busy.get(busy.get(repository)["latest_version_href"])
        assert version["number"] == 1
        assert version["content_summary"]["present"]["conda.package"]["count"] == len(RECORDS)
    assert busy.get("content/conda/packages/")["count"] == len(RECORDS)


def test_two_publications_at_the_same_moment_share_their_shards(busy, make_upstream):
    upstream = make_upstream()
    _write(upstream, [make_record(f"q{number}") for number in range(6000)])
    remote = busy.post("remotes/conda/conda/", name="both", url=upstream.url, subdirs=["noarch"])
    body = {"name": "both", "remote": remote["pulp_href"]}
    repository = busy.post("repositories/conda/conda/", **body)["pulp_href"]
    busy.sync(repository)
    version = busy.get(repository)["latest_version_href"]
    tasks = [
        busy.try_post("publications/conda/conda/", repository_version=version).json()
        for _ in range(2)
    ]
    created = [busy.created(busy.wait(task), "/publications/") for task in tasks]
    urls = [busy.distribute(publication=publication) for publication in created]
    first, second = (busy.fetch_shard_index(url)["shards"] for url in urls)
    assert first == second
    assert len(first) == 6000
    for name in ("q0", "q5999"):
        answers = [
            busy.fetch(url, f"noarch/shards/{first[name].hex()}.msgpack.zst") for url in urls
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
