"""The history of a channel as an Atom feed (RFC 4287). Equal entries give equal bytes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID
from xml.etree import ElementTree

_ATOM = "http://www.w3.org/2005/Atom"

# Characters that XML 1.0 does not allow, not even escaped, and the carriage return, which readers
# change.
_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class FeedEntry:
    """One event.

    Attributes:
        id: Identifies the entry. It never changes, and no other feed has the same one.
        title: One line of plain text.
        updated: When it happened, with a time zone.
        author: The name of the person who did it.
        text: Plain text. Readers show Markdown as it is written.
    """

    id: UUID
    title: str
    updated: datetime
    author: str
    text: str


def render_feed(title: str, url: str, entries: Iterable[FeedEntry], updated: datetime) -> bytes:
    """Return the feed as an XML document in UTF-8.

    Args:
        title: One line of plain text.
        url: The URL of the feed, which also identifies it.
        entries: The entries, in the order in which readers see them.
        updated: When the feed changed last, with a time zone.
    """
    feed = ElementTree.Element("feed", xmlns=_ATOM)
    _add(feed, "id", url)
    _add(feed, "title", title)
    _add(feed, "updated", _time(updated))
    ElementTree.SubElement(feed, "link", rel="self", type="application/atom+xml", href=_text(url))
    for entry in entries:
        element = ElementTree.SubElement(feed, "entry")
        _add(element, "id", entry.id.urn)
        _add(element, "title", entry.title)
        _add(element, "updated", _time(entry.updated))
        _add(ElementTree.SubElement(element, "author"), "name", entry.author)
        # An entry with a `summary` and no `content` would need a link to a page of its own.
        _add(element, "content", entry.text, type="text")
    ElementTree.indent(feed)
    document = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return bytes(document) + b"\n"


def _add(parent: ElementTree.Element, tag: str, text: str, **attributes: str) -> None:
    ElementTree.SubElement(parent, tag, attributes).text = _text(text)


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
