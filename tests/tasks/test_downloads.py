"""Downloads from upstreams that are slow, strict, or break off."""

import random
import threading
import time

import pytest

from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """Let downloads be tried again at once: pulpcore waits up to some random seconds before."""
    monkeypatch.setattr(random, "uniform", lambda low, high: 0)


def _refused(pulp, mirror):
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository)
    return refused.value


def _ranges(upstream):
    return [headers["Range"] for headers in upstream.headers if "Range" in headers]


def _package(name, unique):
    # No other test has its bytes.
    return make_package(f"{name}-{unique}", files={"share/it": unique.encode() * 50})


@pytest.mark.parametrize("ranges", ["yes", "no"])
def test_a_package_that_breaks_off_goes_on(pulp, upstream, make_mirror, unique, ranges):
    package = _package("broken", unique)
    make_channel(upstream.folder, [package])
    upstream.cuts[f"noarch/{package.filename}"] = [400, 100] if ranges == "yes" else [400]
    upstream.ranges = ranges
    mirror = make_mirror(policy="immediate", subdirs=["noarch"], max_retries=2)
    pulp.sync(mirror.repository)
    asked = ["bytes=400-", "bytes=500-"]
    assert _ranges(upstream) == (asked if ranges == "yes" else asked[:1])
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data


@pytest.mark.parametrize("ranges", ["yes", "no", "blind"])
def test_a_client_gets_the_rest_of_what_broke_off(pulp, upstream, make_mirror, unique, ranges):
    package = _package("streamed", unique)
    make_channel(upstream.folder, [package])
    upstream.ranges = ranges
    for policy in ("streamed", "on_demand"):
        upstream.cuts[f"noarch/{package.filename}"] = [400]
        mirror = make_mirror(policy=policy, subdirs=["noarch"])
        pulp.sync(mirror.repository)
        assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert _ranges(upstream) == ["bytes=400-"] * 2


@pytest.mark.parametrize("ranges", ["yes", "blind"])
def test_two_states_of_a_file_are_never_mixed(pulp, upstream, make_mirror, ranges):
    make_channel(upstream.folder, [make_package("old"), make_package("other")])
    (upstream.folder / "noarch/repodata.json.zst").unlink()
    before = (upstream.folder / "noarch/repodata.json").read_bytes()
    make_channel(upstream.folder, [make_package("new"), make_package("other")])
    (upstream.folder / "noarch/repodata.json.zst").unlink()
    upstream.answers["noarch/repodata.json"] = [(200, before)]
    upstream.cuts["noarch/repodata.json"] = [len(before) // 2]
    upstream.ranges = ranges
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository)
    assert len(_ranges(upstream)) == 1
    assert pulp.names(mirror.url) == ["new", "other"]


def test_a_download_that_never_ends_says_how_far_it_came(pulp, upstream, make_mirror, unique):
    package = _package("cut", unique)
    make_channel(upstream.folder, [package])
    upstream.cuts[f"noarch/{package.filename}"] = [400] + [0] * 9
    error = _refused(pulp, make_mirror(policy="immediate", subdirs=["noarch"], max_retries=1))
    assert error.code == "CND0089"
    size = len(package.data)
    assert f"the connection was closed after 400 of {size:,} bytes" in error.description
    for field in ("rate_limit", "download_concurrency", "excludes"):
        assert f"'{field}'" in error.description


def test_an_upstream_that_stops_sending_is_not_waited_for(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a")])
    (upstream.folder / "noarch/repodata.json.zst").unlink()
    stopped = threading.Event()

    def pieces():
        yield b'{"packages":'
        stopped.wait(60)

    for timeout in ("sock_read_timeout", "total_timeout"):
        upstream.answers["noarch/repodata.json"] = [(200, pieces()), (200, pieces())]
        options = {timeout: 0.2, "subdirs": ["noarch"], "repodata_form": "flat"}
        error = _refused(pulp, make_mirror(max_retries=1, **options))
        assert error.code == "CND0089"
        assert f"than '{timeout}' allows" in error.description
        assert f"remote's '{timeout}'" in error.description
    stopped.set()


def test_an_upstream_that_asks_to_wait_is_waited_for_within_a_limit(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a")])
    path = "noarch/repodata.json.zst"
    mirror = make_mirror(max_retries=1, subdirs=["noarch"], repodata_form="flat")
    upstream.answers[path] = [(429, b"", {"Retry-After": "1"})]
    begin = time.monotonic()
    pulp.sync(mirror.repository)
    assert time.monotonic() - begin >= 1
    assert pulp.names(mirror.url) == ["a"]

    upstream.requests.clear()
    for status in (429, 503):
        upstream.answers[path] = [(status, b"", {"Retry-After": "3600"})]
        upstream.answers["noarch/repodata.json"] = [(404, b"")]
        error = _refused(pulp, make_mirror(subdirs=["noarch"], repodata_form="flat"))
        assert error.code == "CND0004"
        assert f"answered {status}. It asks to wait 3,600 seconds" in error.description
    assert upstream.asked(path) == [429, 503]


def _spoil(upstream, packages):
    lost, wrong, failing = (f"noarch/{package.filename}" for package in packages)
    (upstream.folder / lost).unlink()
    upstream.answers[wrong] = (200, packages[1].data[:-1] + b"X")
    upstream.answers[failing] = (500, b"")
    return [lost, wrong, failing]


def test_all_bad_files_of_a_sync_are_named_at_once(pulp, upstream, make_mirror, unique):
    packages = [_package(name, unique) for name in ("lost", "wrong", "failing", "good")]
    make_channel(upstream.folder, packages)
    paths = _spoil(upstream, packages[:3])
    mirror = make_mirror(policy="immediate", subdirs=["noarch"], max_retries=1)
    error = _refused(pulp, mirror)
    assert error.code == "CND0088"
    assert "3 of 4 package files cannot be downloaded" in error.description
    for path, reason in zip(paths, ("answered 404", "sha256", "answered 500"), strict=True):
        assert f"'{path}' ({reason}" in error.description
    assert pulp.get(mirror.repository)["latest_version_href"].endswith("/versions/0/")


def test_a_sync_can_go_on_without_the_bad_files(pulp, upstream, make_mirror, unique):
    old = _package("lost", unique)
    make_channel(upstream.folder, [old])
    mirror = make_mirror(policy="immediate", subdirs=["noarch"], max_retries=1, on_error="skip")
    pulp.sync(mirror.repository)
    packages = [
        make_package(old.record.name, files={"share/it": b"another " + unique.encode()}),
        *(_package(name, unique) for name in ("wrong", "failing", "good")),
    ]
    make_channel(upstream.folder, packages)
    paths = _spoil(upstream, packages[:3])
    task = pulp.sync_task(mirror.repository, mirror=True)
    reports = [r["message"] for r in task["progress_reports"] if r["code"] == "sync.warning"]
    assert sorted(report.partition(" ")[0] for report in reports) == sorted(
        f"'{path}'" for path in paths
    )
    # What the bad file would have replaced is still there.
    names = [old.record.name, packages[3].record.name]
    assert pulp.names(mirror.url) == sorted(names)
    assert pulp.fetch(mirror.url, paths[0]).content == old.data

    # The next sync tries them again, though the upstream lists the same.
    upstream.answers.clear()
    make_channel(upstream.folder, packages)
    assert pulp.sync(mirror.repository, mirror=True) == 3
    assert pulp.fetch(mirror.url, paths[0]).content == packages[0].data
    assert pulp.names(mirror.url) == sorted(package.record.name for package in packages)
    upstream.requests.clear()
    assert pulp.sync(mirror.repository, mirror=True) is None
    assert len(upstream.requests) == 1
