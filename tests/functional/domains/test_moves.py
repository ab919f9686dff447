"""Moves of stages that meet each other, a kill, a deletion or a publish: never half of one."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from itertools import pairwise, permutations
from uuid import uuid4

import pytest

from tests.support.builders import make_package
from tests.support.conda import TaskFailed

ROUNDS = 10


@pytest.fixture(scope="module")
def packages(pulp):
    """What the versions of each channel are made of."""
    word = uuid4().hex[:8]
    names = ("one", "two", "three", "four")
    return [pulp.upload(make_package(f"{name}-{word}"))["pulp_href"] for name in names]


@pytest.fixture
def team(pulp, make_repository, packages):
    """A lifecycle whose unstable stage served v1 to v3, each with a package more, and whose testing
    stage serves v2.
    """
    repository = make_repository(autopublish=True)
    team = pulp.lifecycle(repository)
    for package in packages[:3]:
        pulp.modify(repository, add=[package])
    team.promote("testing", state="v1")
    team.promote("testing", state="v2")
    return team


def _pk(href):
    return href.rstrip("/").split("/")[-1]


def _start(pulp, team, verb, **body):
    """Post a move and return its task, without waiting for it."""
    answer = pulp.try_post(f"{team.href}{verb}/", **body)
    assert answer.status_code == 202, answer.text
    return answer.json()["task"]


def _states(team, stage):
    """The states that the history says a stage went through, oldest first, after a look whether it
    is consistent.
    """
    return _consistent(team, stage, team.history(stage))


def _consistent(team, stage, history):
    entries = [e for e in history if e["outcome"] == "moved"][::-1]
    assert [entry["before"] for entry in entries] == [
        None,
        *(entry["state"] for entry in entries[:-1]),
    ]
    for earlier, later in pairwise(entries):
        assert earlier["until"] == later["moved_at"]
        assert _time(earlier["moved_at"]) < _time(later["moved_at"])
    assert entries[-1]["until"] is None
    assert team.stage(stage)["publication"] == entries[-1]["publication"]
    return [entry["state"] for entry in entries]


def _time(text):
    return datetime.fromisoformat(text)


def _moves(history):
    """The states of a stage, oldest first, each with whether a rollback led to it."""
    return [
        (entry["state"], entry["kind"] == "rolled_back")
        for entry in reversed(history)
        if entry["moved_at"]
    ]


def _possible(moves):
    """What two promotions and a rollback may make of a stage, by the order in which they come."""
    return {tuple(_after(moves, order)) for order in permutations(("v3", "v1", "back"))}


def _after(moves, order):
    moves = list(moves)
    for move in order:
        wanted = _before_last(moves) if move == "back" else move
        if wanted != moves[-1][0]:
            moves.append((wanted, move == "back"))
    return moves


def _before_last(moves):
    """The state before the one that the stage is in; of one that it was rolled back to, before it
    first came there.
    """
    at = len(moves) - 1
    current, is_back = moves[at]
    while is_back:
        at = max(i for i in range(at) if moves[i][0] == current)
        is_back = moves[at][1]
    return next(state for state, _ in reversed(moves[:at]) if state != current)


def test_moves_at_the_same_moment_come_one_after_the_other(pulp, api, team):
    moves = [
        ("promote", {"stage": "testing", "state": "v3"}),
        ("promote", {"stage": "testing", "state": "v1"}),
        ("rollback", {"stage": "testing"}),
    ]
    sessions = [api("default") for _ in moves]
    counts = {"v1": 1, "v2": 2, "v3": 3}

    def post(session, move):
        verb, body = move
        return session.post(f"{team.href}{verb}/", **body)["result"]["outcome"]

    after = _moves(team.history("testing"))
    with ThreadPoolExecutor(len(moves)) as threads:
        for _ in range(ROUNDS):
            before = after
            outcomes = list(threads.map(post, sessions, moves))
            history = team.history("testing")
            after = _moves(history)
            assert [state for state, _ in after] == _consistent(team, "testing", history)
            assert tuple(after) in _possible(before)
            assert outcomes.count("moved") == len(after) - len(before)
            assert len(pulp.names(team.urls["testing"])) == counts[after[-1][0]]
    numbers = [entry["number"] for entry in team.history()]
    assert numbers == list(range(len(numbers), 0, -1))


def _lock_lifecycle(team):
    return "SELECT 1 FROM conda_condalifecycle WHERE pulp_id = %s FOR UPDATE", _pk(team.href)


def _lock_url(team):
    distribution = team.stage("testing")["distribution"]
    return "SELECT 1 FROM core_distribution WHERE pulp_id = %s FOR UPDATE", _pk(distribution)


def _lock_history(team):
    return ("LOCK TABLE conda_historyentry IN ACCESS EXCLUSIVE MODE",)


def _lock_environments(team):
    return ("LOCK TABLE conda_condaenvironment IN ACCESS EXCLUSIVE MODE",)


@pytest.mark.parametrize(
    "lock",
    [
        pytest.param(_lock_history, id="when-it-begins"),
        pytest.param(_lock_environments, id="at-a-gate"),
        pytest.param(_lock_lifecycle, id="before-it-is-written"),
        pytest.param(_lock_url, id="between-the-history-and-the-url"),
    ],
)
def test_a_promotion_that_is_killed_was_none(pulp, team, held, kill_worker_of, lock):
    # It has none to solve, which would block.
    gate = {"name": "environments", "kind": "environments", "action": "warn"}
    team.set_gates("testing", gate)
    before, history = pulp.names(team.urls["testing"]), team.history()
    with held(*lock(team)) as somebody_waits:
        task = _start(pulp, team, "promote", stage="testing")
        somebody_waits()
        start_again = kill_worker_of(task)
    start_again()
    with pytest.raises(TaskFailed):
        pulp.wait(task)
    assert team.history() == history
    assert _states(team, "testing") == ["v1", "v2"]
    assert pulp.names(team.urls["testing"]) == before
    assert team.promote("testing")["outcome"] == "moved"
    assert _states(team, "testing") == ["v1", "v2", "v3"]
    assert len(pulp.names(team.urls["testing"])) == 3


def test_a_promotion_that_is_killed_after_the_move_has_moved(pulp, team, held, kill_worker_of):
    with ExitStack() as until_it_runs:
        somebody_waits = until_it_runs.enter_context(held(*_lock_lifecycle(team)))
        task = _start(pulp, team, "promote", stage="testing")
        somebody_waits()
        # All that it does after the move is to say that it is done.
        with held("SELECT 1 FROM core_task WHERE pulp_id = %s FOR UPDATE", _pk(task)) as it_ends:
            until_it_runs.close()
            while team.state("testing") != "v3":
                time.sleep(0.02)
            it_ends()
            start_again = kill_worker_of(task)
    start_again()
    assert _states(team, "testing") == ["v1", "v2", "v3"]
    assert len(pulp.names(team.urls["testing"])) == 3
    assert team.promote("testing")["outcome"] == "unchanged"
    assert team.roll_back("testing")["after"] == "v2"


def test_a_rejection_counts_until_the_stage_moves(pulp, team, held):
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    assert team.promote("testing")["outcome"] == "waiting"
    request = team.history("testing")[0]["pulp_href"]
    first, second = (pulp.user(["conda.condalifecycle_approver"]) for _ in range(2))
    with held(*_lock_lifecycle(team)) as somebody_waits:
        task = first.try_post(f"{request}approve/").json()["task"]
        somebody_waits()
        assert second.try_post(f"{request}reject/", reason="wait").status_code == 200
    with pytest.raises(TaskFailed) as failed:
        pulp.wait(task)
    assert failed.value.code == "CND0044"
    entry = team.history("testing")[0]
    assert entry["outcome"] == "rejected"
    assert [answer["approved"] for answer in entry["answers"]] == [True, False]
    assert _states(team, "testing") == ["v1", "v2"]


def test_two_who_approve_at_the_same_moment_move_a_stage_once(pulp, team, held):
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    team.promote("testing")
    request = team.history("testing")[0]["pulp_href"]
    approvers = [pulp.user(["conda.condalifecycle_approver"]) for _ in range(2)]
    with held(*_lock_lifecycle(team)) as somebody_waits:
        tasks = [user.try_post(f"{request}approve/").json()["task"] for user in approvers]
        somebody_waits()
    assert [pulp.wait(task)["result"]["outcome"] for task in tasks] == ["moved", "moved"]
    assert len(team.history("testing")[0]["answers"]) == 2
    assert _states(team, "testing") == ["v1", "v2", "v3"]


@pytest.mark.parametrize("what", ["publication", "version"])
def test_what_was_deleted_before_its_turn_came_is_not_promoted(pulp, team, held, what):
    pulp.patch(team.href, retain_days=0)
    first = next(entry for entry in team.history("unstable") if entry["state"] == "v1")
    with held(*_lock_lifecycle(team)) as somebody_waits:
        _start(pulp, team, "promote", stage="testing")
        somebody_waits()
        task = _start(pulp, team, "promote", stage="testing", state="v1")
        pulp.delete(
            first["publication"] if what == "publication" else f"{team.repository}versions/1/"
        )
    with pytest.raises(TaskFailed) as failed:
        pulp.wait(task)
    assert failed.value.code == "CND0038"
    assert _states(team, "testing") == ["v1", "v2", "v3"]


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
    assert _states(team, "unstable") == ["v1", "v2", "v3", "v4"]


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
