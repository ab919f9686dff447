"""No message of a webhook is lost or sent twice, whatever happens to the worker that sends it."""

import time
from datetime import timedelta

import pytest

from tests.support.receiver import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def make_team(pulp, make_repository, make_packages):
    """Make a lifecycle whose unstable stage has one package."""

    def make(**fields):
        repository = make_repository(autopublish=True)
        pulp.modify(repository, add=make_packages("one"))
        return pulp.lifecycle(repository, **fields)

    return make


@pytest.fixture
def team(make_team, receiver):
    return make_team(webhook_url=receiver.url, webhook_secret=SECRET)


def _deliveries(team, **query):
    return team.pulp.get(f"{team.href}deliveries/", **query)["results"]


def _wait_for(team, state, count=1):
    """Return the deliveries of a lifecycle once so many are in a state, oldest first."""
    deadline = time.monotonic() + 90
    while len(found := _deliveries(team, state=state)) < count:
        assert time.monotonic() < deadline, _deliveries(team)
        time.sleep(0.1)
    return found[::-1]


def _make_due(stack):
    """Let the time of the next attempts come, rather than to wait for it."""
    with stack.connect() as database:
        database.execute("UPDATE conda_webhookdelivery SET next_attempt_at = now()")
        database.execute(
            "UPDATE core_taskschedule SET next_dispatch = now() WHERE name LIKE '%webhooks%'"
        )


def _sending(stack):
    """Return the task that sends messages now."""
    with stack.connect() as database:
        ((key,),) = database.execute(
            "SELECT pulp_id FROM core_task WHERE state = 'running' AND name LIKE '%webhooks%'"
        ).fetchall()
    return f"/{key}/"


def test_a_receiver_that_was_down_gets_the_message_later_by_itself(team, receiver):
    receiver.answers = [503]
    team.promote("testing")
    (delivery,) = _wait_for(team, "delivered")
    assert [attempt["status"] for attempt in delivery["attempts"]] == [503, 200]


def test_a_message_is_not_lost_with_its_worker(team, receiver, stack, kill_worker_of):
    receiver.open.clear()
    team.promote("testing")
    assert receiver.reached.wait(30)
    # Taken for a minute, after which Pulp looks again.
    with stack.connect() as database:
        taken, alarm = database.execute(
            "SELECT next_attempt_at - now(), next_dispatch - now() "
            "FROM conda_webhookdelivery, core_taskschedule "
            "WHERE lifecycle_id = %s AND name LIKE '%%webhooks%%'",
            [team.href.split("/")[-2]],
        ).fetchone()
    assert alarm <= taken
    assert timedelta(seconds=30) < taken <= timedelta(minutes=1)
    start_again = kill_worker_of(_sending(stack))
    receiver.open.set()
    _make_due(stack)
    start_again()
    (delivery,) = _wait_for(team, "delivered")
    first, second = (headers["webhook-id"] for headers, _ in receiver.messages)
    assert first == second == delivery["pulp_href"].split("/")[-2]


def test_what_another_task_holds_is_not_sent_twice(team, receiver, stack):
    receiver.answers = [500]
    team.promote("testing")
    while not _deliveries(team)[0]["attempts"]:
        time.sleep(0.1)
    with stack.connect() as database:
        database.execute("UPDATE conda_webhookdelivery SET next_attempt_at = now()")
    with stack.connect() as holder:
        holder.execute("SELECT 1 FROM conda_webhookdelivery FOR UPDATE")
        team.set_gates("stable", {"name": "yes", "kind": "approval"})
        team.promote("stable")
        _wait_for(team, "delivered")
        holder.rollback()
    assert [payload["event"] for payload in receiver.payloads] == ["promoted", "approval_wanted"]
    _make_due(stack)
    _wait_for(team, "delivered", 2)
    assert len(receiver.messages) == 3
