"""Mirrors that keep themselves fresh: when they are synced, in whose name, and how it is told."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_guid import set_guid
from django_guid.utils import generate_guid

from pulpcore.plugin.models import Task, TaskSchedule
from pulpcore.plugin.tasking import dispatch
from pulpcore.tasking._util import dispatch_scheduled_tasks

from pulp_conda.app.models import CondaAct, CondaRefresh, CondaRefreshRun
from pulp_conda.app.refreshing.schedules import retry_after
from tests.support.builders import make_channel, make_package
from tests.support.in_process import run_tasks

RUN = "pulp_conda.app.tasks.refresh.run"
LOOK = "pulp_conda.app.tasks.refresh.look"


class Refreshed:
    """A mirror with a refresh, and what Pulp's workers do for it."""

    def __init__(self, pulp, mirror, upstream=None, **fields):
        self.pulp, self.mirror, self.upstream = pulp, mirror, upstream
        fields = fields or {"interval": 3600}
        made = pulp.post("conda/refreshes/", repository=mirror.repository, **fields)
        self.href = made["pulp_href"]
        self.key = mirror.repository.rstrip("/").rpartition("/")[2]

    def read(self):
        return self.pulp.get(self.href)

    @property
    def runs(self):
        """Newest first."""
        found = self.pulp.get("conda/refresh_runs/", repository=self.mirror.repository)
        return found["results"]

    @property
    def outcomes(self):
        """Oldest first."""
        return [run["outcome"] for run in reversed(self.runs)]

    @property
    def schedule(self):
        return TaskSchedule.objects.get(conda_condarefresh__repository=self.key)

    def beat(self):
        """Do what a worker does again and again: dispatch what is due. And run that."""
        TaskSchedule.objects.exclude(pk=self.schedule.pk).update(next_dispatch=None)
        dispatch_scheduled_tasks()
        run_tasks()

    def be_due(self):
        """Let the time of the next run come, and a worker see that."""
        CondaRefresh.objects.filter(repository=self.key).update(
            next_run=timezone.now() - timedelta(seconds=1)
        )
        TaskSchedule.objects.filter(pk=self.schedule.pk).update(
            next_dispatch=timezone.now() - timedelta(seconds=1)
        )
        self.beat()

    def wait(self):
        """Return how long it is until the next run."""
        return datetime.fromisoformat(self.read()["next_run"]) - timezone.now()


@pytest.fixture
def refreshed(pulp, upstream, make_mirror):
    def make(by=pulp, **fields):
        return Refreshed(by, make_mirror(), upstream, **fields)

    make_channel(upstream.folder, [make_package("a")])
    return make


@pytest.fixture
def syncer(pulp):
    """A user who may sync, and the roles by which."""
    return pulp.user(["conda.condarepository_owner", "conda.condaremote_owner"])


def _dispatch_look(mirror):
    set_guid(generate_guid())
    return dispatch(LOOK, kwargs={"repository_pk": mirror.key})


def _add(upstream, version):
    make_channel(upstream.folder, [make_package("a"), make_package("a", version)])


def test_a_mirror_follows_its_upstream_by_itself(pulp, upstream, refreshed):
    mirror = refreshed(interval=3600)
    mirror.beat()
    assert mirror.outcomes == ["changed"]
    mirror.be_due()
    _add(upstream, "2.0")
    mirror.be_due()
    assert mirror.outcomes == ["changed", "unchanged", "changed"]
    newest = mirror.runs[0]
    assert newest["version"] == 2 and newest["error"] is None and newest["finished_at"]
    assert pulp.get(newest["task"])["state"] == "completed"
    assert len(pulp.names(mirror.mirror.url)) == 2
    assert timedelta(minutes=59) < mirror.wait() <= timedelta(hours=1)
    # Nothing is due.
    mirror.beat()
    assert len(mirror.runs) == 3


def test_a_cron_line_sets_the_next_moment(refreshed):
    mirror = refreshed(cron="30 3 * * *", time_zone="Asia/Kathmandu")
    mirror.beat()
    assert mirror.runs == []
    mirror.be_due()
    assert mirror.outcomes == ["changed"]
    next_run = datetime.fromisoformat(mirror.read()["next_run"])
    assert (next_run.hour, next_run.minute) == (21, 45)
    assert timedelta() < mirror.wait() <= timedelta(days=1)
    assert mirror.schedule.next_dispatch == next_run


def test_a_sync_has_its_locks_and_is_the_work_of_who_set_the_refresh(pulp, refreshed, syncer):
    mirror = refreshed(by=syncer)
    mirror.beat()
    task = pulp.get(mirror.runs[0]["task"])
    assert task["name"] == RUN
    prns = {pulp.get(mirror.mirror.repository)["prn"]}
    assert prns < set(task["reserved_resources_record"])
    assert f"shared:{pulp.get(mirror.mirror.remote)['prn']}" in task["reserved_resources_record"]
    user = get_user_model().objects.get(username=syncer.session.auth[0])
    assert Task.objects.get(pk=task["pulp_href"].split("/")[-2]).user == user
    made = CondaAct.objects.get(
        resource=pulp.get(mirror.mirror.repository)["prn"], verb="changed_content"
    )
    assert made.actor == user
    # Whoever changes it, is who wants it from then on.
    assert pulp.patch(mirror.href, mirror=True)["user"] == "admin"
    acts = pulp.list("conda/acts/", resource=mirror.read()["prn"])
    assert [(act["verb"], act["actor"]) for act in acts] == [
        ("updated", "admin"),
        ("created", user.username),
    ]
    assert acts[0]["details"] == {"fields": ["mirror"]}


def test_what_is_dispatched_twice_is_synced_once(refreshed):
    mirror = refreshed()
    # Two workers saw the same schedule before one of them changed it.
    for _ in range(2):
        _dispatch_look(mirror)
    run_tasks()
    assert mirror.outcomes == ["changed"]
    # The second one wrote an old moment into the schedule. Its task puts that right.
    TaskSchedule.objects.filter(pk=mirror.schedule.pk).update(next_dispatch=timezone.now())
    mirror.beat()
    assert mirror.outcomes == ["changed"]
    assert mirror.schedule.next_dispatch == datetime.fromisoformat(mirror.read()["next_run"])


def test_it_is_looked_at_again_if_a_task_dies_before_it_sets_the_next_moment(refreshed):
    mirror = refreshed()
    TaskSchedule.objects.exclude(pk=mirror.schedule.pk).update(next_dispatch=None)
    dispatch_scheduled_tasks()
    died = Task.objects.get(name=LOOK, state="waiting")
    Task.objects.filter(pk=died.pk).update(state="failed")
    until_next = mirror.schedule.next_dispatch - timezone.now()
    assert timedelta(minutes=4) < until_next <= timedelta(minutes=5)
    TaskSchedule.objects.filter(pk=mirror.schedule.pk).update(next_dispatch=timezone.now())
    mirror.beat()
    assert mirror.outcomes == ["changed"]


def test_a_turn_is_skipped_while_a_sync_waits_or_runs(pulp, refreshed):
    mirror = refreshed()
    task = pulp.start_sync(mirror.mirror.repository)["task"]
    other = Task.objects.filter(pk=task.split("/")[-2])
    assert other.get().state == "completed"
    # A state that `run_tasks` leaves alone.
    other.update(state="running")
    mirror.beat()
    assert mirror.outcomes == ["skipped"]
    assert mirror.read()["failures"] == 0
    other.update(state="completed")
    _add(mirror.upstream, "2.0")
    mirror.be_due()
    assert mirror.outcomes == ["skipped", "changed"]


def test_failures_are_listed_and_back_off(pulp, upstream, refreshed):
    mirror = refreshed(interval=60)
    upstream.answers = {
        f"{subdir}/{name}": (404, b"")
        for subdir in ("noarch", "linux-64")
        for name in ("repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst")
    }
    mirror.beat()
    waits = [mirror.wait()]
    for _ in range(2):
        mirror.be_due()
        waits.append(mirror.wait())
    assert mirror.outcomes == ["failed"] * 3
    assert mirror.read()["failures"] == 3
    minutes = [round(wait.total_seconds() / 60) for wait in waits]
    assert minutes == [5, 10, 20]
    error = mirror.runs[0]["error"]
    assert error["code"] == pulp.get(mirror.runs[0]["task"])["error"]["error_code"] == "CND0023"
    assert upstream.url in error["text"]
    assert pulp.get(mirror.runs[0]["task"])["state"] == "failed"
    found = pulp.get("conda/refresh_runs/", repository=mirror.mirror.repository, outcome="failed")
    assert found["count"] == 3
    upstream.answers = {}
    mirror.be_due()
    assert mirror.outcomes[-1] == "changed"
    assert mirror.read()["failures"] == 0
    assert mirror.wait() <= timedelta(seconds=60)


def test_the_wait_after_failures_is_bounded():
    waits = [retry_after(failures) for failures in range(1, 400)]
    assert waits == sorted(waits)
    assert waits[0] == timedelta(minutes=5) and waits[-1] == timedelta(days=1)


def test_a_run_whose_task_was_killed_failed(refreshed):
    mirror = refreshed()
    mirror.beat()
    CondaRefreshRun.objects.filter(repository=mirror.key).update(
        outcome="running", finished_at=None
    )
    # Its task is over, and it noted no outcome.
    mirror.be_due()
    run = mirror.runs[-1]
    assert (run["outcome"], run["error"]["code"]) == ("failed", "CND0153")
    assert mirror.read()["failures"] == 1


def _lose_role(pulp, user):
    for role in pulp.get(f"{user['pulp_href']}roles/")["results"]:
        pulp.delete(role["pulp_href"])


@pytest.mark.parametrize(
    ("lose", "reason"),
    [
        pytest.param(_lose_role, "may not sync", id="no right"),
        pytest.param(
            lambda pulp, user: pulp.patch(user["pulp_href"], is_active=False),
            "is not active",
            id="inactive",
        ),
        pytest.param(
            lambda pulp, user: pulp.delete(user["pulp_href"]), "is not there", id="deleted"
        ),
    ],
)
def test_it_stops_with_a_message_when_its_user_may_not_sync_any_more(
    pulp, refreshed, syncer, lose, reason
):
    name = syncer.session.auth[0]
    mirror = refreshed(by=syncer)
    mirror.pulp = pulp
    lose(pulp, pulp.get("users/", username=name)["results"][0])
    mirror.beat()
    shown = mirror.read()
    assert shown["stopped"]["code"] == "CND0152"
    assert f"'{name}'" in shown["stopped"]["text"] and reason in shown["stopped"]["text"]
    assert [(run["outcome"], run["error"]) for run in mirror.runs] == [
        ("stopped", shown["stopped"])
    ]
    assert mirror.schedule.next_dispatch is None
    # Whoever may, sets it again.
    assert pulp.patch(mirror.href, interval=3600)["stopped"] is None
    mirror.beat()
    assert mirror.outcomes == ["stopped", "changed"]


def test_without_a_remote_there_is_nothing_to_refresh(pulp, refreshed):
    mirror = refreshed()
    pulp.patch(mirror.mirror.repository, remote=None)
    mirror.beat()
    assert mirror.runs[0]["error"]["code"] == "CND0151"
    assert mirror.read()["failures"] == 1


def test_a_good_run_promotes_the_first_stage_if_the_gates_let_it(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a")])
    mirror = make_mirror()
    stages = [{"name": name} for name in ("new", "checked")]
    team = pulp.lifecycle(mirror.repository, stages=stages)
    refreshed = Refreshed(pulp, mirror)
    # The second time, it stays.
    for _ in range(2):
        assert pulp.patch(refreshed.href, lifecycle=team.href)["lifecycle"] == team.href
    refreshed.beat()
    assert team.state("new") == team.state("checked") == "v1"
    entry = team.history("checked")[0]
    assert entry["requested_by"] == "admin"
    report = pulp.get(refreshed.runs[0]["promotion"])["result"]
    assert (report["stage"], report["outcome"]) == ("checked", "moved")
    team.set_gates("checked", {"name": "people", "kind": "approval"})
    _add(upstream, "2.0")
    refreshed.be_due()
    assert (team.state("new"), team.state("checked")) == ("v2", "v1")
    assert refreshed.outcomes == ["changed", "changed"]


def test_it_goes_with_its_repository(pulp, refreshed):
    mirror = refreshed()
    mirror.beat()
    schedule = mirror.schedule.pk
    pulp.delete(mirror.mirror.repository)
    assert pulp.try_get(mirror.href).status_code == 404
    assert not TaskSchedule.objects.filter(pk=schedule).exists()
    assert not CondaRefreshRun.objects.filter(repository=mirror.key).exists()


def test_a_look_at_a_refresh_that_is_gone_does_nothing(pulp, refreshed):
    mirror = refreshed()
    schedule = mirror.schedule.pk
    pulp.delete(mirror.href)
    assert not TaskSchedule.objects.filter(pk=schedule).exists()
    task = _dispatch_look(mirror)
    run_tasks()
    assert Task.objects.get(pk=task.pk).state == "completed"
    assert mirror.runs == []


def test_only_the_last_runs_are_kept(refreshed):
    mirror = refreshed()
    CondaRefreshRun.objects.bulk_create(
        CondaRefreshRun(repository_id=mirror.key, outcome="unchanged", finished_at=timezone.now())
        for _ in range(120)
    )
    mirror.beat()
    found = CondaRefreshRun.objects.filter(repository=mirror.key)
    assert found.count() == 100
    assert mirror.runs[0]["outcome"] == "changed"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({}, "CND0150", id="nothing"),
        pytest.param({"interval": 5}, "CND0150", id="too often"),
        pytest.param({"interval": 60, "cron": "0 3 * * *"}, "CND0150", id="both"),
        pytest.param({"cron": "0 3 * *"}, "CND0150", id="four fields"),
        pytest.param({"cron": "0 3 * * *", "time_zone": "Mars"}, "CND0150", id="no such zone"),
    ],
)
def test_a_refresh_that_says_no_time_is_refused(pulp, make_mirror, fields, code):
    answer = pulp.try_post("conda/refreshes/", repository=make_mirror().repository, **fields)
    assert answer.status_code == 400 and code in answer.text


def test_what_cannot_be_refreshed_is_refused(pulp, make_mirror, make_repository):
    without = pulp.try_post("conda/refreshes/", repository=make_repository(), interval=60)
    assert without.status_code == 400 and "has no remote" in without.text
    mirror, other = make_mirror(), make_mirror()
    team = pulp.lifecycle(other.repository)
    body = {"repository": mirror.repository, "interval": 60, "lifecycle": team.href}
    answer = pulp.try_post("conda/refreshes/", **body)
    assert answer.status_code == 400 and "CND0154" in answer.text
    Refreshed(pulp, mirror)
    again = pulp.try_post("conda/refreshes/", repository=mirror.repository, interval=60)
    assert again.status_code == 400 and "has a refresh already" in again.text


def test_who_may_sync_sets_it_and_who_may_view_sees_it(pulp, make_mirror, refreshed):
    mirror = refreshed()
    viewer = pulp.user(["conda.condarepository_viewer"])
    stranger = pulp.user([])
    assert viewer.get(mirror.href)["interval"] == 3600
    assert len(viewer.list("conda/refreshes/", repository=mirror.mirror.repository)) == 1
    assert viewer.try_patch(mirror.href, interval=60).status_code == 403
    assert viewer.try_delete(mirror.href).status_code == 403
    body = {"repository": make_mirror().repository, "interval": 60}
    assert viewer.try_post("conda/refreshes/", **body).status_code == 403
    assert stranger.try_post("conda/refreshes/", **body).status_code == 400
    assert stranger.try_get(mirror.href).status_code == 404
    mirror.beat()
    assert viewer.try_get(mirror.runs[0]["pulp_href"]).status_code == 200
    assert stranger.try_get(mirror.runs[0]["pulp_href"]).status_code == 404


def test_who_may_not_promote_cannot_let_a_refresh_do_so(pulp, make_mirror, syncer):
    mirror = make_mirror()
    team = pulp.lifecycle(mirror.repository)
    user = pulp.get("users/", username=syncer.session.auth[0])["results"][0]["pulp_href"]
    pulp.post(f"{user}roles/", role="conda.condalifecycle_viewer", content_object=None)
    body = {"repository": mirror.repository, "interval": 60, "lifecycle": team.href}
    refused = syncer.try_post("conda/refreshes/", **body)
    assert refused.status_code == 403 and f"promote in lifecycle '{team.name}'" in refused.text
