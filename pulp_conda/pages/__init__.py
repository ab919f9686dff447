"""HTML for people who open a channel in a browser: facts in, markup out.

`facts` has what each page shows, `looks` the templates and what a page may do. Each function here
makes one page. The cost of a page does not depend on the number of packages in the channel.
"""

from collections.abc import Iterable, Sequence

from pulp_conda.pages.facts import (
    Changes,
    Channel,
    Column,
    Event,
    FilePage,
    Frame,
    Listing,
    Month,
    Package,
    PastState,
    Search,
    State,
    Waiting,
)
from pulp_conda.pages.looks import SECURITY_POLICY, query_string, render

__all__ = [
    "SECURITY_POLICY",
    "Changes",
    "Channel",
    "Column",
    "Event",
    "FilePage",
    "Frame",
    "Listing",
    "Month",
    "Package",
    "PastState",
    "Search",
    "State",
    "Waiting",
    "query_string",
    "render_changes",
    "render_channel",
    "render_empty_channel",
    "render_error",
    "render_file",
    "render_listing",
    "render_package",
    "render_search",
    "render_stages",
    "render_states",
    "render_subdir",
]

_TITLES = {
    401: "This channel is private",
    403: "You may not read this channel",
    404: "Nothing is here",
    429: "There were too many wrong credentials",
    451: "This package is blocked",
    503: "This cannot be answered now",
}

_ADVICE = {
    401: ["Log in, or use a token. Clients take one from the file ~/.netrc:"],
    403: ["Its owners can give you the right to read it, for example by this command:"],
    404: ["The address may be misspelled, or what was here is gone."],
    429: ["Wait a while, and then try again."],
    503: ["Try again in a minute."],
}


def render_channel(frame: Frame, channel: Channel) -> str:
    """Return the front page of a channel: what it is, how to use it, what is in it."""
    return render("channel.html", frame=frame, channel=channel, noindex=frame.is_past)


def render_empty_channel(frame: Frame, channel: Channel, waiting: Waiting | None) -> str:
    """Return the front page of a channel that served nothing yet.

    Args:
        waiting: The stage, if the channel is one of a lifecycle.
    """
    return render("empty_channel.html", frame=frame, channel=channel, waiting=waiting)


def render_subdir(frame: Frame, subdir: str, file_count: int, metadata: Iterable[str]) -> str:
    """Return the page of a subdir: its metadata files, and how many packages they list.

    Args:
        metadata: The names of the files.
    """
    return render(
        "subdir.html",
        frame=frame,
        subdir=subdir,
        file_count=file_count,
        metadata=sorted(metadata),
        noindex=True,
    )


def render_error(
    status: int,
    *,
    reason: str = "",
    links: Sequence[tuple[str, str]] = (),
    root: str | None = None,
    site: str = "./",
    host: str = "",
) -> str:
    """Return what people see instead of a page.

    Args:
        reason: Why, if there is more to say than the status does.
        links: Where to go instead: (words, href).
        root: The way to the channel, or None if the visitor may not know of it.
        site: The way to the list of channels.
        host: The host, without its port: for the line that says how to log in.
    """
    lines = []
    if status == 401 and host:
        lines = [("netrc", f"machine {host} login __token__ password TOKEN")]
    elif status == 403:
        lines = [("pulp", "pulp conda channel grant CHANNEL --role reader --user YOU")]
    return render(
        "error.html",
        status=status,
        title=_TITLES.get(status, "This does not work"),
        reason=reason,
        advice=_ADVICE.get(status, []) if not links else [],
        links=links,
        lines=lines,
        root=root,
        site=site,
        noindex=True,
    )


def render_listing(
    channels: Sequence[Listing], *, site: str, text: str, more: str | None, may_log_in: bool
) -> str:
    """Return the list of the channels that a visitor may read.

    Args:
        text: What their names are searched for, or empty.
        more: The query of the next part, or None.
        may_log_in: Whether the visitor is not known, so that there may be more channels.
    """
    return render(
        "listing.html", channels=channels, site=site, text=text, more=more, may_log_in=may_log_in
    )


def render_package(frame: Frame, package: Package) -> str:
    """Return the page of a package name."""
    return render("package.html", frame=frame, package=package, noindex=frame.is_past)


def render_file(frame: Frame, page: FilePage) -> str:
    """Return the page of a file."""
    return render("file.html", frame=frame, page=page, noindex=frame.is_past)


def render_search(frame: Frame, search: Search) -> str:
    """Return the page of a search."""
    return render("search.html", frame=frame, search=search, noindex=True)


def render_changes(frame: Frame, changes: Changes) -> str:
    """Return the page of what differs between two states."""
    return render("changes.html", frame=frame, changes=changes, noindex=True)


def render_states(
    frame: Frame, month: Month | None, states: Sequence[PastState], more: str | None
) -> str:
    """Return the page of all states of a stage.

    Args:
        states: Some of them, newest first.
        more: The query of the next part, or None.
    """
    return render("states.html", frame=frame, month=month, states=states, more=more, noindex=True)


def render_stages(
    frame: Frame, columns: Sequence[Column], events: Sequence[Event], board: str | None
) -> str:
    """Return the board of a lifecycle, to read.

    Args:
        events: What happened last, newest first.
        board: The URL of the board for people who log in, or None.
    """
    return render(
        "stages.html", frame=frame, columns=columns, events=events, board=board, noindex=True
    )
