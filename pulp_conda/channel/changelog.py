"""What differs between two states of a channel, as Markdown for people, and in one line.

Names and versions are strangers' texts, and the Markdown may end in an issue or a chat, so nothing in them becomes
a link, markup, or a mention of somebody.
"""

import re

from pulp_conda.channel.diff import KINDS, SUMMARIES
from pulp_conda.channel.errors import shown

_HEADINGS = {
    "upgraded": "Upgraded",
    "downgraded": "Downgraded",
    "new": "New",
    "gone": "Gone",
    "rebuilt": "Rebuilt",
    "changed": "Other changes",
}

_SUBDIRS_SHOWN = 8
_KEYS_SHOWN = 8

_MARKUP = re.compile(r"[\\`*_\[\]<>&|~#!:@$]")
_LIST = re.compile(r"^([-+]|[0-9]+[.)])(?=\s|$)")
# What GitHub and others make a link of.
_HOST = re.compile(r"\bwww\.", re.IGNORECASE)


def summary_line(counts):
    """Say in one line what happened, of {summary: how many names}: `12 upgraded, 3 new, 1 gone`."""
    parts = [f"{counts[summary]:,} {summary}" for summary in SUMMARIES if counts.get(summary)]
    return ", ".join(parts) or "nothing changed"


def render_markdown(title, counts, names):
    """Return the changes as Markdown: a headline, and a section for each summary.

    Args:
        counts: All of what changed, as {summary: how many names}.
        names: What is listed of it: iterable of `NameChange`.
    """
    line = summary_line(counts)
    lines = [f"# {escape(title)}", "", f"{line[0].upper()}{line[1:]}."]
    names = list(names)
    for summary in SUMMARIES:
        listed = [_line(change) for change in names if change.summary == summary]
        more = counts.get(summary, 0) - len(listed)
        if more > 0:
            listed.append(f"and {more:,} more" if listed else f"{more:,} not listed")
        if listed:
            lines += ["", f"## {_HEADINGS[summary]}", "", *(f"- {text}" for text in listed)]
    return "\n".join(lines) + "\n"


def escape(text):
    """Return a text that Markdown shows as it is, in one line."""
    text = _MARKUP.sub(r"\\\g<0>", shown(text))
    text = _HOST.sub(lambda host: f"{host.group()[:-1]}\\.", text)
    return _LIST.sub(lambda mark: f"{mark.group()[:-1]}\\{mark.group()[-1]}", text)


def _line(change):
    versions = [change.from_version, change.to_version]
    if change.summary not in ("upgraded", "downgraded"):
        versions = [change.to_version or change.from_version]
    text = f"{escape(change.name)} {' → '.join(map(escape, versions))}"
    if change.summary == "changed":
        text += f": {_what(change)}"
    elif change.counts.get("replaced"):
        text += f": {change.counts['replaced']:,} replaced"
    if change.subdirs:
        text += f" ({_listed(change.subdirs, _SUBDIRS_SHOWN)})"
    return text


def _what(change):
    """Name the keys that changed, if nothing else did; else count."""
    if set(change.counts) == {"updated"} and change.changes:
        return _listed(sorted({key for one in change.changes for key in one.keys}), _KEYS_SHOWN)
    return ", ".join(f"{change.counts[kind]:,} {kind}" for kind in KINDS if kind in change.counts)


def _listed(texts, most):
    listed = [escape(text) for text in texts[:most]]
    if len(texts) > most:
        listed.append(f"and {len(texts) - most:,} more")
    return ", ".join(listed)
