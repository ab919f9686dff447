"""The board of a lifecycle, to read: what each stage serves, what waits, and what gates said.

Everybody who can read a channel can read this. So it has no persons, no reasons, and nothing of
stages and channels that the visitor may not read.
"""

from collections.abc import Mapping
from typing import Any

from pulp_conda import pages
from pulp_conda.app.models import CondaStage, HistoryEntry
from pulp_conda.app.serving.browsing.frame import Framer
from pulp_conda.app.serving.browsing.visitor import Made
from pulp_conda.app.vocabulary import EntryKind, EntryOutcome, GateKind, GateVerdict
from pulp_conda.channel import layout
from pulp_conda.channel.changelog import summary_line
from pulp_conda.channel.layout import PageKind
from pulp_conda.pages.facts import Column, Event
from pulp_conda.pages.facts import Gate as ShownGate

_EVENTS_SHOWN = 50
_FINDINGS_SHOWN = 5

# The channel itself, in the list of channels of a gate.
_OWN = "."

_SENTENCES = {
    EntryKind.ADOPTED: "{stage} was at {state} when it joined",
    EntryKind.PUBLISHED: "{stage} has {state}",
    EntryKind.PROMOTED: "{stage} was promoted to {state}",
    EntryKind.PACKAGES: "{stage} got single packages, {state}",
    EntryKind.ROLLED_BACK: "{stage} was rolled back to {state}",
    EntryKind.BLOCKED: "packages of {stage} were blocked, {state}",
    EntryKind.UNBLOCKED: "packages of {stage} are not blocked any more, {state}",
}
_UNMOVED = {
    EntryOutcome.BLOCKED: "{stage} stays where it is: a gate holds {state}",
    EntryOutcome.WAITING: "{stage}: {state} waits for approval",
    EntryOutcome.REJECTED: "{stage}: {state} was rejected",
    EntryOutcome.SUPERSEDED: "{stage}: {state} was overtaken by another move",
}


def stages_page(framer: Framer) -> Made:
    """Return the board of the lifecycle of a stage."""
    if framer.stage is None:
        return Made(reason="The channel is no stage of a lifecycle.")
    stages = framer.stages
    readable = {stage.position: stage for stage in stages}
    columns = [_column(framer, stage, readable) for stage in stages]
    entries = HistoryEntry.objects.filter(
        lifecycle=framer.stage.lifecycle_id, stage__in=[stage.pk for stage in stages]
    ).select_related("stage")
    told = (entry for entry in entries.defer("reason", "answers", "specs")[:_EVENTS_SHOWN])
    events = [_event(framer, entry, readable) for entry in told]
    html = pages.render_stages(
        framer.frame(),
        columns,
        [each for each in events if each],
        framer.stage.lifecycle.board_url,
    )
    return Made.html(html, framer.is_personal)


def _knows_sources(stage: CondaStage, readable: Mapping[int, CondaStage]) -> bool:
    """Say whether the visitor may read all stages from which something may come to a stage."""
    return all(position in readable for position in range(stage.position))


def _column(framer: Framer, stage: CondaStage, readable: Mapping[int, CondaStage]) -> Column:
    """Return what is shown of a stage.

    Args:
        readable: The stages that the visitor may read, by their positions.
    """
    before = readable.get(stage.position - 1)
    knows_sources = _knows_sources(stage, readable)
    current = stage.current
    waits = None
    source = before.current if before else None
    if source and (current is None or source.publication_id != current.publication_id):
        waits = source.label
    href = None
    if waits and current and before:
        query = pages.query_string(**{"from": stage.name}, to=before.name)
        href = f"{framer.href(stage.distribution, layout.page_path(PageKind.CHANGES))}?{query}"
    attempt = _last_attempt(stage) if waits and knows_sources else None
    return Column(
        name=stage.name,
        href=framer.href(stage.distribution),
        is_here=stage.distribution_id == framer.channel.pk,
        is_first=stage.position == 0,
        label=current.label if current else None,
        since=current.moved_at if current else None,
        before=before.name if before else None,
        waits=waits,
        waits_href=href,
        asked_for=attempt.label if attempt else "",
        asked=attempt.pulp_last_updated if attempt else None,
        gates=_gates(stage, attempt) if attempt else [],
        demands=[(gate["name"], gate["kind"]) for gate in stage.gates],
    )


def _last_attempt(stage: CondaStage) -> HistoryEntry | None:
    """Return the last attempt to move a stage, if it did not move since."""
    entry = HistoryEntry.objects.filter(stage=stage).order_by("-number").first()
    wanted = (EntryOutcome.BLOCKED, EntryOutcome.WAITING)
    return entry if entry and entry.outcome in wanted else None


def _gates(stage: CondaStage, entry: HistoryEntry) -> list[ShownGate]:
    known = {gate["name"]: gate for gate in stage.gates}
    return [_gate(report, known.get(report["name"])) for report in entry.report.get("gates", ())]


def _gate(report: dict[str, Any], gate: dict[str, Any] | None) -> ShownGate:
    """Return what is shown of a gate's report.

    Args:
        gate: The gate as it is now; None if the stage has it no more.
    """
    is_own = gate is not None and not _reads_others(gate)
    findings = report.get("findings", ())
    kind = report["kind"]
    summary = ""
    texts: list[str] = []
    if kind == GateKind.APPROVAL:
        # What it says when it is passed names persons.
        waits = report["verdict"] == GateVerdict.WAITING
        summary = report["summary"] if waits else ""
    elif is_own:
        texts = [finding_text(each) for each in findings[:_FINDINGS_SHOWN]]
        # That of environments names the channels of their files.
        summary = "" if kind == GateKind.ENVIRONMENTS else report["summary"]
    return ShownGate(
        name=report["name"],
        kind=kind,
        verdict=report["verdict"],
        summary=summary,
        findings=texts,
        count=report.get("count", 0),
        is_overridden=report.get("overridden") is not None,
    )


def _reads_others(gate: dict[str, Any]) -> bool:
    """Say whether a gate reads other channels, which the visitor may not know."""
    channels = [*(gate.get("channels") or ())]
    dependencies = gate.get("dependencies")
    if isinstance(dependencies, dict):
        channels += dependencies.get("base_channels") or ()
    return any(channel != _OWN for channel in channels)


def finding_text(finding: Mapping[str, Any]) -> str:
    """Return in words what a gate found, as its report has it."""
    if "environment" in finding:
        where = f"{finding['environment']} on {finding['platform']}: {finding['verdict']}"
        return f"{where}\n{finding.get('explanation', '')}".strip()
    subject = finding.get("subject") or finding.get("path") or ""
    text = finding.get("text") or finding.get("reason") or ""
    return ": ".join(filter(None, (str(subject), str(text))))


def _event(framer: Framer, entry: HistoryEntry, readable: Mapping[int, CondaStage]) -> Event | None:
    """Return what is told of an entry, or None if it says something of a stage that the visitor
    may not read.
    """
    moved = entry.outcome == EntryOutcome.MOVED
    stage = entry.stage
    if not moved and not _knows_sources(stage, readable):
        # It says what another stage serves.
        return None
    words = _SENTENCES[EntryKind(entry.kind)] if moved else _UNMOVED[EntryOutcome(entry.outcome)]
    sentence = words.format(stage=stage.name, state=entry.label)
    changes = entry.report.get("changes")
    if moved and changes:
        sentence += f" ({summary_line(changes['summaries'])})"
    href = None
    if moved and entry.before and changes:
        query = pages.query_string(**{"from": entry.before}, to=entry.label)
        here = framer.href(readable[stage.position].distribution)
        href = f"{here}{layout.page_path(PageKind.CHANGES)}?{query}"
    return Event(
        at=entry.moved_at or entry.pulp_created,
        stage=stage.name,
        outcome=entry.outcome,
        sentence=sentence,
        href=href,
        is_overridden=any(
            gate.get("overridden") is not None for gate in entry.report.get("gates", ())
        ),
    )
