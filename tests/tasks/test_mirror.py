"""Mirrors of channels that have every file a channel can have: shards, run_exports, `removed`, v3,
attestations.
"""

import json
import shutil
from dataclasses import replace
from hashlib import sha256

import msgpack
import pytest
import zstandard

from tests.support.builders import TIMESTAMP, add_shards, make_channel, make_package
from tests.support.conda import without_indexed

SUBDIRS = ["noarch", "linux-64"]
INDEX = "repodata_shards.msgpack.zst"
RUN_EXPORTS = {"weak": ["thing >=1,<2.0a0"], "strong": ["other"]}


def _write(upstream, packages, form="shards", removed=(), **shard_options):
    """Write the channel anew, in its sharded form as well or without it."""
    make_channel(upstream.folder, packages, removed=removed)
    if form == "shards":
        add_shards(upstream.folder, **shard_options)


def _with(package, in_v3=False, **fields):
    """The package with further fields in its record."""
    record = replace(package.record, fields=package.record.fields | fields, in_v3=in_v3)
    return replace(package, record=record)


def _requests(upstream):
    """What was asked since the last time, sorted."""
    requests = sorted((path, status) for _, path, status in upstream.requests)
    upstream.requests.clear()
    return requests


def _shard_path(upstream, name, subdir="noarch"):
    index = zstandard.decompress((upstream.folder / subdir / INDEX).read_bytes())
    return f"{subdir}/shards/{msgpack.unpackb(index)['shards'][name].hex()}.msgpack.zst"


def _unit(pulp, package):
    (unit,) = pulp.get("content/conda/packages/", name=package.record.name)["results"]
    return unit


def test_where_there_are_shards_no_repodata_is_asked_for(pulp, upstream, make_mirror):
    packages = [
        make_package("a", extension=".tar.bz2", index={"unknown": {"key": [1, None, "é"]}}),
        make_package("a", "2.0", depends=["b >=1"]),
        make_package("b", subdir="linux-64", index={"license": "MIT"}),
    ]
    _write(upstream, packages)
    mirror = make_mirror(subdirs=SUBDIRS)
    assert pulp.sync(mirror.repository) == 1
    assert _requests(upstream) == sorted(
        [
            ("channeldata.json", 404),
            (f"noarch/{INDEX}", 200),
            (_shard_path(upstream, "a"), 200),
            (f"linux-64/{INDEX}", 200),
            (_shard_path(upstream, "b", "linux-64"), 200),
        ]
    )
    for subdir in SUBDIRS:
        theirs = json.loads((upstream.folder / subdir / "repodata.json").read_text())
        flat = pulp.fetch(mirror.url, f"{subdir}/repodata.json").json()
        for ours in (flat, pulp.fetch_shards(mirror.url, subdir)):
            for section in ("packages", "packages.conda"):
                assert without_indexed(ours[section]) == theirs[section]
    for package in packages:
        path = f"{package.subdir}/{package.filename}"
        assert pulp.fetch(mirror.url, path).content == package.data


def test_unchanged_shards_cost_one_request_per_subdir_and_make_no_version(
    pulp, upstream, make_mirror
):
    _write(upstream, [make_package("a"), make_package("b", subdir="linux-64")])
    mirror = make_mirror(subdirs=SUBDIRS)
    pulp.sync(mirror.repository)
    _requests(upstream)
    unchanged = [(f"linux-64/{INDEX}", 304), (f"noarch/{INDEX}", 304)]
    for mirrored in (False, True):
        pulp.sync(mirror.repository, mirror=mirrored)
        _requests(upstream)
        assert pulp.sync(mirror.repository, mirror=mirrored) is None
        assert _requests(upstream) == unchanged
    assert pulp.sync(mirror.repository, mirror=True, optimize=False) is None
    assert (_shard_path(upstream, "a"), 200) in _requests(upstream)


@pytest.mark.parametrize(
    "mirrored, names",
    [
        pytest.param(False, ["a", "a", "b", "gone", "new", "x", "y"], id="added to what is here"),
        pytest.param(True, ["a", "b", "new", "x", "y"], id="mirrored"),
    ],
)
def test_of_a_channel_that_changed_only_the_changed_shards_are_read(
    pulp, upstream, make_mirror, mirrored, names
):
    same = [make_package("b"), make_package("x", subdir="linux-64"), make_package("y")]
    _write(upstream, [*same, make_package("a"), make_package("gone")])
    mirror = make_mirror(subdirs=SUBDIRS)
    assert pulp.sync(mirror.repository, mirror=mirrored) == 1
    _requests(upstream)
    _write(upstream, [*same, make_package("a", "2.0"), make_package("new")])
    assert pulp.sync(mirror.repository, mirror=mirrored) == 2
    assert _requests(upstream) == sorted(
        [
            ("channeldata.json", 404),
            (f"linux-64/{INDEX}", 304),
            (f"noarch/{INDEX}", 200),
            (_shard_path(upstream, "a"), 200),
            (_shard_path(upstream, "new"), 200),
        ]
    )
    assert pulp.names(mirror.url) == names

    # A name that vanished and nothing else: there is not one shard to read.
    _write(upstream, [*same, make_package("new")])
    assert pulp.sync(mirror.repository, mirror=mirrored) == (3 if mirrored else None)
    kept = [name for name in names if name != "a"] if mirrored else names
    assert pulp.names(mirror.url) == kept


def test_an_index_that_is_only_written_anew_costs_one_request(pulp, upstream, make_mirror):
    _write(upstream, [make_package("a")])
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository)
    _requests(upstream)
    add_shards(upstream.folder, created_at="2026-11-02T00:00:00Z")
    assert pulp.sync(mirror.repository) is None
    assert pulp.sync(mirror.repository) is None
    assert _requests(upstream) == [(f"noarch/{INDEX}", 200), (f"noarch/{INDEX}", 304)]


def test_a_hotfix_in_a_shard_is_seen(pulp, upstream, make_mirror):
    package = make_package("a", depends=["b"])
    _write(upstream, [package, make_package("b")])
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository)
    _write(upstream, [_with(package, depends=["b <2"]), make_package("b")])
    assert pulp.sync(mirror.repository) == 2
    records = pulp.fetch_shards(mirror.url)["packages.conda"]
    assert records[package.filename]["depends"] == ["b <2"]
    diff = pulp.get(f"{mirror.repository}versions/2/diff/")
    assert diff["counts"] == {"updated": 1}


@pytest.mark.parametrize(
    "answer, forms",
    [
        pytest.param((404, b""), ["repodata.json.zst"], id="404"),
        pytest.param((403, b""), ["repodata.json.zst"], id="403"),
        pytest.param((200, b"<html>Not found</html>"), ["repodata.json.zst"], id="a web page"),
        pytest.param((404, b""), ["repodata.json.zst", "repodata.json"], id="only json"),
    ],
)
def test_an_upstream_that_loses_its_shards_is_read_in_another_form(
    pulp, upstream, make_mirror, answer, forms
):
    packages = [make_package("a"), make_package("b", subdir="linux-64")]
    _write(upstream, packages)
    mirror = make_mirror(subdirs=SUBDIRS)
    pulp.sync(mirror.repository, mirror=True)
    for subdir in SUBDIRS:
        for lost in (INDEX, *forms[:-1]):
            upstream.answers[f"{subdir}/{lost}"] = answer
    assert pulp.sync(mirror.repository, mirror=True) is None
    _requests(upstream)
    assert pulp.sync(mirror.repository, mirror=True) is None
    assert _requests(upstream) == [(f"{subdir}/{forms[-1]}", 304) for subdir in sorted(SUBDIRS)]

    _write(upstream, [packages[1], make_package("c")])
    assert pulp.sync(mirror.repository, mirror=True) == 2
    assert pulp.names(mirror.url) == ["b", "c"]
    # The index is the one that was read last, but what is here is not what it led to.
    upstream.answers.clear()
    _write(upstream, packages)
    assert pulp.sync(mirror.repository, mirror=True) == 3
    assert pulp.names(mirror.url) == ["a", "b"]


def test_an_upstream_that_gains_shards_is_read_by_them_when_it_changes(pulp, upstream, make_mirror):
    _write(upstream, [make_package("a"), make_package("b")], form="flat")
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository, mirror=True)
    add_shards(upstream.folder)
    assert pulp.sync(mirror.repository, mirror=True) is None
    _write(upstream, [make_package("a"), make_package("c")])
    assert pulp.sync(mirror.repository, mirror=True) == 2
    assert pulp.names(mirror.url) == ["a", "c"]
    _requests(upstream)
    assert pulp.sync(mirror.repository, mirror=True) is None
    assert _requests(upstream) == [(f"noarch/{INDEX}", 304)]


def test_specs_choose_from_shards_and_changed_specs_read_all_of_them_again(
    pulp, upstream, make_mirror
):
    packages = [make_package("numpy", version) for version in ("1.26.4", "2.0.0", "2.1.0")]
    _write(upstream, [*packages, make_package("scipy"), make_package("vim")])
    mirror = make_mirror(subdirs=["noarch"], includes=["numpy", "scipy"], excludes=["numpy <2"])
    task = pulp.sync_task(mirror.repository, mirror=True)
    assert pulp.names(mirror.url) == ["numpy", "numpy", "scipy"]
    reports = {report["message"]: report["done"] for report in task["progress_reports"]}
    assert reports["Left out: excluded by 'numpy <2'"] == 1
    assert reports["Left out: matched by none of 'includes'"] == 1

    pulp.patch(mirror.remote, includes=["numpy", "vim"], excludes=[])
    assert pulp.sync(mirror.repository, mirror=True) == 2
    assert pulp.names(mirror.url) == ["numpy", "numpy", "numpy", "vim"]


def test_shards_and_packages_may_be_on_another_server(pulp, upstream, make_upstream, make_mirror):
    cdn = make_upstream()
    channel = upstream.folder / "t/tk-Secret-1/private"
    package = make_package("elsewhere")
    linked = _with(package, url=f"{cdn.url}/past-the-mirror/{package.filename}")
    make_channel(channel, [linked])
    add_shards(
        channel, packages_url=f"{cdn.url}/packages/", shards_base_url=f"{cdn.url}/some/shards/"
    )
    shutil.move(channel / "noarch/shards", cdn.folder / "some/shards")
    (cdn.folder / "packages").mkdir()
    shutil.move(channel / "noarch" / package.filename, cdn.folder / "packages")

    mirror = make_mirror(
        url=f"{upstream.url}/t/tk-Secret-1/private",
        username="user",
        password="secret",
        headers=[{"X-Api-Key": "secret"}],
    )
    assert pulp.sync(mirror.repository) == 1
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert [path.rpartition("/")[0] for path, _ in _requests(cdn)] == ["packages", "some/shards"]
    for secret in ("Authorization", "X-Api-Key"):
        assert not any(secret in headers for headers in cdn.headers)
        assert all(secret in headers for headers in upstream.headers)
    assert {path.partition("/private")[0] for path, _ in _requests(upstream)} == {"t/tk-Secret-1"}

    _assert_nothing_leads_elsewhere(pulp, mirror, [upstream.url, cdn.url])


def test_packages_that_moved_are_fetched_from_their_new_place(
    pulp, upstream, make_upstream, make_mirror
):
    package = make_package("moved")
    make_channel(upstream.folder, [package])
    add_shards(upstream.folder)
    mirror = make_mirror()
    pulp.sync(mirror.repository)

    cdn = make_upstream()
    shutil.move(upstream.folder / "noarch" / package.filename, cdn.folder)
    add_shards(upstream.folder, packages_url=f"{cdn.url}/")
    assert pulp.sync(mirror.repository) is None
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data


def test_what_repodata_says_of_another_server_is_not_handed_on(
    pulp, upstream, make_upstream, make_mirror
):
    cdn = make_upstream()
    package = make_package("elsewhere")
    make_channel(upstream.folder, [_with(package, url=f"{cdn.url}/{package.filename}")])
    path = upstream.folder / "noarch/repodata.json"
    repodata = json.loads(path.read_text())
    repodata["info"]["base_url"] = f"{cdn.url}/"
    path.write_text(json.dumps(repodata | {"repodata_version": 2}))
    (upstream.folder / "noarch/repodata.json.zst").unlink()
    mirror = make_mirror()
    assert pulp.sync(mirror.repository) == 1
    _assert_nothing_leads_elsewhere(pulp, mirror, [upstream.url, cdn.url])


def _assert_nothing_leads_elsewhere(pulp, mirror, urls):
    """No file of the channel has one of the URLs in it."""
    index = pulp.fetch_shard_index(mirror.url)
    assert (index["info"]["base_url"], index["info"]["shards_base_url"]) == ("", "./shards/")
    shards = [f"shards/{digest.hex()}.msgpack.zst" for digest in index["shards"].values()]
    names = ["repodata.json", "repodata.json.zst", INDEX, "run_exports.json", *shards]
    paths = ["channeldata.json", *(f"noarch/{name}" for name in names)]
    for path in paths:
        content = pulp.fetch(mirror.url, path).content
        if path.endswith(".zst"):
            content = zstandard.decompress(content)
        for url in urls:
            assert url.encode() not in content, path
    (record,) = pulp.fetch(mirror.url, "noarch/repodata.json").json()["packages.conda"].values()
    assert "url" not in record


def test_a_channel_with_shards_on_the_server_s_own_disk_can_be_mirrored(
    pulp, stack, make_mirror, unique
):
    folder = stack.state.imports / unique
    package = make_package("local", f"1!1.0+{unique}")
    make_channel(folder, [package])
    add_shards(folder)
    for name in ("repodata.json", "repodata.json.zst"):
        (folder / "noarch" / name).unlink()
    mirror = make_mirror(url=folder.as_uri())
    assert pulp.sync(mirror.repository) == 1
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert pulp.sync(mirror.repository) is None
    assert pulp.sync(mirror.repository, optimize=False) is None


def _run_exports_file(package):
    section = "packages.conda" if package.filename.endswith(".conda") else "packages"
    entries = {package.filename: {"run_exports": RUN_EXPORTS}}
    return json.dumps({"info": {"subdir": "noarch"}, section: entries}).encode()


@pytest.mark.parametrize(
    "form, extension",
    [
        ("shards", ".conda"),
        ("run_exports.json", ".tar.bz2"),
        ("run_exports.json.zst", ".conda"),
    ],
)
def test_run_exports_come_along_wherever_the_upstream_has_them(
    pulp, upstream, make_mirror, unique, form, extension
):
    package = make_package(f"exports-{unique}", extension=extension)
    unknown = make_package(f"unknown-{unique}")
    _write(upstream, [package, unknown], form, run_exports={package.filename: RUN_EXPORTS})
    if form != "shards":
        text = _run_exports_file(package)
        data = zstandard.compress(text) if form.endswith(".zst") else text
        (upstream.folder / "noarch" / form).write_bytes(data)
    mirror = make_mirror(subdirs=["noarch"])
    assert pulp.sync(mirror.repository) == 1

    flat = pulp.fetch(mirror.url, "noarch/run_exports.json").json()
    compressed = pulp.fetch(mirror.url, "noarch/run_exports.json.zst").content
    assert json.loads(zstandard.decompress(compressed)) == flat
    # Of the other one nobody knows: an entry would say that it has none.
    entries = flat["packages"] | flat["packages.conda"]
    assert entries == {package.filename: {"run_exports": RUN_EXPORTS}}
    shards = pulp.fetch_shards(mirror.url)
    records = shards["packages"] | shards["packages.conda"]
    assert records[package.filename]["run_exports"] == RUN_EXPORTS
    assert "run_exports" not in records[unknown.filename]
    assert "run_exports" not in pulp.fetch(mirror.url, "noarch/repodata.json").text
    assert _unit(pulp, package)["run_exports"] == RUN_EXPORTS


@pytest.mark.parametrize("form", ["shards", "flat"])
def test_records_of_v3_stay_in_v3(pulp, upstream, make_mirror, unique, form):
    fields = {
        "depends": ['python[version=">=3.12"]', 'tomli[version=">=2", when="python <3.11"]'],
        "extra_depends": {"plot": ['matplotlib[version=">=3"]']},
        "flags": ["cuda"],
        "schema_version": 3,
    }
    new = _with(make_package(f"new-{unique}"), in_v3=True, **fields)
    bz2 = _with(make_package(f"bz2-{unique}", extension=".tar.bz2"), in_v3=True, **fields)
    # It stands where old clients would stumble over it.
    misplaced = _with(make_package(f"misplaced-{unique}"), depends=['a[when="__unix"]'])
    old = make_package(f"old-{unique}")
    _write(upstream, [new, bz2, misplaced, old], form)
    mirror = make_mirror(subdirs=["noarch"])
    assert pulp.sync(mirror.repository) == 1
    flat = pulp.fetch(mirror.url, "noarch/repodata.json").json()
    for ours in (flat, pulp.fetch_shards(mirror.url)):
        assert ours["packages"] == {}
        assert without_indexed(ours["packages.conda"]) == {old.filename: old.record.fields}
        assert {key: without_indexed(records) for key, records in ours["v3"].items()} == {
            "conda": {
                f"new-{unique}-1.0-0": new.record.fields,
                f"misplaced-{unique}-1.0-0": misplaced.record.fields,
            },
            "tar.bz2": {f"bz2-{unique}-1.0-0": bz2.record.fields},
        }
    assert flat["info"]["repodata_revisions"]["v3"]["n_packages"] == 3
    for package in (new, bz2, misplaced):
        assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert pulp.sync(mirror.repository, optimize=False) is None


@pytest.mark.parametrize("form, policy", [("shards", "on_demand"), ("flat", "immediate")])
def test_a_package_that_the_upstream_removed_is_hidden_and_can_still_be_had(
    pulp, upstream, make_mirror, unique, form, policy
):
    bad, good = make_package(f"r-{unique}"), make_package(f"r-{unique}", "2.0")
    other = make_package("other")
    _write(upstream, [bad, good, other], form)
    mirror = make_mirror(subdirs=["noarch"], policy=policy)
    pulp.sync(mirror.repository)

    def listed():
        flat = pulp.fetch(mirror.url, "noarch/repodata.json").json()
        shards = pulp.fetch_shards(mirror.url)
        assert sorted(shards["packages.conda"]) == sorted(flat["packages.conda"])
        assert sorted(shards["removed"]) == flat["removed"]
        return sorted(flat["packages.conda"]), flat["removed"]

    _write(upstream, [good, other], form, removed=[bad.filename])
    assert pulp.sync(mirror.repository) == 2
    assert listed() == ([other.filename, good.filename], [bad.filename])
    assert pulp.fetch(mirror.url, f"noarch/{bad.filename}").content == bad.data

    # Another name changes; that this one was removed is still known.
    other = make_package("other", "2.0")
    _write(upstream, [good, other], form, removed=[bad.filename])
    assert pulp.sync(mirror.repository) == 3
    assert bad.filename not in listed()[0]
    assert listed()[1] == [bad.filename]
    assert pulp.sync(mirror.repository, optimize=False) is None

    _write(upstream, [bad, good, other], form)
    assert pulp.sync(mirror.repository) == 4
    assert bad.filename in listed()[0]
    assert listed()[1] == []


@pytest.mark.parametrize("form", ["shards", "flat"])
def test_a_package_that_the_upstream_removed_is_gone_from_a_mirror(
    pulp, upstream, make_mirror, unique, form
):
    bad, good = make_package(f"r-{unique}"), make_package(f"r-{unique}", "2.0")
    _write(upstream, [bad, good], form)
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository, mirror=True)
    _write(upstream, [good], form, removed=[bad.filename])
    assert pulp.sync(mirror.repository, mirror=True) == 2
    summary = pulp.get(f"{mirror.repository}versions/2/")["content_summary"]["present"]
    assert summary["conda.package"]["count"] == 1
    assert pulp.fetch(mirror.url, "noarch/repodata.json").json()["removed"] == [bad.filename]


def test_what_is_known_of_a_package_is_what_the_upstream_says_until_its_bytes_are_here(
    pulp, upstream, make_mirror, unique
):
    package = make_package(f"told-{unique}")
    _write(upstream, [package])
    entry = {
        "summary": "As the upstream has it",
        "license": "MIT",
        "activate.d": True,
        "run_exports": {"1.0": RUN_EXPORTS},
    }
    channeldata = {"channeldata_version": 1, "packages": {package.record.name: entry}}
    (upstream.folder / "channeldata.json").write_text(json.dumps(channeldata))
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository)

    def ours():
        published = pulp.fetch(mirror.url, "channeldata.json").json()
        assert published["subdirs"] == ["noarch"]
        return published["packages"][package.record.name]

    assert entry.items() <= ours().items()
    assert _unit(pulp, package)["about"] is None

    pulp.patch(mirror.remote, policy="immediate")
    pulp.sync(mirror.repository)
    summary = {"summary": f"{package.record.name}, for tests"}
    assert _unit(pulp, package)["about"] == summary
    # The version was made before it was known, and stays as it is; the next one has it.
    assert ours()["summary"] == "As the upstream has it"
    _write(upstream, [package, make_package(f"next-{unique}")])
    assert pulp.sync(mirror.repository) == 2
    assert summary.items() <= ours().items()
    assert ours()["activate.d"] is False


@pytest.mark.parametrize("form", ["shards", "flat"])
def test_the_moment_when_the_upstream_first_offered_a_file_is_kept(
    pulp, upstream, make_mirror, unique, form
):
    said = _with(make_package(f"said-{unique}"), indexed_timestamp=TIMESTAMP + 12_345)
    silent = make_package(f"silent-{unique}")
    _write(upstream, [said, silent], form)
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository)
    later = make_package(f"later-{unique}")
    _write(upstream, [said, silent, later], form)
    pulp.sync(mirror.repository)
    flat = pulp.fetch(mirror.url, "noarch/repodata.json").json()
    for ours in (flat, pulp.fetch_shards(mirror.url)):
        moments = {
            record["name"]: record["indexed_timestamp"]
            for record in ours["packages.conda"].values()
        }
        assert moments[said.record.name] == TIMESTAMP + 12_345
        # With the first sync comes what was there for long.
        assert moments[silent.record.name] == TIMESTAMP
        assert moments[later.record.name] > TIMESTAMP + 12_345


@pytest.fixture
def sign(sigstore):
    """Return a package whose record names its attestations, and those."""

    def sign(package, *channels):
        bundles = [
            sigstore.attest(package.filename, package.record.sha256, channel)
            for channel in channels
        ]
        data = json.dumps(bundles, indent=1).encode()
        return _with(package, attestations_sha256=sha256(data).hexdigest()), data

    return sign


@pytest.mark.parametrize("form", ["shards", "flat"])
def test_attestations_come_along_and_are_served_byte_for_byte(
    pulp, upstream, make_mirror, unique, sign, form
):
    plain = make_package(f"signed-{unique}")
    package, sidecar = sign(plain, "https://conda.example.org/x")
    digest = package.record.attestations_sha256
    _write(upstream, [package, make_package("unsigned")], form)
    path = f"noarch/{package.filename}.sigs"
    (upstream.folder / f"{path}.{digest}").write_bytes(sidecar)
    mirror = make_mirror(subdirs=["noarch"])
    assert pulp.sync(mirror.repository) == 1
    records = pulp.fetch(mirror.url, "noarch/repodata.json").json()["packages.conda"]
    assert records[package.filename]["attestations_sha256"] == digest
    for served in (path, f"{path}.{digest}"):
        assert pulp.fetch(mirror.url, served).content == sidecar
    assert pulp.fetch(mirror.url, "noarch/unsigned-1.0-0.conda.sigs").status_code == 404

    # One more attestation, and this upstream has no names that never change.
    _requests(upstream)
    package, longer = sign(plain, "https://conda.example.org/x", None)
    _write(upstream, [package, make_package("unsigned")], form)
    (upstream.folder / path).write_bytes(longer)
    assert pulp.sync(mirror.repository) == 2
    assert pulp.fetch(mirror.url, path).content == longer
    assert pulp.fetch(mirror.url, f"{path}.{digest}").content == sidecar

    # What is here is not fetched again.
    _requests(upstream)
    assert pulp.sync(mirror.repository, optimize=False) is None
    assert not any(".sigs" in asked for asked, _ in _requests(upstream))


def test_an_immediate_sync_brings_the_bytes_and_reads_them(pulp, upstream, make_mirror, unique):
    package = make_package(
        f"now-{unique}", info={"run_exports.json": json.dumps(RUN_EXPORTS).encode()}
    )
    _write(upstream, [package])
    mirror = make_mirror(subdirs=["noarch"], policy="immediate")
    pulp.sync(mirror.repository)
    assert upstream.asked(package.filename) == [200]
    unit = _unit(pulp, package)
    assert unit["artifact"]
    assert unit["about"] == {"summary": f"now-{unique}, for tests"}
    assert unit["run_exports"] == RUN_EXPORTS
    channeldata = pulp.fetch(mirror.url, "channeldata.json").json()["packages"]
    assert channeldata[f"now-{unique}"]["summary"] == f"now-{unique}, for tests"
    flat = pulp.fetch(mirror.url, "noarch/run_exports.json").json()
    assert flat["packages.conda"] == {package.filename: {"run_exports": RUN_EXPORTS}}

    upstream.answers[f"noarch/{package.filename}"] = (404, b"")
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data


def test_reclaimed_bytes_come_back_with_the_next_immediate_sync(
    pulp, upstream, make_mirror, unique
):
    packages = [make_package(f"{name}-{unique}") for name in ("one", "two")]
    _write(upstream, packages)
    mirror = make_mirror(subdirs=["noarch"], policy="immediate")
    pulp.sync(mirror.repository)
    pulp.post("repositories/reclaim_space/", repo_hrefs=[mirror.repository])
    assert [_unit(pulp, package)["artifact"] for package in packages] == [None, None]
    assert pulp.sync(mirror.repository) is None
    assert all(_unit(pulp, package)["artifact"] for package in packages)
    _requests(upstream)
    assert pulp.sync(mirror.repository) is None
    assert _requests(upstream) == [(f"noarch/{INDEX}", 304)]


def test_two_immediate_syncs_of_the_same_files_do_not_get_in_each_other_s_way(
    pulp, upstream, make_mirror, unique
):
    packages = [make_package(f"p{number}-{unique}") for number in range(20)]
    _write(upstream, packages)
    mirrors = [make_mirror(subdirs=["noarch"], policy="immediate") for _ in range(2)]
    tasks = [pulp.start_sync(mirror.repository) for mirror in mirrors]
    for task in tasks:
        pulp.wait(task)
    before = len(upstream.asked(".conda"))
    for mirror in mirrors:
        for package in packages[::10]:
            assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert len(upstream.asked(".conda")) == before
    assert all(_unit(pulp, package)["about"] for package in packages)
