"""A mirror has what is selected, with what that needs."""

import random
import time

import pytest

from tests.support.builders import add_shards, make_channel, make_package
from tests.support.conda import TaskFailed

pytestmark = pytest.mark.usefixtures("tiny_solver")

TOOLS = [
    make_package("app", depends=["lib >=1"], subdir="linux-64"),
    make_package("app", "0.9", depends=["lib >=1"], subdir="linux-64"),
    make_package("app", "0.8", depends=["lib >=1"], subdir="linux-64"),
    make_package("lib", "1.0", depends=["base"], subdir="linux-64"),
    make_package("lib", "0.1", subdir="linux-64"),
    make_package("base"),
    make_package("other", depends=["lib"]),
    *(make_package(f"unneeded{number}") for number in range(5)),
]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """Let downloads be tried again at once: pulpcore waits up to some random seconds before."""
    monkeypatch.setattr(random, "uniform", lambda low, high: 0)


def select(*specs, **fields):
    return {"groups": [{"specs": list(specs)}], "with_dependencies": True, **fields}


@pytest.fixture
def make_curated(pulp, upstream, make_mirror):
    """Mirror an upstream of packages with a selection."""

    def make(packages, selection, sharded=True, subdirs=("linux-64", "noarch"), **options):
        make_channel(upstream.folder, packages, subdirs=subdirs)
        if sharded:
            add_shards(upstream.folder)
        mirror = make_mirror(subdirs=list(subdirs), **options)
        pulp.patch(mirror.repository, selection=selection)
        return mirror

    return make


def paths(pulp, mirror):
    found = set()
    for subdir in ("linux-64", "noarch"):
        repodata = pulp.fetch(mirror.url, f"{subdir}/repodata.json").json()
        found |= {f"{subdir}/{name}" for name in repodata["packages.conda"]}
    return found


APP = {
    "linux-64/app-1.0-0.conda",
    "linux-64/app-0.9-0.conda",
    "linux-64/lib-1.0-0.conda",
    "noarch/base-1.0-0.conda",
}


@pytest.mark.parametrize("sharded", [True, False])
def test_a_mirror_has_its_roots_with_all_that_they_need(pulp, upstream, make_curated, sharded):
    mirror = make_curated(TOOLS, select("app"), sharded)
    task = pulp.sync_task(mirror.repository)
    assert paths(pulp, mirror) == APP
    report = task["result"]["selection"]
    assert report["count"] == 4
    assert report["platforms"].keys() == {"linux-64", "noarch"}
    assert [root["spec"] for root in report["roots"]] == ["app"]
    assert {each["path"]: each["why"] for each in report["came"]} == {
        "linux-64/app-0.9-0.conda": "it is a root",
        "linux-64/app-1.0-0.conda": "it is a root",
        "linux-64/lib-1.0-0.conda": "linux-64/app-0.9-0.conda needs 'lib >=1'",
        "noarch/base-1.0-0.conda": "linux-64/lib-1.0-0.conda needs 'base'",
    }


def test_only_the_shards_of_needed_names_are_fetched(pulp, upstream, make_curated):
    mirror = make_curated(TOOLS, select("app"))
    pulp.sync(mirror.repository)
    assert len([path for _, path, _ in upstream.requests if "/shards/" in path]) == 3


def test_nothing_is_solved_again_while_no_name_of_the_walk_changes(pulp, upstream, make_curated):
    mirror = make_curated(TOOLS, select("app"))
    pulp.sync(mirror.repository)
    upstream.requests.clear()
    assert pulp.sync(mirror.repository) is None
    assert [status for _, _, status in upstream.requests] == [304, 304]
    make_channel(upstream.folder, [*TOOLS, make_package("other", "2.0")])
    add_shards(upstream.folder)
    upstream.requests.clear()
    assert pulp.sync(mirror.repository) is None
    assert sorted(path for _, path, _ in upstream.requests) == [
        "linux-64/repodata_shards.msgpack.zst",
        "noarch/repodata_shards.msgpack.zst",
    ]


def test_a_change_in_one_subdir_is_selected_with_what_the_others_have(pulp, upstream, make_curated):
    for sharded in (True, False):
        mirror = make_curated(TOOLS, select("app"), sharded)
        pulp.sync(mirror.repository)
        make_channel(upstream.folder, [*TOOLS, make_package("base", "2.0")])
        if sharded:
            add_shards(upstream.folder)
        pulp.sync(mirror.repository)
        assert paths(pulp, mirror) == APP | {"noarch/base-2.0-0.conda"}


def test_a_selected_file_stays_for_keep_days(pulp, upstream, make_curated, monkeypatch):
    day = 24 * 60 * 60
    old = {"linux-64/app-0.9-0.conda"}
    mirror = make_curated(TOOLS, select("app", keep_days=30))
    pulp.sync(mirror.repository, mirror=True)
    make_channel(
        upstream.folder, [*TOOLS, make_package("app", "1.1", depends=["lib"], subdir="linux-64")]
    )
    add_shards(upstream.folder)
    report = pulp.sync_task(mirror.repository, mirror=True)["result"]["selection"]
    assert old < paths(pulp, mirror)
    assert [each["path"] for each in report["kept"]] == sorted(old)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 29 * day)
    assert pulp.sync(mirror.repository, mirror=True) is None
    monkeypatch.setattr(time, "time", lambda: now + 31 * day)
    report = pulp.sync_task(mirror.repository, mirror=True)["result"]["selection"]
    assert report["gone"] == sorted(old)
    assert not old & paths(pulp, mirror)


def test_without_mirror_nothing_goes(pulp, upstream, make_curated):
    mirror = make_curated(TOOLS, select("app", keep_days=0))
    pulp.sync(mirror.repository)
    pulp.patch(mirror.repository, selection=select("base", keep_days=0))
    assert pulp.sync(mirror.repository) is None
    assert paths(pulp, mirror) == APP
    with pytest.raises(TaskFailed, match="CND0087"):
        pulp.sync(mirror.repository, mirror=True)
    assert pulp.sync(mirror.repository, mirror=True, allow_mass_removal=True) is not None
    assert paths(pulp, mirror) == {"noarch/base-1.0-0.conda"}


def test_a_selection_without_dependencies_takes_what_the_specs_match(pulp, make_curated):
    mirror = make_curated(TOOLS, {"groups": [{"specs": ["app", "lib <1"]}]})
    pulp.sync(mirror.repository)
    assert paths(pulp, mirror) == {
        "linux-64/app-1.0-0.conda",
        "linux-64/app-0.9-0.conda",
        "linux-64/lib-0.1-0.conda",
    }


def plan(pulp, mirror, **body):
    return pulp.post(f"{mirror.repository}plan/", **body)["result"]


def test_a_plan_says_what_would_come_and_why_and_changes_nothing(pulp, upstream, make_curated):
    mirror = make_curated(TOOLS, None)
    report = plan(
        pulp, mirror, selection=select("app"), why=["base", "other", "lib-0.1-0.conda", "nothing"]
    )
    assert (report["count"], report["size"] > 0) == (4, True)
    assert report["roots"] == [
        {"group": "group 1", "spec": "app", "count": 4, "size": report["size"]}
    ]
    base, other, old, nothing = report["why"]
    assert base["way"] == [
        "'app' of group 1: linux-64/app-0.9-0.conda",
        "linux-64/app-0.9-0.conda needs 'lib >=1': linux-64/lib-1.0-0.conda",
        "linux-64/lib-1.0-0.conda needs 'base': noarch/base-1.0-0.conda",
    ]
    assert not other["selected"] and not old["selected"] and not nothing["selected"]
    assert other["reasons"] == nothing["reasons"] == ["No root leads to this name."]
    assert "newer" in old["reasons"][0]
    assert not any(path.endswith(".conda") for _, path, _ in upstream.requests)
    assert pulp.get(mirror.repository)["latest_version_href"].endswith("/0/")


def test_a_selection_that_cannot_be_made_changes_nothing(pulp, upstream, make_curated):
    mirror = make_curated(TOOLS, select("app"))
    pulp.sync(mirror.repository)
    pulp.patch(mirror.repository, selection=select("app", "absent"))
    with pytest.raises(TaskFailed, match="CND0140"):
        pulp.sync(mirror.repository)
    assert pulp.get(mirror.repository)["latest_version_href"].endswith("/1/")
    # The same holds if an upstream loses a shard.
    pulp.patch(mirror.repository, selection=select("app", "other"))
    pulp.patch(mirror.remote, repodata_form="shards")
    for shard in (upstream.folder / "noarch" / "shards").iterdir():
        shard.unlink()
    with pytest.raises(TaskFailed, match="CND0027"):
        pulp.sync(mirror.repository)
    assert paths(pulp, mirror) == APP


def test_base_channels_environments_and_lock_files_are_roots_and_limits(
    pulp, upstream, make_curated, make_repository
):
    own = make_repository(autopublish=True)
    pulp.upload(make_package("lib", "1.0", depends=["base"], subdir="linux-64"), repository=own)
    channel = pulp.distribution(repository=own)["base_path"]
    mirror = make_curated(TOOLS, None)
    pulp.environment(mirror.repository, "desk", "app >=1", platforms=["linux-64"])
    lock = f"@EXPLICIT\n{upstream.url}/noarch/unneeded1-1.0-0.conda#{'0' * 32}\n"
    selection = {
        "groups": [{"environments": ["desk"]}],
        "with_dependencies": True,
        "base_channels": [channel],
    }
    pulp.patch(mirror.repository, selection=selection)
    pulp.sync(mirror.repository)
    # The base channel has no 'base', which 'lib' needs.
    assert paths(pulp, mirror) == {"linux-64/app-1.0-0.conda", "noarch/base-1.0-0.conda"}

    wrong = selection | {"groups": [{"lock_files": [lock]}]}
    with pytest.raises(TaskFailed, match="CND0143"):
        plan(pulp, mirror, selection=wrong)
    platform = pulp.environment(mirror.repository, "mac", "app", platforms=["osx-arm64"])
    assert platform
    with pytest.raises(TaskFailed, match="CND0145"):
        plan(pulp, mirror, selection=selection | {"groups": [{"environments": ["mac"]}]})

    of_mirror = mirror.url.rstrip("/").rpartition("/content/")[2]
    for base_channels, code in (([of_mirror], "CND0148"), (["absent"], "CND0147")):
        body = {"selection": selection | {"base_channels": base_channels}}
        answer = pulp.try_patch(mirror.repository, **body)
        assert answer.status_code == 400 and code in answer.text
    # Also through another channel.
    body = {"selection": {"groups": [{"specs": ["x"]}], "base_channels": [of_mirror]}}
    answer = pulp.try_patch(own, **body)
    assert answer.status_code == 400 and "CND0148" in answer.text
