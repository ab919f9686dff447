"""Repodata: the records of one subdir, read as a stream and written the same way every time.

Format: CEP 36; `base_url`: CEP 15. Neither side ever holds all records in memory.
"""

import io
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import ijson
import orjson
import zstandard

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadPackageName,
    BadRecord,
    BadRepodata,
    RepodataTooLarge,
    WrongSubdir,
)
from pulp_conda.channel.records import PackageRecord, RecordError, check_record

# Twenty times the largest of 2026 (linux-64 of conda-forge: 363 MB).
MAX_SIZE = 8 * 2**30

# What `zstd --long=27` needs; level 19 stays far below. A frame that asks for more is after our memory.
_MAX_WINDOW = 2**27

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def is_zstd(file):
    """Say whether a file starts like zstd: some mirrors answer for a missing file with HTML and status 200."""
    start = file.read(len(_ZSTD_MAGIC))
    file.seek(0)
    return start == _ZSTD_MAGIC


@dataclass(frozen=True)
class Repodata:
    """An upstream's repodata file, to be read in as many passes as one likes.

    Attributes:
        file: JSON or zstd of it, seekable.
        url: Where it came from, without secrets; errors name it.
        subdir: The subdir that it should be of.
        max_size: The most bytes that it may unpack to.
    """

    file: BinaryIO
    url: str
    subdir: str
    max_size: int = MAX_SIZE

    def packages_url(self, channel_url):
        """Check what the file says of itself, and return the URL that its packages stand below.

        Raises:
            BadRepodata: no JSON object, cut short, or of a version that nobody knows yet.
            WrongSubdir: the file is of another subdir.
        """
        info = self._first("info", {})
        if not isinstance(info, dict):
            raise BadRepodata(url=self.url, reason="its 'info' is not an object")
        version = self._first("repodata_version", info.get("repodata_version", 1))
        if version not in (1, 2):
            raise BadRepodata(
                url=self.url, reason=f"its 'repodata_version' is {version}, not 1 or 2"
            )
        if (found := info.get("subdir", self.subdir)) != self.subdir:
            raise WrongSubdir(url=self.url, found=found, subdir=self.subdir)
        base_url = info.get("base_url") or ""
        if not isinstance(base_url, str) or urlsplit(base_url).scheme not in ("", "http", "https"):
            raise BadRepodata(
                url=self.url, reason=f"its 'base_url' is '{base_url}', not an HTTP URL"
            )
        return urljoin(layout.join_url(channel_url, self.subdir, ""), base_url)

    def records(self, package_filter):
        """Yield (record, why it is left out or None) for every package, `.tar.bz2` first.

        Raises:
            BadRecord: for a record that cannot be served, unless the filter leaves the package out.
            BadRepodata: when the reading gets to the place where the file is broken.
        """
        for section in ("packages", "packages.conda"):
            with self._stream() as stream:
                for filename, fields in ijson.kvitems(stream, section, use_float=True):
                    try:
                        record = check_record(self.subdir, filename, fields)
                    except RecordError as error:
                        record = _named_by(self.subdir, filename)
                        if record is None or package_filter.reason_against(record) is None:
                            raise BadRecord(
                                filename=filename, url=self.url, reason=str(error)
                            ) from None
                    yield record, package_filter.reason_against(record)

    def _first(self, key, default):
        with self._stream() as stream:
            return next(ijson.items(stream, key, use_float=True), default)

    @contextmanager
    def _stream(self):
        """Open the JSON text from its beginning, and turn what its parser says into our errors."""
        self.file.seek(0)
        stream = self.file
        if is_zstd(self.file):
            decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
            stream = decompressor.stream_reader(self.file, read_across_frames=True, closefd=False)
        stream = _Text(stream, self)
        try:
            yield stream
        except zstandard.ZstdError as error:
            raise BadRepodata(url=self.url, reason=f"its compression is broken ({error})") from None
        except (ijson.JSONError, UnicodeDecodeError) as error:
            reason = f"it is cut short or no JSON ({str(error).splitlines()[0].strip()})"
            raise BadRepodata(url=self.url, reason=reason) from None


class _Text:
    """The JSON text of a repodata file: refused when it is no object, or larger than the limit."""

    def __init__(self, stream, repodata):
        self._stream = stream
        self._repodata = repodata
        self._size = 0

    def read(self, size=-1):
        data = self._stream.read(size)
        if self._size == 0 and data:
            self._check_start(data)
        elif self._size == 0 and size and self._stream is self._repodata.file:
            data = b"{}"  # CEP 36: an empty file is an empty dictionary.
        self._size += len(data)
        if self._size > self._repodata.max_size:
            raise RepodataTooLarge(
                url=self._repodata.url,
                limit=self._repodata.max_size,
                setting="CONDA_MAX_REPODATA_SIZE",
            )
        return data

    def _check_start(self, data):
        start = data[:80].lstrip(b"\xef\xbb\xbf \t\r\n")
        if start and not start.startswith(b"{"):
            shown = start[:40].decode("utf-8", "replace")
            raise BadRepodata(
                url=self._repodata.url, reason=f"it starts with {shown!r}, not with '{{'"
            )


def _named_by(subdir, filename):
    """Return a record with nothing but what the file name says, or None if it says nothing."""
    try:
        parts = layout.parse_filename(filename)
    except BadPackageName:
        return None
    fields = {"name": parts.name, "version": parts.version, "build": parts.build}
    return PackageRecord(subdir, filename, {**fields, "build_number": 0, "sha256": "0" * 64})


class RepodataWriter:
    """Writes `repodata.json` from records that come one by one, sorted by whoever brings them.

    The same records in the same order give the same bytes. `.tar.bz2` and `.conda` may come mixed.
    """

    def __init__(self, file, subdir):
        self._file = file
        self._conda = TemporaryFile()
        info = orjson.dumps({"subdir": subdir})
        file.write(b'{"info":' + info + b',"packages":{')
        self._separators = {file: b"", self._conda: b""}

    def add(self, filename, canonical):
        """Write a record, given as the bytes of `PackageRecord.canonical`."""
        file = self._conda if filename.endswith(".conda") else self._file
        file.write(b'%b"%b":%b' % (self._separators[file], filename.encode(), canonical))
        self._separators[file] = b","

    def close(self):
        """Write what stands behind the last record."""
        self._file.write(b'},"packages.conda":{')
        self._conda.seek(0)
        shutil.copyfileobj(self._conda, self._file, io.DEFAULT_BUFFER_SIZE * 16)
        self._conda.close()
        self._file.write(b'},"removed":[],"repodata_version":1}\n')


def compress(source, target, size, level):
    """Write a file's zstd form, with its size in the frame's header, as clients with limits want it."""
    compressor = zstandard.ZstdCompressor(level=level, threads=-1)
    compressor.copy_stream(source, target, size=size)
