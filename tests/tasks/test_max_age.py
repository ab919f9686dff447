"""Channels whose metadata may only be so old: requests for older metadata let it be synced."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from django.test import override_settings
from django.utils import timezone

from pulpcore.plugin.models import Task, TaskSchedule

from pulp_conda.app.content import finder
from pulp_conda.app.models import CondaRefresh, CondaRefreshRun
from tests.support.both_ways import SLOW
from tests.support.builders import make_channel, make_package
from tests.support.in_process import run_tasks

LOOK = "pulp_conda.app.tasks.refresh.look"
INDEX = "noarch/repodata.json.zst"


class Pulled:
    """A mirror whose metadata may be a minute old."""

    def __init__(self, pulp, mirror):
        self.pulp, self.mirror = pulp, mirror
        body = {"repository": mirror.repository, "max_age": 60}
        self.href = pulp.post("conda/refreshes/", **body)["pulp_href"]
        self.key = mirror.repository.rstrip("/").rpartition("/")[2]

    def ask(self, path=INDEX, **headers):
        return requests.get(self.mirror.url + path, headers=headers, timeout=60)

    def grow_old(self, seconds=100):
        """Let the time pass: what is here is older, and the next sync is due since then."""
        earlier = timezone.now() - timedelta(seconds=seconds)
        rows = CondaRefresh.objects.filter(repository=self.key)
        rows.update(checked_at=earlier, next_run=earlier + timedelta(seconds=60))
        TaskSchedule.objects.filter(conda_condarefresh__repository=self.key).update(
            next_dispatch=None
        )

    @property
    def looks(self):
        return Task.objects.filter(name=LOOK, state="waiting").count()

    @property
    def outcomes(self):
        runs = CondaRefreshRun.objects.filter(repository=self.key).order_by("pulp_created")
        return list(runs.values_list("outcome", flat=True))

    def read(self):
        return self.pulp.get(self.href)


@pytest.fixture
def pulled(pulp, upstream, make_mirror, unique):
    make_channel(upstream.folder, [make_package(f"a-{unique}")])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    pulled = Pulled(pulp, mirror)
    yield pulled
    # What it asked for is not done in another test, without its upstream.
    pulp.delete(pulled.href)


WAYS = pytest.mark.parametrize("way", [{}, SLOW], ids=["fast", "slow"])


@WAYS
def test_older_metadata_is_served_at_once_and_synced_behind(upstream, pulled, way):
    pulled.grow_old()
    asked = len(upstream.requests)
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    old = pulled.ask(**way)
    assert old.status_code == 200 and 100 <= int(old.headers["Age"]) < 110
    # Nobody waited for the upstream.
    assert len(upstream.requests) == asked and pulled.looks == 1
    run_tasks()
    assert pulled.outcomes == ["changed"]
    new = pulled.ask(**way)
    assert new.content != old.content and int(new.headers["Age"]) < 60
    assert pulled.looks == 0


def test_requests_at_the_same_time_start_one_sync(pulled):
    pulled.grow_old()
    ways = [{}, SLOW] * 6
    with ThreadPoolExecutor(len(ways)) as pool:
        answers = list(pool.map(lambda way: pulled.ask(**way), ways))
    assert {answer.status_code for answer in answers} == {200}
    assert pulled.looks == 1
    run_tasks()
    assert pulled.outcomes == ["unchanged"]
    assert pulled.ask().headers["Age"] and pulled.looks == 0


@WAYS
def test_an_upstream_that_is_down_is_asked_once_in_that_time_and_the_old_state_is_served(
    upstream, pulled, way
):
    before = pulled.ask(**way)
    pulled.grow_old()
    for subdir in ("noarch", "linux-64"):
        for name in ("repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst"):
            upstream.answers[f"{subdir}/{name}"] = (404, b"")
    for _ in range(3):
        answer = pulled.ask(**way)
        assert (answer.status_code, answer.content) == (200, before.content)
        assert 100 <= int(answer.headers["Age"]) < 120
        run_tasks()
    assert pulled.outcomes == ["failed"]
    shown = pulled.read()
    assert shown["failures"] == 1 and shown["checked_at"] < shown["next_run"]


def test_both_ways_give_the_same_headers(pulled, monkeypatch):
    pulled.grow_old()
    pulled.ask()
    found, find = [], finder.find

    async def noted(*arguments):
        found.append(await find(*arguments))
        return found[-1]

    monkeypatch.setattr(finder, "find", noted)
    for path in (INDEX, "noarch/repodata_shards.msgpack.zst", "noarch/repodata.json"):
        fast, slow = pulled.ask(path), pulled.ask(path, **SLOW)
        assert "Age" in fast.headers and "Age" in slow.headers, (path, fast.headers, slow.headers)
        ages = [int(answer.headers.pop("Age")) for answer in (fast, slow)]
        assert ages[0] <= ages[1] <= ages[0] + 5
        for answer in (fast, slow):
            answer.headers.pop("Date")
        assert (fast.status_code, fast.content) == (slow.status_code, slow.content)
        assert fast.headers == slow.headers
    assert len(found) == 3 and all(facts.freshness for facts in found)
    known = {"If-None-Match": pulled.ask().headers["ETag"]}
    for way in ({}, SLOW):
        answer = pulled.ask(**known, **way)
        assert answer.status_code == 304 and int(answer.headers["Age"]) >= 100


def test_packages_and_channels_without_that_have_no_age(pulp, pulled, make_mirror, unique):
    pulled.grow_old()
    assert "Age" not in pulled.ask(f"noarch/a-{unique}-1.0-0.conda").headers
    assert pulled.looks == 0
    other = make_mirror()
    pulp.sync(other.repository)
    assert "Age" not in requests.get(other.url + INDEX, timeout=60).headers


@pytest.fixture
def cold(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a")])
    cold = Pulled(pulp, make_mirror())
    yield cold
    pulp.delete(cold.href)


def test_a_cold_channel_waits_for_its_first_sync(cold):
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(cold.ask)
        until = time.monotonic() + 30
        while not cold.looks and time.monotonic() < until:
            threading.Event().wait(0.05)
        assert not answer.done()
        run_tasks()
        assert answer.result().status_code == 200
    assert cold.outcomes == ["changed"]


def test_a_cold_channel_is_not_waited_for_for_ever(upstream, cold):
    with override_settings(CONDA_FIRST_SYNC_SECONDS=1):
        answer = cold.ask()
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "30"
    assert "CND0155" in answer.text
    # Once it has failed, nobody waits.
    upstream.answers = {
        f"noarch/{name}": (404, b"")
        for name in ("repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst")
    }
    run_tasks()
    assert cold.outcomes == ["failed"]
    started = time.monotonic()
    assert cold.ask().status_code == 503
    assert time.monotonic() - started < 10


def test_a_first_stage_is_pulled_and_the_next_one_is_not(pulp, pulled):
    team = pulp.lifecycle(pulled.mirror.repository)
    team.promote("testing")
    pulled.grow_old()
    ages = {}
    for stage in ("unstable", "testing"):
        for name, way in (("fast", {}), ("slow", SLOW)):
            answer = requests.get(team.urls[stage] + INDEX, headers=way, timeout=60)
            ages[stage, name] = answer.headers.get("Age") is not None
    assert ages == {
        ("unstable", "fast"): True,
        ("unstable", "slow"): True,
        ("testing", "fast"): False,
        ("testing", "slow"): False,
    }


def test_a_sync_that_somebody_starts_counts_as_well(pulp, pulled):
    pulled.grow_old()
    pulp.sync(pulled.mirror.repository)
    assert int(pulled.ask().headers["Age"]) < 60
    assert pulled.looks == 0


def test_who_lost_the_right_stops_it_and_the_old_state_is_served(pulled):
    pulled.grow_old()
    CondaRefresh.objects.filter(repository=pulled.key).update(user=None)
    pulled.ask()
    run_tasks()
    assert pulled.outcomes == ["stopped"]
    pulled.grow_old()
    for way in ({}, SLOW):
        assert pulled.ask(**way).status_code == 200
    assert pulled.looks == 0


class PulledTogether(Pulled):
    """A virtual channel of a local channel and two mirrors, each with an age of its own."""

    def __init__(self, pulp, upstream, make_mirror, make_repository, word):
        self.pulp, self.upstream, self.word = pulp, upstream, word
        self.members = []
        for name in ("x", "y"):
            make_channel(upstream.folder / name, [make_package(f"{name}-{word}")])
            mirror = make_mirror(url=f"{upstream.url}/{name}")
            self.members.append(Pulled(pulp, mirror))
        local = make_repository(autopublish=True)
        urls = [pulp.distribution(repository=local)["pulp_href"]]
        urls += [member.mirror.distribution for member in self.members]
        self.repository = make_repository(merged_channels=[{"distribution": url} for url in urls])
        self.url = pulp.distribution(repository=self.repository)["base_url"]
        # Its first state, with nothing in it.
        run_tasks()

    def sync(self):
        for member in self.members:
            self.pulp.sync(member.mirror.repository)
        run_tasks()

    def ask(self, path=INDEX, url=None, **headers):
        return requests.get((url or self.url) + path, headers=headers, timeout=60)

    def names(self, way):
        packages = self.ask("noarch/repodata.json", **way).json()["packages.conda"]
        return {name.split("-")[0] for name in packages}


@pytest.fixture
def cold_together(pulp, upstream, make_mirror, make_repository, unique):
    together = PulledTogether(pulp, upstream, make_mirror, make_repository, unique)
    yield together
    for member in together.members:
        pulp.delete(member.href)


@pytest.fixture
def together(cold_together):
    cold_together.sync()
    return cold_together


@WAYS
def test_a_virtual_channel_pulls_those_of_its_channels_that_are_too_old(together, way):
    first, second = together.members
    first.grow_old(seconds=100)
    second.grow_old(seconds=30)
    asked = len(together.upstream.requests)
    old = together.ask(**way)
    # The age is that of the oldest of them.
    assert old.status_code == 200 and 100 <= int(old.headers["Age"]) < 110
    assert len(together.upstream.requests) == asked and together.looks == 1
    folder, word = together.upstream.folder / "x", together.word
    make_channel(folder, [make_package(f"x-{word}"), make_package(f"new-{word}")])
    run_tasks()
    assert (first.outcomes, second.outcomes) == (["changed"], [])
    new = together.ask(**way)
    assert 30 <= int(new.headers["Age"]) < 60
    assert together.names(way) == {"x", "y", "new"}
    assert together.looks == 0


def test_requests_at_the_same_time_start_one_sync_of_each_channel(together):
    for member in together.members:
        member.grow_old()
    ways = [{}, SLOW] * 6
    with ThreadPoolExecutor(len(ways)) as pool:
        answers = list(pool.map(lambda way: together.ask(**way), ways))
    assert {answer.status_code for answer in answers} == {200}
    assert together.looks == 2
    run_tasks()
    assert [member.outcomes for member in together.members] == [["unchanged"]] * 2
    assert together.ask().headers["Age"] and together.looks == 0


def test_both_ways_find_the_same_about_a_virtual_channel(together, monkeypatch):
    for member in together.members:
        member.grow_old()
    together.ask()
    found, find = [], finder.find

    async def noted(*arguments):
        found.append(await find(*arguments))
        return found[-1]

    monkeypatch.setattr(finder, "find", noted)
    fast, slow = together.ask(), together.ask(**SLOW)
    (facts,) = found
    assert facts.freshness and abs(int(fast.headers["Age"]) - int(slow.headers["Age"])) < 5
    assert fast.content == slow.content
    assert {*fast.headers} == {*slow.headers}


def test_a_channel_whose_upstream_is_down_does_not_make_a_virtual_one_fail(together):
    first, second = together.members
    for member in together.members:
        member.grow_old()
    before = together.ask().content
    for name in ("repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst"):
        for subdir in ("noarch", "linux-64"):
            together.upstream.answers[f"x/{subdir}/{name}"] = (404, b"")
    for way in ({}, SLOW):
        assert together.ask(**way).status_code == 200
        run_tasks()
    assert (first.outcomes, second.outcomes) == (["failed"], ["unchanged"])
    answer = together.ask()
    assert answer.content == before and int(answer.headers["Age"]) >= 100


@WAYS
def test_a_cold_virtual_channel_waits_for_the_first_sync(cold_together, way):
    with override_settings(CONDA_FIRST_SYNC_SECONDS=0):
        answer = cold_together.ask(**way)
    assert answer.status_code == 503 and "CND0155" in answer.text
    assert cold_together.looks == 2
    run_tasks()
    assert cold_together.names(way) == {"x", "y"}


def test_a_cold_channel_is_not_waited_for_if_another_one_serves(pulp, cold_together):
    pulp.sync(cold_together.members[0].mirror.repository)
    run_tasks()
    for way in ({}, SLOW):
        answer = cold_together.ask(**way)
        assert answer.status_code == 200 and int(answer.headers["Age"]) < 60
        assert cold_together.names(way) == {"x"}
    run_tasks()
    assert cold_together.names({}) == {"x", "y"}


def test_what_a_virtual_channel_does_not_follow_is_not_pulled(pulp, together):
    team = pulp.lifecycle(together.repository)
    team.promote("testing")
    fixed = pulp.distribution(publication=pulp.newest_publication(together.repository))
    for member in together.members:
        member.grow_old()
    for way in ({}, SLOW):
        for url, is_pulled in (
            (team.urls["unstable"], True),
            (team.urls["testing"], False),
            (fixed["base_url"], False),
        ):
            answer = together.ask(url=url, **way)
            assert answer.status_code == 200 and ("Age" in answer.headers) == is_pulled
    run_tasks()


def test_a_virtual_channel_of_a_first_stage_pulls_its_mirror(pulp, pulled, make_repository):
    team = pulp.lifecycle(pulled.mirror.repository)
    urls = {}
    for stage in team.read()["stages"]:
        merged = [{"distribution": stage["distribution"]}]
        repository = make_repository(merged_channels=merged)
        urls[stage["name"]] = pulp.distribution(repository=repository)["base_url"]
    team.promote("testing")
    run_tasks()
    for way in ({}, SLOW):
        pulled.grow_old()
        for stage, age in (("testing", False), ("unstable", True)):
            answer = requests.get(urls[stage] + INDEX, headers=way, timeout=60)
            assert answer.status_code == 200 and ("Age" in answer.headers) == age
            assert pulled.looks == age
        run_tasks()
    assert pulled.outcomes == ["unchanged", "unchanged"]
