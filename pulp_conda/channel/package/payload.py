"""Whether a package has the files that its `info/paths.json` lists, with these bytes (CEP 34)."""

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pulp_conda.channel.errors import shown
from pulp_conda.channel.package.tree import normalize

_CHUNK = 2**20


class _File(NamedTuple):
    size: int
    sha256: bytes


class Difference(NamedTuple):
    """A file that is not what the list says.

    Attributes:
        text: What is wrong, in words.
        is_harmless: It is no reason to refuse the package.
    """

    text: str
    is_harmless: bool = False


class Payload:
    """The files outside of `info/`, with the size and the sha256 of each.

    They are read as a stream. For a million files it takes 200 MB.
    """

    def __init__(self) -> None:
        # None for symbolic links.
        self._files: dict[str, _File | None] = {}

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Read a member, which was checked before. The data of a file must not have been read."""
        path = normalize(member.name)
        if member.isdir() or path.startswith("info/"):
            return
        if member.islnk():
            self._files[path] = self._files.get(normalize(member.linkname))
        else:
            self._files[path] = _read(tar, member) if member.isreg() else None

    def differences(self, listed: Sequence[Any]) -> Iterator[Difference]:
        """Yield what differs from the entries of `paths.json`.

        Two differences are harmless. Build tools have listed digests of files that had another
        prefix than the one in the package. And a package without any files, as tests of clients
        have some, installs nothing.

        Args:
            listed: Untrusted JSON. What is no entry is ignored, and so are folders.
        """
        entries = [
            entry
            for entry in listed
            if isinstance(entry, dict) and isinstance(entry.get("_path"), str)
        ]
        if entries and not self._files:
            yield Difference("it has no files at all", is_harmless=True)
            return
        for entry in entries:
            path, kind = normalize(entry["_path"]), entry.get("path_type", "hardlink")
            if kind not in ("hardlink", "softlink") or path.startswith("info/"):
                continue
            name = f"'{shown(path)}'"
            if path not in self._files:
                yield Difference(f"{name} is missing")
            elif kind == "hardlink":
                file = self._files[path]
                if file is None:
                    yield Difference(f"{name} is a symbolic link, not a file")
                elif not _is_as_listed(file, entry):
                    yield Difference(
                        f"{name} has other bytes", is_harmless=bool(entry.get("prefix_placeholder"))
                    )


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> _File:
    digest = hashlib.sha256()
    if file := tar.extractfile(member):
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return _File(member.size, digest.digest())


def _is_as_listed(file: _File, entry: dict[str, Any]) -> bool:
    size, sha256 = entry.get("size_in_bytes"), entry.get("sha256")
    if type(size) is int and size != file.size:
        return False
    return not isinstance(sha256, str) or sha256.lower() == file.sha256.hex()
