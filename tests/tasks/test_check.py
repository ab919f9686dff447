"""The comparison of the forms of an upstream."""

from dataclasses import replace

import pytest

from tests.support.builders import add_shards, make_channel, make_package
from tests.support.conda import TaskFailed

INDEX = "repodata_shards.msgpack.zst"
ZST = "repodata.json.zst"
JSON = "repodata.json"


def _check(pulp, mirror):
    return pulp.post(f"{mirror.remote}check/")["result"]


def _counts(subdir):
    return {form["form"]: form["packages"] for form in subdir["forms"]}


def test_forms_that_have_the_same_agree(pulp, upstream, make_mirror):
    packages = [make_package("a"), make_package("a", "2.0"), make_package("b", subdir="linux-64")]
    make_channel(upstream.folder, packages)
    add_shards(upstream.folder, run_exports={packages[0].filename: {"weak": ["a"]}})
    (upstream.folder / "linux-64" / ZST).unlink()
    report = _check(pulp, make_mirror(repodata_form="flat"))
    assert report["agrees"]
    linux, noarch = sorted(report["subdirs"], key=lambda subdir: subdir["subdir"])
    assert _counts(noarch) == {INDEX: 2, ZST: 2, JSON: 2}
    assert _counts(linux) == {INDEX: 1, ZST: None, JSON: 1}
    assert (linux["agrees"], linux["differing_names"], linux["names"]) == (True, 0, [])
    assert "answered 404" in linux["forms"][1]["error"]


def test_the_report_says_what_differs_and_stays_small(pulp, upstream, make_mirror):
    names = [f"n{number:02}" for number in range(12)]
    make_channel(upstream.folder, [make_package(name) for name in ("same", *names)])
    add_shards(upstream.folder)
    hotfix = make_package("same")
    fields = hotfix.record.fields | {"depends": ["x"]}
    hotfix = replace(hotfix, record=replace(hotfix.record, fields=fields))
    shards = {path.name: path.read_bytes() for path in (upstream.folder / "noarch").glob("*.zst")}
    make_channel(upstream.folder, [hotfix])
    (upstream.folder / "noarch" / INDEX).write_bytes(shards[INDEX])
    mirror = make_mirror(subdirs=["noarch"], excludes=["n00"])
    report = _check(pulp, mirror)
    assert not report["agrees"]
    (noarch,) = report["subdirs"]
    assert _counts(noarch) == {INDEX: 12, ZST: 1, JSON: 1}
    assert noarch["differing_names"] == 12
    assert [each["name"] for each in noarch["names"]] == names[1:11]
    assert noarch["names"][0]["packages"] == {INDEX: 1, ZST: 0, JSON: 0}
    assert pulp.get(mirror.repository)["latest_version_href"].endswith("/versions/0/")

    pulp.patch(mirror.remote, includes=["same"])
    (noarch,) = _check(pulp, mirror)["subdirs"]
    assert noarch["names"] == [{"name": "same", "packages": {INDEX: 1, ZST: 1, JSON: 1}}]


def test_a_form_that_cannot_be_read_is_named(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a")])
    add_shards(upstream.folder)
    (shard,) = (upstream.folder / "noarch/shards").iterdir()
    shard.unlink()
    upstream.answers[f"noarch/{ZST}"] = (403, b"")
    report = _check(pulp, make_mirror(subdirs=["noarch"]))
    assert not report["agrees"]
    index, zst, _ = report["subdirs"][0]["forms"]
    assert index["error"].startswith("[CND0027] ")
    assert "answered 403" in zst["error"]


def test_a_url_without_a_channel_is_an_error(pulp, make_mirror):
    mirror = make_mirror(subdirs=["noarch"])
    with pytest.raises(TaskFailed) as refused:
        _check(pulp, mirror)
    assert refused.value.code == "CND0023"
    assert refused.value.description.startswith(f"[CND0023] Remote '{mirror.name}': ")
