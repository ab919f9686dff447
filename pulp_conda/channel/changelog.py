"""What differs between two states of a channel, as Markdown for people, and in one line.

Names and versions are untrusted input, and people paste the Markdown into issues and chats. So
nothing in a name or a version becomes a link, markup, or a mention of somebody.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from pulp_conda.channel.diff import KINDS, SUMMARIES, ChangeKind, NameChange, Summary
from pulp_conda.channel.errors import first_of, shown

_HEADINGS: dict[str, str] = {
    Summary.UPGRADED: "Upgraded",
    Summary.DOWNGRADED: "Downgraded",
    Summary.NEW: "New",
    Summary.GONE: "Gone",
    Summary.REBUILT: "Rebuilt",
    Summary.CHANGED: "Other changes",
}

_SUBDIRS_SHOWN = 8
_KEYS_SHOWN = 8

_MARKUP = re.compile(r"[\\`*_\[\]<>&|~#!:@$]")
_LIST = re.compile(r"^([-+]|[0-9]+[.)])(?=\s|$)")
# GitHub and others make a link of a text that begins so.
_HOST = re.compile(r"\bwww\.", re.IGNORECASE)


def summary_line(counts: Mapping[str, int]) -> str:
    """Return in one line what happened, for example `12 upgraded, 3 new, 1 gone`.

    Args:
        counts: How many names have each of `SUMMARIES`.
    """
    parts = [f"{counts[summary]:,} {summary}" for summary in SUMMARIES if counts.get(summary)]
    return ", ".join(parts) or "nothing changed"


def render_markdown(title: str, counts: Mapping[str, int], names: Iterable[NameChange]) -> str:
    """Return the changes as Markdown: a headline, and a section for each summary.

    Args:
        counts: How many names have each of `SUMMARIES`, also of those that are not listed.
        names: The names to list.
    """
    line = summary_line(counts)
    lines = [f"# {escape(title)}", "", f"{line[0].upper()}{line[1:]}."]
    names = list(names)
    for summary in SUMMARIES:
        listed = [_line(change) for change in names if change.summary == summary]
        count = counts.get(summary, 0)
        if listed:
            listed = first_of(listed, len(listed), count)
        elif count:
            listed = [f"{count:,} not listed"]
        if listed:
            lines += ["", f"## {_HEADINGS[summary]}", "", *(f"- {text}" for text in listed)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Return Markdown, one line, that shows the text as it is."""
    text = _MARKUP.sub(r"\\\g<0>", shown(text))
    text = _HOST.sub(lambda host: f"{host.group()[:-1]}\\.", text)
    return _LIST.sub(lambda mark: f"{mark.group()[:-1]}\\{mark.group()[-1]}", text)


def _line(change: NameChange) -> str:
    versions = [change.from_version, change.to_version]
    if change.summary not in (Summary.UPGRADED, Summary.DOWNGRADED):
        versions = [change.to_version or change.from_version]
    text = f"{escape(change.name)} {' → '.join(escape(version or '') for version in versions)}"
    if change.summary == Summary.CHANGED:
        text += f": {_what(change)}"
    elif change.counts.get(ChangeKind.REPLACED):
        text += f": {change.counts[ChangeKind.REPLACED]:,} replaced"
    if change.subdirs:
        text += f" ({_listed(change.subdirs, _SUBDIRS_SHOWN)})"
    return text


def _what(change: NameChange) -> str:
    """Return the keys that changed, if nothing but records changed, or else the counts by kind."""
    if set(change.counts) == {ChangeKind.UPDATED} and change.changes:
        return _listed(sorted({key for one in change.changes for key in one.keys}), _KEYS_SHOWN)
    return ", ".join(f"{change.counts[kind]:,} {kind}" for kind in KINDS if kind in change.counts)


def _listed(texts: Sequence[str], most: int) -> str:
    return ", ".join(first_of([escape(text) for text in texts[:most]], most, len(texts)))
