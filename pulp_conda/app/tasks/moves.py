"""Move stages: promote to one, answer what waits, and roll one back."""

from pulp_conda.app.errors import NothingWaits, StageServesNothing, UnknownState
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.moves import (
    attempt,
    check_is_there,
    find_state,
    make_entry,
    report_of,
    signed,
)
from pulp_conda.app.models import CondaStage, HistoryEntry


def promote(
    stage_pk, source_pk, requester_pk, state=None, reason="", overrides=None, dry_run=False
):
    """Let a stage serve what another serves, if its gates allow that, and return the report.

    Args:
        state: The label of something that the source serves or served, `v42`; the default is what it serves now.
        overrides: Reasons to pass a gate whatever it says, by its name.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `StageServesNothing`, `UnknownState` or `StateGone`.
    """
    stage = CondaStage.objects.get(pk=stage_pk)
    source = CondaStage.objects.get(pk=source_pk)
    origin = find_state(source, state) if state else source.current
    if origin is None:
        raise CondaError(StageServesNothing(stage=source.name, lifecycle=source.lifecycle.name))
    entry = make_entry(stage, "promoted", origin, requester_pk, reason)
    return attempt(entry, signed(overrides, entry), dry_run)


def answer(entry_pk):
    """Promote what waited for an approval, now that somebody said yes, and return the report.

    Raises:
        CondaError: `NothingWaits` or `StateGone`.
    """
    entry = HistoryEntry.objects.get(pk=entry_pk)
    if entry.outcome == "moved":
        # Two said yes at the same moment, and the task of the first did it.
        return report_of(entry, "moved", dry_run=False)
    if entry.outcome != "waiting":
        raise CondaError(
            NothingWaits(number=entry.number, lifecycle=entry.lifecycle.name, outcome=entry.outcome)
        )
    check_is_there(entry)
    return attempt(entry, entry.report.get("overrides", {}), dry_run=False)


def roll_back(stage_pk, requester_pk, number=None, reason="", dry_run=False):
    """Let a stage serve what it served before, whatever its gates say, and return the report.

    Args:
        number: Which entry of the history to go back to; the default is the state before. Of a stage that was rolled back
            already, that is what it served before the state it was rolled back to.

    Raises:
        CondaError: `UnknownState` or `StateGone`.
    """
    stage = CondaStage.objects.get(pk=stage_pk)
    if number is not None:
        origin = stage.states.filter(number=number).first()
        wanted, why = number, "it has no such entry that moved this stage"
    else:
        origin = stage.find_earlier()
        wanted, why = "before", "it has no earlier state that is kept"
    if origin is None:
        raise CondaError(
            UnknownState(stage=stage.name, lifecycle=stage.lifecycle.name, state=wanted, reason=why)
        )
    entry = make_entry(stage, "rolled_back", origin, requester_pk, reason)
    return attempt(entry, {}, dry_run)
