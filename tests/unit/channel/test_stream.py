import io
import json

import pytest

from pulp_conda.channel.errors import BadUpstreamFile
from pulp_conda.channel.metadata import stream
from pulp_conda.channel.metadata.stream import read_json

DOCUMENT = {
    "whole": {"a": {"b": 1}},
    "taken": {"é": [1, {}], "b": -1.5e10, "c": "\\\"'", "d": {}, "e": None, "f": []},
    "list": [1, 2.5, "x", True, [3]],
    "deep": {"a": {"b": {"c": 1}, "d": 2}, "e": [[7, [8]]]},
    "word": "x",
    "number": 12.75,
}
DEPTHS = {"whole": 1, "taken": 2, "list": 2}


class _InPieces(io.BytesIO):
    """A file that gives a few bytes at a time, as a connection may."""

    def __init__(self, data, size):
        super().__init__(data)
        self._piece = size

    def read(self, size=-1):
        return super().read(min(size, self._piece) if size >= 0 else size)


def _read(content, size=1000):
    return list(read_json(_InPieces(content, size), DEPTHS, url="u", error=BadUpstreamFile))


def test_values_come_with_their_paths():
    assert _read(json.dumps(DOCUMENT).encode()) == [
        (("whole",), {"a": {"b": 1}}),
        *((("taken", key), value) for key, value in DOCUMENT["taken"].items()),
        *((("list", place), value) for place, value in enumerate(DOCUMENT["list"])),
        (("deep", "a", "b"), {"c": 1}),
        (("deep", "a", "d"), 2),
        (("deep", "e", 0), [7, [8]]),
        (("word",), "x"),
        (("number",), 12.75),
    ]


@pytest.mark.parametrize("size", [4, 5, 7, 64])
@pytest.mark.parametrize("indent", [None, 2])
def test_it_does_not_matter_where_the_pieces_end(size, indent):
    content = json.dumps(DOCUMENT, indent=indent, ensure_ascii=False).encode()
    assert _read(content, size) == _read(content)


@pytest.mark.parametrize("size", [4, 64])
def test_a_document_that_ends_early_is_refused_wherever_it_is_cut(size):
    whole = json.dumps(DOCUMENT).encode()
    for length in range(1, len(whole)):
        with pytest.raises(BadUpstreamFile):
            _read(whole[:length], size)


def test_where_a_string_goes_on_does_not_depend_on_the_words_of_the_parser(monkeypatch):
    def decode(text, position):
        try:
            return json.JSONDecoder().raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError("other words", error.doc, error.pos) from None

    monkeypatch.setattr(stream, "_decode", decode)
    text = 'a "quoted" \\ word' * 5_000
    content = json.dumps({"word": text, "taken": {text: [text]}}).encode()
    assert _read(content, 64) == [(("word",), text), (("taken", text), [text])]


def test_a_broken_document_is_noticed_before_the_rest_is_read():
    # Otherwise the reader would search for the end of each broken record.
    file = _InPieces(b'{"taken": {"a": {"b" 1}}, "x": "' + b" " * 10_000_000 + b'"}', 10_000)
    with pytest.raises(BadUpstreamFile, match="Expecting ':'"):
        list(read_json(file, DEPTHS, url="u", error=BadUpstreamFile))
    assert file.tell() <= 20_000
