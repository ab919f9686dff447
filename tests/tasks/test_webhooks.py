"""Webhooks: what a lifecycle tells another program, and what users see of that."""

import time

import orjson
import pytest

from pulp_conda.channel.webhooks import webhook_headers
from tests.support.receiver import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def told(make_team):
    """A team whose webhook got a message, for tests that need no more than that."""
    with Receiver() as receiver:
        team = make_team(webhook_url=receiver.url, webhook_secret=SECRET)
        team.promote("testing")
        _wait_for(team, "delivered")
        yield team


def _deliveries(team, **query):
    return team.pulp.get(f"{team.href}deliveries/", **query)["results"]


def _wait_for(team, state, count=1):
    """Return the deliveries of a lifecycle once so many are in a state, oldest first."""
    deadline = time.monotonic() + 90
    while len(found := _deliveries(team, state=state)) < count:
        assert time.monotonic() < deadline, _deliveries(team)
        time.sleep(0.1)
    return found[::-1]


def test_a_webhook_is_told_what_happens_to_stages(pulp, team, receiver):
    team.promote("testing", reason="tuesday")
    gate = {"name": "solves", "kind": "environments", "environments": ["nobody-has-this"]}
    team.set_gates("stable", gate)
    assert team.promote("stable")["outcome"] == "blocked"
    team.set_gates("stable", {"name": "yes", "kind": "approval"})
    assert team.promote("stable")["outcome"] == "waiting"
    deliveries = _wait_for(team, "delivered", 3)
    events = ["promoted", "gate_failed", "approval_wanted"]
    assert [delivery["event"] for delivery in deliveries] == events
    assert [delivery["payload"] for delivery in deliveries] == receiver.payloads
    first, second, third = receiver.payloads
    assert (first["stage"], first["after"], first["reason"]) == ("testing", "v1", "tuesday")
    assert first["base_url"] == team.urls["testing"]
    assert pulp.get(first["lifecycle"]["pulp_href"])["name"] == team.name
    assert [gate["verdict"] for gate in second["gates"]] == ["failed"]
    assert (third["outcome"], third["moved_at"]) == ("waiting", None)


def test_a_rollback_is_told_and_a_dry_run_is_not(team, receiver, make_packages, pulp):
    team.promote("testing")
    pulp.modify(team.repository, add=make_packages("two"))
    team.promote("testing", dry_run=True)
    team.promote("testing")
    team.promote("testing")
    team.roll_back("testing")
    _wait_for(team, "delivered", 3)
    told = [
        (payload["event"], payload["before"], payload["after"]) for payload in receiver.payloads
    ]
    assert told == [
        ("promoted", None, "v1"),
        ("promoted", "v1", "v2"),
        ("rolled_back", "v2", "v1"),
    ]


def test_single_packages_of_which_some_are_blocked_are_told(
    team, receiver, make_packages, upload_once, pulp, unique
):
    name = f"half-{unique}"
    builds = [upload_once(name, build=build) for build in ("good_0", "bad_0")]
    team.promote("testing")
    pulp.modify(team.repository, add=builds)
    sha256 = pulp.get(builds[1])["sha256"]
    block = pulp.post("conda/blocks/", sha256=sha256, public_reason="It is broken.")
    report = team.promote_packages("testing", name, with_dependencies=False)
    assert [len(report[key]) for key in ("packages", "blocked")] == [1, 1]
    pulp.delete(block["pulp_href"])
    _wait_for(team, "delivered", 2)
    by_kind = {payload["kind"]: payload["blocked"] for payload in receiver.payloads}
    # `blocked` is about what a stage lost or got back.
    assert by_kind["packages"] is None


def test_messages_are_signed_with_the_secret_of_the_lifecycle(team, receiver):
    team.promote("testing")
    (delivery,) = _wait_for(team, "delivered")
    ((headers, body),) = receiver.messages
    timestamp = int(headers["webhook-timestamp"])
    expected = webhook_headers(delivery["pulp_href"].split("/")[-2], timestamp, body, SECRET)
    assert expected == {name: headers[name] for name in expected}
    assert len(expected) == 3


def test_nobody_is_shown_the_secret(told):
    shown = [told.read(), _deliveries(told), told.history(), told.pulp.get("conda/lifecycles/")]
    assert SECRET.removeprefix("whsec_") not in orjson.dumps(shown).decode()


def test_deliveries_are_listed_by_state_and_event(team, receiver):
    receiver.answers = [200, 404]
    team.promote("testing")
    team.set_gates("stable", {"name": "yes", "kind": "approval"})
    team.promote("stable")
    (delivered,) = _wait_for(team, "delivered")
    while not (waiting := _deliveries(team, state="pending")[0])["attempts"]:
        time.sleep(0.1)
    (attempt,) = waiting["attempts"]
    assert (attempt["status"], attempt["error"]) == (404, "it answered 404")
    assert waiting["next_attempt_at"] > attempt["at"]
    assert _deliveries(team, event="promoted") == [delivered]
    assert _deliveries(team, event="rolled_back") == []
    assert team.pulp.get(delivered["pulp_href"]) == delivered
    assert (delivered["stage"], delivered["entry"]) == (
        "testing",
        team.history("testing")[0]["number"],
    )


def test_a_message_can_be_delivered_once_more(team, receiver):
    team.promote("testing")
    (delivery,) = _wait_for(team, "delivered")
    team.pulp.post(f"{delivery['pulp_href']}redeliver/")
    again = team.pulp.get(delivery["pulp_href"])
    assert (again["state"], len(again["attempts"])) == ("delivered", 2)
    assert receiver.payloads[0] == receiver.payloads[1]


@pytest.mark.parametrize(
    "role, looking, redelivering",
    [
        (None, 404, 404),
        ("conda.condalifecycle_viewer", 200, 403),
        ("conda.condalifecycle_promoter", 200, 403),
        ("conda.condalifecycle_owner", 200, 202),
    ],
)
def test_who_may_look_and_who_may_redeliver(told, role, looking, redelivering):
    (delivery,) = _wait_for(told, "delivered")
    user = told.pulp.user([role] if role else [])
    assert user.try_get(f"{told.href}deliveries/").status_code == looking
    assert user.try_get(delivery["pulp_href"]).status_code == looking
    answer = user.try_post(f"{delivery['pulp_href']}redeliver/")
    assert answer.status_code == redelivering


def test_a_deleted_lifecycle_takes_its_deliveries_along(team, stack):
    team.promote("testing")
    (delivery,) = _wait_for(team, "delivered")
    team.pulp.delete(team.href)
    assert team.pulp.try_get(delivery["pulp_href"]).status_code == 404
    with stack.connect() as database:
        rows = database.execute(
            "SELECT count(*) FROM conda_webhookdelivery WHERE pulp_id = %s",
            [delivery["pulp_href"].split("/")[-2]],
        )
        assert rows.fetchone() == (0,)


@pytest.mark.parametrize(
    "field, value",
    [
        ("webhook_url", "https://me:hunter2@ci.example.com/hook"),
        ("webhook_url", "ftp://ci.example.com/hook"),
        ("webhook_url", "https://ci.example.com/" + "x" * 2000),
        ("webhook_secret", "hunter2 hunter2 hunter2"),
    ],
    ids=["password", "scheme", "too long", "secret"],
)
def test_a_webhook_that_cannot_work_is_refused(pulp, told, field, value):
    answer = pulp.try_patch(told.href, **{field: value})
    assert answer.status_code == 400
    assert "CND0061" in answer.json()[field][0]
    assert "hunter2" not in answer.text


def test_a_receiver_may_be_a_host_of_the_own_network(pulp, team):
    pulp.patch(team.href, webhook_url="http://jenkins:8080/hook")
    assert team.read()["webhook_url"] == "http://jenkins:8080/hook"
    pulp.patch(team.href, webhook_url=None, webhook_secret=None)
    team.promote("testing")
    assert _deliveries(team) == []


def test_the_users_of_a_stage_read_that_it_moved(pulp, make_team):
    team = make_team(announce=True)
    team.promote("testing")
    answer = pulp.fetch(team.urls["testing"], "notices.json").json()
    assert [notice["message"] for notice in answer["notices"]] == ["testing moved to v1: 1 new."]
    assert pulp.fetch(team.urls["unstable"], "notices.json").json() == {"notices": []}
