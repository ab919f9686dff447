"""A server that is offline asks no upstream, and serves what it has."""

from datetime import timedelta

import pytest
import requests
from django.test import override_settings
from django.utils import timezone

from pulpcore.plugin.models import Task, TaskSchedule
from pulpcore.tasking._util import dispatch_scheduled_tasks

from pulp_conda.app.models import CondaRefresh
from tests.support.both_ways import SLOW
from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed
from tests.support.in_process import run_tasks


@pytest.fixture
def mirror(pulp, upstream, make_mirror):
    packages = [make_package("here"), make_package("there")]
    make_channel(upstream.folder, packages)
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    here, _there = (f"{mirror.url}noarch/{package.filename}" for package in packages)
    assert requests.get(here, timeout=60).status_code == 200
    upstream.requests.clear()
    return mirror


@pytest.fixture
def offline(mirror, upstream):
    with override_settings(CONDA_OFFLINE=True):
        yield
        assert upstream.requests == []


def test_a_sync_and_a_comparison_say_that_the_server_is_offline(pulp, mirror, offline):
    for ask in (
        lambda: pulp.sync(mirror.repository),
        lambda: pulp.post(f"{mirror.remote}check/"),
    ):
        with pytest.raises(TaskFailed) as refused:
            ask()
        assert refused.value.code == "CND0156"
        assert f"Remote '{mirror.name}'" in refused.value.description


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_here_is_served_and_what_is_not_comes_later(mirror, offline, method):
    for path, status in (
        ("noarch/repodata.json", 200),
        ("noarch/here-1.0-0.conda", 200),
        ("noarch/there-1.0-0.conda", 503),
    ):
        answer = requests.request(method, mirror.url + path, timeout=60)
        assert answer.status_code == status, path
    assert answer.headers["Retry-After"]
    assert method == "HEAD" or "CND0156" in answer.text


def test_a_refresh_is_skipped(pulp, mirror, offline):
    made = pulp.post("conda/refreshes/", repository=mirror.repository, interval=3600)
    mine = TaskSchedule.objects.filter(conda_condarefresh=made["pulp_href"].split("/")[-2])
    TaskSchedule.objects.exclude(pk=mine.get().pk).update(next_dispatch=None)
    dispatch_scheduled_tasks()
    run_tasks()
    (run,) = pulp.list("conda/refresh_runs/", repository=mirror.repository)
    assert (run["outcome"], run["error"]["code"]) == ("skipped", "CND0156")
    assert pulp.get(made["pulp_href"])["failures"] == 0


def test_old_metadata_is_served_and_no_sync_begins(
    pulp, mirror, make_mirror, make_repository, offline
):
    made = pulp.post("conda/refreshes/", repository=mirror.repository, max_age=60)
    earlier = timezone.now() - timedelta(hours=1)
    CondaRefresh.objects.filter(pk=made["pulp_href"].split("/")[-2]).update(next_run=earlier)
    cold = make_mirror()
    pulp.post("conda/refreshes/", repository=cold.repository, max_age=60)
    merged = [{"distribution": each.distribution} for each in (mirror, cold)]
    virtual = make_repository(merged_channels=merged)
    run_tasks()
    both = pulp.distribution(repository=virtual)["base_url"]
    for way in ({}, SLOW):
        for url in (mirror.url, both):
            answer = requests.get(url + "noarch/repodata.json", headers=way, timeout=60)
            assert answer.status_code == 200
        answer = requests.get(cold.url + "noarch/repodata.json", headers=way, timeout=10)
        assert answer.status_code == 503 and "CND0156" in answer.text
    assert not Task.objects.filter(state="waiting").exists()
