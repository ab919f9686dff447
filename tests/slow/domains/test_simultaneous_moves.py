"""Moves that are asked for at the same moment come one after the other, in some order."""

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

from tests.support.moves import consistent_states

ROUNDS = 10


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
            assert [state for state, _ in after] == consistent_states(team, "testing", history)
            assert tuple(after) in _possible(before)
            assert outcomes.count("moved") == len(after) - len(before)
            assert len(pulp.names(team.urls["testing"])) == counts[after[-1][0]]
    numbers = [entry["number"] for entry in team.history()]
    assert numbers == list(range(len(numbers), 0, -1))
