"""The history of a stage for feed readers: the states that it served, newest first.

Everybody who can read a channel can read its feed. So the feed has the moves, but not the users,
the reasons, or the results of the gates.
"""

from typing import Any

from pulp_conda.app.models import CondaStage, HistoryEntry
from pulp_conda.app.vocabulary import EntryKind
from pulp_conda.channel import layout
from pulp_conda.channel.changelog import summary_line
from pulp_conda.channel.errors import first_of
from pulp_conda.channel.metadata.atom import FeedEntry, render_feed

_MOST_ENTRIES = 50

_TITLES = {
    EntryKind.ADOPTED: "{stage} is at {state}",
    EntryKind.PUBLISHED: "{stage} has {state}",
    EntryKind.PROMOTED: "{stage} was promoted to {state}",
    EntryKind.PACKAGES: "{stage} got single packages, {state}",
    EntryKind.ROLLED_BACK: "{stage} was rolled back to {state}",
    EntryKind.BLOCKED: "packages of {stage} were blocked, {state}",
    EntryKind.UNBLOCKED: "packages of {stage} are not blocked any more, {state}",
}


def render_history(stage: CondaStage, url: str) -> bytes:
    """Return the feed of a stage.

    Args:
        url: Of the channel.
    """
    states = stage.states.defer("specs", "answers")[:_MOST_ENTRIES]
    entries = [_entry(stage, state) for state in states]
    return render_feed(
        title=f"{stage.lifecycle.name}: {stage.name}",
        url=f"{url}/{layout.HISTORY_FEED}",
        entries=entries,
        updated=entries[0].updated if entries else stage.pulp_created,
    )


def _entry(stage: CondaStage, state: HistoryEntry) -> FeedEntry:
    return FeedEntry(
        id=state.pk,
        title=_TITLES[state.kind].format(stage=stage.name, state=state.label),
        updated=state.moved_at,
        author=stage.lifecycle.name,
        text=_text(state.report.get("changes")) or "\n".join(state.report.get("blocked", ())),
    )


def _text(changes: dict[str, Any] | None) -> str:
    """Say what differs from the state before; of what the first stage publishes, nobody asked."""
    if not changes:
        return ""
    names = [_line(name) for name in changes["names"]]
    count = sum(changes["summaries"].values())
    return "\n".join([summary_line(changes["summaries"]), *first_of(names, len(names), count)])


def _line(name: dict[str, Any]) -> str:
    versions = " → ".join(dict.fromkeys(filter(None, (name["from"], name["to"]))))
    return f"{name['name']} {versions}: {name['summary']}"
