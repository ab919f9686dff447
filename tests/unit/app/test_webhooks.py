import asyncio
import hashlib
import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django_guid import set_guid

from pulpcore.plugin.models import Task, TaskSchedule

from pulp_conda.app.lifecycle.news import tell
from pulp_conda.app.models import (
    CondaDistribution,
    CondaLifecycle,
    CondaRepository,
    HistoryEntry,
    WebhookDelivery,
)
from pulp_conda.app.tasks.webhooks import DELAYS, MOST_KEPT, deliver, deliver_due, send
from tests.support.receiver import Receiver

pytestmark = pytest.mark.django_db

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
REPORT = {
    "changes": {"counts": {"added": 1}, "summaries": {"new": 1}, "names": [{"name": "numpy"}]},
    "gates": [
        {
            "name": "rules",
            "verdict": "failed",
            "summary": "1 license is denied",
            "findings": [{"name": "numpy"}],
            "overridden": None,
        }
    ],
    # A block has both, and a promotion may name files that it left out.
    "count": 1,
    "blocked": ["noarch/numpy-1-0.conda: withdrawn"],
}


@pytest.fixture(autouse=True)
def _in_a_task():
    # Tasks get the correlation id of those that dispatch them, and cannot be without.
    set_guid("test")


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def stage(receiver):
    """A stage of a lifecycle that tells the receiver what happens."""
    return _make_stage("team", webhook_url=receiver.url, webhook_secret=SECRET)


def _make_stage(name, **fields):
    repository = CondaRepository.objects.create(name=name)
    lifecycle = CondaLifecycle.objects.create(name=name, repository=repository, **fields)
    distribution = CondaDistribution.objects.create(name=name, base_path=name)
    return lifecycle.stages.create(position=0, name="testing", distribution=distribution)


def _happen(stage, kind="promoted", outcome="moved", **fields):
    """Write an entry of the history, and tell of it."""
    entry = HistoryEntry.make(stage, kind, None, (2, 0), **{"report": REPORT, **fields})
    entry.outcome = outcome
    if outcome == "moved":
        entry.moved_at = timezone.now()
    entry.save()
    tell(entry)
    return entry


def _try_again(delivery):
    """Let the time of the next attempt come, and return what became of the delivery."""
    WebhookDelivery.objects.filter(pk=delivery.pk).update(next_attempt_at=timezone.now())
    deliver(str(delivery.lifecycle_id))
    delivery.refresh_from_db()
    return delivery


def _alarm():
    return TaskSchedule.objects.get(name__contains="webhooks").next_dispatch - timezone.now()


def _dispatched(function):
    return Task.objects.filter(name=f"pulp_conda.app.tasks.webhooks.{function}")


@pytest.mark.parametrize(
    "kind, outcome, event",
    [
        ("promoted", "moved", "promoted"),
        ("packages", "moved", "promoted"),
        ("rolled_back", "moved", "rolled_back"),
        ("promoted", "blocked", "gate_failed"),
        ("packages", "blocked", "gate_failed"),
        ("promoted", "waiting", "approval_wanted"),
        ("blocked", "moved", "blocked"),
        ("unblocked", "moved", "unblocked"),
    ],
)
def test_what_happens_to_a_stage_is_an_event(stage, receiver, kind, outcome, event):
    entry = _happen(stage, kind, outcome)
    delivery = WebhookDelivery.objects.get(entry=entry)
    assert (delivery.event, delivery.payload["event"]) == (event, event)
    assert _dispatched("deliver").count() == 1
    deliver(str(stage.lifecycle_id))
    assert [payload["kind"] for payload in receiver.payloads] == [kind]


@pytest.mark.parametrize("kind", ["published", "adopted"])
def test_what_nobody_decided_is_no_event(stage, kind):
    _happen(stage, kind)
    assert not WebhookDelivery.objects.exists()


def test_without_a_webhook_nothing_is_told():
    _happen(_make_stage("quiet"))
    assert not WebhookDelivery.objects.exists()
    assert not Task.objects.exists()


def test_a_message_says_what_happened(stage, receiver):
    _happen(stage, reason="tuesday")
    deliver(str(stage.lifecycle_id))
    (payload,) = receiver.payloads
    moved_at = datetime.fromisoformat(payload.pop("moved_at"))
    assert timezone.now() - moved_at < timedelta(minutes=1)
    href = payload["lifecycle"].pop("pulp_href")
    assert href == f"/pulp/api/v3/conda/lifecycles/{stage.lifecycle_id}/"
    assert payload == {
        "event": "promoted",
        "lifecycle": {"name": "team"},
        "stage": "testing",
        "base_url": "http://content.example.com/pulp/content/team/",
        "entry": 1,
        "kind": "promoted",
        "outcome": "moved",
        "before": None,
        "after": "v2",
        "requested_by": "",
        "reason": "tuesday",
        "changes": {"counts": {"added": 1}, "summaries": {"new": 1}},
        "blocked": None,
        "gates": [
            {
                "name": "rules",
                "verdict": "failed",
                "summary": "1 license is denied",
                "overridden": None,
            }
        ],
    }


def test_a_message_stays_small_whatever_people_write(stage, receiver):
    gate = {"name": "g" * 100, "verdict": "failed", "summary": "ä" * 9999, "overridden": "b" * 9999}
    files = [f"noarch/{'f' * 200}.conda: {'ü' * 2000}"] * 100
    report = {**REPORT, "gates": [gate] * 50, "blocked": files, "count": 5000}
    _happen(stage, reason="\x01" * 10_000, report=report)
    deliver(str(stage.lifecycle_id))
    ((_, body),) = receiver.messages
    assert len(body) < 200_000


def test_a_message_is_signed_anew_each_time_it_is_sent(stage, receiver):
    receiver.answers = [503]
    _happen(stage)
    deliver(str(stage.lifecycle_id))
    delivery = _try_again(WebhookDelivery.objects.get())
    assert delivery.state == "delivered"
    assert len(receiver.messages) == 2
    for headers, body in receiver.messages:
        assert headers["webhook-id"] == str(delivery.pk)
        assert headers["content-type"] == "application/json"
        sent = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        assert abs(timezone.now() - sent) < timedelta(minutes=1)
        signed = f"{delivery.pk}.{headers['webhook-timestamp']}.".encode() + body
        key = b64decode(SECRET.removeprefix("whsec_"))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{b64encode(digest).decode()}"


def test_without_a_secret_there_is_no_signature(receiver):
    stage = _make_stage("open", webhook_url=receiver.url)
    _happen(stage)
    deliver(str(stage.lifecycle_id))
    ((headers, _),) = receiver.messages
    assert "webhook-id" in headers
    assert "webhook-signature" not in headers


def test_what_is_not_taken_is_tried_again_later(stage, receiver):
    receiver.answers = [500, 500]
    _happen(stage)
    deliver(str(stage.lifecycle_id))
    delivery = WebhookDelivery.objects.get()
    for tries, delay in ((1, 10), (2, 60)):
        assert (delivery.state, len(delivery.attempts)) == ("pending", tries)
        wait = delivery.next_attempt_at - timezone.now()
        assert timedelta(seconds=delay - 5) < wait <= timedelta(seconds=delay)
        # Nobody sends it before its time, and then Pulp wakes up.
        assert abs(_alarm() - wait) < timedelta(seconds=1)
        deliver(str(stage.lifecycle_id))
        assert len(receiver.messages) == tries
        delivery = _try_again(delivery)
    assert (delivery.state, delivery.next_attempt_at) == ("delivered", None)
    assert [attempt["status"] for attempt in delivery.attempts] == [500, 500, 200]
    assert [attempt["error"] for attempt in delivery.attempts] == ["it answered 500"] * 2 + [None]
    assert _alarm() > timedelta(minutes=59)


def test_after_the_last_attempt_it_is_given_up(stage, receiver):
    receiver.answers = [500] * 20
    _happen(stage)
    deliver(str(stage.lifecycle_id))
    delivery = WebhookDelivery.objects.get()
    for _ in DELAYS:
        assert delivery.state == "pending"
        delivery = _try_again(delivery)
    assert (delivery.state, delivery.next_attempt_at) == ("failed", None)
    assert len(receiver.messages) == len(DELAYS) + 1
    _try_again(delivery)
    assert len(receiver.messages) == len(DELAYS) + 1


def test_deliveries_are_sent_in_their_order(stage, receiver):
    _happen(stage)
    _happen(stage, "rolled_back")
    deliver(str(stage.lifecycle_id))
    assert [payload["event"] for payload in receiver.payloads] == ["promoted", "rolled_back"]


def test_what_another_task_sends_is_left_alone(stage, receiver):
    _happen(stage)
    delivery = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=1))
    deliver(str(stage.lifecycle_id))
    assert receiver.messages == []
    # Its worker is gone when the minute is over.
    delivery = _try_again(delivery)
    assert (delivery.state, len(receiver.messages)) == ("delivered", 1)


def test_a_webhook_that_is_gone_gets_nothing(stage, receiver):
    _happen(stage)
    CondaLifecycle.objects.update(webhook_url=None)
    deliver(str(stage.lifecycle_id))
    delivery = WebhookDelivery.objects.get()
    assert delivery.attempts[0]["error"] == "the lifecycle has no webhook any more"
    assert receiver.messages == []


def test_a_new_url_gets_what_the_old_one_did_not_take(stage, receiver):
    receiver.answers = [404]
    _happen(stage)
    deliver(str(stage.lifecycle_id))
    with Receiver() as other:
        CondaLifecycle.objects.update(webhook_url=other.url)
        assert _try_again(WebhookDelivery.objects.get()).state == "delivered"
        assert len(other.messages) == 1


def test_the_schedule_starts_what_is_due_of_each_lifecycle(stage, receiver):
    other = _make_stage("other", webhook_url=receiver.url)
    for one in (stage, stage, other):
        _happen(one)
    Task.objects.all().delete()
    deliver_due()
    started = {task.enc_args[0] for task in _dispatched("deliver")}
    assert started == {str(stage.lifecycle_id), str(other.lifecycle_id)}
    assert _dispatched("deliver").count() == 2
    # They have their tasks: to wake up for them again would only make more.
    assert _alarm() > timedelta(minutes=59)


def test_old_deliveries_are_forgotten(stage):
    entry = _happen(stage)
    first = WebhookDelivery.objects.get()
    facts = {"lifecycle": stage.lifecycle, "entry": entry, "payload": {}, "state": "failed"}
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(event=str(number), **facts) for number in range(MOST_KEPT)
    )
    old = WebhookDelivery.objects.create(event="old", **facts)
    WebhookDelivery.objects.filter(pk=old.pk).update(
        pulp_created=timezone.now() - timedelta(days=91)
    )
    WebhookDelivery.objects.filter(pk=first.pk).update(
        pulp_created=timezone.now() - timedelta(days=1)
    )
    deliver_due()
    events = set(WebhookDelivery.objects.values_list("event", flat=True))
    assert events == {str(number) for number in range(MOST_KEPT)}


def _send(url, **options):
    return asyncio.run(send(url, {}, b"{}", **options))


def test_a_redirect_is_not_followed(receiver):
    receiver.answers = [302]
    with Receiver() as elsewhere:
        receiver.location = elsewhere.url
        assert _send(receiver.url) == (302, "it answered 302, and redirects are not followed")
        assert elsewhere.messages == []


def test_a_slow_receiver_does_not_hold_a_worker(receiver):
    receiver.open.clear()
    assert _send(receiver.url, timeout=0.3) == (None, "no answer within 0.3 seconds")


def test_a_receiver_that_is_down_is_an_error():
    with Receiver() as receiver:
        pass
    assert _send(receiver.url) == (None, "no connection")


def test_a_receiver_without_the_certificate_is_refused(receiver):
    assert _send(receiver.url.replace("http:", "https:")) == (
        None,
        "no secure connection: see the certificate",
    )


def test_a_host_that_is_not_known_is_an_error():
    assert _send("http://nobody.invalid/hook") == (None, "the host is not known")


def test_passwords_of_the_server_stay_on_it(receiver, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login pulp password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert _send(receiver.url) == (200, None)
    ((headers, _),) = receiver.messages
    assert "authorization" not in headers
