"""Upstreams that are broken or hostile: an error that names the file, the old version stays, and
later all is well.
"""

import json
import struct
import time
from dataclasses import replace
from hashlib import sha256

import msgpack
import pytest
import zstandard

from pulp_conda.channel.metadata.shards import MAX_SIZE
from tests.conftest import Mirror
from tests.support.builders import add_shards, make_channel, make_package
from tests.support.conda import TaskFailed
from tests.support.sigstore import Sigstore
from tests.support.upstream import Upstream

INDEX = "noarch/repodata_shards.msgpack.zst"
FLAT = "noarch/repodata.json.zst"
KEPT = make_package("kept")

# More than is read into memory: when it is unpacked, by its own words, and packed.
BOMB = zstandard.compress(bytes(MAX_SIZE + 1))
HUGE = b"\x28\xb5\x2f\xfd\xc0\x38" + struct.pack("<Q", 2**62) + b"\x09\0\0\x80"
ENDLESS = (200, [b"\x28\xb5\x2f\xfd", *[bytes(2**20)] * 40])

PAGE = (200, b"<!DOCTYPE html><title>Not found</title>")


@pytest.fixture(scope="module")
def lasting_upstream(tmp_path_factory):
    with Upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        yield upstream


@pytest.fixture
def upstream(lasting_upstream):
    """The one upstream of this file, without the answers of the test before."""
    lasting_upstream.answers.clear()
    lasting_upstream.requests.clear()
    return lasting_upstream


@pytest.fixture(scope="module")
def mirror(pulp, lasting_upstream):
    """A mirror of it, which has one package and what the test before added last."""
    _write(lasting_upstream)
    body = {"url": lasting_upstream.url, "subdirs": ["noarch"], "max_retries": 1}
    remote = pulp.post("remotes/conda/conda/", name="hostile", **body)["pulp_href"]
    body = {"name": "hostile", "remote": remote, "autopublish": True}
    repository = pulp.post("repositories/conda/conda/", **body)["pulp_href"]
    distribution = pulp.distribution(repository=repository)
    pulp.sync(repository, mirror=True)
    return Mirror(
        "hostile", remote, repository, distribution["pulp_href"], distribution["base_url"]
    )


@pytest.fixture
def refuses(pulp, upstream, mirror, unique):
    """Sync and expect an error; then repair the upstream, which has a new package, and sync
    again.
    """

    def refuses(code, path, words):
        served = pulp.fetch(mirror.url, "noarch/repodata.json").content
        # Else the sync would read another form of the repodata, where all is well.
        for other in (FLAT, "noarch/repodata.json"):
            if other != path and (path == FLAT or path.endswith(".msgpack.zst")):
                upstream.answers[other] = (404, b"")
        with pytest.raises(TaskFailed) as refused:
            pulp.sync(mirror.repository, mirror=True)
        assert refused.value.code == code, refused.value.description
        assert refused.value.description.startswith(f"[{code}] Remote '{mirror.name}': ")
        url = path if "://" in path else f"{upstream.url}/{path}"
        assert f"'{url}'" in refused.value.description
        assert words in refused.value.description
        assert len(refused.value.description) < 1000
        assert pulp.fetch(mirror.url, "noarch/repodata.json").content == served

        upstream.answers.clear()
        _write(upstream, make_package(f"next-{unique}"))
        assert pulp.sync(mirror.repository, mirror=True) is not None
        assert pulp.names(mirror.url) == ["kept", f"next-{unique}"]

    return refuses


@pytest.fixture
def package(unique):
    """A package that the upstream adds."""
    return make_package(f"bad-{unique}")


def _write(upstream, *packages, **options):
    make_channel(upstream.folder, [KEPT, *packages], **options)
    add_shards(upstream.folder)


def _pack(content):
    return zstandard.compress(msgpack.packb(content))


def _unpack(data):
    return msgpack.unpackb(zstandard.decompress(data))


def _with(package, **fields):
    return replace(package, record=replace(package.record, fields=package.record.fields | fields))


def _times_asked(upstream, path):
    return [asked for _, asked, _ in upstream.requests].count(path)


@pytest.mark.parametrize(
    "answer, code, words",
    [
        pytest.param((500, b""), "CND0004", "answered 500", id="500"),
        pytest.param((200, BOMB), "CND0026", "it unpacks to more than", id="a bomb"),
        pytest.param((200, HUGE), "CND0026", "", id="a frame that states a huge size"),
        pytest.param(ENDLESS, "CND0026", "it is larger than", id="endless"),
        *(
            pytest.param((200, zstandard.compress(content)), "CND0026", words, id=name)
            for content, words, name in (
                (b"<html>", "no msgpack", "a packed web page"),
                (b"\xc1", "no msgpack", "no msgpack"),
                (b"\xdf\xff\xff\xff\xff", "no msgpack", "a map that states a huge size"),
                (b"\x91" * 10**6, "nested too deeply", "nested"),
                (b"\x90", "it is not a map", "a list"),
                (b"\x80", "no map of 'shards'", "an empty map"),
            )
        ),
    ],
)
def test_what_is_no_index_of_shards_changes_nothing(upstream, refuses, answer, code, words):
    upstream.answers[INDEX] = answer
    refuses(code, INDEX, words)


def test_a_truncated_index_of_shards_changes_nothing(upstream, refuses):
    upstream.answers[INDEX] = (200, (upstream.folder / INDEX).read_bytes()[:-9])
    refuses("CND0026", INDEX, "it is cut short")


@pytest.mark.parametrize(
    "changes, code, words",
    [
        pytest.param(
            {"shards": {"kept": "0" * 64}}, "CND0026", "'kept' is not in binary", id="hashes in hex"
        ),
        pytest.param(
            {"shards": {"kept": bytes(20)}}, "CND0026", "20 bytes, not 32", id="other hashes"
        ),
        pytest.param({"info": {"subdir": "osx-64"}}, "CND0015", "'osx-64'", id="another subdir"),
        pytest.param({"version": 7}, "CND0026", "its 'version' is 7", id="a version of the future"),
        pytest.param(
            {"info": {"shards_base_url": "file:///etc/"}}, "CND0026", "not an HTTP URL", id="a disk"
        ),
        pytest.param(
            {"info": {"base_url": "http://a.example/\0/"}}, "CND0026", "not an HTTP URL", id="a NUL"
        ),
    ],
)
def test_an_index_of_shards_that_says_something_odd_changes_nothing(
    upstream, refuses, changes, code, words
):
    index = _unpack((upstream.folder / INDEX).read_bytes())
    upstream.answers[INDEX] = (200, _pack(index | changes))
    refuses(code, INDEX, words)


def _shard_path(upstream, package):
    digest = _unpack((upstream.folder / INDEX).read_bytes())["shards"][package.record.name]
    return f"noarch/shards/{digest.hex()}.msgpack.zst"


@pytest.mark.parametrize(
    "answer, code, words",
    [
        pytest.param((200, _pack({})), "CND0027", "its sha256 is", id="other bytes"),
        pytest.param(PAGE, "CND0027", "its sha256 is", id="a web page"),
        pytest.param((404, b""), "CND0027", "the upstream answered 404", id="404"),
        pytest.param(ENDLESS, "CND0027", "it is larger than", id="endless"),
        pytest.param((500, b""), "CND0004", "answered 500", id="500"),
    ],
)
def test_a_shard_that_cannot_be_had_changes_nothing(
    upstream, refuses, package, answer, code, words
):
    _write(upstream, package)
    path = _shard_path(upstream, package)
    upstream.answers[path] = answer
    refuses(code, path, words)
    # Upstreams replace shards while we read, so all is tried again, once; and once more when it is
    # known that there is no other form. After a 500, the request is repeated instead.
    assert _times_asked(upstream, path) == (4 if answer[0] == 500 else 3)


@pytest.mark.parametrize("host", ["a..b", "127.0.0.1:99999"])
def test_shards_on_a_host_that_nobody_could_ask_change_nothing(upstream, refuses, package, host):
    _write(upstream, package)
    name = _shard_path(upstream, package).rpartition("/")[2]
    add_shards(upstream.folder, shards_base_url=f"http://{host}/")
    refuses("CND0016", f"http://{host}/{name}", "cannot be reached")


@pytest.mark.parametrize(
    "form, path",
    [
        pytest.param("shards", None, id="a shard"),
        pytest.param("flat", FLAT, id="repodata"),
    ],
)
def test_what_was_never_read_cannot_be_unchanged(upstream, refuses, package, form, path):
    _write(upstream, package)
    if form == "flat":
        upstream.answers[INDEX] = (404, b"")
    path = path or _shard_path(upstream, package)
    upstream.answers[path] = (304, b"")
    refuses("CND0004", path, "answered 304")


def test_a_shard_that_is_right_at_the_second_attempt_will_do(pulp, upstream, mirror, package):
    _write(upstream, package)
    upstream.answers[_shard_path(upstream, package)] = [(200, b"not yet")]
    assert pulp.sync(mirror.repository, mirror=True) is not None
    assert pulp.names(mirror.url) == [package.record.name, "kept"]


def test_an_index_that_is_replaced_while_it_is_read_is_read_again(pulp, upstream, mirror, package):
    _write(upstream, package)
    upstream.answers[INDEX] = [(200, (upstream.folder / INDEX).read_bytes())]
    (upstream.folder / _shard_path(upstream, package)).unlink()
    _write(upstream, _with(package, depends=["kept"]))
    assert pulp.sync(mirror.repository, mirror=True) is not None
    records = pulp.fetch(mirror.url, "noarch/repodata.json").json()["packages.conda"]
    assert records[package.filename]["depends"] == ["kept"]


def _replace_shard(upstream, package, change):
    """Give a package another shard, with its right hash in the index, and return where it is."""
    _write(upstream, package)
    data = change(_unpack((upstream.folder / _shard_path(upstream, package)).read_bytes()))
    index = _unpack((upstream.folder / INDEX).read_bytes())
    index["shards"][package.record.name] = sha256(data).digest()
    (upstream.folder / INDEX).write_bytes(_pack(index))
    path = _shard_path(upstream, package)
    (upstream.folder / path).write_bytes(data)
    return path


def _renamed(rename):
    """Return what gives the records of a shard other keys."""
    return lambda shard: {rename(key): record for key, record in shard["packages.conda"].items()}


@pytest.mark.parametrize(
    "change, code, words",
    [
        pytest.param(lambda shard: _pack(shard)[:-9], "CND0027", "it is cut short", id="truncated"),
        pytest.param(lambda shard: BOMB, "CND0027", "it unpacks to more than", id="a bomb"),
        pytest.param(lambda shard: _pack([shard]), "CND0027", "it is not a map", id="no map"),
        pytest.param(
            lambda shard: _pack({"packages": [shard]}),
            "CND0027",
            "its 'packages' is not a map",
            id="packages that are no map",
        ),
        pytest.param(
            lambda shard: _pack(shard | {"v3": {"conda": _renamed(lambda key: key[:-6])(shard)}}),
            "CND0027",
            "twice",
            id="listed twice",
        ),
    ],
)
def test_a_shard_with_something_odd_in_it_changes_nothing(
    upstream, refuses, package, change, code, words
):
    path = _replace_shard(upstream, package, change)
    refuses(code, path, words)


def test_a_shard_cannot_remove_packages_of_another_name(pulp, upstream, mirror, package):
    _replace_shard(upstream, package, lambda shard: _pack(shard | {"removed": [KEPT.filename]}))
    pulp.sync(mirror.repository, mirror=True)
    assert pulp.names(mirror.url) == [package.record.name, "kept"]
    assert pulp.fetch(mirror.url, "noarch/repodata.json").json()["removed"] == []


@pytest.mark.parametrize(
    "spoil, words",
    [
        pytest.param(lambda data: data[:-9], "it is cut short", id="truncated"),
        pytest.param(lambda data: BOMB, "it starts with", id="zeros"),
        pytest.param(
            lambda data: zstandard.compress(b'{"packages": ' + b'{"a": ' * 10**5),
            "",
            id="nested",
        ),
        pytest.param(
            lambda data: zstandard.compress(b'{"removed": "all"}'),
            "its 'removed' is not a list",
            id="removed is no list",
        ),
    ],
)
def test_bad_repodata_changes_nothing(upstream, refuses, package, spoil, words):
    _write(upstream, package)
    upstream.answers[INDEX] = (404, b"")
    upstream.answers[FLAT] = (200, spoil((upstream.folder / FLAT).read_bytes()))
    refuses("CND0014", FLAT, words)


@pytest.mark.parametrize("form", ["flat", "shards"])
def test_what_is_listed_and_removed_is_there(pulp, upstream, mirror, package, form):
    _write(upstream, package, removed=[package.filename])
    if form == "flat":
        upstream.answers[INDEX] = (404, b"")
    else:
        change = lambda shard: _pack(shard | {"removed": [package.filename]})  # noqa: E731
        _replace_shard(upstream, package, change)
    task = pulp.sync_task(mirror.repository, mirror=True)
    repodata = pulp.fetch(mirror.url, "noarch/repodata.json").json()
    assert package.filename in repodata["packages.conda"]
    assert repodata["removed"] == []
    told = "Corrected: it is listed, and also said to be removed: noarch/" + package.filename
    assert told in [report["message"] for report in task["progress_reports"]]


def _tomorrow_or_later():
    return int((time.time() + 2 * 24 * 60 * 60) * 1000)


@pytest.mark.parametrize("form", ["shards", "flat"])
def test_what_excludes_leave_out_may_be_bad(pulp, upstream, make_mirror, package, form):
    _write(upstream, _with(package, indexed_timestamp=_tomorrow_or_later()))
    if form == "flat":
        upstream.answers[INDEX] = (404, b"")
    mirror = make_mirror(subdirs=["noarch"], excludes=["bad-*"])
    assert pulp.sync(mirror.repository) == 1
    assert pulp.names(mirror.url) == ["kept"]


@pytest.fixture
def passes_over(pulp, upstream, mirror, package):
    """Sync a new package, and expect a warning about a file that a sync can do without."""

    def passes_over(path, *words):
        task = pulp.sync_task(mirror.repository, mirror=True)
        assert package.record.name in pulp.names(mirror.url)
        (warning,) = _warnings(task)
        assert all(word in warning for word in (f"'{upstream.url}/{path}'", *words)), warning

    return passes_over


def _warnings(task):
    return [r["message"] for r in task["progress_reports"] if r["code"] == "sync.warning"]


def _run_exports(entry):
    return (200, json.dumps({"packages.conda": {"kept-1.0-0.conda": entry}}).encode())


def _failures(statuses):
    return [pytest.param((code, b""), f"answered {code}", id=str(code)) for code in statuses]


@pytest.mark.parametrize(
    "answer, words",
    [
        pytest.param((200, b'{"packages": {"a'), "it is cut short", id="truncated"),
        pytest.param(
            (200, zstandard.compress(b'{"packages": {}}')[:-9]), "cut short", id="truncated zstd"
        ),
        pytest.param(PAGE, "neither a JSON object nor zstd", id="a page"),
        pytest.param((200, b'{"packages": [1]}'), "is not an object", id="a list of packages"),
        pytest.param(
            _run_exports({"run_exports": {"weak": 1}}),
            "the run_exports of 'kept-1.0-0.conda' are wrong",
            id="a number",
        ),
        *_failures([304, 400, 503]),
    ],
)
def test_bad_run_exports_are_passed_over(
    pulp, upstream, mirror, package, passes_over, answer, words
):
    known = {"run_exports": {"weak": ["known"]}}
    upstream.answers[INDEX] = (404, b"")
    upstream.answers["noarch/run_exports.json"] = _run_exports(known)
    _write(upstream, make_package("other"))
    pulp.sync(mirror.repository, mirror=True)
    _write(upstream, package)
    upstream.answers["noarch/run_exports.json"] = answer
    passes_over("noarch/run_exports.json", words)
    ours = pulp.fetch(mirror.url, "noarch/run_exports.json").json()
    assert ours["packages.conda"]["kept-1.0-0.conda"] == known


def test_of_run_exports_with_bad_entries_the_good_ones_are_taken(
    pulp, upstream, mirror, package, passes_over
):
    _write(upstream, package)
    upstream.answers[INDEX] = (404, b"")
    entry = {"run_exports": {"weak": ["b"]}}
    packages = {"a-1-0.conda": 1, package.filename: entry, "z-1-0.conda": {}}
    data = json.dumps({"info": None, "packages": None, "packages.conda": packages}).encode()
    upstream.answers["noarch/run_exports.json"] = (200, data)
    passes_over("noarch/run_exports.json", "'a-1-0.conda' has no", "'z-1-0.conda' has no")
    ours = pulp.fetch(mirror.url, "noarch/run_exports.json").json()
    assert ours["packages.conda"][package.filename] == entry


def test_run_exports_of_what_is_no_package_are_passed_over(pulp, upstream, mirror, package):
    _write(upstream, package)
    upstream.answers[INDEX] = (404, b"")
    entry = {"run_exports": {"weak": ["a"]}}
    names = ["nul\0-1-0.conda", "half-a-surrogate\ud800-1-0.conda", package.filename]
    run_exports = {"packages.conda": dict.fromkeys(names, entry)}
    upstream.answers["noarch/run_exports.json"] = (200, json.dumps(run_exports).encode())
    assert pulp.sync(mirror.repository, mirror=True) is not None
    ours = pulp.fetch(mirror.url, "noarch/run_exports.json").json()
    assert ours["packages.conda"][package.filename] == entry
    assert not ours["packages.conda"].keys() & set(names[:2])


@pytest.mark.parametrize(
    "answer, words",
    [
        pytest.param(
            (200, b'{"packages": {"kept": {"summary": "new"}}, "channeldata_version": 1'),
            "it is cut short",
            id="truncated",
        ),
        pytest.param(
            (200, b'{"packages": {"kept": {"summary": "new"}}, "channeldata_version": 9}'),
            "is 9, not 1",
            id="a version of the future",
        ),
        pytest.param((200, zstandard.compress(b"[]")), "it starts with '[]'", id="a packed list"),
        pytest.param(PAGE, "neither a JSON object nor zstd", id="a page"),
        *_failures([500]),
    ],
)
def test_bad_channeldata_is_passed_over(
    pulp, upstream, mirror, package, passes_over, answer, words
):
    known = {"channeldata_version": 1, "packages": {"kept": {"summary": "known"}}}
    upstream.answers["channeldata.json"] = (200, json.dumps(known).encode())
    _write(upstream, make_package("other"))
    pulp.sync(mirror.repository, mirror=True)
    _write(upstream, package)
    upstream.answers["channeldata.json"] = answer
    passes_over("channeldata.json", words)
    ours = pulp.fetch(mirror.url, "channeldata.json").json()
    assert ours["packages"]["kept"]["summary"] == "known"


def test_channeldata_on_a_dead_host_is_passed_over(upstream, package, passes_over):
    _write(upstream, package)
    upstream.redirects["channeldata.json"] = "http://127.0.0.1:1/channeldata.json"
    try:
        passes_over("channeldata.json", "cannot be reached")
    finally:
        upstream.redirects.clear()


@pytest.mark.parametrize("form", ["flat", "shards"])
def test_null_in_place_of_a_section_is_no_section(pulp, upstream, mirror, package, form):
    _write(upstream, package)
    records = json.loads((upstream.folder / "noarch/repodata.json").read_text())["packages.conda"]
    nulls = dict.fromkeys(["info", "packages", "removed", "v3", "repodata_version"])
    if form == "flat":
        upstream.answers[INDEX] = (404, b"")
        repodata = json.dumps({**nulls, "packages.conda": records}).encode()
        upstream.answers[FLAT] = (200, zstandard.compress(repodata))
    else:
        shards = {}
        for filename, record in records.items():
            record = {**record, "sha256": bytes.fromhex(record["sha256"])}
            shard = {**nulls, "packages.conda": {filename: record}}
            data = zstandard.compress(msgpack.packb(shard))
            shards[record["name"]] = sha256(data).digest()
            path = f"noarch/shards/{sha256(data).hexdigest()}.msgpack.zst"
            upstream.answers[path] = (200, data)
        info = {"base_url": None, "shards_base_url": "./shards/", "subdir": None}
        index = {"version": None, "info": info, "shards": shards}
        upstream.answers[INDEX] = (200, zstandard.compress(msgpack.packb(index)))
    assert pulp.sync(mirror.repository, mirror=True) is not None
    assert pulp.names(mirror.url) == [package.record.name, "kept"]


def test_web_pages_in_place_of_files_that_channels_may_lack_are_no_obstacle(
    pulp, upstream, mirror, package
):
    _write(upstream, package)
    for path in (INDEX, "noarch/run_exports.json.zst", "noarch/run_exports.json"):
        upstream.answers[path] = PAGE
    upstream.answers["channeldata.json"] = PAGE
    task = pulp.sync_task(mirror.repository, mirror=True)
    assert pulp.names(mirror.url) == [package.record.name, "kept"]
    assert [warning.partition(":")[0] for warning in _warnings(task)] == [
        "Read 'noarch/repodata.json.zst' instead",
        *["Passed over"] * 3,
    ]


def _promised(package, sidecar):
    """The package with a record that names this sidecar."""
    return _with(package, attestations_sha256=sha256(sidecar).hexdigest())


@pytest.fixture
def attest(sigstore):
    """Make the sidecar of a package."""

    def attest(package, sigstore=sigstore):
        return json.dumps([sigstore.attest(package.filename, package.record.sha256)]).encode()

    return attest


@pytest.mark.parametrize(
    "answer, words",
    [
        pytest.param((200, b"[]"), "it has the sha256", id="other bytes"),
        pytest.param((404, b""), "the upstream answered 404", id="404"),
        pytest.param(ENDLESS, "it is larger than", id="endless"),
        *_failures([429]),
    ],
)
def test_a_package_whose_attestations_cannot_be_had_is_mirrored_without_them(
    pulp, upstream, mirror, package, passes_over, attest, answer, words
):
    _write(upstream, _promised(package, attest(package)))
    path = f"noarch/{package.filename}.sigs"
    upstream.answers[path] = answer
    passes_over(path, words)
    assert pulp.fetch(mirror.url, path).status_code == 404


@pytest.mark.parametrize(
    "data, words",
    [
        pytest.param(b"[{", "it is not JSON", id="cut short"),
        pytest.param(b"[{}]", "not a Sigstore bundle", id="no bundle"),
    ],
)
def test_attestations_of_another_shape_are_not_served(
    pulp, upstream, mirror, package, passes_over, data, words
):
    promised = _promised(package, data)
    _write(upstream, promised)
    path = f"noarch/{package.filename}.sigs.{promised.record.attestations_sha256}"
    upstream.answers[path] = (200, data)
    passes_over(path, words)
    assert pulp.fetch(mirror.url, path).status_code == 404


@pytest.mark.parametrize(
    "sidecar, words",
    [
        pytest.param(
            lambda attest, package: attest(KEPT), "about the file name 'kept", id="another package"
        ),
        pytest.param(
            lambda attest, package: attest(package, Sigstore(seed=2)),
            "No log key",
            id="another Sigstore",
        ),
    ],
)
def test_attestations_that_prove_nothing_change_nothing(
    upstream, refuses, package, attest, sidecar, words
):
    data = sidecar(attest, package)
    package = _promised(package, data)
    _write(upstream, package)
    path = f"noarch/{package.filename}.sigs.{package.record.attestations_sha256}"
    upstream.answers[path] = (200, data)
    refuses("CND0029", path, words)


@pytest.mark.parametrize("when", ["in the same sync", "in a later sync"])
def test_a_package_cannot_borrow_the_attestations_of_another(
    pulp, upstream, mirror, refuses, package, attest, unique, when
):
    good = make_package(f"good-{unique}")
    data = attest(good)
    good, bad = _promised(good, data), _promised(package, data)
    paths = [
        f"noarch/{package.filename}.sigs.{package.record.attestations_sha256}"
        for package in (good, bad)
    ]
    upstream.answers.update(dict.fromkeys(paths, (200, data)))
    if when == "in a later sync":
        _write(upstream, good)
        pulp.sync(mirror.repository, mirror=True)
    _write(upstream, good, bad)
    refuses("CND0029", paths[1], f"it is about the file name '{good.filename}'")


def test_a_package_cannot_borrow_attestations_by_withholding_its_own(
    upstream, refuses, package, attest, unique
):
    good = make_package(f"good-{unique}")
    data = attest(good)
    good, bad = _promised(good, data), _promised(package, data)
    upstream.answers[f"noarch/{good.filename}.sigs"] = (200, data)
    _write(upstream, good, bad)
    refuses("CND0029", f"noarch/{bad.filename}.sigs", "the upstream answered 404")
