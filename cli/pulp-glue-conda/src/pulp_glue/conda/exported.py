"""What a folder with an exported channel has: its files, its indexes, and whether it is whole.

Shards: CEP 16. Attestations beside packages: CEP 50. The section `v3`: CEP 48.
"""

import hashlib
import io
import json
import os
import re
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
import zstandard
from pulp_glue.common.exceptions import PulpException
from pulp_glue.common.i18n import get_translation

translation = get_translation(__package__)
_ = translation.gettext

# What the export itself has to know the next time.
STATE = "export.json"
# Files that wait for their place. A stopped export leaves them to the next one.
INCOMING = ".incoming"

INDEX = "repodata_shards.msgpack.zst"
FLAT = "repodata.json"
CHANNELDATA = "channeldata.json"

# In the order in which they are replaced: clients ask for the shards first.
FILES_OF_SUBDIR = (
    INDEX,
    "repodata.json.zst",
    FLAT,
    "repodata.json.bz2",
    "current_repodata.json",
    "repodata_from_packages.json",
    "patch_instructions.json",
    "run_exports.json.zst",
    "run_exports.json",
)
FILES_OF_CHANNEL = (CHANNELDATA, "notices.json")

_FILENAME = re.compile(r"[a-zA-Z0-9_.+!-]+\.(?:conda|tar\.bz2)", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ExportError(PulpException):
    """A channel cannot be exported, or a folder is not what it has to be."""


@dataclass(frozen=True)
class PackageFile:
    """A package as the index names it.

    Attributes:
        path: Below the folder of the channel.
        sidecar: The sha256 of its attestations, or None.
    """

    path: str
    sha256: str
    size: int | None
    sidecar: str | None


@dataclass
class State:
    """What an export has to know of the one before.

    Attributes:
        etags: The entity tag of each metadata file.
        subdirs: The subdirs that the folder has.
        leaving: Files that no index names any more, which are to be deleted.
        superseded: Shards that the index before named: clients may have that index still.
    """

    etags: dict[str, str] = field(default_factory=dict)
    subdirs: list[str] = field(default_factory=list)
    leaving: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> "State | None":
        try:
            facts = json.loads((folder / STATE).read_bytes())
            return cls(**facts["state"])
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise ExportError(
                _("'{file}' is not what an export wrote: {error}").format(
                    file=folder / STATE, error=error
                )
            ) from None

    def write(self, folder: Path) -> None:
        file = folder / f"{STATE}.new"
        file.write_text(json.dumps({"format": 1, "state": vars(self)}, indent=1))
        os.replace(file, folder / STATE)


def verify(folder: Path, show: Callable[[int, int], None] | None = None) -> list[str]:
    """Return what is wrong with an exported folder: a sentence for each fault.

    All bytes of all files are read and compared with the indexes.
    """
    state = State.read(folder)
    if state is None:
        raise ExportError(_("'{folder}' has no export.").format(folder=folder))
    faults: list[str] = []
    known = {STATE, *state.superseded, *state.leaving, *FILES_OF_CHANNEL}
    packages: list[PackageFile] = []
    for subdir in state.subdirs:
        known.update(f"{subdir}/{name}" for name in FILES_OF_SUBDIR)
        sharded = _shards_of(folder, subdir, known, faults)
        flat = _flat_of(folder, subdir, faults)
        if sharded is not None and flat is not None and set(sharded) != set(flat):
            both = set(sharded) ^ set(flat)
            faults.append(
                _("{subdir}: the shards and '{file}' differ in '{path}'").format(
                    subdir=subdir, file=FLAT, path=min(each.path for each in both)
                )
            )
        packages += (sharded if sharded is not None else flat) or []
    for done, package in enumerate(packages, 1):
        for path, sha256, size in _expected(package):
            known.add(path)
            file = folder / path
            if not file.exists():
                faults.append(_("{path}: it is missing").format(path=path))
            elif not has_bytes(file, sha256, size):
                faults.append(_("{path}: it has other bytes than the index says").format(path=path))
        if show:
            show(done, len(packages))
    there = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and INCOMING not in file.relative_to(folder).parts
    }
    faults += [_("{path}: no index names it").format(path=path) for path in sorted(there - known)]
    return faults


def _expected(package: PackageFile) -> Iterator[tuple[str, str, int | None]]:
    yield package.path, package.sha256, package.size
    if package.sidecar:
        yield f"{package.path}.sigs", package.sidecar, None
        yield f"{package.path}.sigs.{package.sidecar}", package.sidecar, None


def _shards_of(
    folder: Path, subdir: str, known: set[str], faults: list[str]
) -> list[PackageFile] | None:
    index = folder / subdir / INDEX
    if not index.exists():
        return None
    packages: list[PackageFile] = []
    try:
        digests = read_index(subdir, index.read_bytes()).values()
    except ExportError as error:
        faults.append(str(error))
        return None
    for digest in digests:
        path = shard_path(subdir, digest)
        known.add(path)
        if not (folder / path).exists():
            faults.append(_("{path}: it is missing").format(path=path))
        elif not has_bytes(folder / path, digest, None):
            faults.append(_("{path}: it has other bytes than its name says").format(path=path))
        else:
            packages += read_shard(subdir, (folder / path).read_bytes())
    return packages


def _flat_of(folder: Path, subdir: str, faults: list[str]) -> list[PackageFile] | None:
    file = folder / subdir / FLAT
    if not file.exists():
        faults.append(_("{path}: it is missing").format(path=f"{subdir}/{FLAT}"))
        return None
    try:
        return list(read_flat(subdir, file.read_bytes()))
    except ExportError as error:
        faults.append(str(error))
        return None


def read_index(subdir: str, data: bytes) -> dict[str, str]:
    """Return the sha256 of each shard of an index, by package name.

    Raises:
        ExportError: these bytes are no index.
    """
    try:
        shards = _unpack(data)["shards"]
        return {str(name): bytes(digest).hex() for name, digest in shards.items()}
    except (KeyError, TypeError, ValueError, AttributeError, zstandard.ZstdError) as error:
        raise _unreadable(f"{subdir}/{INDEX}", error) from None


def read_shard(subdir: str, data: bytes) -> Iterator[PackageFile]:
    """Yield the packages of a shard.

    Raises:
        ExportError: these bytes are no shard, or a file has a name that none can have.
    """
    try:
        shard = _unpack(data)
    except (TypeError, ValueError, zstandard.ZstdError) as error:
        raise _unreadable(f"{subdir}/shards", error) from None
    yield from _packages(subdir, shard)


def read_flat(subdir: str, data: bytes) -> Iterator[PackageFile]:
    """Yield the packages of a `repodata.json`.

    Raises:
        ExportError: these bytes are no repodata, or a file has a name that none can have.
    """
    try:
        repodata = json.loads(data)
    except ValueError as error:
        raise _unreadable(f"{subdir}/{FLAT}", error) from None
    yield from _packages(subdir, repodata)


def _packages(subdir: str, content: Mapping[str, t.Any]) -> Iterator[PackageFile]:
    sections = [("", content.get("packages") or {}), ("", content.get("packages.conda") or {})]
    sections += [
        (f".{extension}", records) for extension, records in (content.get("v3") or {}).items()
    ]
    for extension, records in sections:
        for name, record in records.items():
            filename = name + extension
            sha256 = _hex(record.get("sha256"))
            if not _FILENAME.fullmatch(filename) or sha256 is None:
                raise ExportError(
                    _("{subdir}: '{name}' is no package that can be exported").format(
                        subdir=subdir, name=filename
                    )
                )
            yield PackageFile(
                f"{subdir}/{filename}",
                sha256,
                record.get("size"),
                _hex(record.get("attestations_sha256")),
            )


def _unreadable(path: str, error: Exception) -> ExportError:
    return ExportError(_("{path}: it cannot be read: {error}").format(path=path, error=error))


def _hex(digest: t.Any) -> str | None:
    """Return a digest in hex: shards have bytes, and JSON has text."""
    text = digest.hex() if isinstance(digest, bytes) else digest
    return text if isinstance(text, str) and _SHA256.fullmatch(text) else None


def _unpack(data: bytes) -> t.Any:
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as stream:
        return msgpack.unpackb(stream.read(), strict_map_key=False)


def files_of(packages: Iterable[PackageFile]) -> Iterator[str]:
    for package in packages:
        yield from (path for path, _sha256, _size in _expected(package))


def shard_path(subdir: str, digest: str) -> str:
    return f"{subdir}/shards/{digest}.msgpack.zst"


def has_bytes(file: Path, sha256: str, size: int | None) -> bool:
    if size is not None and file.stat().st_size != size:
        return False
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == sha256
