import hashlib

import msgpack
import pytest
import zstandard

from tests.builders import make_channel, make_package

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture(params=["stored", "on_demand"])
def channel(request, pulp, upstream, make_mirror):
    """The URL of a channel with one package, and the package; its bytes are here, or upstream."""
    package = make_package(
        "served", f"1!2.0+cu{len(request.param)}", files={"share/x": bytes(5000)}
    )
    make_channel(upstream.folder, [package])
    mirror = make_mirror(policy="immediate" if request.param == "stored" else "on_demand")
    pulp.sync(mirror.repository)
    return mirror.url, package


def test_packages_are_immutable_and_head_is_like_get(pulp, channel):
    url, package = channel
    path = f"noarch/{package.filename}"
    head = pulp.fetch(url, path, method="HEAD")
    get = pulp.fetch(url, path)
    assert (head.status_code, get.status_code) == (200, 200)
    assert head.content == b"" and get.content == package.data
    for answer in (head, get):
        assert answer.headers["Cache-Control"] == IMMUTABLE
        assert answer.headers["Content-Length"] == str(len(package.data))
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert "Content-Encoding" not in answer.headers


def test_serving_leaves_no_error_in_the_log(pulp, stack, channel):
    url, package = channel
    log = stack.state.log("content")
    before = len(log.read_text())
    pulp.fetch(url, f"noarch/{package.filename}")
    pulp.fetch(url, f"noarch/{package.filename}", method="HEAD")
    assert "Traceback" not in log.read_text()[before:]


def test_names_with_bangs_and_pluses_are_reachable_in_every_spelling(pulp, channel):
    url, package = channel
    escaped = package.filename.replace("!", "%21").replace("+", "%2B")
    assert pulp.fetch(url, f"noarch/{escaped}").content == package.data
    assert pulp.fetch(url, f"noarch/{package.filename}").content == package.data


@pytest.mark.parametrize(
    "requested, part",
    [
        pytest.param("bytes=100-199", slice(100, 200), id="middle"),
        pytest.param("bytes=100-", slice(100, None), id="from"),
        pytest.param("bytes=-65", slice(-65, None), id="suffix"),
    ],
)
def test_ranges_give_parts(pulp, channel, requested, part):
    url, package = channel
    answer = pulp.fetch(url, f"noarch/{package.filename}", headers={"Range": requested})
    assert answer.status_code == 206
    assert answer.content == package.data[part]
    start, stop, _ = part.indices(len(package.data))
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(package.data)}"


def test_a_suffix_longer_than_the_file_is_the_whole_file(pulp, channel):
    url, package = channel
    answer = pulp.fetch(url, f"noarch/{package.filename}", headers={"Range": "bytes=-99999999"})
    assert answer.content == package.data


def test_a_range_behind_the_end_is_refused(pulp, channel):
    url, package = channel
    answer = pulp.fetch(url, f"noarch/{package.filename}", headers={"Range": "bytes=99999999-"})
    assert answer.status_code == 416


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


@pytest.mark.parametrize(
    "name", ["repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst"]
)
def test_indexes_are_checked_before_they_are_used_again(pulp, channel, name):
    url, _ = channel
    first = pulp.fetch(url, f"noarch/{name}")
    assert first.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert "Content-Encoding" not in first.headers
    again = pulp.fetch(url, f"noarch/{name}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def _shards(pulp, url):
    index = pulp.fetch(url, "noarch/repodata_shards.msgpack.zst").content
    return msgpack.unpackb(zstandard.decompress(index))["shards"]


def test_shards_are_what_the_index_says_and_immutable(pulp, channel):
    url, package = channel
    ((name, digest),) = _shards(pulp, url).items()
    path = f"noarch/shards/{digest.hex()}.msgpack.zst"
    head = pulp.fetch(url, path, method="HEAD")
    get = pulp.fetch(url, path)
    assert hashlib.sha256(get.content).digest() == digest
    for answer in (head, get):
        assert answer.headers["Cache-Control"] == IMMUTABLE
        assert answer.headers["Content-Length"] == str(len(get.content))
        assert answer.headers["Content-Type"] == "application/zstd"
        assert "Content-Encoding" not in answer.headers
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


def test_json_and_zstd_have_tags_of_their_own(pulp, channel):
    # conda sends the tag of one with the request for the other.
    url, _ = channel
    tags = {pulp.fetch(url, f"noarch/repodata.json{zst}").headers["ETag"] for zst in ("", ".zst")}
    assert len(tags) == 2


@pytest.mark.parametrize(
    "path",
    [
        "noarch/repodata.json.bz2",
        f"noarch/shards/{'0' * 64}.msgpack.zst",
        "noarch/shards/",
        "linux-64/repodata_shards.msgpack.zst",
        "noarch/current_repodata.json",
        "noarch/absent-1.0-0.conda",
        "noarch/nonsense",
        "linux-64/repodata.json",
        "linux-64/",
        "nonsense/",
        "repodata.json",
        "noarch/x/y/z",
    ],
)
def test_what_is_not_there_is_a_plain_404(pulp, channel, path):
    url, _ = channel
    for method in ("GET", "HEAD"):
        answer = pulp.fetch(url, path, method=method)
        assert answer.status_code == 404
        assert "html" not in answer.headers["Content-Type"]


def test_people_see_what_the_channel_is(pulp, channel):
    url, _ = channel
    front = pulp.fetch(url, "")
    assert front.status_code == 200
    assert f"--channel {url.rstrip('/')}" in front.text
    assert '<a href="noarch/">noarch</a>' in front.text
    subdir = pulp.fetch(url, "noarch")
    assert subdir.url == f"{url}noarch/"
    assert '<a href="repodata.json.zst">' in subdir.text


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
