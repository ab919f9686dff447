"""What happened to a channel, as an Atom feed (RFC 4287): the same entries give the same bytes."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID
from xml.etree import ElementTree

_ATOM = "http://www.w3.org/2005/Atom"

# Characters that no XML 1.0 document may have, not even escaped, and the one that readers turn into another.
_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class FeedEntry:
    """One thing that happened.

    Attributes:
        id: What tells it apart for good, also from the entries of other feeds.
        author: The name of who did it.
        text: Plain text; Markdown is shown as it is written.
    """

    id: UUID
    title: str
    updated: datetime
    author: str
    text: str


def render_feed(title, url, entries, updated):
    """Return the feed as a document in UTF-8.

    Args:
        url: Where the feed is read, which also tells it apart from others.
        entries: `FeedEntry` objects, in the order in which readers see them.
        updated: When anything in it changed last.
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
        # `content`, as an entry with a `summary` alone needs a page of its own to link to.
        _add(element, "content", entry.text, type="text")
    ElementTree.indent(feed)
    document = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add(parent, tag, text, **attributes):
    ElementTree.SubElement(parent, tag, attributes).text = _text(text)


def _text(text):
    return _FORBIDDEN.sub("\ufffd", text)


def _time(moment):
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
