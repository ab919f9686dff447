"""The archives of a package file, read once from start to end, with limits.

Formats: CEP 35. Every member is checked, also the ones that are not read here, because clients will
write all of them to disk.
"""

import bz2
import io
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, BinaryIO, NoReturn

import orjson
from conda_package_streaming.package_streaming import tar_generator

from pulp_conda.channel.errors import (
    MissingMetadata,
    PackageTooLarge,
    UnreadablePackage,
    UnsafeMember,
    shown,
)
from pulp_conda.channel.package.payload import Payload
from pulp_conda.channel.package.tree import PackageTree

try:
    from compression import zstd
except ImportError:  # Before Python 3.14, conda-package-streaming installs it.
    from backports import zstd

INDEX = "info/index.json"

_CHUNK = 64 * 2**10

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_HEADER = 18  # The most bytes that it can have.

# The most bytes that a tar archive may have for one member besides its data, and at its end.
_OVERHEAD = 2**20

# A package that unpacks to less than this is no bomb, so `Limits.expansion` does not apply to it.
_HARMLESS = 256 * 2**20

# Old packages have one license text, beside the other files of `info/`.
_LICENSE = re.compile(r"info/(?:licenses/(.{1,1000})|(LICENSE\.txt))", re.DOTALL)
_LICENSE_COUNT = 1000

_COMPONENT = re.compile(r"(info|pkg)-([^/\\]+)\.tar\.zst|metadata\.json")


@dataclass(frozen=True)
class Limits:
    """How much of a server's time and memory one package may take.

    Attributes:
        info_member_size: Bytes of a member that is read into memory. A larger index is refused, and
            other files of `info/` that are larger are ignored. Parsed JSON takes up to thirty times
            as much memory.
        member_size: Bytes of any member. The largest ones of 2026 are GPU libraries of a few GB.
        total_size: Bytes that the whole package unpacks to.
        expansion: How many times larger than the file the unpacked package may be. Programs are
            packed to a fifth, text to a hundredth, and bombs to less than a thousandth. A package
            that unpacks to 256 MiB or less is always allowed.
        member_count: Files and folders. Their names are kept in memory to find duplicates, with 150
            bytes each. A name of more than 256 characters counts more than once.
        zstd_window: Bytes of memory that unpacking may take. Level 22, which conda-build uses,
            needs 128 MiB.
    """

    info_member_size: int = 16 * 2**20
    member_size: int = 32 * 2**30
    total_size: int = 64 * 2**30
    expansion: int = 1000
    member_count: int = 1_000_000
    zstd_window: int = 128 * 2**20


# Called with each number of bytes that was unpacked. It may raise an error to end the reading.
Spend = Callable[[int], None]

# What a member costs besides its data, in bytes that could be unpacked in the same time.
MEMBER_COST = 4096


def spend_freely(size: int) -> None:
    """Set no limit besides those of `Limits`."""


# Called with each member after it was checked, to read its data.
Copy = Callable[[tarfile.TarFile, tarfile.TarInfo], None]

# Makes an object that decompresses, with limits.
_NewDecompressor = Callable[[], "zstd.ZstdDecompressor | bz2.BZ2Decompressor"]


class PackageArchive:
    """Reads a package file once.

    conda-package-streaming has no limits, so its tar reader is used with decompressors that have
    limits.

    Attributes:
        filename: The name of the package, for errors.
        extension: The format of the file, `.conda` or `.tar.bz2`, which is found by its first
            bytes. Empty before `read`.
        index: The bytes of `info/index.json`, or None if there is none.
        kept: The bytes of other files of `info/` by name.
        licenses: The names of the first thousand license texts, without `info/licenses/`.
    """

    def __init__(
        self,
        file: BinaryIO,
        filename: str,
        size: int,
        limits: Limits,
        keep: Mapping[str, int] | None = None,
        spend: Spend = spend_freely,
        payload: Payload | None = None,
        copy: Copy | None = None,
    ) -> None:
        """Prepare to read an open package.

        Args:
            file: The package, open and seekable.
            filename: Its name, for errors.
            size: Its bytes.
            limits: What it may unpack to.
            keep: The names of the members to keep, each with the most bytes that it may have. A
                larger member is not kept.
            spend: Told how much was unpacked. A member counts as `MEMBER_COST` bytes more.
            payload: Gets the files outside of `info/`, if somebody wants to know their digests.
            copy: Gets each member. Then nothing is kept, also not the index.
        """
        self._file = file
        self.filename = filename
        self._limits = limits
        self._window_log = limits.zstd_window.bit_length() - 1
        self._keep: Mapping[str, int] = keep or {}
        self._spend = spend
        self._payload = payload
        self._copy = copy
        self._tree = PackageTree(filename, limits.member_count)
        self._allowed_size = max(_HARMLESS, size * limits.expansion)
        self._size = 0
        self._stems: dict[str, str] = {}
        self.extension = ""
        self.index: bytes | None = None
        self.kept: dict[str, bytes] = {}
        self.licenses: list[str] = []

    def read(self, *, info_only: bool = False) -> None:
        """Read all members.

        Args:
            info_only: Read only the archive `info` of a `.conda` file. A `.tar.bz2` is read as a
                whole.

        Raises:
            PackageError: the file is damaged, hostile, or larger than the limits.
        """
        with _archive_errors(self.filename):
            self._read(info_only)

    def _read(self, info_only: bool) -> None:
        self._file.seek(0)
        magic = self._file.read(3)
        self._file.seek(0)
        if magic.startswith(b"PK"):
            self.extension = ".conda"
            self._read_conda(info_only)
        elif magic == b"BZh":
            self.extension = ".tar.bz2"
            self._read_tar(self._file, bz2.BZ2Decompressor)
        else:
            self._fail("it is neither a ZIP file (.conda) nor compressed with bzip2 (.tar.bz2)")
        self._tree.check_detours()

    def check_stems(self, stem: str) -> None:
        """Check that the archives in a `.conda` file are named after the package.

        Tools look for them by these names.

        Raises:
            MissingMetadata: one has another name.
        """
        for kind, found in self._stems.items():
            if found != stem:
                raise MissingMetadata(filename=self.filename, member=f"{kind}-{stem}.tar.zst")

    def _read_conda(self, info_only: bool) -> None:
        archive = zipfile.ZipFile(_SmallReads(self._file, self.filename))
        components = self._components(archive)
        self._check_zip(archive)
        self._check_format_version(archive, components)
        options = {zstd.DecompressionParameter.window_log_max: self._window_log}
        new_decompressor = partial(zstd.ZstdDecompressor, options=options)
        with archive.open(components["info"]) as file:
            self._read_tar(file, new_decompressor)
        if info_only or self.index is None:
            return
        self._keep = {}  # Some readers ignore an `info/` in this archive, so nothing of it is kept.
        with archive.open(components["pkg"]) as file:
            self._read_tar(file, new_decompressor)

    def _check_zip(self, archive: zipfile.ZipFile) -> None:
        """Check that the ZIP file consists of its stored members, without gaps.

        In other files, readers that begin at the start find other members than readers that begin
        at the end.
        """
        position = 0
        for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
            name = shown(member.filename)
            if member.header_offset != position:
                self._fail(f"'{name}' does not start where the ZIP member before it ends")
            self._file.seek(position)
            flags, method, name_size, extra_size = struct.unpack("<6xHH16xHH", self._file.read(30))
            if (flags | member.flag_bits) & 1:
                self._fail(f"'{name}' is encrypted")
            if method or member.compress_type:
                self._fail(f"'{name}' is compressed by ZIP, where CEP 35 wants it stored")
            position += 30 + name_size + extra_size + member.compress_size
        self._file.seek(-22, io.SEEK_END)
        record = self._file.read()
        at_end = record.startswith(b"PK\5\6") and record.endswith(b"\0\0")
        if position != archive.start_dir or not at_end:
            self._fail("the ZIP file has bytes that belong to no member")

    def _components(self, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
        """Return the members `info`, `pkg` and `metadata` of the ZIP file, and set `_stems`."""
        components: dict[str, zipfile.ZipInfo] = {}
        others = []
        for member in archive.infolist():
            match = _COMPONENT.fullmatch(member.filename)
            kind = (match[1] or "metadata") if match else ""
            if not match or kind in components:
                others.append(member.filename)
                continue
            components[kind] = member
            if kind != "metadata":
                self._stems[kind] = match[2]
        for kind in ("info", "pkg"):
            if kind not in components:
                stem = next(iter(self._stems.values()), "<name>-<version>-<build>")
                raise MissingMetadata(filename=self.filename, member=f"{kind}-{stem}.tar.zst")
        for name in others:
            reason = "does not belong into a .conda file, or is there twice (CEP 35)"
            raise UnsafeMember(filename=self.filename, member=shown(name), reason=reason)
        return components

    def _check_format_version(
        self, archive: zipfile.ZipFile, components: Mapping[str, zipfile.ZipInfo]
    ) -> None:
        # Some packages have no `metadata.json`, or an empty one. Clients accept them.
        text = archive.read(components["metadata"]) if "metadata" in components else b""
        metadata = orjson.loads(text) if text else {}
        if not isinstance(metadata, dict) or metadata.get("conda_pkg_format_version", 2) != 2:
            self._fail(f"'metadata.json' says {shown(text.decode())}, not format version 2")

    def _read_tar(self, file: IO[bytes], new_decompressor: _NewDecompressor) -> None:
        """Check all members of a compressed tar archive, and keep those that were asked for."""
        unpacked = _Unpacked(file, new_decompressor, self.filename, self._window_log, self._spend)
        end = 0
        for tar, member in tar_generator(unpacked, partial(tarfile.open, bufsize=_CHUNK)):
            # Some readers would apply a global header to all members.
            if tar.pax_headers.keys() - {"comment"}:
                self._fail("its tar archive has global headers")
            self._spend(MEMBER_COST)
            self._check_size(member, tar.offset - end)
            end = tar.offset
            unpacked.limit = end + _OVERHEAD
            self._tree.add(member)
            if self._copy is not None:
                if member.issparse():  # Its holes are not among the unpacked bytes.
                    self._spend(member.size)
                self._copy(tar, member)
            elif member.name == INDEX:
                self.index = self._read_index(tar, member)
            elif self._keep and member.name.startswith("info/"):
                self._keep_member(tar, member)
            elif self._payload is not None:
                if member.issparse():  # Its holes are not among the unpacked bytes.
                    self._spend(member.size)
                self._payload.add(tar, member)
            tar.members.clear()  # Otherwise tarfile keeps all of them in memory.
        unpacked.read_rest()
        # tarfile reads a broken header as the end of the archive.
        if unpacked.end_of_data > end:
            self._fail(f"its tar archive is broken at byte {end}")

    def _check_size(self, member: tarfile.TarInfo, size: int) -> None:
        limits = self._limits
        self._size += max(size, member.size)  # A sparse file is larger than its data.
        if member.size < 0:
            self._fail(f"'{shown(member.name)}' has a negative size")
        for field, what, found, limit in (
            ("member_size", f"'{shown(member.name)}'", member.size, limits.member_size),
            ("total_size", "it", self._size, limits.total_size),
            ("expansion", "it", self._size, self._allowed_size),
        ):
            if found > limit:
                _too_large(self.filename, field, f"{what} unpacks to more than {limit} bytes")

    def _read_index(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        if not member.isreg():
            raise UnsafeMember(filename=self.filename, member=INDEX, reason="is not a file")
        if member.size > (limit := self._limits.info_member_size):
            reason = f"'{INDEX}' is larger than {limit} bytes"
            _too_large(self.filename, "info_member_size", reason)
        return read_member(tar, member)

    def _keep_member(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if member.isreg() and member.size <= self._keep.get(member.name, -1):
            self.kept[member.name] = read_member(tar, member)
        match = _LICENSE.fullmatch(member.name)
        if match and not member.isdir() and len(self.licenses) < _LICENSE_COUNT:
            self.licenses.append(match[1] or match[2])

    def _fail(self, reason: str) -> NoReturn:
        _unreadable(self.filename, reason)


def read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return the data of a member that is a file."""
    file = tar.extractfile(member)
    return file.read() if file else b""


class _Unpacked:
    """The unpacked content of a compressed file. A file that ends too early is an error.

    Attributes:
        limit: To read behind this position is an error. It is set again after each member, so that
            no single header can take all memory.
        end_of_data: The position behind the last byte that is no zero. A tar archive ends with
            zeros.
    """

    def __init__(
        self,
        file: IO[bytes],
        new_decompressor: _NewDecompressor,
        filename: str,
        window_log: int,
        spend: Spend,
    ) -> None:
        self._file = file
        self._spend = spend
        self._largest_window = 2**window_log
        self._new_decompressor = new_decompressor
        self._decompressor = new_decompressor()
        self._header = b""
        self._filename = filename
        self._position = 0
        self._frames = 1
        self.limit = _OVERHEAD
        self.end_of_data = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`, or none at the end."""
        data = b""
        while not data:
            packed = b""
            if self._decompressor.eof:
                packed = self._decompressor.unused_data or self._file.read(_CHUNK)
                if not packed:
                    return b""
                self._start_frame()
            elif self._decompressor.needs_input:
                packed = self._file.read(_CHUNK)
                if not packed:
                    _unreadable(self._filename, "its compressed data ends in the middle")
            data = self._decompress(packed, size)
        self._spend(len(data))
        if content := data.rstrip(b"\0"):
            self.end_of_data = self._position + len(content)
        self._position += len(data)
        if self._position > self.limit:
            reason = f"a tar archive in it has {_OVERHEAD} bytes that are no member's data"
            _unreadable(self._filename, reason)
        return data

    def read_rest(self) -> None:
        """Read to the end."""
        while self.read(_CHUNK):
            pass

    def _start_frame(self) -> None:
        # Parallel compressors write a frame for each megabyte. A million empty frames would take
        # too long.
        self._frames += 1
        if self._frames > 1000 + self._position // _CHUNK:
            _unreadable(self._filename, "its compressed data is in too many pieces")
        self._decompressor = self._new_decompressor()
        self._header = b""

    def _decompress(self, packed: bytes, size: int) -> bytes:
        if len(self._header) < _ZSTD_HEADER:
            self._header += packed[: _ZSTD_HEADER - len(self._header)]
        try:
            return self._decompressor.decompress(packed, size)
        except zstd.ZstdError as error:
            if _zstd_window(self._header) > self._largest_window:
                _too_large(self._filename, "zstd_window", "it asks for a larger zstd window")
            _unreadable(self._filename, str(error))
        except OSError as error:  # bz2 raises it.
            _unreadable(self._filename, str(error))


def _zstd_window(header: bytes) -> int:
    """Return how many bytes of memory a zstd frame asks for (RFC 8878, 3.1.1.1).

    Args:
        header: The first bytes of the frame. For others the result is 0.
    """
    if len(header) < 6 or header[:4] != _ZSTD_MAGIC:
        return 0
    descriptor = header[4]
    if not descriptor & 0x20:
        base = 1 << (10 + (header[5] >> 3))
        return base + base // 8 * (header[5] & 7)
    # The window is as large as the content. Its size stands behind the number of a dictionary.
    begin = 5 + (0, 1, 2, 4)[descriptor & 3]
    length = (1, 2, 4, 8)[descriptor >> 6]
    size = int.from_bytes(header[begin : begin + length], "little")
    return size + 256 if length == 2 else size


class _SmallReads:
    """A file of which one call reads 1 MiB at most.

    zipfile reads the directory of a ZIP file in one call, whatever its size is.
    """

    def __init__(self, file: BinaryIO, filename: str) -> None:
        self._file = file
        self._filename = filename
        self.seek = file.seek
        self.tell = file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > 2**20:
            reason = "its ZIP directory or 'metadata.json' is larger than 1 MiB"
            _unreadable(self._filename, reason)
        return self._file.read(2**20 if size < 0 else size)


@contextmanager
def _archive_errors(filename: str) -> Iterator[None]:
    """Raise `UnreadablePackage` for the errors that the libraries raise for damaged files."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
        NotImplementedError,  # zipfile: an unknown version or compression
        OverflowError,
        RecursionError,  # tarfile: headers of headers of headers
        ValueError,  # tarfile: broken numbers, and text that is not UTF-8
        struct.error,
    ) as error:
        _unreadable(filename, shown(str(error) or type(error).__name__))


def _unreadable(filename: str, reason: str) -> NoReturn:
    raise UnreadablePackage(filename=filename, reason=reason) from None


def _too_large(filename: str, field: str, reason: str) -> NoReturn:
    raise PackageTooLarge(filename=filename, reason=reason, setting=f"CONDA_PACKAGE_LIMITS.{field}")
