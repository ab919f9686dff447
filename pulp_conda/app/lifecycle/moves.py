"""Move stages: ask the gates, decide, move the stage or not, and note what happened."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from pulp_conda.app.errors import NothingWaits, StateGone, UnknownState
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle import gates
from pulp_conda.app.lifecycle.gates import blocks
from pulp_conda.app.lifecycle.gates.case import Gate, Verdict
from pulp_conda.app.lifecycle.news import tell
from pulp_conda.app.lifecycle.returning import way_back
from pulp_conda.app.models import CondaPublication, CondaStage, HistoryEntry
from pulp_conda.app.models.publication import served_state, version_of
from pulp_conda.app.results import checked
from pulp_conda.app.versions.comparison import compare
from pulp_conda.app.vocabulary import EntryKind, EntryOutcome, GateAction, GateVerdict, MoveOutcome
from pulp_conda.channel.moments import parse_moment

# How many package names a report has. A diff has all of them.
_SHOWN_NAMES = 100

# The result of a task that moves a stage, as the API shows it.
Report = dict[str, Any]

# Why a gate is overridden, and who wants that: {"name of the gate": {"reason": …, "user": …}}.
Overrides = dict[str, dict[str, str]]


def follow(publication: CondaPublication) -> None:
    """Let the first stages of a repository serve a new publication of it.

    A stage that serves a newer version stays as it is. A stage follows each publication only once:
    after a rollback it moves again when there is a newer publication. A publication that replaces
    another one because of a block counts as that one.
    """
    version = version_of(publication)
    same = [publication.pk, publication.replaces_id]
    first_stages = CondaStage.objects.filter(
        position=0, lifecycle__repository=version.repository_id
    )
    for stage in first_stages:
        with transaction.atomic():
            # Two versions may be published at the same time, and the older one may be ready last.
            stage.lifecycle.lock()
            if stage.states.filter(publication__in=same).exists():
                continue
            served_now = stage.current
            if served_now is None or served_now.version <= version.number:
                state = (version.number, 0)
                stage.move(HistoryEntry.make(stage, EntryKind.PUBLISHED, publication, state))


def attempt(
    entry: HistoryEntry, overrides: Overrides, dry_run: bool, extra: dict[str, Any] | None = None
) -> Report:
    """Ask the gates of a stage, move it or not, note what happened, and return the report.

    Args:
        entry: A new entry, or one that waited for an approval.
        overrides: As `signed` returns them.
        dry_run: Return the same report, and change nothing.
        extra: More facts for the report.

    Raises:
        CondaError: `NothingWaits` or `StateGone`.
    """
    stage, before = entry.stage, entry.stage.publication
    publication = entry.publication.cast()
    if before and before.pk == publication.pk:
        return unchanged(entry, dry_run)
    waiting = HistoryEntry.objects.filter(
        stage=stage, outcome=EntryOutcome.WAITING, kind=entry.kind, publication=publication
    ).first()
    if waiting and not dry_run:
        # Somebody asked for the same before: the answers to that request count.
        waiting.requested_again(overrides)
        entry, overrides = waiting, waiting.report["overrides"]

    judgements: list[gates.Judgement] = []
    if entry.kind != EntryKind.ROLLED_BACK:
        case = gates.Case(stage, publication, before, entry)
        judgements = gates.judge(stage.gates, case)
    if blocked := blocks.judge(publication):
        judgements.append(gates.Judgement(blocks.GATE, blocked))
    served_now = stage.current
    goes_back = served_now is not None and entry.state < served_now.state
    entry.report = {
        **(extra or _kept_of(entry.report)),
        **_changes(before, publication, goes_back),
        "gates": [_gate_report(gate, verdict, overrides) for gate, verdict in judgements],
        "overrides": overrides,
    }
    outcome = _decide(judgements, overrides)
    if not dry_run:
        return _write(entry, outcome)
    return checked(report_of(entry, outcome, dry_run))


def signed(overrides: dict[str, str] | None, entry: HistoryEntry) -> Overrides:
    """Return overrides with the name of the user who asked for the entry.

    Args:
        overrides: The reasons, by the name of the gate.
    """
    return {
        gate: {"reason": reason, "user": entry.requested_by}
        for gate, reason in (overrides or {}).items()
    }


def unchanged(entry: HistoryEntry, dry_run: bool) -> Report:
    """Return the report of a move that would change nothing."""
    return report_of(entry, MoveOutcome.UNCHANGED, dry_run)


def _decide(judgements: list[gates.Judgement], overrides: Overrides) -> MoveOutcome:
    blocking = [
        verdict.verdict
        for gate, verdict in judgements
        if gate["action"] == GateAction.BLOCK
        and not verdict.is_passed
        and (gate is blocks.GATE or gate["name"] not in overrides)
    ]
    if not blocking:
        return MoveOutcome.MOVED
    is_waiting = set(blocking) == {GateVerdict.WAITING}
    return MoveOutcome.WAITING if is_waiting else MoveOutcome.BLOCKED


def _write(entry: HistoryEntry, outcome: MoveOutcome) -> Report:
    """Note the outcome of an attempt, and return the report of that."""
    with transaction.atomic():
        entry.lifecycle.lock()
        try:
            entry.take_answers()
            is_new = entry.outcome != outcome
            if outcome == MoveOutcome.MOVED:
                entry.stage.move(entry)
            else:
                entry.outcome = outcome
                entry.save()
        except (NothingWaits, StateGone) as error:
            raise CondaError(error) from None
        if is_new:
            tell(entry)
        return checked(report_of(entry, outcome, dry_run=False))


def make_entry(
    stage: CondaStage, kind: EntryKind, origin: HistoryEntry, requester_pk: int, reason: str
) -> HistoryEntry:
    """Return an unsaved entry that moves a stage to the state of another entry.

    Raises:
        CondaError: `StateGone`.
    """
    requester = get_user_model().objects.filter(pk=requester_pk).first()
    entry = HistoryEntry.make(
        stage, kind, origin.publication, origin.state, requester, reason=reason
    )
    check_is_there(entry)
    return entry


def find_state(source: CondaStage, state: str) -> HistoryEntry:
    """Return the newest entry by which a stage came into a state.

    Args:
        state: The label of the state, `v42`, or a date.

    Raises:
        CondaError: `UnknownState`.
    """
    found = source.find_states(parse_moment(state, now=timezone.now())).first()
    if found is None:
        raise CondaError(
            UnknownState(
                stage=source.name,
                lifecycle=source.lifecycle.name,
                state=state,
                reason="it did not serve that",
            )
        )
    return found


def check_is_there(entry: HistoryEntry) -> None:
    """Check that the publication of an entry was not deleted.

    Raises:
        CondaError: `StateGone`.
    """
    if entry.publication is None:
        raise CondaError(StateGone(state=entry.label, stage=entry.stage.name))


def _changes(
    before: CondaPublication | None, publication: CondaPublication, goes_back: bool
) -> dict[str, Any]:
    """Return what a report says of the packages.

    Args:
        goes_back: Whether the stage goes back to an earlier state.
    """
    with compare(before and served_state(before), served_state(publication)) as changes:
        return {
            "changes": {
                "counts": changes.counts(),
                "summaries": changes.summaries(),
                "names": [
                    {
                        "name": name.name,
                        "summary": name.summary,
                        "from": name.from_version,
                        "to": name.to_version,
                        "subdirs": list(name.subdirs),
                    }
                    for name in changes.page(limit=_SHOWN_NAMES, files=0)
                ],
            },
            "way_back": way_back(changes, publication) if goes_back else None,
        }


def _kept_of(report: Report) -> dict[str, Any]:
    """Return the facts of a report that the next try does not find out again."""
    return {
        key: report[key]
        for key in ("packages", "size", "unmet", "not_installable", "blocked")
        if key in report
    }


def _gate_report(gate: Gate, verdict: Verdict, overrides: Overrides) -> dict[str, Any]:
    override = {} if gate is blocks.GATE else overrides.get(gate["name"], {})
    return {
        "name": gate["name"],
        "kind": gate["kind"],
        "action": gate["action"],
        "verdict": verdict.verdict,
        "summary": verdict.summary,
        "findings": verdict.findings,
        "count": verdict.count,
        "overridden": override.get("reason"),
        "overridden_by": override.get("user"),
    }


def report_of(entry: HistoryEntry, outcome: MoveOutcome, dry_run: bool) -> Report:
    """Return the report about an entry of the history, which may be unsaved."""
    return {
        "lifecycle": entry.lifecycle.name,
        "stage": entry.stage.name,
        "kind": entry.kind,
        "outcome": outcome,
        "dry_run": dry_run,
        "entry": entry.number,
        "before": entry.before,
        "after": entry.label,
        "reason": entry.reason,
        "requested_by": entry.requested_by,
        **{"changes": None, "way_back": None, "gates": [], **entry.report},
    }
