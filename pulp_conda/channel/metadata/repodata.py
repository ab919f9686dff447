"""Repodata: the records of one subdir, in one file.

Format: CEP 36. `base_url`: CEP 15. The section `v3`: CEP 48. Reading and writing never have all
records in memory. Equal records in the same order give equal files.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urljoin, urlsplit

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadPackageName, BadRepodata, WrongSubdir, shown
from pulp_conda.channel.fields import is_count, is_hex
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.splice import (
    Document,
    Earlier,
    Layout,
    MergedEntries,
    ObjectWriter,
)
from pulp_conda.channel.metadata.stream import MAX_SIZE, KeyPath, read_json
from pulp_conda.channel.metadata.v3 import RevisionCounter
from pulp_conda.channel.records import PackageRecord, RecordError, check_record

# Why some entries of `v3` are left out: they are no conda packages, but wheels, for example.
OTHER_FORMAT = "neither '.conda' nor '.tar.bz2'"

# The keys in `v3` are the extensions of package files without the dot.
V3_EXTENSIONS = tuple(extension.removeprefix(".") for extension in layout.EXTENSIONS)

# The most names in the list of removed packages. conda-forge had some ten thousand in a subdir.
MAX_REMOVED = 1_000_000

# What a package name may not have, and what a version and a build may not have (CEP 26).
_NOT_IN_NAMES = re.compile(r"[^0-9a-z_.-]")
_NOT_IN_VERSIONS = re.compile(r"[^0-9A-Za-z_.+!]")


class Unservable(NamedTuple):
    """A record that nobody can be served, although the filter does not leave it out.

    Attributes:
        filename: The key of the entry, which need not be valid for a file.
        reason: In words, what is wrong.
    """

    filename: str
    reason: str


# A record, and why it is left out. The record is None if the entry is no conda package or has no
# valid record, and the reason is None if the record is taken. If it is a text, the filter leaves
# out the record, or it is of another kind of package.
Entry = tuple[PackageRecord | None, Unservable | str | None]

_WHOLE = ("info", "repodata_version")
_DEPTHS = {**dict.fromkeys(_WHOLE, 1), "packages": 2, "packages.conda": 2, "removed": 2}


@dataclass
class Repodata:
    """An upstream's repodata file. It can be read more than once.

    Attributes:
        file: JSON, or zstd of it, seekable.
        url: Where it came from. Errors name it.
        subdir: The subdir that it should be of.
        max_size: The most bytes that it may unpack to.
        now_ms: The time now in milliseconds since 1970, to refuse records from the future.
        listed_and_removed: The file names of packages that were taken and are also said to be
            removed, sorted, after all `records` were read. For clients such a package is there.
    """

    file: BinaryIO
    url: str
    subdir: str
    max_size: int = MAX_SIZE
    now_ms: int | None = None
    listed_and_removed: list[str] = field(default_factory=list, init=False, repr=False)
    _removed: list[str] | None = field(default=None, init=False, repr=False)

    def packages_url(self, channel_url: str) -> str:
        """Check the `info` of the file, and return the URL of the folder with the packages.

        The file is read only up to its `info`, which most tools write at the start.

        Args:
            channel_url: The URL of the channel, to which a `base_url` may be relative.

        Raises:
            BadRepodata: the file is no JSON object, cut short, or of an unknown version.
            WrongSubdir: the file is of another subdir.
        """
        info: Any = next((value for path, value in self._entries() if path[0] == "info"), {})
        if not isinstance(info, dict):
            raise self._error("its 'info' is not an object")
        info = without_nulls(info)
        self._check_version(info.get("repodata_version", 1))
        if (found := info.get("subdir", self.subdir)) != self.subdir:
            raise WrongSubdir(url=self.url, found=found, subdir=self.subdir)
        base_url = info.get("base_url") or ""
        try:
            return resolve_url(channel_url, self.subdir, base_url)
        except ValueError:
            raise self._error(
                f"its 'base_url' is {shown(repr(base_url))}, not an HTTP URL"
            ) from None

    def records(self, package_filter: PackageFilter) -> Iterator[Entry]:
        """Yield an entry for every package, in the order of the file.

        Raises:
            BadRepodata: the file is broken. This is raised when the reading gets to that place.
        """
        # Hashes of the names. The names themselves would take ten times as much memory.
        taken = array("q")
        removed: set[str] = set()
        for path, value in self._entries():
            if path[0] == "removed":
                self._add_removed(removed, path, value)
            elif path[0] == "repodata_version":
                self._check_version(value)
            elif path[0] in ("packages", "packages.conda", "v3"):
                filename = self._filename(path)
                if filename is None:
                    yield None, OTHER_FORMAT
                    continue
                record, reason = self._record(filename, value, path[0] == "v3", package_filter)
                if reason is None:
                    taken.append(hash(filename))
                yield record, reason
        self.listed_and_removed = sorted(_found_in(removed, taken))
        self._removed = sorted(removed.difference(self.listed_and_removed))

    def removed(self) -> list[str]:
        """Return the file names of packages that were removed from the channel, sorted (CEP 36).

        The file is read for it, unless all `records` were read before. Names that are not valid for
        a package are left out.

        Raises:
            BadRepodata: the file is broken, or there are more than `MAX_REMOVED` names.
        """
        if self._removed is None:
            removed: set[str] = set()
            for path, value in self._entries():
                if path[0] == "removed":
                    self._add_removed(removed, path, value)
            self._removed = sorted(removed)
        return self._removed

    def _entries(self) -> Iterator[tuple[KeyPath, Any]]:
        entries = read_json(
            self.file, _DEPTHS, url=self.url, error=BadRepodata, max_size=self.max_size
        )
        for path, value in entries:
            # A null in place of a section is as good as no section. In place of a record it is not.
            is_section = path[0] in _WHOLE or len(path) < _DEPTHS.get(str(path[0]), 3)
            if value is not None or not is_section:
                yield path, value

    def _filename(self, path: KeyPath) -> str | None:
        """Return the file name of an entry, or None if it is no conda package."""
        if path[0] != "v3":
            if len(path) == 2 and isinstance(path[1], str):
                return path[1]
        elif len(path) == 3 and isinstance(path[2], str):
            _, extension, stem = path
            return f"{stem}.{extension}" if extension in V3_EXTENSIONS else None
        raise self._error(f"its '{path[0]}' is not an object of objects")

    def _record(
        self, filename: str, fields: object, in_v3: bool, package_filter: PackageFilter
    ) -> Entry:
        try:
            record = check_record(self.subdir, filename, fields, in_v3=in_v3, now_ms=self.now_ms)
        except RecordError as error:
            return left_out(self.subdir, filename, fields, error, package_filter)
        return record, package_filter.reason_against(record)

    def _add_removed(self, removed: set[str], path: KeyPath, name: object) -> None:
        if len(path) != 2 or not isinstance(path[1], int):
            raise self._error("its 'removed' is not a list")
        if len(removed) == MAX_REMOVED:
            raise self._error(f"its 'removed' has more than {MAX_REMOVED} names")
        if layout.is_filename(name):
            removed.add(name)

    def _check_version(self, version: object) -> None:
        if version not in (1, 2):
            raise self._error(f"its 'repodata_version' is {version}, not 1 or 2")

    def _error(self, reason: str) -> BadRepodata:
        return BadRepodata(url=self.url, reason=reason)


def _found_in(names: Iterable[str], hashes: Iterable[int]) -> set[str]:
    """Return the names whose hashes are among those."""
    by_hash = {hash(name): name for name in names}
    return {by_hash[key] for key in hashes if key in by_hash}


def without_nulls(info: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the fields that have a value. Some tools write null for what they do not know."""
    return {key: value for key, value in info.items() if value is not None}


def resolve_url(channel_url: str, subdir: str, url: object) -> str:
    """Return the absolute URL for a URL in the metadata of a subdir.

    Args:
        channel_url: The URL of the channel.
        subdir: The subdir. A relative URL is relative to its URL.
        url: The relative or absolute URL. If it is empty, the URL of the subdir is returned.

    Raises:
        ValueError: it is not the URL of a file that can be downloaded by HTTP.
    """
    # The database stores it with every package, and refuses NUL and half surrogates.
    if not isinstance(url, str) or len(url) > 2000 or not url.isprintable():
        raise ValueError("no text")
    parts = urlsplit(url)
    if parts.scheme not in ("", "http", "https") or (parts.scheme and not parts.netloc):
        raise ValueError("no HTTP URL")
    base = layout.join_url(channel_url, subdir, "")
    if not url:
        return base
    resolved = urljoin(base, url)
    query = urlsplit(base).query
    if parts.netloc or parts.query or not query:
        return resolved
    return f"{resolved}?{query}"  # Some channels have a token in the query string.


def left_out(
    subdir: str, filename: str, fields: object, error: RecordError, package_filter: PackageFilter
) -> Entry:
    """Return the entry of a record that is wrong, with the reason why it is left out.

    The filter goes by what the record says of itself. It is the first reason.

    Args:
        subdir: The subdir of the repodata.
        filename: The key of the entry.
        fields: The entry.
        error: What `check_record` says of it.
    """
    stated = _Stated.of(subdir, filename, fields if isinstance(fields, dict) else {})
    return None, package_filter.reason_against(stated) or Unservable(filename, str(error))


@dataclass(frozen=True)
class _Stated:
    """What a record that is wrong says of itself, as far as match specs can ask for it.

    Where it says nothing, the parts of the file name are used.
    """

    subdir: str
    filename: str
    name: str
    version: str
    build: str
    build_number: int
    license: str
    md5: str
    sha256: str

    @classmethod
    def of(cls, subdir: str, filename: str, fields: Mapping[str, Any]) -> "_Stated":
        texts = {key: value for key, value in fields.items() if isinstance(value, str)}
        name, version, build = _parts(filename)
        build_number = fields.get("build_number")
        return cls(
            subdir,
            filename,
            # Specs are in lower case, too. What no spec can have in a name is a '-' here.
            name=_NOT_IN_NAMES.sub("-", texts.get("name", name).lower()),
            version=_NOT_IN_VERSIONS.sub("_", texts.get("version", version)),
            build=_NOT_IN_VERSIONS.sub("_", texts.get("build", build)).replace("!", "_") or "_",
            build_number=build_number if is_count(build_number) else 0,
            license=texts.get("license", "").encode("ascii", "replace").decode(),
            md5=texts["md5"] if is_hex(texts.get("md5"), 32) else "",
            sha256=texts["sha256"].lower() if is_hex(texts.get("sha256"), 64) else "",
        )


def _parts(filename: str) -> list[str]:
    """Return the name, version and build in a file name, which need not be valid."""
    for extension in layout.EXTENSIONS:
        filename = filename.removesuffix(extension)
    return (filename.rsplit("-", 2) + ["", ""])[:3]


def named_by(subdir: str, filename: str) -> PackageRecord | None:
    """Return a record with only the facts that are in the file name, or None if it is not valid."""
    try:
        parts = layout.parse_filename(filename)
    except BadPackageName:
        return None
    fields = {"name": parts.name, "version": parts.version, "build": parts.build}
    return PackageRecord(subdir, filename, {**fields, "build_number": 0, "sha256": "0" * 64})


class RepodataWriter:
    """Writes `repodata.json`.

    Records are added one by one, and stand in the file in this order. Records of both extensions
    and of `v3` may be added in any order.

    Attributes:
        revisions: `info.repodata_revisions` after `finish`. Empty if there is no record in `v3`.
    """

    def __init__(
        self,
        subdir: str,
        relations: Mapping[str, str] | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        """Begin a file without records.

        Args:
            subdir: The subdir of the records.
            relations: What `check_relations` returned (CEP 42).
            earlier: The file that has the records of all names that are not added.
        """
        self._earlier = earlier
        self._info: dict[str, Any] = {"subdir": subdir}
        if relations:
            self._info["channel_relations"] = relations
        self._sections = {key: ObjectWriter(earlier, key) for key in ("packages", "packages.conda")}
        self._v3: dict[str, ObjectWriter] = {}
        self._v3_counter = RevisionCounter()
        if earlier:
            self._v3_counter.copy(earlier.layout.revisions, earlier.changed)
        self.revisions: dict[str, dict[str, int]] = {}

    def add(self, filename: str, canonical: bytes, in_v3: bool = False) -> None:
        """Add a record, given as `PackageRecord.canonical`."""
        if in_v3:
            self._add_v3(filename, canonical)
        else:
            self._sections[section_of(filename)].add(filename, canonical)

    def add_name(self, name: str, records: Iterable[tuple[str, str, bool]]) -> None:
        """Add all records of a package name: file name, canonical JSON, and whether it is in `v3`.

        That takes less time than to add them one by one.
        """
        texts: dict[str, list[str]] = {section: [] for section in self._sections}
        for filename, canonical, in_v3 in records:
            if in_v3:
                self._add_v3(filename, canonical.encode())
            else:
                texts[section_of(filename)].append(f'"{filename}":{canonical}')
        for section, entries in self._sections.items():
            entries.write(texts[section])
        for entries in (*self._sections.values(), *self._v3.values()):
            entries.end_name(name)
        self._v3_counter.end_name(name)

    def finish(self, removed: Iterable[str] = ()) -> Document:
        """Return the file.

        Args:
            removed: The file names of packages that were removed from the channel.
        """
        self.revisions = self._v3_counter.as_info()
        if self.revisions:
            self._info["repodata_revisions"] = self.revisions
        if self.revisions:
            self._begin_v3()
        return _document(self._info, self._sections, self._v3, removed, self._v3_counter)

    def _add_v3(self, filename: str, canonical: bytes) -> None:
        self._begin_v3()
        stem, extension = split_v3(filename)
        self._v3[extension].add(stem, canonical)
        self._v3_counter.add(orjson.loads(canonical))

    def _begin_v3(self) -> None:
        if not self._v3:
            self._v3 = {
                extension: ObjectWriter(self._earlier, _v3_key(extension))
                for extension in V3_EXTENSIONS
            }


def merge_repodata(
    subdir: str,
    relations: Mapping[str, str] | None,
    files: Sequence[Earlier],
    removed: Iterable[str],
) -> tuple[Document, dict[str, dict[str, int]]]:
    """Return a `repodata.json` with the records of several, and its `info.repodata_revisions`.

    Args:
        subdir: The subdir of all of them.
        relations: What `check_relations` returned (CEP 42).
        files: The files. A name is taken from the one of which it is not `changed`.
        removed: The file names of packages that were removed from the channel.
    """
    counter = RevisionCounter()
    for file in files:
        counter.copy_more(file.layout.revisions, file.changed)
    info: dict[str, Any] = {"subdir": subdir}
    if relations:
        info["channel_relations"] = relations
    revisions = counter.as_info()
    if revisions:
        info["repodata_revisions"] = revisions
    sections = {key: MergedEntries(files, key) for key in ("packages", "packages.conda")}
    v3 = {key: MergedEntries(files, _v3_key(key)) for key in V3_EXTENSIONS} if revisions else {}
    return _document(info, sections, v3, removed, counter), revisions


def read_removed(file: BinaryIO, places: Layout) -> list[str]:
    """Return the file names in the list `removed` of a `repodata.json` that we wrote.

    Only this part of the file is read.

    Args:
        file: The file, seekable.
        places: Where the entries stand in it.

    Raises:
        ValueError: the file is not what its layout says.
    """
    section = places.sections["packages.conda"]
    entries = max(section.offsets[-1] - 1, 0)
    file.seek(section.start + entries)
    tail = file.read(len(_REMOVED))
    if tail != _REMOVED:
        raise ValueError("there is no list of removed packages behind the records")
    text = bytearray()
    # No file name has a bracket.
    while b"]" not in text:
        piece = file.read(2**16)
        if not piece:
            raise ValueError("the list of removed packages is cut short")
        text += piece
    found: list[str] = orjson.loads(text[: text.index(b"]") + 1])
    return found


# What stands between the last section and the list of removed packages.
_REMOVED = b'},"removed":'


def _document(
    info: Mapping[str, Any],
    sections: Mapping[str, ObjectWriter | MergedEntries],
    v3: Mapping[str, ObjectWriter | MergedEntries],
    removed: Iterable[str],
    counter: RevisionCounter,
) -> Document:
    """Return a `repodata.json` with these parts."""
    document = Document()
    document.layout.revisions.update(counter.by_name)
    document.add(b'{"info":' + _dumps(info))
    for section, entries in sections.items():
        document.add(b',"%b":' % section.encode())
        document.add_object(section, entries)
    document.add(b',"removed":' + _dumps(sorted(removed)) + b',"repodata_version":1')
    separator = b',"v3":{'
    for extension, entries in v3.items():
        document.add(b'%b"%b":' % (separator, extension.encode()))
        document.add_object(_v3_key(extension), entries)
        separator = b","
    document.add(b"}}\n" if v3 else b"}\n")
    return document


def _v3_key(extension: str) -> str:
    """Return the key of a section of `v3` in the `Layout` of a file."""
    return f"v3/{extension}"


def section_of(filename: str) -> str:
    """Return the section of a file's record outside of `v3`: `packages` or `packages.conda`."""
    return "packages.conda" if filename.endswith(".conda") else "packages"


def split_v3(filename: str) -> tuple[str, str]:
    """Return the key of a file's record in `v3`, and the section there: `conda` or `tar.bz2`."""
    extension = "conda" if filename.endswith(".conda") else "tar.bz2"
    return filename.removesuffix(f".{extension}"), extension


def _dumps(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
