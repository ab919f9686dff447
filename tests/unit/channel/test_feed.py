from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID
from xml.etree import ElementTree

import pytest

from pulp_conda.channel.metadata.atom import FeedEntry, render_feed

ATOM = {"a": "http://www.w3.org/2005/Atom"}
URL = "https://pulp.example.org/feeds/team/testing.atom?x=1&y=2"
MOMENT = datetime(2026, 3, 3, 12, 0, 0, 500_000, tzinfo=UTC)


def _entry(number=1, **facts):
    defaults = {
        "id": UUID(int=number),
        "title": "Promoted to v42",
        "updated": MOMENT,
        "author": "alice",
        "text": "12 upgraded, 3 new",
    }
    return FeedEntry(**defaults | facts)


def _render(*entries, title="team: testing"):
    return render_feed(title, URL, entries, MOMENT)


def _texts(document, path):
    return [element.text for element in ElementTree.fromstring(document).findall(path, ATOM)]


def test_a_feed_has_what_the_rfc_demands_of_it():
    root = ElementTree.fromstring(_render(_entry()))
    assert root.tag == "{http://www.w3.org/2005/Atom}feed"
    found = {
        path: root.findtext(path, namespaces=ATOM) for path in ("a:id", "a:title", "a:updated")
    }
    assert found == {"a:id": URL, "a:title": "team: testing", "a:updated": "2026-03-03T12:00:00Z"}
    link = root.find("a:link", ATOM)
    assert (link.get("rel"), link.get("href")) == ("self", URL)
    entry = root.find("a:entry", ATOM)
    assert {child.tag.partition("}")[2]: "".join(child.itertext()).strip() for child in entry} == {
        "id": "urn:uuid:00000000-0000-0000-0000-000000000001",
        "title": "Promoted to v42",
        "updated": "2026-03-03T12:00:00Z",
        "author": "alice",
        "content": "12 upgraded, 3 new",
    }
    assert entry.findtext("a:author/a:name", namespaces=ATOM) == "alice"


def test_a_feed_of_nothing_is_a_feed():
    assert _texts(_render(), "a:entry") == []


def test_entries_stay_in_their_order_and_bytes_stay_the_same():
    entries = [_entry(number) for number in (3, 1, 2)]
    document = _render(*entries)
    assert [text[-1] for text in _texts(document, "a:entry/a:id")] == ["3", "1", "2"]
    assert document == _render(*entries)


def test_times_of_any_zone_are_shown_in_utc():
    east = MOMENT.astimezone(timezone(timedelta(hours=9)))
    assert _texts(_render(_entry(updated=east)), "a:entry/a:updated") == ["2026-03-03T12:00:00Z"]


@pytest.mark.parametrize(
    "text, shown",
    [
        pytest.param("</content><script>&amp;", "</content><script>&amp;", id="markup"),
        pytest.param("a\n\tb → é 𝄞", "a\n\tb → é 𝄞", id="allowed"),
        pytest.param("a\x00\x1b[31m\x0b", "a��[31m�", id="control characters"),
        pytest.param("a\r\nb", "a�\nb", id="carriage return"),
        pytest.param("\ud800\ufffe\uffff", "���", id="no characters"),
        pytest.param("\x85\u2028", "\x85\u2028", id="odd line breaks"),
    ],
)
def test_any_text_comes_out_readable(text, shown):
    document = _render(_entry(title=text, author=text, text=text), title=text)
    for path in ("a:title", "a:entry/a:title", "a:entry/a:author/a:name", "a:entry/a:content"):
        assert _texts(document, path) == [shown]
