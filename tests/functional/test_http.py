"""Every class of files is answered in the same way, and every client finds what it asks for, in the
order it asks.
"""

import hashlib
import http.client
import json
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote, urlsplit
from uuid import uuid4

import msgpack
import pytest
import zstandard

from tests.support.builders import make_channel, make_package
from tests.support.upstream import Upstream

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATED = "public, max-age=0, must-revalidate"


@dataclass(frozen=True)
class FileClass:
    """Files that are found in the same place; what stands in braces depends on the channel."""

    path: str
    content_type: str
    cache_control: str = REVALIDATED
    has_date: bool = True


JSON, ZSTD, BINARY = "application/json", "application/zstd", "application/octet-stream"
CLASSES = {
    "json": FileClass("noarch/repodata.json", JSON),
    "zst": FileClass("noarch/repodata.json.zst", ZSTD),
    "bz2": FileClass("noarch/repodata.json.bz2", "application/x-bzip2"),
    "current": FileClass("noarch/current_repodata.json", JSON),
    "shard index": FileClass("noarch/repodata_shards.msgpack.zst", ZSTD),
    "shard": FileClass("noarch/shards/{shard}.msgpack.zst", ZSTD, IMMUTABLE),
    "run_exports": FileClass("noarch/run_exports.json", JSON),
    "run_exports zst": FileClass("noarch/run_exports.json.zst", ZSTD),
    "channeldata": FileClass("channeldata.json", JSON),
    "notices": FileClass("notices.json", JSON),
    "stored package": FileClass("noarch/{here}", BINARY, IMMUTABLE),
    "streamed package": FileClass("noarch/{away}", BINARY, IMMUTABLE),
    "bz2 package": FileClass("noarch/{old}", "application/x-bzip2", IMMUTABLE),
    "sidecar": FileClass("noarch/{away}.sigs", JSON),
    "sidecar by digest": FileClass("noarch/{away}.sigs.{sidecar}", JSON, IMMUTABLE),
    # Another release may write the page in another way, so it has no date.
    "page": FileClass("noarch/", "text/html; charset=utf-8", has_date=False),
}

# One for each way to answer. What a request wants of a file is decided in the same lines for all,
# which know its checksum, its size and its date alone: the tests of every class show that these are
# right.
REPRESENTATIVES = {
    "from the disk": CLASSES["json"],
    "from memory": CLASSES["shard"],
    "from the upstream": CLASSES["streamed package"],
    "without a date": CLASSES["page"],
}


@dataclass(frozen=True)
class Channel:
    """A channel with every class of files, and how to ask it."""

    pulp: object
    url: str
    names: dict

    def path(self, template):
        return template.format_map(self.names)

    def get(self, template, method="GET", **headers):
        return self.pulp.fetch(self.url, self.path(template), method, headers=headers)


@pytest.fixture(scope="module")
def channel(pulp, sigstore, tmp_path_factory):
    here = make_package("here", "1!2.0+cu12", files={"share/x": bytes(5000)})
    away = make_package("away", "1!2.0+cu12", files={"share/x": bytes(5000)})
    old = make_package("old", "1!2.0+cu12", extension=".tar.bz2")
    with Upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        _, sidecar = _attest(sigstore, upstream, away)
        remote = pulp.post(
            "remotes/conda/conda/", name=uuid4().hex, url=upstream.url, policy="streamed"
        )
        repository = pulp.post(
            "repositories/conda/conda/",
            name=uuid4().hex,
            remote=remote["pulp_href"],
            autopublish=True,
            legacy_metadata=True,
        )["pulp_href"]
        pulp.sync(repository)
        pulp.modify(repository, add=[pulp.upload(package)["pulp_href"] for package in (here, old)])
        url = pulp.distribute(repository=repository)
        names = {
            "here": here.filename,
            "away": away.filename,
            "old": old.filename,
            "sidecar": sidecar,
            "shard": _shards(pulp, url)["here"],
        }
        yield Channel(pulp, url, names)


@pytest.fixture(params=CLASSES)
def file_class(request):
    return CLASSES[request.param]


@pytest.fixture(params=REPRESENTATIVES)
def kind(request):
    return REPRESENTATIVES[request.param]


def _attest(sigstore, upstream, package, attestations=1):
    """Offer a package with a sidecar, and return the sidecar and its digest."""
    bundle = sigstore.attest(package.filename, package.record.sha256)
    sidecar = json.dumps([bundle] * attestations).encode()
    digest = hashlib.sha256(sidecar).hexdigest()
    package.record.fields["attestations_sha256"] = digest
    make_channel(upstream.folder, [package])
    path = f"{package.record.subdir}/{package.filename}.sigs.{digest}"
    (upstream.folder / path).write_bytes(sidecar)
    return sidecar, digest


def _shards(pulp, url):
    """Return the digests of the shards by name."""
    index = pulp.fetch(url, "noarch/repodata_shards.msgpack.zst").content
    shards = msgpack.unpackb(zstandard.decompress(index))["shards"]
    return {name: digest.hex() for name, digest in shards.items()}


# Every class of files


def test_a_file_comes_as_it_is_and_says_so(channel, file_class):
    encodings = "gzip, deflate, br, zstd"
    answer = channel.get(file_class.path, **{"Accept-Encoding": encodings})
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers and "Vary" not in answer.headers
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["Content-Type"] == file_class.content_type
    assert answer.headers["Cache-Control"] == file_class.cache_control
    assert answer.headers["Accept-Ranges"] == "bytes"
    # The tag is that of the bytes, so no two files share one and none changes without need.
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    if file_class.has_date:
        date = parsedate_to_datetime(answer.headers["Last-Modified"])
        assert date <= parsedate_to_datetime(answer.headers["Date"])


def test_head_is_like_get(channel, file_class):
    head, get = (channel.get(file_class.path, method) for method in ("HEAD", "GET"))
    assert head.content == b""
    for answer in (head, get):
        del answer.headers["Date"]
    assert (head.status_code, head.headers) == (get.status_code, get.headers)


def test_who_has_a_file_is_told_so_by_its_tag_and_by_its_date(channel, file_class):
    first = channel.get(file_class.path)
    by_tag = channel.get(file_class.path, **{"If-None-Match": first.headers["ETag"]})
    _is_not_sent_again(by_tag, first)
    if file_class.has_date:
        date = first.headers["Last-Modified"]
        _is_not_sent_again(channel.get(file_class.path, **{"If-Modified-Since": date}), first)
    else:
        assert "Last-Modified" not in first.headers


def _is_not_sent_again(answer, first):
    assert (answer.status_code, answer.content) == (304, b"")
    for name in ("ETag", "Last-Modified", "Cache-Control"):
        assert answer.headers.get(name) == first.headers.get(name)


def test_the_end_of_a_file_is_given(channel, file_class):
    whole = channel.get(file_class.path)
    size = len(whole.content)
    answer = channel.get(file_class.path, Range="bytes=-5")
    assert (answer.status_code, answer.content) == (206, whole.content[-5:])
    assert answer.headers["Content-Range"] == f"bytes {size - 5}-{size - 1}/{size}"
    for name in ("ETag", "Cache-Control", "Content-Type", "Last-Modified"):
        assert answer.headers.get(name) == whole.headers.get(name)


# What a request may want of a file


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("tags", ["{}", "W/{}", '"other", {}', "*"])
def test_who_has_the_file_is_told_so(channel, kind, method, tags):
    first = channel.get(kind.path)
    # A tag outweighs a date.
    headers = {
        "If-None-Match": tags.format(first.headers["ETag"]),
        "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT",
    }
    again = channel.get(kind.path, method, **headers)
    assert (again.status_code, again.content) == (304, b"")
    kept = {"ETag", "Last-Modified", "Cache-Control"} & set(first.headers)
    assert {name: again.headers.get(name) for name in kept} == {
        name: first.headers[name] for name in kept
    }


def test_a_date_tells_as_well(channel, kind):
    first = channel.get(kind.path)
    date = first.headers.get("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT")
    again = channel.get(kind.path, **{"If-Modified-Since": date})
    assert again.status_code == (304 if kind.has_date else 200)


@pytest.mark.parametrize("seconds", [-1, 1, 10**9])
def test_a_date_that_we_never_gave_proves_nothing(channel, kind, seconds):
    # What is served now may be older than what the client has.
    first = channel.get(kind.path)
    date = parsedate_to_datetime(first.headers.get("Last-Modified", first.headers["Date"]))
    other = format_datetime(date + timedelta(seconds=seconds), usegmt=True)
    assert channel.get(kind.path, **{"If-Modified-Since": other}).status_code == 200


@pytest.mark.parametrize(
    "condition, value",
    [
        pytest.param("If-None-Match", '"other"', id="other tag"),
        pytest.param("If-None-Match", "no tag at all", id="no tag"),
        pytest.param("If-Modified-Since", "yesterday", id="no date"),
    ],
)
def test_who_has_something_else_gets_the_file(channel, kind, condition, value):
    assert channel.get(kind.path, **{condition: value}).status_code == 200


@pytest.mark.parametrize(
    "condition, value",
    [
        ("If-Match", '"other"'),
        ("If-Match", "W/{tag}"),
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ],
)
def test_who_wants_something_else_gets_nothing(channel, kind, condition, value):
    tag = channel.get(kind.path).headers["ETag"]
    answer = channel.get(kind.path, **{condition: value.format(tag=tag)})
    if condition == "If-Unmodified-Since" and not kind.has_date:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 412
        assert "Cache-Control" not in answer.headers


@pytest.mark.parametrize(
    "requested, start, stop",
    [
        pytest.param("bytes=0-0", 0, 1, id="first byte"),
        pytest.param("bytes=3-9", 3, 10, id="middle"),
        pytest.param("bytes=3-", 3, None, id="from"),
        pytest.param("bytes=0-", 0, None, id="all of it"),
        pytest.param("bytes=3-99999999", 3, None, id="over the end"),
        pytest.param("bytes=-5", -5, None, id="suffix"),
        pytest.param("bytes=-99999999", 0, None, id="suffix that is too long"),
    ],
)
def test_a_part_is_given(channel, kind, requested, start, stop):
    whole = channel.get(kind.path)
    answer = channel.get(kind.path, Range=requested)
    assert answer.status_code == 206
    assert answer.content == whole.content[start:stop]
    first, end, _ = slice(start, stop).indices(len(whole.content))
    assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(whole.content)}"
    assert answer.headers["Content-Length"] == str(end - first)
    for name in ("ETag", "Cache-Control", "Content-Type", "Last-Modified"):
        assert answer.headers.get(name) == whole.headers.get(name)


@pytest.mark.parametrize("requested", ["bytes=99999999-", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused(channel, kind, requested):
    size = channel.get(kind.path, "HEAD").headers["Content-Length"]
    answer = channel.get(kind.path, Range=requested)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"
    assert "Cache-Control" not in answer.headers and "ETag" not in answer.headers


@pytest.mark.parametrize(
    "requested",
    ["bytes=0-1,3-4", "bytes=5-3", "bytes=-", "bytes=x-", "items=0-1", f"bytes=0-{'9' * 5000}"],
)
def test_other_ranges_are_as_if_there_were_none(channel, kind, requested):
    whole = channel.get(kind.path)
    answer = channel.get(kind.path, Range=requested)
    assert (answer.status_code, answer.content) == (200, whole.content)


def test_a_download_goes_on_only_with_the_same_file(channel, kind):
    whole = channel.get(kind.path).headers
    # The headers that say which file it was, and what comes.
    cases = {'"other"': 200, f"W/{whole['ETag']}": 200, whole["ETag"]: 206}
    cases["Thu, 01 Jan 1970 00:00:00 GMT"] = 200
    if kind.has_date:
        cases[whole["Last-Modified"]] = 206
    for validator, status in cases.items():
        answer = channel.get(kind.path, **{"Range": "bytes=3-", "If-Range": validator})
        assert answer.status_code == status, validator


@pytest.mark.parametrize(
    "file_class", ["stored package", "streamed package", "bz2 package", "sidecar by digest"]
)
def test_bangs_and_pluses_are_reachable_in_every_spelling(channel, file_class):
    path = channel.path(CLASSES[file_class].path)
    assert "!" in path and "+" in path
    answers = [
        channel.pulp.fetch(channel.url, spelling)
        for spelling in (path, quote(path), quote(path, safe="/!"), quote(path, safe="/+"))
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


# What is not there


@pytest.mark.parametrize(
    "path",
    [
        "noarch/absent-1.0-0.conda",
        "noarch/absent-1.0-0.conda.sigs",
        "noarch/{here}.sigs",
        "noarch/{away}.sigs.{shard}",
        "noarch/{here}.sigs.{sidecar}",
        "noarch/{away}.sigs.{sidecar}0",
        "noarch/{away}.v0.sigs",
        "linux-64/{away}.sigs",
        "noarch/shards/{sidecar}.msgpack.zst",
        "noarch/shards/",
        "noarch/repodata.json/",
        "noarch/repodata.json.gz",
        "noarch/repodata.jlap",
        "noarch/patch_instructions.json",
        "noarch/notices.json",
        "noarch/channeldata.json",
        "repodata.json",
        "index.html",
        "rss.xml",
        # A subdir that has no packages yet, and one that the channel never has.
        "win-64",
        "win-64/",
        "win-64/{here}",
        "win-64/shards/{shard}.msgpack.zst",
        *(
            f"win-64/{path.rpartition('/')[2]}"
            for path in (file_class.path for file_class in CLASSES.values())
            if "{" not in path and path.startswith("noarch/ru")
        ),
        "win-64/repodata.json",
        "win-46/repodata_shards.msgpack.zst",
        # Out of the channel. The last are decoded by the server alone.
        "noarch/../../secret/noarch/repodata.json",
        "../noarch/repodata.json",
        "noarch/%2e%2e/%2e%2e/noarch/repodata.json",
        "noarch/%2e%2e%2frepodata.json",
        "noarch/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "noarch//repodata.json",
        "noarch/%ff.conda",
    ],
)
def test_what_is_not_there_is_a_plain_404(channel, path):
    url = urlsplit(channel.url)
    for method in ("GET", "HEAD"):
        # No client library: they tidy paths up.
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        connection.request(method, f"{url.path}{channel.path(path)}")
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 404
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "Cache-Control" not in answer.headers
        assert body == (b"" if method == "HEAD" else b"404: Not Found")
        connection.close()


# Changes


ROLLED_BACK = ["json", "zst", "shard index", "run_exports", "channeldata"]


@pytest.fixture(scope="module")
def rollback(pulp):
    """What a URL gave by path: before another publication came, with it, and to whom knows its date
    once it is gone.
    """
    repository = pulp.post("repositories/conda/conda/", name=uuid4().hex, autopublish=True)[
        "pulp_href"
    ]
    pulp.upload(make_package(f"one-{uuid4().hex[:8]}"), repository=repository)
    first = pulp.newest_publication(repository)
    distribution = pulp.distribution(publication=first)

    def answers(headers):
        return {
            name: pulp.fetch(
                distribution["base_url"], CLASSES[name].path, headers=headers.get(name, {})
            )
            for name in ROLLED_BACK
        }

    before = answers({})
    pulp.upload(make_package(f"two-{uuid4().hex[:8]}"), repository=repository)
    pulp.patch(distribution["pulp_href"], publication=pulp.newest_publication(repository))
    newer = answers({})
    pulp.patch(distribution["pulp_href"], publication=first)
    known = {
        name: {"If-Modified-Since": answer.headers["Last-Modified"]}
        for name, answer in newer.items()
    }
    return before, newer, answers(known)


@pytest.mark.parametrize("name", ROLLED_BACK)
def test_who_knows_only_a_date_sees_a_rollback(rollback, name):
    before, newer, answer = (answers[name] for answers in rollback)
    assert (answer.status_code, answer.content) == (200, before.content)
    assert answer.headers["ETag"] == before.headers["ETag"] != newer.headers["ETag"]
    dates = [
        parsedate_to_datetime(answer.headers["Last-Modified"]) for answer in (before, newer, answer)
    ]
    assert dates == sorted(dates)


def test_a_file_that_did_not_change_keeps_its_tag(pulp, make_repository, make_packages, unique):
    repository = make_repository(autopublish=True)
    pulp.modify(repository, add=make_packages("one"))
    url = pulp.distribute(repository=repository)
    before = pulp.fetch(url, "noarch/repodata.json")
    elsewhere = pulp.upload(make_package(f"two-{unique}", subdir="linux-64"))["pulp_href"]
    pulp.modify(repository, add=[elsewhere])
    again = pulp.fetch(
        url, "noarch/repodata.json", headers={"If-None-Match": before.headers["ETag"]}
    )
    assert again.status_code == 304
    assert pulp.fetch(url, "linux-64/repodata.json").status_code == 200


def test_a_package_is_answered_the_same_before_and_after_it_came(
    pulp, upstream, make_mirror, unique
):
    package = make_package(f"wanted-{unique}", files={"share/x": bytes(5000)})
    make_channel(upstream.folder, [package])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    path = f"noarch/{package.filename}"
    before = pulp.fetch(mirror.url, path, "HEAD")
    part = pulp.fetch(mirror.url, path, headers={"Range": "bytes=-65"})
    assert (part.status_code, part.content) == (206, package.data[-65:])
    known = {"If-None-Match": before.headers["ETag"]}
    assert pulp.fetch(mirror.url, path, headers=known).status_code == 304
    answers = [pulp.fetch(mirror.url, path) for _ in range(2)]
    asked = [method for method, asked, _ in upstream.requests if asked == path]
    assert asked == ["HEAD", "GET"]
    for answer in (before, *answers):
        del answer.headers["Date"]
    assert answers[0].content == answers[1].content == package.data
    assert before.headers == answers[0].headers == answers[1].headers


def test_a_sidecar_that_grew_is_still_found_by_its_old_digest(
    pulp, sigstore, upstream, make_mirror, unique
):
    # Another sidecar is another record, hence another version, and clients hold the older index for
    # a while.
    package = make_package(f"signed-{unique}", subdir="linux-64")
    mirror = make_mirror()
    path = f"linux-64/{package.filename}.sigs"
    sidecars = []
    for attestations in (1, 2):
        sidecars.append(_attest(sigstore, upstream, package, attestations))
        pulp.sync(mirror.repository)
        assert pulp.fetch(mirror.url, path).content == sidecars[-1][0]
        for sidecar, digest in sidecars:
            assert pulp.fetch(mirror.url, f"{path}.{digest}").content == sidecar
    (_, old), (_, new) = sidecars
    elsewhere = pulp.distribute(publication=pulp.newest_publication(mirror.repository))
    assert pulp.fetch(elsewhere, f"{path}.{new}").status_code == 200
    assert pulp.fetch(elsewhere, f"{path}.{old}").status_code == 404


# What a package says of itself


def _summary(pulp, package):
    """Wait until the content app has read a package, and return what it says."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (unit,) = pulp.get("content/conda/packages/", name=package.record.name)["results"]
        if unit["about"]:
            return unit["about"]["summary"]
        time.sleep(0.1)
    return None


def test_a_package_is_read_when_it_first_comes(pulp, upstream, make_mirror, unique):
    package = make_package(f"told-{unique}")
    make_channel(upstream.folder, [package])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert _summary(pulp, package) == f"told-{unique}, for tests"


def test_a_package_that_cannot_be_read_is_served_all_the_same(
    pulp, stack, upstream, make_mirror, unique
):
    odd, readable = make_package(f"odd-{unique}"), make_package(f"readable-{unique}")
    data = b"PK\x05\x06 no archive at all"
    odd.record.fields.update(
        sha256=hashlib.sha256(data).hexdigest(), md5=hashlib.md5(data).hexdigest(), size=len(data)
    )
    make_channel(upstream.folder, [replace(odd, data=data), readable])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    log = stack.state.log("content")
    before = len(log.read_text())
    assert pulp.fetch(mirror.url, f"noarch/{odd.filename}").content == data
    # They are read one after the other.
    assert pulp.fetch(mirror.url, f"noarch/{readable.filename}").content == readable.data
    assert _summary(pulp, readable)
    assert "Traceback" not in log.read_text()[before:]


# The clients of channels, in the order in which they ask


@dataclass(frozen=True)
class Ask:
    """A request and the status that the client needs; headers may use answers that came before."""

    method: str
    path: str
    status: int
    headers: object = dict


def _known(path, *, by_date=True, of=None):
    """The conditions of a client that has a file, or sends its tag for another one."""

    def headers(seen):
        conditions = {"If-None-Match": seen[of or path].headers["ETag"]}
        if by_date:
            conditions["If-Modified-Since"] = seen[path].headers["Last-Modified"]
        return conditions

    return Ask("GET", path, 304 if of in (None, path) else 200, headers)


def _with(**headers):
    return lambda seen: {name.replace("_", "-"): value for name, value in headers.items()}


INDEX = "noarch/repodata_shards.msgpack.zst"
SHARD = "noarch/shards/{shard}.msgpack.zst"
FLAT, FLAT_ZST = "noarch/repodata.json", "noarch/repodata.json.zst"
NO_STORE = _with(Cache_Control="no-store", Accept_Encoding="gzip,deflate")
TAIL = _with(Range="bytes=-65536")

CONVERSATIONS = {
    "rattler, shards": [
        Ask("GET", INDEX, 200, _with(Accept_Encoding="gzip,deflate")),
        Ask("GET", SHARD, 200, NO_STORE),
        Ask("GET", "noarch/{away}", 206, TAIL),
        Ask("GET", "noarch/{here}", 206, TAIL),
        Ask("GET", "noarch/{here}", 200),
        _known(INDEX, by_date=False),
    ],
    "rattler, no shards": [
        Ask("GET", "linux-64/repodata_shards.msgpack.zst", 200),
        Ask("HEAD", "linux-64/repodata.json.zst", 404),
        Ask("HEAD", "linux-64/repodata.json.bz2", 404),
        Ask("GET", "linux-64/repodata.json.zst", 404),
        Ask("GET", "linux-64/repodata.json", 404, _with(Accept_Encoding="gzip")),
    ],
    "rattler, flat": [
        Ask("HEAD", FLAT_ZST, 200),
        Ask("HEAD", f"{FLAT}.bz2", 200),
        Ask("GET", FLAT_ZST, 200),
        Ask("GET", FLAT, 200, _with(Accept_Encoding="gzip")),
        _known(FLAT_ZST),
    ],
    "rattler, attestations": [
        Ask("GET", "noarch/{away}.sigs.{sidecar}", 200),
        Ask("GET", "noarch/{away}.sigs", 200),
        Ask("GET", "noarch/{here}.sigs", 404),
    ],
    "rattler-build": [
        Ask("GET", "noarch/run_exports.json.zst", 200),
        Ask("GET", "noarch/run_exports.json", 200),
        Ask("GET", "linux-64/run_exports.json.zst", 404),
        Ask("GET", "linux-64/run_exports.json", 404),
    ],
    "conda, flat": [
        Ask("GET", "notices.json", 200),
        Ask("GET", "linux-64/repodata.json.zst", 404),
        Ask("GET", "linux-64/repodata.json", 404),
        Ask("GET", FLAT_ZST, 200),
        _known(FLAT_ZST, by_date=False),
        # The tag of the one is sent to the other.
        _known(FLAT, by_date=False, of=FLAT_ZST),
        Ask("GET", "noarch/{here}", 206, _with(Range="bytes=100-")),
        Ask("GET", "noarch/{away}", 206, _with(Range="bytes=100-")),
    ],
    "conda, shards": [
        Ask("GET", INDEX, 200),
        Ask("GET", SHARD, 200),
        _known(INDEX),
        Ask("GET", "linux-64/repodata_shards.msgpack.zst", 200),
    ],
    "conda, classic": [
        Ask("GET", "noarch/current_repodata.json", 200),
        Ask("GET", "linux-64/current_repodata.json", 404),
        Ask("GET", FLAT, 200),
    ],
    "conda-build": [Ask("GET", "channeldata.json", 200)],
    "mamba": [
        Ask("HEAD", INDEX, 200),
        Ask("HEAD", FLAT_ZST, 200),
        Ask("HEAD", "linux-64/repodata_shards.msgpack.zst", 200),
        Ask("HEAD", "linux-64/repodata.json.zst", 404),
        Ask("GET", INDEX, 200),
        _known(INDEX),
        Ask("GET", SHARD, 200),
        Ask("GET", FLAT_ZST, 200),
        _known(FLAT_ZST),
        Ask("GET", FLAT, 200, _with(Accept_Encoding="gzip, deflate, br, zstd")),
    ],
}


@pytest.mark.parametrize("client", CONVERSATIONS)
def test_every_client_is_answered_as_it_needs(channel, client):
    seen = {}
    for ask in CONVERSATIONS[client]:
        headers = ask.headers(seen) if ask.headers is not dict else {}
        answer = channel.get(ask.path, ask.method, **headers)
        assert (ask, answer.status_code) == (ask, ask.status)
        assert answer.history == [] and "Content-Encoding" not in answer.headers
        if answer.status_code == 200:
            seen[ask.path] = answer
    if SHARD in seen:
        assert hashlib.sha256(seen[SHARD].content).hexdigest() == channel.names["shard"]
