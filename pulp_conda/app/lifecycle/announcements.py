"""Tells the users of a stage in its `notices.json` that it moved."""

from datetime import timedelta

from pulp_conda.app.models import HistoryEntry
from pulp_conda.app.vocabulary import EntryKind, EntryOutcome
from pulp_conda.channel.changelog import summary_line
from pulp_conda.channel.errors import BadNotice
from pulp_conda.channel.metadata.notices import check_notices

# Not `published`: a stage that follows its repository may move many times a day, and nobody
# decides that.
_KINDS = (
    EntryKind.PROMOTED,
    EntryKind.PACKAGES,
    EntryKind.ROLLED_BACK,
    EntryKind.BLOCKED,
    EntryKind.UNBLOCKED,
)
_SHOWN_FOR = timedelta(days=7)

# How many blocked files a notice names.
_NAMED_FILES = 5

# A longer reason is cut, in characters. The answer to a request for the file has all of it.
_LONGEST_REASON = 300


def announce(entry: HistoryEntry) -> None:
    """Add a notice about a move to the distribution of the stage, if the lifecycle announces moves.

    It replaces the notice about the move before. Notices that people wrote stay. If they are as
    many as a channel may have, this one is left out.
    """
    is_moved = entry.outcome == EntryOutcome.MOVED and entry.kind in _KINDS
    if not entry.lifecycle.announce or not is_moved:
        return
    distribution = entry.stage.distribution
    prefix = f"lifecycle-{entry.lifecycle_id}-"
    others = [notice for notice in distribution.notices if not notice["id"].startswith(prefix)]
    notice_of_move = {
        "id": f"{prefix}{entry.number}",
        "message": _message(entry),
        "level": "info",
        "created_at": entry.moved_at.isoformat(),
        "expires_at": (entry.moved_at + _SHOWN_FOR).isoformat(),
    }
    try:
        distribution.notices = check_notices([*others, notice_of_move], entry.moved_at)
    except BadNotice:
        distribution.notices = others
    # Only these columns: somebody may change others at the same time.
    distribution.save(update_fields=["notices", "pulp_last_updated"])


def _message(entry: HistoryEntry) -> str:
    if entry.kind in (EntryKind.BLOCKED, EntryKind.UNBLOCKED):
        return _message_about_block(entry)
    verb = "was rolled back" if entry.kind == EntryKind.ROLLED_BACK else "moved"
    origin = f" from {entry.before}" if entry.before else ""
    line = summary_line(entry.report["changes"]["summaries"])
    return f"{entry.stage.name} {verb}{origin} to {entry.label}: {line}."


def _message_about_block(entry: HistoryEntry) -> str:
    count = entry.report["count"]
    what = "1 file" if count == 1 else f"{count} files"
    # The report has the reason of each blocked file behind its path.
    paths = [file.partition(": ")[0] for file in entry.report["blocked"][:_NAMED_FILES]]
    others = f" and {count - len(paths)} more" if count > len(paths) else ""
    files = ", ".join(paths) + others
    if entry.kind == EntryKind.UNBLOCKED:
        return f"{what} no longer blocked in {entry.stage.name}: {files}."
    return f"{what} blocked in {entry.stage.name}: {files}. {entry.reason[:_LONGEST_REASON]}"
