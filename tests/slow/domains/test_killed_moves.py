"""A worker is killed in the middle of a move: the stage has moved, or it has not."""

import time
from contextlib import ExitStack

import pytest

from tests.support.conda import TaskFailed
from tests.support.moves import key, lock_lifecycle, start_move, states_of


def _lock_url(team):
    distribution = team.stage("testing")["distribution"]
    return "SELECT 1 FROM core_distribution WHERE pulp_id = %s FOR UPDATE", key(distribution)


def _lock_history(team):
    return ("LOCK TABLE conda_historyentry IN ACCESS EXCLUSIVE MODE",)


def _lock_environments(team):
    return ("LOCK TABLE conda_condaenvironment IN ACCESS EXCLUSIVE MODE",)


@pytest.mark.parametrize(
    "lock",
    [
        pytest.param(_lock_history, id="when-it-begins"),
        pytest.param(_lock_environments, id="at-a-gate"),
        pytest.param(lock_lifecycle, id="before-it-is-written"),
        pytest.param(_lock_url, id="between-the-history-and-the-url"),
    ],
)
def test_a_promotion_that_is_killed_was_none(pulp, team, held, kill_worker_of, lock):
    # It has none to solve, which would block.
    gate = {"name": "environments", "kind": "environments", "action": "warn"}
    team.set_gates("testing", gate)
    before, history = pulp.names(team.urls["testing"]), team.history()
    with held(*lock(team)) as somebody_waits:
        task = start_move(pulp, team, "promote", stage="testing")
        somebody_waits()
        start_again = kill_worker_of(task)
    start_again()
    with pytest.raises(TaskFailed):
        pulp.wait(task)
    assert team.history() == history
    assert states_of(team, "testing") == ["v1", "v2"]
    assert pulp.names(team.urls["testing"]) == before
    assert team.promote("testing")["outcome"] == "moved"
    assert states_of(team, "testing") == ["v1", "v2", "v3"]
    assert len(pulp.names(team.urls["testing"])) == 3


def test_a_promotion_that_is_killed_after_the_move_has_moved(pulp, team, held, kill_worker_of):
    with ExitStack() as until_it_runs:
        somebody_waits = until_it_runs.enter_context(held(*lock_lifecycle(team)))
        task = start_move(pulp, team, "promote", stage="testing")
        somebody_waits()
        # All that it does after the move is to say that it is done.
        with held("SELECT 1 FROM core_task WHERE pulp_id = %s FOR UPDATE", key(task)) as it_ends:
            until_it_runs.close()
            while team.state("testing") != "v3":
                time.sleep(0.02)
            it_ends()
            start_again = kill_worker_of(task)
    start_again()
    assert states_of(team, "testing") == ["v1", "v2", "v3"]
    assert len(pulp.names(team.urls["testing"])) == 3
    assert team.promote("testing")["outcome"] == "unchanged"
    assert team.roll_back("testing")["after"] == "v2"
