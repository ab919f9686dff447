"""JSON and zstd of any size. There is never more than one entry of a file in memory."""

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import IO, Any

import zstandard

from pulp_conda.channel.errors import ChannelError, RepodataTooLarge

# Bytes of a file. The largest one of 2026 (linux-64 of conda-forge) has 363 MB, a twentieth of it.
MAX_SIZE = 8 * 2**30

# The most bytes of memory that a zstd frame may ask for. `zstd --long=27` needs so many, and level
# 19 far less.
_MAX_WINDOW = 2**27
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

# Characters of one value. The largest records of 2026 have some ten thousand.
_MAX_VALUE = 4 * 2**20
_CHUNK = 2**17

_SETTING = "CONDA_MAX_REPODATA_SIZE"
_BLANKS = re.compile(r"[ \t\n\r]*")
_OPEN_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?\Z', re.DOTALL)
_BYTE_ORDER_MARK = codecs.BOM_UTF8

# The keys that lead to a value, with numbers for the places in a list.
KeyPath = tuple[str | int, ...]


def is_zstd(file: IO[bytes]) -> bool:
    """Say whether a file begins like zstd.

    Some mirrors answer with HTML and status 200 if a file is missing.
    """
    file.seek(0)
    start = file.read(len(_ZSTD_MAGIC))
    file.seek(0)
    return start == _ZSTD_MAGIC


def open_zstd(file: IO[bytes]) -> zstandard.ZstdDecompressionReader:
    """Return the unpacked content of a zstd file, to be read in pieces.

    The size that the file states is not used, because it may be wrong.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    return decompressor.stream_reader(file, read_across_frames=True, closefd=False)


def read_json(
    file: IO[bytes],
    depths: Mapping[str, int],
    *,
    url: str,
    error: type[ChannelError],
    max_size: int = MAX_SIZE,
) -> Iterator[tuple[KeyPath, Any]]:
    """Yield (path, value) for the values in a JSON object, in the order of the file.

    A path has the keys that lead to the value. Little memory is used, because an object or a list
    whose members are yielded one by one is never in memory as a whole.

    Args:
        file: JSON, or zstd of it, seekable.
        depths: The length of paths, by their first key. With 1 the value of that key is yielded as
            a whole, and with 2 its members are yielded. For other keys the length is 3.
        url: Where the file came from. Errors name it.
        error: The class of the error for a broken file. It takes a url and a reason.
        max_size: The most bytes that the file may unpack to.

    Raises:
        RepodataTooLarge: the file is larger. It is raised when the reading gets to that size.
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


class _NoObject(Exception):
    """The file does not start with a JSON object."""


class _Text:
    """The text of a file of JSON or zstd of it, which must be an object and not too large."""

    def __init__(self, file: IO[bytes], url: str, max_size: int) -> None:
        self._packed = is_zstd(file)
        self._stream: IO[bytes] | zstandard.ZstdDecompressionReader
        self._stream = open_zstd(file) if self._packed else file
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._url = url
        self._max_size = max_size
        self._size = 0

    def read(self, size: int) -> str:
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

    def _check_start(self, data: bytes) -> None:
        start = data[:80].lstrip(b" \t\r\n")
        if start and not start.startswith(b"{"):
            shown = start[:40].decode("utf-8", "replace")
            raise _NoObject(f"it starts with {shown!r}, not with '{{'")


class _Values:
    """Reads the values of a JSON text that comes in pieces. A ValueError says what is wrong.

    The C scanner of the standard library builds each value, and says where the value ends.
    """

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self._text = ""
        self._position = 0
        self._ended = False

    def members(self, depths: Mapping[str, int]) -> Iterator[tuple[KeyPath, Any]]:
        """Yield (path, value) of the whole text."""
        if self._next() != "{":
            raise ValueError("no object")
        for key in self._keys("{"):
            yield from self._walk((key,), depths.get(str(key), 3))
        if self._next():
            raise ValueError("more text behind its end")

    def _walk(self, path: KeyPath, depth: int) -> Iterator[tuple[KeyPath, Any]]:
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

    def _keys(self, opening: str) -> Iterator[str | int]:
        """Yield each key of an object or place in a list, with the position before its value."""
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

    def _key(self) -> str:
        key: str = self._value()
        if self._next() != ":":
            raise ValueError("no ':' behind a key")
        self._position += 1
        return key

    def _next(self) -> str:
        """Move over blanks to the next character, and return it, or "" at the end of the text."""
        while True:
            if self._position < len(self._text):
                character = self._text[self._position]
                if character not in " \t\r\n":
                    return character
                blanks = _BLANKS.match(self._text, self._position)
                assert blanks is not None  # The pattern matches everywhere.
                self._position = blanks.end()
            elif self._ended:
                return ""
            else:
                self._fill()

    def _value(self) -> Any:
        """Return the value at the position, and move behind it."""
        while True:
            end = None
            try:
                value, end = _decode(self._text, self._position)
            except json.JSONDecodeError as broken:
                if self._ended or not self._may_go_on(broken):
                    raise ValueError(broken.msg) from None
            if (end or len(self._text)) - self._position > _MAX_VALUE:
                raise ValueError(f"a value of more than {_MAX_VALUE} characters")
            # A number may go on in the next piece, also if this piece ends with '1e+'.
            if end is not None and (end < len(self._text) - 2 or self._ended):
                self._position = end
                return value
            self._fill()

    def _may_go_on(self, broken: json.JSONDecodeError) -> bool:
        """Say whether a value may be broken only because its end is in the next piece."""
        # For a string without an end, the error has the position of its start. For other values
        # that are cut off it has a position near the end of the text.
        in_string = _OPEN_STRING.match(self._text, broken.pos) is not None
        return in_string or broken.pos > len(self._text) - 16

    def _fill(self) -> None:
        rest = self._text[self._position :]
        # At least as much as there is already, so that a long value is not parsed too often.
        piece = self._read(max(_CHUNK, len(rest)))
        self._ended = not piece
        self._text = rest + piece
        self._position = 0


class Unwritable:
    """A number that JSON cannot have, such as NaN, or one that is too large for a float.

    Some tools write them. So the value that has one in it is wrong, and not the whole file. orjson
    refuses to write it.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text[:40]


def _as_float(text: str) -> float | Unwritable:
    number = float(text)
    return number if isfinite(number) else Unwritable(text)


_decode = json.JSONDecoder(parse_float=_as_float, parse_constant=Unwritable).raw_decode
