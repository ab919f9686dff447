"""What the users of a stage are told in its `notices.json` when it moved."""

from datetime import timedelta

from pulp_conda.channel.changelog import summary_line
from pulp_conda.channel.errors import BadNotice
from pulp_conda.channel.metadata.notices import check_notices

# Stages that follow their repository may move many times a day, and nobody decided that.
_KINDS = ("promoted", "packages", "rolled_back")
_SHOWN_FOR = timedelta(days=7)


def announce(entry):
    """Let the stage of an entry say that it moved, if its lifecycle is to announce that.

    Only the newest such notice is kept. Those of people stay, and if they are as many as a channel may have, there is
    none of ours.
    """
    if not entry.lifecycle.announce or entry.outcome != "moved" or entry.kind not in _KINDS:
        return
    distribution = entry.stage.distribution
    prefix = f"lifecycle-{entry.lifecycle_id}-"
    others = [notice for notice in distribution.notices if not notice["id"].startswith(prefix)]
    ours = {
        "id": f"{prefix}{entry.number}",
        "message": _message(entry),
        "level": "info",
        "created_at": entry.moved_at.isoformat(),
        "expires_at": (entry.moved_at + _SHOWN_FOR).isoformat(),
    }
    try:
        distribution.notices = check_notices([*others, ours], entry.moved_at)
    except BadNotice:
        distribution.notices = others
    # The rest of the row is for others, who may be changing it.
    distribution.save(update_fields=["notices", "pulp_last_updated"])


def _message(entry):
    verb = "was rolled back" if entry.kind == "rolled_back" else "moved"
    origin = f" from {entry.before}" if entry.before else ""
    line = summary_line(entry.report["changes"]["summaries"])
    return f"{entry.stage.name} {verb}{origin} to {entry.label}: {line}."
