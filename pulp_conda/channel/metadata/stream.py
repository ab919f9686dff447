"""JSON and zstd of any size: nothing in them makes us hold more than one entry in memory."""

import codecs
import json
import re
import shutil
from tempfile import TemporaryFile

import zstandard

from pulp_conda.channel.errors import RepodataTooLarge

# Twenty times the largest of 2026 (repodata of linux-64 in conda-forge: 363 MB).
MAX_SIZE = 8 * 2**30

# What `zstd --long=27` needs; level 19 stays far below. A frame that asks for more is after our memory.
_MAX_WINDOW = 2**27
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

# Characters of one value. Records of 2026 have at most some ten thousand.
_MAX_VALUE = 4 * 2**20
_CHUNK = 2**17

# Bytes of an object that wait to be written: with fewer, the calls for it take as long as all the rest.
_WRITE_BUFFER = 2**20

_SETTING = "CONDA_MAX_REPODATA_SIZE"
_BLANKS = re.compile(r"[ \t\n\r]*")
_OPEN_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?\Z', re.DOTALL)
_BYTE_ORDER_MARK = codecs.BOM_UTF8


def is_zstd(file):
    """Say whether a file starts like zstd: some mirrors answer for a missing file with HTML and status 200."""
    file.seek(0)
    start = file.read(len(_ZSTD_MAGIC))
    file.seek(0)
    return start == _ZSTD_MAGIC


def open_zstd(file):
    """Return what a zstd file unpacks to, to be read piece by piece: what it says of its size is not believed."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    return decompressor.stream_reader(file, read_across_frames=True, closefd=False)


def read_json(file, depths, *, url, error, max_size=MAX_SIZE):
    """Yield (path, value) for what is in a JSON object, in the order of the file.

    A path is a tuple of the keys that lead to the value, with numbers for the places in a list. Memory stays flat,
    since a value that is taken apart is never held as a whole.

    Args:
        file: JSON or zstd of it, seekable.
        depths: How long paths get, by the first key: 1 gives its value as a whole, 2 gives what is in it one by one.
            Keys that are not named here are taken apart three deep.
        url: Where the file came from, without secrets.
        error: The class of error to raise; takes a url and a reason.
        max_size: The most bytes that it may unpack to.

    Raises:
        RepodataTooLarge: when the reading gets to that size.
    """
    text = _Text(file, url, max_size)
    try:
        yield from _Values(text.read).members(depths)
    except zstandard.ZstdError as broken:
        raise error(url=url, reason=f"its compression is broken ({broken})") from None
    except _NoObject as broken:
        raise error(url=url, reason=str(broken)) from None
    except RecursionError:
        raise error(url=url, reason="it is nested too deeply") from None
    except ValueError as broken:
        reason = f"it is cut short or no JSON ({str(broken).splitlines()[0].strip()})"
        raise error(url=url, reason=reason) from None


class ObjectWriter:
    """A JSON object whose entries come one by one, kept in a temporary file until its place has come."""

    def __init__(self):
        self._file = TemporaryFile(buffering=_WRITE_BUFFER)
        self._separator = b""

    def add(self, key, value):
        """Take an entry, its value given as JSON. The key has nothing that JSON would escape, like all file names."""
        self._file.write(b'%b"%b":%b' % (self._separator, key.encode(), value))
        self._separator = b","

    def write_to(self, file):
        """Write the object, and forget it."""
        self._file.seek(0)
        file.write(b"{")
        shutil.copyfileobj(self._file, file, _WRITE_BUFFER)
        file.write(b"}")
        self._file.close()


class _NoObject(Exception):
    """The file starts with something else than a JSON object."""


class _Text:
    """The text of a file that may be zstd: refused when it is no object, or larger than the limit."""

    def __init__(self, file, url, max_size):
        self._packed = is_zstd(file)
        self._stream = open_zstd(file) if self._packed else file
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._url = url
        self._max_size = max_size
        self._size = 0

    def read(self, size):
        """Return the next characters, or an empty text at the end."""
        while data := self._stream.read(size):
            if self._size == 0:
                data = data.removeprefix(_BYTE_ORDER_MARK)
                self._check_start(data)
            self._size += len(data)
            if self._size > self._max_size:
                raise RepodataTooLarge(url=self._url, limit=self._max_size, setting=_SETTING)
            if text := self._decode(data):
                return text
        if self._size == 0 and not self._packed:
            self._size = 2
            return "{}"  # CEP 36: an empty file is an empty dictionary.
        return self._decode(b"", final=True)

    def _check_start(self, data):
        start = data[:80].lstrip(b" \t\r\n")
        if start and not start.startswith(b"{"):
            shown = start[:40].decode("utf-8", "replace")
            raise _NoObject(f"it starts with {shown!r}, not with '{{'")


class _Values:
    """Takes JSON apart that comes in pieces. Says with ValueError what is wrong with it.

    The C scanner of the standard library finds the end of each value while it builds it.
    """

    def __init__(self, read):
        self._read = read
        self._text = ""
        self._position = 0
        self._ended = False

    def members(self, depths):
        """Yield (path, value) of the whole text."""
        if self._next() != "{":
            raise ValueError("no object")
        for key in self._keys("{"):
            yield from self._walk((key,), depths.get(key, 3))
        if self._next():
            raise ValueError("more text behind its end")

    def _walk(self, path, depth):
        """Yield (path, value) of one value, which starts at the position."""
        opening = self._next()
        if len(path) >= depth or opening not in ("{", "["):
            yield path, self._value()
        elif len(path) + 1 == depth:
            for key in self._keys(opening):
                self._next()
                yield (*path, key), self._value()
        else:
            for key in self._keys(opening):
                yield from self._walk((*path, key), depth)

    def _keys(self, opening):
        """Step through an object or a list: stop before each value, with its key or place."""
        closing = "}" if opening == "{" else "]"
        self._position += 1
        if self._next() == closing:
            self._position += 1
            return
        place = 0
        while True:
            if opening == "{":
                if self._next() != '"':
                    raise ValueError("a key that is no string")
                yield self._key()
            else:
                yield place
                place += 1
            following = self._next()
            self._position += 1
            if following == closing:
                return
            if following != ",":
                raise ValueError(f"{following!r} behind a value")

    def _key(self):
        key = self._value()
        if self._next() != ":":
            raise ValueError("no ':' behind a key")
        self._position += 1
        return key

    def _next(self):
        """Move over blanks to the next character, and return it; empty at the end of the text."""
        while True:
            if self._position < len(self._text):
                character = self._text[self._position]
                if character not in " \t\r\n":
                    return character
                self._position = _BLANKS.match(self._text, self._position).end()
            elif self._ended:
                return ""
            else:
                self._fill()

    def _value(self):
        while True:
            end = None
            try:
                value, end = _decode(self._text, self._position)
            except json.JSONDecodeError as broken:
                if self._ended or not self._may_go_on(broken):
                    raise ValueError(broken.msg) from None
            if (end or len(self._text)) - self._position > _MAX_VALUE:
                raise ValueError(f"a value of more than {_MAX_VALUE} characters")
            # A number may go on in the next piece, also when this one ends in '1e+'.
            if end is not None and (end < len(self._text) - 2 or self._ended):
                self._position = end
                return value
            self._fill()

    def _may_go_on(self, broken):
        """Say whether a value only seems broken since the rest of it is not here yet."""
        # Of a string that has no end the parser names the start; all else stops it where the text ends.
        in_string = _OPEN_STRING.match(self._text, broken.pos) is not None
        return in_string or broken.pos > len(self._text) - 16

    def _fill(self):
        rest = self._text[self._position :]
        # At least as much as there is, so that a long value is not tried too often.
        piece = self._read(max(_CHUNK, len(rest)))
        self._ended = not piece
        self._text = rest + piece
        self._position = 0


def _number(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _refuse(text):
    raise ValueError(f"{text} is no JSON")


_decode = json.JSONDecoder(parse_float=_number, parse_constant=_refuse).raw_decode
