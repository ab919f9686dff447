"""JSON files with entries for each package name, written anew or from an earlier file.

Such a file has sections: JSON objects whose entries are sorted by package name. A daily change of a
large channel touches few names. With a `Layout`, which says where the entries of each name stand,
the next file needs only the entries of the names that changed. All others are copied as bytes.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, groupby
from tempfile import TemporaryFile
from typing import Protocol

# So many bytes of an object are collected before they are written. With a smaller buffer, half of
# the time is spent on calls of write.
_WRITE_BUFFER = 2**20

# The pieces of a document have about so many bytes.
_PIECE = 2**20

# How many records of `v3` a name has, and the oldest and the newest of their `indexed_timestamp`.
Revision = tuple[int, int | None, int | None]


@dataclass(frozen=True)
class Section:
    """Where the entries of each package name stand in an object of a file.

    Attributes:
        start: The offset of the first entry in the file.
        names: The package names that have entries, sorted.
        sizes: By the place of a name, the bytes of its entries with a comma behind each. The comma
            behind the last entry of the object is counted, though the file does not have it.
    """

    start: int = 0
    names: Sequence[str] = ()
    sizes: Sequence[int] = ()

    @cached_property
    def offsets(self) -> list[int]:
        """Where the entries of each name begin, from `start`, and at last where all of them end."""
        return list(accumulate(self.sizes, initial=0))

    def place_of(self, name: str, first: int = 0) -> tuple[int, int]:
        """Return the first and the end of the places of a name: both are equal if it is not there.

        Args:
            first: A place that the name does not stand before.
        """
        place = bisect_left(self.names, name, first)
        return place, place + (place < len(self.names) and self.names[place] == name)

    def size_of(self, name: str) -> int:
        """Return the bytes of the entries of a name."""
        first, end = self.place_of(name)
        return self.offsets[end] - self.offsets[first]


@dataclass(frozen=True)
class Layout:
    """Where the entries of each package name stand in a file.

    Attributes:
        sections: By the key of the object.
        revisions: For `repodata.json`, what each name has in `v3`. Names without are left out.
    """

    sections: dict[str, Section] = field(default_factory=dict)
    revisions: dict[str, Revision] = field(default_factory=dict)


class Source(Protocol):
    """A file that can be read from a place on."""

    def seek(self, position: int, /) -> int: ...
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Earlier:
    """An earlier file, from which entries are copied.

    Attributes:
        file: It is read in one pass from its start to its end.
        layout: Where its entries stand.
        changed: The package names whose entries are not copied, sorted.
    """

    file: Source
    layout: Layout
    changed: Sequence[str]


# A part of a document: bytes, or a range of a file, with its start and its end.
_Part = bytes | tuple[Source, int, int]


class ObjectWriter:
    """A JSON object to which entries are added one by one, sorted by package name.

    The entries are in a temporary file until the document is written.

    Args:
        earlier: The file to copy the entries of all other names from. None if there is none.
        key: The key of the section in that file.
    """

    def __init__(self, earlier: Earlier | None = None, key: str = "") -> None:
        self._file = TemporaryFile(buffering=_WRITE_BUFFER)
        self._separator = b""
        self._size = 0
        self._ended = 0
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._earlier = earlier
        self._section = earlier.layout.sections.get(key, Section()) if earlier else Section()

    def add(self, key: str, value: bytes) -> None:
        """Add an entry.

        Args:
            key: It must not have characters that JSON escapes. File names of packages have none.
            value: The value as JSON.
        """
        self._size += self._file.write(b'%b"%b":%b' % (self._separator, key.encode(), value))
        self._separator = b","

    def write(self, entries: Sequence[str]) -> None:
        """Add entries that are JSON already, with their keys."""
        if entries:
            self._size += self._file.write(self._separator + ",".join(entries).encode())
            self._separator = b","

    def end_name(self, name: str) -> None:
        """Say that the entries since the last call are all that a package name has."""
        # With the comma that comes behind the last of them.
        end = self._size and self._size + 1
        if end > self._ended:
            self._names.append(name)
            self._sizes.append(end - self._ended)
            self._ended = end

    def merge(self) -> tuple[list[_Part], list[str], list[int]]:
        """Return all entries of the object, with commas between them, as parts of files.

        Returns:
            The parts, the package names, and the sizes of their entries as in a `Section`.
        """
        if self._earlier is None:
            return [(self._file, 0, self._size)] if self._size else [], self._names, self._sizes
        merged = _Merged()
        own = Section(0, self._names, self._sizes)
        copied = 0
        for name in self._earlier.changed:
            place, end = self._section.place_of(name, copied)
            merged.take(self._earlier.file, self._section, copied, place)
            merged.take(self._file, own, *own.place_of(name))
            copied = end
        merged.take(self._earlier.file, self._section, copied, len(self._section.names))
        return merged.parts, merged.names, merged.sizes

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()


class MergedEntries:
    """A JSON object with the entries that several earlier files have, each name from one of them.

    Args:
        files: The files. A name is taken from the one of which it is not `changed`.
        key: The key of the section in these files.
    """

    def __init__(self, files: Sequence[Earlier], key: str) -> None:
        self._files = files
        self._sections = [file.layout.sections.get(key, Section()) for file in files]

    def merge(self) -> tuple[list[_Part], list[str], list[int]]:
        """Return all entries of the object; see `ObjectWriter.merge`."""
        places: list[tuple[str, int, int]] = []
        for number, (file, section) in enumerate(zip(self._files, self._sections, strict=True)):
            hidden = frozenset(file.changed)
            places += [
                (name, number, place)
                for place, name in enumerate(section.names)
                if name not in hidden
            ]
        places.sort()
        merged = _Merged()
        # Names that follow each other in one file are copied together.
        for (number, _), run in groupby(enumerate(places), key=_run_of):
            found = [place for _, (_, _, place) in run]
            source, section = self._files[number].file, self._sections[number]
            merged.take(source, section, found[0], found[-1] + 1)
        return merged.parts, merged.names, merged.sizes

    def close(self) -> None:
        """Do nothing: the files belong to others."""


def _run_of(item: tuple[int, tuple[str, int, int]]) -> tuple[int, int]:
    """Return what is equal for names that follow each other, both in the object and in a file."""
    index, (_, number, place) = item
    return number, index - place


class _Merged:
    """Ranges of files, which follow each other in one object."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.names: list[str] = []
        self.sizes: list[int] = []

    def take(self, file: Source, section: Section, first: int, end: int) -> None:
        """Add the entries of some names of a section, by their places."""
        if first == end:
            return
        if self.parts:
            self.parts.append(b",")
        offsets = section.offsets
        # Without the comma behind the last of them.
        self.parts.append((file, section.start + offsets[first], section.start + offsets[end] - 1))
        self.names += section.names[first:end]
        self.sizes += section.sizes[first:end]


class Document:
    """A file in parts, whose size is known before it is written.

    Attributes:
        size: In bytes.
        layout: Where the entries of the package names stand in it.
    """

    def __init__(self) -> None:
        self.size = 0
        self.layout = Layout()
        self._parts: list[_Part] = []
        self._objects: list[ObjectWriter | MergedEntries] = []

    def add(self, text: bytes) -> None:
        """Add some JSON."""
        self._parts.append(text)
        self.size += len(text)

    def add_object(self, key: str, entries: ObjectWriter | MergedEntries) -> None:
        """Add an object as the section of this key. The key itself is not written."""
        parts, names, sizes = entries.merge()
        self.add(b"{")
        self.layout.sections[key] = Section(self.size, names, sizes)
        self._parts += parts
        self.size += sum(map(_size_of, parts))
        self.add(b"}")
        self._objects.append(entries)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the file, once: then the temporary files are deleted.

        Raises:
            EOFError: an earlier file is shorter than its layout says.
        """
        # Each checksum and the compression take a call per piece, so small parts are put together.
        waiting: list[bytes] = []
        size = 0
        for piece in self._ranges():
            waiting.append(piece)
            size += len(piece)
            if size >= _PIECE:
                yield b"".join(waiting)
                waiting, size = [], 0
        yield b"".join(waiting)
        for entries in self._objects:
            entries.close()

    def _ranges(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
                continue
            file, position, end = part
            file.seek(position)
            while position < end:
                piece = file.read(min(_PIECE, end - position))
                if not piece:
                    raise EOFError
                position += len(piece)
                yield piece

    def read(self) -> bytes:
        """Return the bytes of a small file, once."""
        return b"".join(self.pieces())


def _size_of(part: _Part) -> int:
    return len(part) if isinstance(part, bytes) else part[2] - part[1]
