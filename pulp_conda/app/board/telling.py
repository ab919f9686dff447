"""What the board says of the history, of gates and of reports, in the words of people."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulp_conda.app.models import HistoryEntry
from pulp_conda.app.serving.browsing.stages import finding_text
from pulp_conda.app.vocabulary import (
    EntryKind,
    EntryOutcome,
    GateAction,
    GateVerdict,
    MoveOutcome,
)
from pulp_conda.channel.changelog import summary_line
from pulp_conda.channel.diff import SUMMARIES, ChangeKind
from pulp_conda.pages.board import Answer, Difference, Override, Renamed
from pulp_conda.pages.facts import Gate

FINDINGS_SHOWN = 5
ALL_FINDINGS = 100

_KINDS = {
    EntryKind.ADOPTED: ("joined", "{stage} was at {state} when it joined"),
    EntryKind.PUBLISHED: ("published", "{stage} {moved}"),
    EntryKind.PROMOTED: ("promoted", "{stage} {moved}"),
    EntryKind.PACKAGES: ("packages", "{stage} {moved}, with single packages"),
    EntryKind.ROLLED_BACK: ("rolled back", "{stage} moved from {before} back to {state}"),
    EntryKind.BLOCKED: ("blocked packages", "{stage} lost blocked packages: {state}"),
    EntryKind.UNBLOCKED: ("unblocked", "{stage} got back packages that were blocked: {state}"),
}
_OUTCOMES = {
    EntryOutcome.BLOCKED: "{stage} {stays}: {gates} {hold} {state}",
    EntryOutcome.WAITING: "{stage}: {state} waits for approval",
    EntryOutcome.REJECTED: "{stage} {stays}: {state} was rejected",
    EntryOutcome.SUPERSEDED: "{stage}: {state} was overtaken by another move",
}
_REPORTS = {
    MoveOutcome.MOVED: (
        "{stage} {moved}.",
        "Nothing holds it: {stage} would {move}.",
    ),
    MoveOutcome.BLOCKED: (
        "{stage} {stays}: {gates} {hold} {state}.",
        "{stage} would {stay}: {gates} {hold} {state}.",
    ),
    MoveOutcome.WAITING: (
        "{state} waits until enough people approve. {stage} {stays} until then.",
        "{state} would wait until enough people approve.",
    ),
    MoveOutcome.UNCHANGED: ("{stage} serves {state} already.",) * 2,
}


def word_of(entry: HistoryEntry) -> str:
    """Return what happened, in a word or two."""
    if entry.outcome == EntryOutcome.MOVED:
        return _KINDS[EntryKind(entry.kind)][0]
    return "waits" if entry.outcome == EntryOutcome.WAITING else entry.outcome


def sentence_of(entry: HistoryEntry) -> str:
    """Return what happened, as a sentence without its full stop."""
    moved = entry.outcome == EntryOutcome.MOVED
    words = _KINDS[EntryKind(entry.kind)][1] if moved else _OUTCOMES[EntryOutcome(entry.outcome)]
    facts = _facts(entry.stage.name, entry.before, entry.label, entry.report)
    sentence = words.format(**facts)
    changes = entry.report.get("changes")
    if moved and changes and entry.before:
        sentence += f" ({summary_line(changes['summaries'])})"
    return sentence


def sentence_of_report(report: Mapping[str, Any]) -> str:
    """Return what the report of a task that moves a stage says of it."""
    words = _REPORTS[MoveOutcome(report["outcome"])][bool(report["dry_run"])]
    return words.format(**_facts(report["stage"], report["before"], report["after"], report))


def _facts(stage: str, before: str | None, state: str, report: Mapping[str, Any]) -> dict[str, str]:
    held = [
        gate["name"]
        for gate in report.get("gates", ())
        if gate["action"] == GateAction.BLOCK
        and gate["verdict"] != GateVerdict.PASSED
        and gate.get("overridden") is None
    ]
    return {
        "stage": stage,
        "before": before or "nothing",
        "stay": f"stay at {before}" if before else "stay empty",
        "stays": f"stays at {before}" if before else "stays empty",
        "move": f"move from {before} to {state}" if before else f"get its first state, {state}",
        "moved": f"moved from {before} to {state}" if before else f"got its first state, {state}",
        "state": state,
        "gates": ", ".join(held) or "a gate",
        "hold": "hold" if len(held) > 1 else "holds",
    }


def gates_of(report: Mapping[str, Any], most: int = FINDINGS_SHOWN) -> list[Gate]:
    """Return what each gate said, as a report has it.

    Args:
        most: How many findings to show of each.
    """
    return [
        Gate(
            name=gate["name"],
            kind=gate["kind"],
            verdict=gate["verdict"],
            summary=gate["summary"],
            findings=[finding_text(each) for each in gate.get("findings", ())[:most]],
            count=gate.get("count", 0),
            is_overridden=gate.get("overridden") is not None,
        )
        for gate in report.get("gates", ())
    ]


def answers_of(entry: HistoryEntry) -> list[Answer]:
    """Return what approvers said."""
    return [
        Answer(answer["user"], answer["approved"], answer["reason"]) for answer in entry.answers
    ]


def overrides_of(entry: HistoryEntry) -> list[Override]:
    """Return which gates were passed whatever they said."""
    return [
        Override(gate["name"], gate.get("overridden_by") or "", gate["overridden"])
        for gate in entry.report.get("gates", ())
        if gate.get("overridden") is not None
    ]


def difference_of(
    report: Mapping[str, Any], before: str | None, state: str, href: str | None
) -> Difference | None:
    """Return what a report says of the packages, or None if it says nothing.

    Args:
        before, state: The labels of the two states.
        href: The page with all changes, or None.
    """
    changes = report.get("changes")
    if not changes:
        return None
    names = [
        Renamed(each["name"], each["summary"], each["from"], each["to"], each["subdirs"])
        for each in changes["names"]
    ]
    return _difference(before, state, changes, names, href)


def difference_of_answer(
    answer: Mapping[str, Any], before: str, state: str, href: str | None
) -> Difference:
    """Return what the answer of REST to a comparison says."""
    names = [
        Renamed(
            each["name"],
            each["summary"],
            each["from_version"],
            each["to_version"],
            each["subdirs"],
        )
        for each in answer["names"]
    ]
    return _difference(before, state, answer, names, href)


def _difference(
    before: str | None,
    state: str,
    changes: Mapping[str, Any],
    names: Sequence[Renamed],
    href: str | None,
) -> Difference:
    summaries = changes["summaries"]
    return Difference(
        base=before,
        target=state,
        counts={word: summaries[word] for word in SUMMARIES if summaries.get(word)},
        names=names,
        replaced=changes["counts"].get(ChangeKind.REPLACED, 0),
        href=href,
    )
