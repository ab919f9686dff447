"""Moves of stages that meet each other, a deletion or a publish: never half of one.

What a kill leaves of them, and what many of them make of a stage, is tested in tests/slow/domains.
"""

import time

import pytest

from tests.support.conda import TaskFailed
from tests.support.moves import lock_lifecycle, start_move, states_of


def test_a_rejection_counts_until_the_stage_moves(pulp, team, held):
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    assert team.promote("testing")["outcome"] == "waiting"
    request = team.history("testing")[0]["pulp_href"]
    first, second = (pulp.user(["conda.condalifecycle_approver"]) for _ in range(2))
    with held(*lock_lifecycle(team)) as somebody_waits:
        task = first.try_post(f"{request}approve/").json()["task"]
        somebody_waits()
        assert second.try_post(f"{request}reject/", reason="wait").status_code == 200
    with pytest.raises(TaskFailed) as failed:
        pulp.wait(task)
    assert failed.value.code == "CND0044"
    entry = team.history("testing")[0]
    assert entry["outcome"] == "rejected"
    assert [answer["approved"] for answer in entry["answers"]] == [True, False]
    assert states_of(team, "testing") == ["v1", "v2"]


def test_two_who_approve_at_the_same_moment_move_a_stage_once(pulp, team, held):
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    team.promote("testing")
    request = team.history("testing")[0]["pulp_href"]
    approvers = [pulp.user(["conda.condalifecycle_approver"]) for _ in range(2)]
    with held(*lock_lifecycle(team)) as somebody_waits:
        tasks = [user.try_post(f"{request}approve/").json()["task"] for user in approvers]
        somebody_waits()
    assert [pulp.wait(task)["result"]["outcome"] for task in tasks] == ["moved", "moved"]
    assert len(team.history("testing")[0]["answers"]) == 2
    assert states_of(team, "testing") == ["v1", "v2", "v3"]


@pytest.mark.parametrize("what", ["publication", "version"])
def test_what_was_deleted_before_its_turn_came_is_not_promoted(pulp, team, held, what):
    pulp.patch(team.href, retain_days=0)
    first = next(entry for entry in team.history("unstable") if entry["state"] == "v1")
    with held(*lock_lifecycle(team)) as somebody_waits:
        start_move(pulp, team, "promote", stage="testing")
        somebody_waits()
        task = start_move(pulp, team, "promote", stage="testing", state="v1")
        pulp.delete(
            first["publication"] if what == "publication" else f"{team.repository}versions/1/"
        )
    with pytest.raises(TaskFailed) as failed:
        pulp.wait(task)
    assert failed.value.code == "CND0038"
    assert states_of(team, "testing") == ["v1", "v2", "v3"]


def test_a_publish_holds_no_promotion_up(pulp, team, paused_publish, packages):
    *_, four = packages
    with paused_publish() as in_the_middle:
        body = {"add_content_units": [four]}
        task = pulp.try_post(f"{team.repository}modify/", **body).json()["task"]
        in_the_middle()
        assert team.promote("testing")["after"] == "v3"
        assert team.roll_back("testing")["after"] == "v2"
        assert pulp.get(task)["state"] == "running"
    pulp.wait(task)
    assert states_of(team, "unstable") == ["v1", "v2", "v3", "v4"]


def test_what_is_asked_for_is_not_deleted_by_who_came_before(pulp, team, paused_publish, packages):
    """A version that nothing needed when its deletion was asked for, and that somebody waits for
    when it is its turn.
    """
    pulp.patch(team.href, retain_days=0)
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    *_, four = packages
    with paused_publish() as in_the_middle:
        body = {"add_content_units": [four]}
        publish = pulp.try_post(f"{team.repository}modify/", **body).json()["task"]
        in_the_middle()
        deletion = pulp.try_delete(f"{team.repository}versions/1/").json()["task"]
        assert team.promote("testing", state="v1")["outcome"] == "waiting"
    pulp.wait(publish)
    with pytest.raises(TaskFailed) as failed:
        pulp.wait(deletion)
    assert failed.value.code == "CND0043"
    request = team.history("testing")[0]["pulp_href"]
    approver = pulp.user(["conda.condalifecycle_approver"])
    assert approver.post(f"{request}approve/")["result"]["outcome"] == "moved"
    assert len(pulp.names(team.urls["testing"])) == 1


def test_what_is_published_while_a_lifecycle_is_made_is_not_missed(
    pulp, held, unique, make_repository, packages
):
    repository = make_repository()
    one, two = packages[:2]
    pulp.modify(repository, add=[one])
    pulp.publish(f"{repository}versions/1/")
    pulp.modify(repository, add=[two])
    with held("LOCK TABLE conda_historyentry IN EXCLUSIVE MODE") as somebody_waits:
        body = {"name": unique, "repository": repository}
        creation = pulp.try_post("conda/lifecycles/", **body).json()["task"]
        somebody_waits()
        publish = pulp.try_post("publications/conda/conda/", repository=repository).json()["task"]
        deadline = time.monotonic() + 3
        while pulp.get(publish)["state"] != "completed" and time.monotonic() < deadline:
            time.sleep(0.1)
    for task in (creation, publish):
        pulp.wait(task)
    (team,) = pulp.get("conda/lifecycles/", name=unique)["results"]
    assert team["stages"][0]["state"] == "v2"


def test_of_two_lifecycles_of_a_name_that_are_made_at_once_one_is_made(
    pulp, held, unique, make_repository
):
    body = {"name": unique, "repository": make_repository()}
    with held("LOCK TABLE conda_condalifecycle IN EXCLUSIVE MODE") as somebody_waits:
        tasks = [pulp.try_post("conda/lifecycles/", **body).json()["task"] for _ in range(2)]
        somebody_waits()
    failed = []
    for task in tasks:
        try:
            pulp.wait(task)
        except TaskFailed as failure:
            failed.append(failure)
    assert len(failed) == 1
    assert "Another lifecycle has this name" in failed[0].description
    assert pulp.get("conda/lifecycles/", name=unique)["count"] == 1
    assert pulp.get("distributions/conda/conda/", name__startswith=f"{unique}-")["count"] == 3
