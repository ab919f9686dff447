"""How channels are, for monitoring: what they serve, how fresh that is, and what is wrong."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulp_conda.app.models import ChannelCondition
from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed
from tests.support.in_process import run_tasks
from tests.support.virtual import Virtual

PATH = "repositories/conda/conda/"


def status_of(pulp, repository):
    return pulp.get(f"{repository}status/")


@pytest.fixture
def channel(pulp, make_repository):
    return make_repository(autopublish=True)


def test_a_channel_tells_what_it_serves_and_how_large_it_is(pulp, channel):
    empty = status_of(pulp, channel)
    assert empty["version"] == 0 and empty["published_version"] is None
    assert empty["problems"] == [] and empty["referenced_size"] is None
    first, second = make_package("one"), make_package("two")
    package = pulp.upload(first, repository=channel)
    pulp.upload(second, repository=channel)
    shown = status_of(pulp, channel)
    size = len(first.data) + len(second.data)
    assert (shown["version"], shown["published_version"], shown["packages"]) == (2, 2, 2)
    assert (shown["referenced_size"], shown["stored_size"]) == (size, size)
    assert shown["problems"] == [] and shown["lag"] is None
    # Counted by the change.
    pulp.modify(channel, remove=[package["pulp_href"]])
    shown = status_of(pulp, channel)
    assert (shown["packages"], shown["referenced_size"]) == (1, len(second.data))


def test_sizes_do_not_depend_on_deleted_versions(pulp, channel):
    packages = [make_package(name) for name in "abc"]
    for package in packages[:2]:
        pulp.upload(package, repository=channel)
    # The change of the version that was measured becomes one of the next version.
    pulp.patch(channel, autopublish=False)
    pulp.upload(packages[2], repository=channel)
    pulp.delete(f"{channel}versions/2/")
    pulp.publish(f"{channel}versions/3/")
    assert status_of(pulp, channel)["referenced_size"] == sum(len(p.data) for p in packages)


def test_what_is_not_published_is_a_problem(pulp, channel):
    pulp.patch(channel, autopublish=False)
    pulp.upload(make_package("one"), repository=channel)
    (problem,) = status_of(pulp, channel)["problems"]
    assert problem["text"] == "Version 1 is not published."


def test_syncs_that_fail_are_counted_whoever_started_them(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a")])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    good = status_of(pulp, mirror.repository)
    assert good["checked_at"] and good["failures"] == 0 and 0 <= good["lag"] < 60
    for file in (upstream.folder / "noarch").glob("repodata*"):
        file.write_bytes(b"{")
    for _ in range(2):
        with pytest.raises(TaskFailed):
            pulp.sync(mirror.repository, optimize=False)
    bad = status_of(pulp, mirror.repository)
    assert bad["failures"] == 2 and bad["checked_at"] == good["checked_at"]
    assert bad["error"]["code"].startswith("CND")
    assert bad["problems"][0]["text"].startswith("2 syncs in a row failed.")
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    pulp.sync(mirror.repository)
    again = status_of(pulp, mirror.repository)
    assert again["failures"] == 0 and again["error"] is None and again["problems"] == []


def test_bytes_that_stay_upstream_are_referenced_and_not_stored(pulp, upstream, make_mirror):
    package = make_package(uuid4().hex)
    make_channel(upstream.folder, [package])
    mirror = make_mirror(policy="on_demand")
    pulp.sync(mirror.repository)
    shown = status_of(pulp, mirror.repository)
    assert (shown["referenced_size"], shown["stored_size"]) == (len(package.data), 0)


def test_stages_tell_what_waits_for_promotion(pulp, channel):
    pulp.upload(make_package("one"), repository=channel)
    team = pulp.lifecycle(channel)
    first, second, *_ = status_of(pulp, channel)["stages"]
    assert first["state"] == "v1" and second["state"] is None
    team.promote(second["name"])
    pulp.upload(make_package("two"), repository=channel)
    team.set_gates(second["name"], {"name": "ask", "kind": "approval", "approvals": 1})
    team.promote(second["name"])
    shown = status_of(pulp, channel)["stages"]
    assert shown[1]["state"] == "v1" and shown[1]["behind_since"] == shown[0]["since"]
    assert shown[1]["waiting"] == 1 and shown[1]["promotions"] == 1
    last = shown[1]["last_promotion"]
    assert last["outcome"] == "waiting" and last["gates"][0]["name"] == "ask"


def test_only_what_a_user_may_view_is_told(pulp, channel):
    pulp.upload(make_package("one"), repository=channel)
    pulp.lifecycle(channel)
    with pulp.user([]) as stranger:
        assert stranger.get(f"{PATH}statuses/")["count"] == 0
        assert stranger.try_get(f"{channel}status/").status_code == 404
    with pulp.user(["conda.condarepository_viewer"]) as viewer:
        assert status_of(viewer, channel)["stages"] == []


def test_a_virtual_channel_is_as_fresh_as_its_oldest_mirror(
    pulp, upstream, make_mirror, make_repository
):
    make_channel(upstream.folder, [make_package("one")])
    first, second, staged = make_mirror(), make_mirror(), make_mirror()
    local = pulp.distribution(repository=make_repository(autopublish=True))["pulp_href"]
    unstable, testing = pulp.lifecycle(staged.repository).read()["stages"][:2]

    def status(*channels):
        merged = [{"distribution": channel} for channel in channels]
        return status_of(pulp, make_repository(merged_channels=merged))

    assert status(local, first.distribution)["checked_at"] is None
    synced = {}
    for mirror in (staged, second, first):
        pulp.sync(mirror.repository)
        synced[mirror] = status_of(pulp, mirror.repository)["checked_at"]
    assert status(local, first.distribution, second.distribution)["checked_at"] == synced[second]
    shown = status(first.distribution, unstable["distribution"])
    assert shown["checked_at"] == synced[staged] and shown["lag"] is None
    assert status(first.distribution, testing["distribution"])["checked_at"] == synced[first]
    assert status(local)["checked_at"] is None


def test_a_virtual_channel_that_cannot_follow_is_a_problem(pulp, make_repository):
    both = Virtual(pulp, make_repository)
    both.add(0, make_package("alpha"))
    before = both.records()
    assert status_of(pulp, both.repository)["problems"] == []
    other = Virtual(pulp, make_repository)
    for count in (1, 2):
        # A virtual channel cannot be merged.
        pulp.patch(both.channels[1]["pulp_href"], repository=other.repository)
        run_tasks()
        shown = status_of(pulp, both.repository)
        (problem,) = shown["problems"]
        assert shown["failures"] >= count and shown["error"]["code"] == problem["code"] == "CND0136"
        assert problem["text"].startswith(
            "It does not serve what its channels serve now. [CND0136]"
        )
        assert both.records() == before
        both.add(0, make_package("beta"))
        run_tasks()
        assert both.records() == before
    pulp.patch(both.channels[1]["pulp_href"], repository=both.repositories[1])
    run_tasks()
    shown = status_of(pulp, both.repository)
    assert (shown["problems"], shown["failures"], shown["error"]) == ([], 0, None)
    assert both.records().keys() == {"alpha-1.0-0.conda", "beta-1.0-0.conda"}


def test_the_number_of_queries_does_not_grow_with_the_channels(pulp, make_repository, copied):
    def count():
        with CaptureQueriesContext(connection) as queries:
            assert pulp.get(f"{PATH}statuses/", limit=100)["results"]
        return len(queries)

    def add():
        repository = make_repository(autopublish=True)
        pulp.upload(make_package(uuid4().hex), repository=repository)
        team = pulp.lifecycle(repository)
        team.promote(team.read()["stages"][1]["name"])
        pulp.upload(make_package(uuid4().hex), repository=repository)

    add()
    before = count()
    add()
    add()
    assert count() == before
    assert ChannelCondition.objects.count() >= 3
