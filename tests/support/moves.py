"""What tests of moves share: how they start one, make one wait, and read what moves left behind."""

from datetime import datetime
from itertools import pairwise


def start_move(pulp, team, verb, **body):
    """Post a move and return its task, without waiting for it."""
    answer = pulp.try_post(f"{team.href}{verb}/", **body)
    assert answer.status_code == 202, answer.text
    return answer.json()["task"]


def states_of(team, stage):
    """The states that the history says a stage went through, oldest first, after a look whether it
    is consistent.
    """
    return consistent_states(team, stage, team.history(stage))


def consistent_states(team, stage, history):
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


def lock_lifecycle(team):
    return "SELECT 1 FROM conda_condalifecycle WHERE pulp_id = %s FOR UPDATE", key(team.href)


def key(href):
    """The key in the database of what an href names."""
    return href.rstrip("/").split("/")[-1]
