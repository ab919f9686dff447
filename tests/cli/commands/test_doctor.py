"""`pulp conda doctor`: what holds a channel, and what ends that."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from pulpcore.plugin.models import Task


@pytest.fixture
def held(pulp, unique, copied):
    """The name of a channel whose task was held by a worker, which was killed, and the worker."""
    repository = pulp.post("repositories/conda/conda/", name=unique)
    workers = apps.get_model("core", "AppStatus").objects
    facts = {"app_type": "worker", "ttl": timedelta(seconds=30), "versions": {}}
    killed, _ = workers.bulk_create(
        workers.model(name=f"{name}@{unique}", **facts) for name in ("killed", "alive")
    )
    workers.filter(pk=killed.pk).update(last_heartbeat=timezone.now() - timedelta(minutes=3))
    resources = [repository["prn"], "shared:prn:core.domain:x"]
    facts = {"logging_cid": "", "reserved_resources_record": resources}
    first = Task.objects.create(name="first", state="running", **facts)
    Task.objects.filter(pk=first.pk).update(
        app_lock=killed,
        started_at=timezone.now() - timedelta(minutes=4),
        unblocked_at=F("pulp_created"),
    )
    Task.objects.create(name="second", state="waiting", **facts)
    yield unique, killed
    Task.objects.filter(reserved_resources_record=resources).delete()


def test_it_says_what_holds_a_channel_and_what_to_do(cli, held):
    channel, _ = held
    for arguments in ([channel], []):
        shown = cli.ok("--format", "table", "conda", "doctor", *arguments).stdout
        assert f"{channel}: first runs since 20" in shown
        assert "1 more wait behind it" in shown
        assert "no sign of life since 20" in shown
        assert "pulpcore-manager conda_doctor --fix" in shown
    (told,) = json.loads(cli.ok("--format", "json", "conda", "doctor", channel).stdout)
    assert (told["channel"], told["state"], told["waiting"]) == (channel, "running", 1)
    assert told["worker_missing_since"] is not None


def test_a_channel_that_nothing_holds_is_free(cli, pulp, unique, held):
    pulp.post("repositories/conda/conda/", name=f"{unique}-free")
    shown = cli.ok("--format", "table", "conda", "doctor", f"{unique}-free").stdout
    assert "Nothing holds a channel." in shown
    assert json.loads(cli.ok("--format", "json", "conda", "doctor", f"{unique}-free").stdout) == []
    assert cli("conda", "doctor", "no-such-channel").exit_code != 0


def _doctor(*arguments):
    said = StringIO()
    call_command("conda_doctor", *arguments, stdout=said)
    return said.getvalue()


def test_an_administrator_removes_workers_that_are_gone(held):
    _, killed = held
    workers = apps.get_model("core", "AppStatus").objects.filter(app_type="worker")
    before = set(workers.values_list("name", flat=True))
    said = _doctor()
    assert f"worker '{killed.name}': no sign of life since 20" in said
    assert "(first, running): prn:conda.condarepository:" in said
    assert set(workers.values_list("name", flat=True)) == before
    assert "Removed 1." in _doctor("--fix")
    assert before - set(workers.values_list("name", flat=True)) == {killed.name}
    assert Task.objects.get(name="first").app_lock is None
    assert _doctor("--fix") == "Every process that is noted is alive.\n"
