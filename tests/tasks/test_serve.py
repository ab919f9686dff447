import hashlib
import logging
import re

import msgpack
import pytest
import zstandard

from tests.support.builders import make_channel, make_package


@pytest.fixture(params=["stored", "on_demand"])
def channel(request, pulp, upstream, make_mirror, unique):
    """The URL of a channel with one package, and the package; its bytes are here, or upstream."""
    # Other tests would have other upstreams of the same file, which Pulp asks as well.
    files = {"share/x": unique.encode() + bytes(5000)}
    package = make_package("served", f"1!2.0+cu{len(request.param)}", files=files)
    make_channel(upstream.folder, [package])
    mirror = make_mirror(policy="immediate" if request.param == "stored" else "on_demand")
    pulp.sync(mirror.repository)
    return mirror.url, package


def test_serving_leaves_no_error_in_the_log(pulp, channel, caplog):
    url, package = channel
    pulp.fetch(url, f"noarch/{package.filename}")
    pulp.fetch(url, f"noarch/{package.filename}", method="HEAD")
    # The content app is in this process.
    assert "Traceback" not in caplog.text
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_an_error_is_not_kept_as_long_as_a_package(pulp, upstream, make_mirror, unique):
    package = make_package(f"gone-{unique}")
    make_channel(upstream.folder, [package])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    upstream.answers[f"noarch/{package.filename}"] = (404, b"")
    answer = pulp.fetch(mirror.url, f"noarch/{package.filename}")
    assert answer.status_code == 404
    assert "Cache-Control" not in answer.headers and "ETag" not in answer.headers
    upstream.answers.clear()
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data


def _shards(pulp, url):
    index = pulp.fetch(url, "noarch/repodata_shards.msgpack.zst").content
    return msgpack.unpackb(zstandard.decompress(index))["shards"]


def test_shards_are_what_the_index_says(pulp, channel):
    url, package = channel
    ((name, digest),) = _shards(pulp, url).items()
    path = f"noarch/shards/{digest.hex()}.msgpack.zst"
    get = pulp.fetch(url, path)
    assert hashlib.sha256(get.content).digest() == digest
    shard = msgpack.unpackb(zstandard.decompress(get.content))
    json_record = pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"]
    assert list(shard["packages.conda"]) == list(json_record) == [package.filename]
    assert name == "served"


def test_shards_of_an_index_that_was_just_replaced_are_still_served(pulp, channel, upstream):
    # mamba keeps the index for a day, whatever it is told.
    url, package = channel
    ((_, digest),) = _shards(pulp, url).items()
    repository = pulp.get("distributions/conda/conda/", base_path=url.split("/content/")[1][:-1])
    repository = repository["results"][0]["repository"]
    pulp.modify(repository, remove=["*"])
    assert _shards(pulp, url) == {}
    answer = pulp.fetch(url, f"noarch/shards/{digest.hex()}.msgpack.zst")
    assert hashlib.sha256(answer.content).digest() == digest


def test_shards_of_another_channel_are_not_served(pulp, channel, make_repository):
    url, _ = channel
    ((_, digest),) = _shards(pulp, url).items()
    empty = pulp.publish(pulp.get(make_repository())["latest_version_href"])
    other = pulp.distribute(publication=empty)
    assert pulp.fetch(other, f"noarch/shards/{digest.hex()}.msgpack.zst").status_code == 404


def test_people_see_what_the_channel_is(pulp, channel):
    url, _ = channel
    front = pulp.fetch(url, "")
    assert front.status_code == 200
    assert f"--channel {url.rstrip('/')}" in front.text
    assert '<a href="./noarch/">noarch</a>' in front.text
    subdir = pulp.fetch(url, "noarch")
    assert subdir.url == f"{url}noarch/"
    links = re.findall('<li><a class="mono" href="(.*?)">', subdir.text)
    assert "repodata.json.zst" in links and "current_repodata.json" not in links
    for link in links:
        assert pulp.fetch(subdir.url, link).status_code == 200


def test_a_guarded_channel_lets_nobody_in_without_the_key(
    pulp, unique, channel, make_mirror, upstream
):
    guard = pulp.post(
        "contentguards/core/header/", name=unique, header_name="X-Key", header_value="open"
    )
    make_channel(upstream.folder, [make_package("guarded")])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    pulp.patch(mirror.distribution, content_guard=guard["pulp_href"])
    path = "noarch/guarded-1.0-0.conda"
    assert pulp.fetch(mirror.url, path).status_code == 403
    assert pulp.fetch(mirror.url, "noarch/repodata.json").status_code == 403
    key = {"X-Key": "b3Blbg=="}
    assert pulp.fetch(mirror.url, path, headers=key).status_code == 200
    paths = [path, "noarch/repodata.json", "noarch/absent.json", "noarch", "", "notices.json", "x"]
    for asked in [mirror.url.rstrip("/"), *(mirror.url + path for path in paths)]:
        for headers in ({}, key):
            answer = pulp.fetch(asked, "", headers=headers, allow_redirects=False)
            assert answer.headers["Cache-Control"].startswith("private, "), asked
            # Where a page is missing or refused, a browser gets another text than a client.
            assert answer.headers["Vary"] in ("Authorization", "Authorization, Accept"), asked


def test_what_browsers_show_of_a_channel_is_told_apart_from_its_files(pulp, channel):
    url, _ = channel
    for path in ("", "noarch/", "noarch", "absent", "noarch/absent.json"):
        headers = pulp.fetch(url, path, allow_redirects=False).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; "), path
        assert "Vary" not in headers
