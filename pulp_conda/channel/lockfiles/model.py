"""What a lock file says, gathered entry by entry together with all that is wrong in it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import unquote

from pulp_conda.channel.environments.plain_yaml import PlainYaml
from pulp_conda.channel.errors import BadLockFile, first_of, shown
from pulp_conda.channel.layout import EXTENSIONS, is_subdir
from pulp_conda.channel.secrets import without_secrets

_MOST_PACKAGES = 100_000
_LONGEST = 4096  # characters of a name or a URL

_PROBLEMS_SHOWN = 10

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_FILENAME = re.compile(r"[^/\\]+-[^/\\-]+-[^/\\-]+")
_HEX_DIGITS = re.compile(r"[0-9a-f]+")
_HASH_LENGTHS = {"md5": 32, "sha256": 64}


class Use(NamedTuple):
    """An environment and a platform that have a package. What the file does not say is None."""

    environment: str | None
    platform: str | None


@dataclass(frozen=True)
class LockedPackage:
    """A package file in a lock file.

    Attributes:
        url: The URL without credentials, token, query and fragment.
        subdir: The subdir that the URL has.
        uses: Where the package is used, as far as the file says it.
    """

    url: str
    subdir: str
    filename: str
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    uses: tuple[Use, ...] = ()

    @property
    def path(self) -> tuple[str, str]:
        """Where the package is in its channel: subdir and file name."""
        return self.subdir, self.filename


@dataclass(frozen=True)
class LockFile:
    """What a lock file says.

    Attributes:
        environments: Names. For a conda-lock.yml they are its categories, which people install
            together or one by one.
        pip: Packages from a Python index, as texts for people.
        local: Conda packages that are built from sources or lie on a disk, as texts for people.
    """

    format: str
    packages: tuple[LockedPackage, ...]
    channels: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


class LockFileDraft:
    """Gathers what a lock file lists, and what is wrong with it.

    Places (`where`) are words for people, such as `packages[3]` or `line 4`.
    """

    def __init__(self, format: str) -> None:
        self.format = format
        self._packages: dict[str, LockedPackage] = {}
        self._problems: list[str] = []
        self._more_problems = 0
        # Dictionaries with values of None, because they are sets that keep the order.
        self._uses: dict[str, dict[Use, None]] = {}
        self._channels: dict[str, None] = {}
        self._environments: dict[str, None] = {}
        self._platforms: dict[str, None] = {}
        self._pip: dict[str, None] = {}
        self._local: dict[str, None] = {}

    def finish(self) -> LockFile:
        """Return the lock file.

        Raises:
            BadLockFile: Names the first problems, and says how many more there are.
        """
        if self._problems:
            count = len(self._problems) + self._more_problems
            raise self.error("; ".join(first_of(self._problems, _PROBLEMS_SHOWN, count)))
        return LockFile(
            format=self.format,
            packages=tuple(
                replace(package, uses=tuple(self._uses[url]))
                for url, package in self._packages.items()
            ),
            channels=tuple(self._channels),
            environments=tuple(self._environments),
            platforms=tuple(self._platforms),
            pip=tuple(self._pip),
            local=tuple(self._local),
        )

    def error(self, reason: str) -> BadLockFile:
        """Return the error for a problem after which it is no use to read on."""
        return BadLockFile(format=self.format, reason=reason)

    def problem(self, where: str, text: str) -> None:
        """Note a problem that does not keep us from reading on."""
        if len(self._problems) < _PROBLEMS_SHOWN:
            self._problems.append(f"{where}: {text}")
        else:
            self._more_problems += 1

    def as_mapping(self, value: PlainYaml, where: str) -> dict[str, PlainYaml]:
        """Return a mapping. It is empty if the file has nothing there. Raise for anything else."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.error(f"{where} is {quoted(value)}, not a mapping")
        return value

    def as_list(self, value: PlainYaml, where: str) -> list[PlainYaml]:
        """Return a list, which is empty if the file has nothing there. Raise for anything else."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(f"{where} is {quoted(value)}, not a list")
        return value

    def as_text(self, value: PlainYaml, where: str) -> str:
        """Return a text of one line, to be used as a name or a URL. Raise for anything else."""
        if not isinstance(value, str) or not value or not value.isprintable():
            raise self.error(f"{where} is {quoted(value)}, not a text of one line")
        if len(value) > _LONGEST:
            raise self.error(f"{where} is longer than {_LONGEST} characters")
        return value

    def add_channel(self, value: PlainYaml, where: str) -> None:
        url = value.get("url") if isinstance(value, dict) else value
        self._channels[without_secrets(self.as_text(url, where))] = None

    def add_environment(self, name: str) -> None:
        self._environments[name] = None

    def add_platform(self, name: str) -> None:
        self._platforms[name] = None

    def add_pip(self, entry: Mapping[str, PlainYaml], location: str) -> None:
        """Note a package of a Python index: by name and version if the entry has them, or URL."""
        name, version = entry.get("name"), entry.get("version")
        if isinstance(name, str) and isinstance(version, str):
            self._pip[shown(f"{name}=={version}")] = None
        else:
            self._pip[without_secrets(location)] = None

    def add_conda(
        self,
        location: str,
        hashes: Mapping[str, PlainYaml],
        where: str,
        *,
        size: PlainYaml = None,
        uses: Iterable[Use] = (),
    ) -> None:
        """Add a package if its location is a URL in a channel. Otherwise only note its location.

        Args:
            hashes: A mapping that may have `sha256` and `md5`. Its other keys do not matter.
        """
        if not is_url(location) or location.startswith("git+"):
            self.add_local(location)
            return
        package = _parse_url(location)
        if package is None:
            self.problem(where, f"{quoted(location)} is not the URL of a conda package")
            return
        package = replace(
            package,
            md5=self._hash(hashes.get("md5"), "md5", where),
            sha256=self._hash(hashes.get("sha256"), "sha256", where),
            size=self._size(size, where),
        )
        self._packages[package.url] = self._merged(package, where)
        self._uses.setdefault(package.url, {}).update(dict.fromkeys(uses))
        if len(self._packages) > _MOST_PACKAGES:
            raise self.error(f"it lists more than {_MOST_PACKAGES} packages")

    def add_local(self, location: str) -> None:
        self._local[without_secrets(location)] = None

    def _hash(self, value: PlainYaml, key: str, where: str) -> str | None:
        if not value:
            return None
        length = _HASH_LENGTHS[key]
        digest = value.lower() if isinstance(value, str) else ""
        if len(digest) != length or not _HEX_DIGITS.fullmatch(digest):
            self.problem(where, f"{key} is {quoted(value)}, not {length} hexadecimal digits")
            return None
        return digest

    def _size(self, value: PlainYaml, where: str) -> int | None:
        if value is None:
            return None
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}", value):
            self.problem(where, f"size is {quoted(value)}, not a number of bytes")
            return None
        return int(value)

    def _merged(self, package: LockedPackage, where: str) -> LockedPackage:
        """Return a package together with what an earlier entry says about the same URL."""
        earlier = self._packages.get(package.url, package)
        for key in _HASH_LENGTHS:
            hashes = {getattr(earlier, key), getattr(package, key)} - {None}
            if len(hashes) > 1:
                self.problem(where, f"{quoted(package.url)} is listed before with another {key}")
        return replace(
            earlier,
            sha256=earlier.sha256 or package.sha256,
            md5=earlier.md5 or package.md5,
            size=earlier.size or package.size,
        )


def is_url(text: str) -> bool:
    """Say whether a text begins as a URL with a host does."""
    return _URL.match(text) is not None


def quoted(value: PlainYaml) -> str:
    """Return a value of the file for a message, without the secrets of a URL in it."""
    if isinstance(value, str):
        return f"'{shown(without_secrets(value))}'"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else "missing"


def _parse_url(url: str) -> LockedPackage | None:
    """Return the package at a URL, or None if the URL is none of a package in a channel."""
    bare = without_secrets(url)
    parts = bare.split("/")
    if " " in bare or len(parts) < 5:
        return None
    subdir, filename = parts[-2], unquote(parts[-1])
    stem = next((filename.removesuffix(e) for e in EXTENSIONS if filename.endswith(e)), "")
    # Less strict than CEP 26, because older channels break it. Like any other package, one of
    # theirs may then turn out to be missing here.
    if len(filename) > 255 or not filename.isprintable() or not _FILENAME.fullmatch(stem):
        return None
    return LockedPackage(bare, subdir, filename) if is_subdir(subdir) else None
