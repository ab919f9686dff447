"""Move stages: promote to a stage, promote what was approved, and roll a stage back."""

from pulp_conda.app.errors import BehindBlock, NothingWaits, StageServesNothing, UnknownState
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.moves import (
    Report,
    attempt,
    check_is_there,
    find_state,
    make_entry,
    report_of,
    signed,
)
from pulp_conda.app.models import CondaStage, HistoryEntry
from pulp_conda.app.models.act import named_by_token
from pulp_conda.app.vocabulary import EntryKind, EntryOutcome, MoveOutcome


@named_by_token
def promote(
    stage_pk: str,
    source_pk: str,
    requester_pk: int,
    state: str | None = None,
    reason: str = "",
    overrides: dict[str, str] | None = None,
    dry_run: bool = False,
) -> Report:
    """Let a stage serve what another stage serves, if its gates allow that. Return the report.

    Args:
        state: A state that the source serves or served, for example `v42`. The default is what it
            serves now.
        overrides: By the name of a gate, the reason to pass it in any case.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `StageServesNothing`, `UnknownState` or `StateGone`.
    """
    stage = CondaStage.objects.get(pk=stage_pk)
    source = CondaStage.objects.get(pk=source_pk)
    origin = find_state(source, state) if state else source.current
    if origin is None:
        raise CondaError(StageServesNothing(stage=source.name, lifecycle=source.lifecycle.name))
    entry = make_entry(stage, EntryKind.PROMOTED, origin, requester_pk, reason)
    return attempt(entry, signed(overrides, entry), dry_run)


def answer(entry_pk: str) -> Report:
    """Continue a promotion that waits, after a user approved it. Return the report.

    Raises:
        CondaError: `NothingWaits` or `StateGone`.
    """
    entry = HistoryEntry.objects.get(pk=entry_pk)
    if entry.outcome == EntryOutcome.MOVED:
        # Two people approved at the same time, and the task of the first moved the stage.
        return report_of(entry, MoveOutcome.MOVED, dry_run=False)
    if entry.outcome != EntryOutcome.WAITING:
        raise CondaError(
            NothingWaits(number=entry.number, lifecycle=entry.lifecycle.name, outcome=entry.outcome)
        )
    check_is_there(entry)
    return attempt(entry, entry.report.get("overrides", {}), dry_run=False)


def roll_back(
    stage_pk: str,
    requester_pk: int,
    number: int | None = None,
    reason: str = "",
    dry_run: bool = False,
) -> Report:
    """Let a stage serve what it served before, without asking its gates. Return the report.

    Args:
        number: The number of the entry of the history to go back to. The default is the state
            before. If the stage was rolled back already, that is the state before the one to which
            it was rolled back.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `UnknownState`, `StateGone` or `BehindBlock`.
    """
    stage = CondaStage.objects.get(pk=stage_pk)
    barrier = stage.barrier
    if number is not None:
        origin = stage.states.filter(number=number).first()
        state, why = str(number), "it has no such entry that moved this stage"
    else:
        origin = stage.find_earlier()
        state, why = "before", "it has no earlier state that is kept"
    if barrier and (number is None if origin is None else origin.moved_at < barrier.moved_at):
        raise CondaError(
            BehindBlock(stage=stage.name, lifecycle=stage.lifecycle.name, number=barrier.number)
        )
    if origin is None:
        raise CondaError(
            UnknownState(stage=stage.name, lifecycle=stage.lifecycle.name, state=state, reason=why)
        )
    entry = make_entry(stage, EntryKind.ROLLED_BACK, origin, requester_pk, reason)
    return attempt(entry, {}, dry_run)
