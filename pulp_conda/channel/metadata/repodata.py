"""Repodata: the records of one subdir, read as a stream and written the same way every time.

Format: CEP 36; `base_url`: CEP 15; the section `v3`: CEP 48. Neither side ever holds all records in memory.
"""

from array import array
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import orjson
import zstandard

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadPackageName,
    BadRecord,
    BadRepodata,
    WrongSubdir,
    shown,
)
from pulp_conda.channel.metadata.stream import MAX_SIZE, ObjectWriter, read_json
from pulp_conda.channel.metadata.v3 import RevisionCounter
from pulp_conda.channel.records import PackageRecord, RecordError, check_record

# Why entries of `v3` are left out that are something else than conda packages, wheels for example.
OTHER_FORMAT = "neither '.conda' nor '.tar.bz2'"

# The extensions of `v3`; those of package files have a dot in front.
V3_EXTENSIONS = tuple(extension.removeprefix(".") for extension in layout.EXTENSIONS)

# Names of packages that are no longer listed; conda-forge had some ten thousand in a subdir.
MAX_REMOVED = 1_000_000

_DEPTHS = {"info": 1, "repodata_version": 1, "packages": 2, "packages.conda": 2, "removed": 2}


@dataclass
class Repodata:
    """An upstream's repodata file, to be read in as many passes as one likes.

    Attributes:
        file: JSON or zstd of it, seekable.
        url: Where it came from, without secrets; errors name it.
        subdir: The subdir that it should be of.
        max_size: The most bytes that it may unpack to.
        now_ms: The time in milliseconds since 1970, to refuse records from the future.
    """

    file: BinaryIO
    url: str
    subdir: str
    max_size: int = MAX_SIZE
    now_ms: int | None = None
    _removed: list | None = field(default=None, init=False, repr=False)

    def packages_url(self, channel_url):
        """Check what the file says of itself, and return the URL that its packages stand below.

        Reads no further than to `info`, which most writers put in front.

        Raises:
            BadRepodata: no JSON object, cut short, or of a version that nobody knows yet.
            WrongSubdir: the file is of another subdir.
        """
        info = next((value for path, value in self._entries() if path[0] == "info"), {})
        if not isinstance(info, dict):
            raise self._error("its 'info' is not an object")
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

    def records(self, package_filter):
        """Yield (record, why it is left out or None) for every package, in the order of the file.

        What is no conda package has None for a record.

        Raises:
            BadRecord: for a record that cannot be served, unless the filter leaves the package out.
            BadRepodata: when the reading gets to the place where the file is broken, or, at the end, for a package
                that is taken and said to be removed as well.
        """
        # Eight bytes of each name, since a million names would be a hundred times as much.
        taken = array("q")
        removed = set()
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
                record = self._record(filename, value, path[0] == "v3", package_filter)
                reason = package_filter.reason_against(record)
                if reason is None:
                    taken.append(hash(filename))
                yield record, reason
        self._check_removed(removed, taken)
        self._removed = sorted(removed)

    def removed(self):
        """Return the names of packages that the channel had once, sorted (CEP 36).

        Needs a pass through the file, unless all `records` were read before. Names that no package can have are
        left out: nobody could ask for them.

        Raises:
            BadRepodata: there are more than anybody would list.
        """
        if self._removed is None:
            removed = set()
            for path, value in self._entries():
                if path[0] == "removed":
                    self._add_removed(removed, path, value)
            self._removed = sorted(removed)
        return self._removed

    def _entries(self):
        return read_json(
            self.file, _DEPTHS, url=self.url, error=BadRepodata, max_size=self.max_size
        )

    def _filename(self, path):
        """Return the file name that an entry is of, or None if it is no conda package."""
        if path[0] != "v3":
            if len(path) == 2 and isinstance(path[1], str):
                return path[1]
        elif len(path) == 3 and isinstance(path[2], str):
            _, extension, stem = path
            return f"{stem}.{extension}" if extension in V3_EXTENSIONS else None
        raise self._error(f"its '{path[0]}' is not an object of objects")

    def _record(self, filename, fields, in_v3, package_filter):
        try:
            return check_record(self.subdir, filename, fields, in_v3=in_v3, now_ms=self.now_ms)
        except RecordError as error:
            record = named_by(self.subdir, filename)
            if record is None or package_filter.reason_against(record) is None:
                raise BadRecord(filename=filename, url=self.url, reason=str(error)) from None
            return record

    def _add_removed(self, removed, path, name):
        if len(path) != 2 or not isinstance(path[1], int):
            raise self._error("its 'removed' is not a list")
        if len(removed) == MAX_REMOVED:
            raise self._error(f"its 'removed' has more than {MAX_REMOVED} names")
        if layout.is_filename(name):
            removed.add(name)

    def _check_removed(self, removed, taken):
        by_hash = {hash(name): name for name in removed}
        for key in taken:
            if key in by_hash:
                raise self._error(f"'{by_hash[key]}' is listed and said to be removed")

    def _check_version(self, version):
        if version not in (1, 2):
            raise self._error(f"its 'repodata_version' is {version}, not 1 or 2")

    def _error(self, reason):
        return BadRepodata(url=self.url, reason=reason)


def resolve_url(channel_url, subdir, url):
    """Return the URL that the metadata of a subdir means by a relative or absolute one.

    Raises:
        ValueError: it is no URL that a package could be fetched from.
    """
    # It stands in the database with every package, where NUL and half surrogates are none.
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
    return f"{resolved}?{query}"  # Some channels want their token there.


def named_by(subdir, filename):
    """Return a record with nothing but what the file name says, or None if it says nothing."""
    try:
        parts = layout.parse_filename(filename)
    except BadPackageName:
        return None
    fields = {"name": parts.name, "version": parts.version, "build": parts.build}
    return PackageRecord(subdir, filename, {**fields, "build_number": 0, "sha256": "0" * 64})


class RepodataWriter:
    """Writes `repodata.json` from records that come one by one, sorted by whoever brings them.

    The same records in the same order give the same bytes. `.tar.bz2` and `.conda` may come mixed, and those of `v3`
    between them.

    Args:
        relations: What `check_relations` gave (CEP 42).

    Attributes:
        revisions: `info.repodata_revisions`, valid after `close`; empty if nothing is in `v3`.
    """

    def __init__(self, file, subdir, relations=None):
        self._file = file
        self._info = {"subdir": subdir}
        if relations:
            self._info["channel_relations"] = relations
        self._sections = {"packages": ObjectWriter(), "packages.conda": ObjectWriter()}
        self._v3 = {}
        self._v3_counter = RevisionCounter()
        self.revisions = {}

    def add(self, filename, canonical, in_v3=False):
        """Write a record, given as the bytes that shall stand there."""
        if in_v3:
            self._add_v3(filename, canonical)
        else:
            self._sections[section_of(filename)].add(filename, canonical)

    def close(self, removed=()):
        """Write the file.

        Args:
            removed: Names of packages that the channel had once.
        """
        self.revisions = self._v3_counter.as_info()
        if self.revisions:
            self._info["repodata_revisions"] = self.revisions
        write = self._file.write
        write(b'{"info":' + _dumps(self._info))
        for section, entries in self._sections.items():
            write(b',"%b":' % section.encode())
            entries.write_to(self._file)
        write(b',"removed":' + _dumps(sorted(removed)) + b',"repodata_version":1')
        if self._v3:
            self._write_v3()
        write(b"}\n")

    def _add_v3(self, filename, canonical):
        if not self._v3:
            self._v3 = {extension: ObjectWriter() for extension in V3_EXTENSIONS}
        stem, extension = split_v3(filename)
        self._v3[extension].add(stem, canonical)
        self._v3_counter.add(orjson.loads(canonical))

    def _write_v3(self):
        separator = b',"v3":{'
        for extension, entries in self._v3.items():
            self._file.write(b'%b"%b":' % (separator, extension.encode()))
            entries.write_to(self._file)
            separator = b","
        self._file.write(b"}")


def section_of(filename):
    """Return the key under which the records of such files stand outside of `v3`."""
    return "packages.conda" if filename.endswith(".conda") else "packages"


def split_v3(filename):
    """Return what a file is called in `v3`, and the key under which it stands there."""
    extension = "conda" if filename.endswith(".conda") else "tar.bz2"
    return filename.removesuffix(f".{extension}"), extension


def _dumps(value):
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def compress(source, target, size, level):
    """Write a file's zstd form, with its size in the frame's header, as clients with limits want it."""
    compressor = zstandard.ZstdCompressor(level=level, threads=-1)
    compressor.copy_stream(source, target, size=size)
