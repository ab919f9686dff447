"""The metrics of channels: each has a test that moves it, and the alert rules know their names."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import yaml
from django.apps import apps
from django.test import override_settings
from django.utils import timezone
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from pulpcore.plugin.models import TaskSchedule

from pulp_conda.app.models import ChannelCondition, CondaToken, HistoryEntry
from pulp_conda.app.monitoring import metrics
from pulp_conda.app.pulp_receivers import schedule_metrics
from pulp_conda.app.serving import files
from pulp_conda.app.tasks.metrics import send_metrics
from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed
from tests.support.receiver import Receiver

ROOT = Path(__file__).parents[2]

NAMES = [
    *(metric.name for metric in metrics.CHANNEL_METRICS),
    *(metric.name for metric in metrics.STAGE_METRICS),
    *(metric.name for metric in metrics.DOMAIN_METRICS),
    metrics.BLOCKED_REQUESTS,
]


class Recorded:
    """What a reader in memory gets."""

    def __init__(self):
        self.reader = InMemoryMetricReader()
        self.meter = MeterProvider(metric_readers=[self.reader]).get_meter("tests")

    def points(self):
        data = self.reader.get_metrics_data()
        return {
            (metric.name, tuple(sorted(point.attributes.items()))): point.value
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }


def values(**wanted):
    """Return the values of all gauges by their names, of what has these attributes."""
    recorded = Recorded()
    metrics.record(recorded.meter)
    wanted = {(key.replace("_", "."), value) for key, value in wanted.items()}
    return {
        name: value for (name, facts), value in recorded.points().items() if wanted <= set(facts)
    }


@pytest.fixture
def mirror(pulp, upstream, make_mirror, copied):
    make_channel(upstream.folder, [make_package("a")])
    mirror = make_mirror(policy="immediate")
    pulp.sync(mirror.repository)
    return mirror


@pytest.fixture
def name(pulp, mirror):
    return pulp.get(mirror.repository)["name"]


def test_a_channel_moves_its_metrics(pulp, upstream, mirror, name):
    before = values(conda_channel_name=name)
    assert before["conda.channel.packages"] == 1
    size = before["conda.channel.stored.size"]
    assert size == before["conda.channel.referenced.size"] > 0
    assert before["conda.channel.withheld"] == before["conda.channel.problems"] == 0
    assert before["conda.channel.sync.failures"] == 0
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    pulp.sync(mirror.repository)
    pulp.post("conda/blocks/", spec="b", public_reason="It is bad.")
    after = values(conda_channel_name=name)
    assert after["conda.channel.withheld"] == 1
    assert after["conda.channel.packages"] == 1
    assert after["conda.channel.stored.size"] > size
    assert after["conda.channel.referenced.size"] > size


def test_time_moves_the_ages(mirror, name):
    def move_back(model, **fields):
        model.update(**{key: timezone.now() - value for key, value in fields.items()})

    condition = ChannelCondition.objects.filter(repository__name=name)
    move_back(condition, checked_at=timedelta(hours=2))
    newest = condition.get().repository.versions.latest().publication_set.all()
    move_back(newest, pulp_created=timedelta(hours=3))
    shown = values(conda_channel_name=name)
    assert 7200 <= shown["conda.channel.sync.age"] < 7300
    assert 7200 <= shown["conda.channel.lag"] < 7300
    assert 10800 <= shown["conda.channel.publication.age"] < 10900


def test_a_sync_that_fails_moves_its_metrics(pulp, upstream, mirror, name):
    for file in (upstream.folder / "noarch").glob("repodata*"):
        file.write_bytes(b"{")
    with pytest.raises(TaskFailed):
        pulp.sync(mirror.repository, optimize=False)
    shown = values(conda_channel_name=name)
    assert shown["conda.channel.sync.failures"] == shown["conda.channel.problems"] == 1


def test_stages_move_their_metrics(pulp, upstream, mirror, name):
    team = pulp.lifecycle(mirror.repository)
    second = team.read()["stages"][1]["name"]

    def of_stage():
        return values(conda_channel_name=name, conda_stage_name=second)

    assert set(of_stage().values()) == {0}
    team.promote(second)
    assert of_stage()["conda.stage.promotions"] == 1
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    pulp.sync(mirror.repository)
    earlier = timezone.now() - timedelta(hours=1)
    HistoryEntry.objects.filter(stage__position=0, until=None).update(moved_at=earlier)
    assert 3600 <= of_stage()["conda.stage.behind"] < 3700
    team.set_gates(second, {"name": "ask", "kind": "approval"})
    team.promote(second)
    assert of_stage()["conda.stage.requests.waiting"] == 1
    team.set_gates(second, {"name": "no", "kind": "policy", "licenses": {"allowed": ["none"]}})
    team.promote(second)
    assert of_stage()["conda.stage.gates.failed"] == 1


def test_tokens_that_are_used_are_counted(pulp, copied):
    before = values(pulp_domain_name="default")["conda.tokens.used"]
    pulp.post("conda/tokens/", name="used", scopes=["read"])
    assert values(pulp_domain_name="default")["conda.tokens.used"] == before
    CondaToken.objects.filter(name="used").update(last_used=timezone.now())
    assert values(pulp_domain_name="default")["conda.tokens.used"] == before + 1


def test_requests_for_blocked_packages_are_counted(pulp, upstream, mirror, monkeypatch):
    recorded = Recorded()
    monkeypatch.setattr(files, "blocked_requests", metrics.BlockedRequests(recorded.meter))
    pulp.post("conda/blocks/", spec="a", public_reason="It is bad.")
    package = make_package("a")
    url = f"{mirror.url.rstrip('/')}/{package.subdir}/{package.filename}"
    assert [requests.get(url).status_code for _ in range(2)] == [451, 451]
    base_path = pulp.get(mirror.distribution)["base_path"]
    key = (("conda.channel.base_path", base_path), ("pulp.domain.name", "default"))
    assert recorded.points() == {(metrics.BLOCKED_REQUESTS, key): 2}


def test_pulp_sends_them_if_that_is_wanted(copied):
    task = "pulp_conda.app.tasks.metrics.send_metrics"
    schedules = TaskSchedule.objects.filter(task_name=task)
    for is_wanted in (True, False):
        with override_settings(OTEL_ENABLED=is_wanted):
            schedule_metrics(apps.get_app_config("conda"))
        assert schedules.exists() == is_wanted


def test_the_task_sends_them_to_a_collector(mirror, name, monkeypatch):
    with Receiver() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", collector.url)
        send_metrics()
        ((_, body),) = collector.messages
    assert b"conda.channel.packages" in body and name.encode() in body


def _prometheus_names():
    units = {"s": "_seconds", "By": "_bytes"}
    everything = (*metrics.CHANNEL_METRICS, *metrics.STAGE_METRICS, *metrics.DOMAIN_METRICS)
    names = {each.name.replace(".", "_") + units.get(each.unit, "") for each in everything}
    return names | {metrics.BLOCKED_REQUESTS.replace(".", "_") + "_total"}


def test_the_alert_rules_use_metrics_that_exist():
    (group,) = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"]
    used = {name for rule in group["rules"] for name in re.findall(r"\bconda_\w+", rule["expr"])}
    assert used and used <= _prometheus_names()
    labels = {
        label
        for rule in group["rules"]
        for text in rule["annotations"].values()
        for label in re.findall(r"\$labels\.(\w+)", text)
    }
    assert labels == {
        "conda_channel_name",
        "conda_channel_base_path",
        "conda_lifecycle_name",
        "conda_stage_name",
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_metric_is_documented(name):
    assert f"| `{name}` |" in (ROOT / "docs/admin/guides/monitor.md").read_text()
