"""Tell what happened in a lifecycle: to its webhook, and to the users of the stage."""

from typing import Any

from django.utils import timezone

from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_url

from pulp_conda.app.lifecycle.announcements import announce
from pulp_conda.app.models import HistoryEntry, WebhookDelivery
from pulp_conda.app.vocabulary import EntryKind, EntryOutcome, WebhookEvent

# By its name: tasks stand above this room. It sends the deliveries of a lifecycle that are due.
_DELIVER = "pulp_conda.app.tasks.webhooks.deliver"

_EVENTS = {
    (EntryKind.PROMOTED, EntryOutcome.MOVED): WebhookEvent.PROMOTED,
    (EntryKind.PACKAGES, EntryOutcome.MOVED): WebhookEvent.PROMOTED,
    (EntryKind.ROLLED_BACK, EntryOutcome.MOVED): WebhookEvent.ROLLED_BACK,
    (EntryKind.BLOCKED, EntryOutcome.MOVED): WebhookEvent.BLOCKED,
    (EntryKind.UNBLOCKED, EntryOutcome.MOVED): WebhookEvent.UNBLOCKED,
}
_EVENTS_OF_ALL_KINDS = {
    EntryOutcome.BLOCKED: WebhookEvent.GATE_FAILED,
    EntryOutcome.WAITING: WebhookEvent.APPROVAL_WANTED,
}

# Longer texts of people are cut, in characters. The history has all of the text.
_LONGEST_REASON = 1000
_LONGEST_SUMMARY = 300

# How many blocked files a message names. The history has more.
_MOST_FILES = 20


def tell(entry: HistoryEntry) -> None:
    """Tell what an entry of the history says.

    Called in the transaction that writes the entry: if that is rolled back, nothing is told.
    """
    announce(entry)
    event = _EVENTS.get((entry.kind, entry.outcome)) or _EVENTS_OF_ALL_KINDS.get(entry.outcome)
    if event and entry.lifecycle.webhook_url:
        WebhookDelivery.objects.create(
            lifecycle=entry.lifecycle,
            entry=entry,
            event=event,
            payload=_payload(entry, event),
            next_attempt_at=timezone.now(),
        )
        dispatch(_DELIVER, args=(str(entry.lifecycle_id),))


def _payload(entry: HistoryEntry, event: WebhookEvent) -> dict[str, Any]:
    """Return the message to the webhook. It is smaller than 200 kB, however much people wrote."""
    changes = entry.report.get("changes")
    is_about_block = entry.kind in (EntryKind.BLOCKED, EntryKind.UNBLOCKED)
    return {
        "event": event,
        "lifecycle": {"name": entry.lifecycle.name, "pulp_href": get_url(entry.lifecycle)},
        "stage": entry.stage.name,
        "base_url": f"{entry.stage.distribution.url}/",
        "entry": entry.number,
        "kind": entry.kind,
        "outcome": entry.outcome,
        "before": entry.before,
        "after": entry.label,
        "requested_by": entry.requested_by,
        "reason": _cut(entry.reason, _LONGEST_REASON),
        "changes": changes and {key: changes[key] for key in ("counts", "summaries")},
        "blocked": {
            "count": entry.report["count"],
            "files": [
                _cut(file, _LONGEST_SUMMARY) for file in entry.report["blocked"][:_MOST_FILES]
            ],
        }
        if is_about_block
        else None,
        "gates": [
            {
                "name": gate["name"],
                "verdict": gate["verdict"],
                "summary": _cut(gate["summary"], _LONGEST_SUMMARY),
                "overridden": gate["overridden"] and _cut(gate["overridden"], _LONGEST_SUMMARY),
            }
            for gate in entry.report.get("gates", [])
        ],
        "moved_at": entry.moved_at and entry.moved_at.isoformat(),
    }


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
