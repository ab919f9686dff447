"""Make a `.conda` file of a package in the form `.tar.bz2`. Both have the same files (CEP 35).

conda-package-streaming can do this, too. But it keeps the unpacked package in memory, and writes
the time of the conversion into the file. Here the same package always gives the same bytes, as long
as the zstd library is the same.
"""

import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pulp_conda.channel import layout
from pulp_conda.channel.errors import UnreadablePackage
from pulp_conda.channel.package.archive import Limits, PackageArchive, Spend, spend_freely
from pulp_conda.channel.package.tree import normalize
from pulp_conda.channel.records import PackageRecord, check_record

try:
    from compression import zstd
except ImportError:  # Before Python 3.14, conda-package-streaming installs it.
    from backports import zstd

TAR_BZ2 = ".tar.bz2"
CONDA = ".conda"

# As conda-build and conda-package-streaming have it. Higher levels ask clients for more memory.
_LEVEL = 19

# The earliest date that a ZIP file can have.
_DATE = (1980, 1, 1, 0, 0, 0)

_FORMAT = {"conda_pkg_format_version": 2}

_CHUNK = 2**20

# Keys of a record that are about one file: its digests, and what a channel says of the file.
_KEYS_OF_FILE = {"attestations_sha256", "fn", "indexed_timestamp", "md5", "sha256", "size"}


def converted_name(filename: str) -> str | None:
    """Return the name that a `.tar.bz2` has as `.conda`, or None for other names."""
    stem = filename.removesuffix(TAR_BZ2)
    return None if stem == filename else stem + CONDA


def convert(
    file: BinaryIO,
    *,
    filename: str,
    size: int,
    folder: Path,
    limits: Limits = Limits(),
    spend: Spend = spend_freely,
) -> Path:
    """Write the package as `.conda` into a folder, and return the path of the new file.

    Users, groups and extended headers of the archive are left out: clients do not use them. It
    takes 200 MB of memory, and twice the size of the new file on the disk.

    Args:
        file: The `.tar.bz2`, open and seekable.
        filename: Its file name.
        size: Its bytes.
        folder: Where to write. It has no file of the new name.
        limits: What the package may unpack to.
        spend: Told how much was unpacked, as `PackageArchive` does.

    Raises:
        PackageError: the file is damaged, hostile, larger than the limits, or no `.tar.bz2`.
        BadPackageName: `filename` is not valid.
    """
    stem = layout.parse_filename(filename).stem
    parts = {kind: folder / f"{kind}-{stem}.tar.zst" for kind in ("pkg", "info")}
    with ExitStack() as stack:
        tars = {kind: stack.enter_context(_new_tar(path)) for kind, path in parts.items()}

        def copy(tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
            path = normalize(member.name)
            kind = "info" if path == "info" or path.startswith("info/") else "pkg"
            data = tar.extractfile(member) if member.isreg() else None
            tars[kind].addfile(_plain(member), data)

        archive = PackageArchive(file, filename, size, limits, spend=spend, copy=copy)
        archive.read()
    if archive.extension != TAR_BZ2:
        reason = f"it is in the form '{archive.extension}', not '{TAR_BZ2}'"
        raise UnreadablePackage(filename=filename, reason=reason)
    target = folder / (stem + CONDA)
    with zipfile.ZipFile(target, "x") as conda:
        conda.writestr(zipfile.ZipInfo("metadata.json", _DATE), json.dumps(_FORMAT))
        for path in parts.values():
            entry = zipfile.ZipInfo(path.name, _DATE)
            entry.file_size = os.path.getsize(path)  # So that it knows whether it needs ZIP64.
            with path.open("rb") as part, conda.open(entry, "w") as written:
                shutil.copyfileobj(part, written, _CHUNK)
            path.unlink()
    return target


def converted_record(source: PackageRecord, converted: PackageRecord) -> PackageRecord:
    """Return the record of a converted file.

    It says what the record of the `.tar.bz2` says, which a channel may have corrected, but for what
    is about the file. So it has no attestations: these are about the other file.

    Args:
        source: The record of the `.tar.bz2`.
        converted: The record that was read from the `.conda`.

    Raises:
        RecordError: the record of the `.tar.bz2` cannot be served.
    """
    fields = {key: each for key, each in source.fields.items() if key not in _KEYS_OF_FILE}
    fields |= {key: converted.fields[key] for key in ("md5", "sha256", "size")}
    record = check_record(source.subdir, converted.filename, fields, in_v3=source.in_v3)
    return replace(record, run_exports=converted.run_exports)


@contextmanager
def _new_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a compressed tar archive, whose members are written as they come."""
    options = {zstd.CompressionParameter.compression_level: _LEVEL}
    with zstd.open(path, "wb", options=options) as compressed:
        with tarfile.open(fileobj=compressed, mode="w|", bufsize=_CHUNK) as tar:
            yield tar


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member without users, groups and extended headers. A sparse file becomes whole."""
    plain = tarfile.TarInfo(member.name)
    plain.mode, plain.mtime, plain.linkname = member.mode, int(member.mtime), member.linkname
    plain.type = tarfile.REGTYPE if member.isreg() else member.type
    plain.size = member.size if member.isreg() else 0
    return plain
