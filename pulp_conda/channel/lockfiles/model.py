"""What a lock file says, gathered entry by entry together with all that is wrong in it."""

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from pulp_conda.channel.errors import BadLockFile, shown
from pulp_conda.channel.layout import EXTENSIONS, is_subdir

_MOST_PACKAGES = 100_000
_LONGEST = 4096  # characters of a name or a URL

_PROBLEMS_SHOWN = 10

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_AFTER_SCHEME = re.compile(r"://\S*")
_HOST = re.compile(r"([^:]*|\[[0-9a-fA-F:.]+\])(:[0-9]*)?")
_TOKEN = re.compile(r"/t/[^/]+(?=/|$)")
_FILENAME = re.compile(r"[^/\\]+-[^/\\-]+-[^/\\-]+")
_DIGITS = {"md5": re.compile(r"[0-9a-f]{32}"), "sha256": re.compile(r"[0-9a-f]{64}")}


@dataclass(frozen=True)
class LockedPackage:
    """A package file that a lock file asks for.

    Fields:
        url: Without credentials, token, query and fragment.
        subdir: As the URL says it.
        uses: Pairs of environment and platform that have the package, as far as the file tells; either may be None.
    """

    url: str
    subdir: str
    filename: str
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    uses: tuple[tuple[str | None, str | None], ...] = ()

    @property
    def path(self):
        """Where the package is in its channel, as a pair."""
        return self.subdir, self.filename


@dataclass(frozen=True)
class LockFile:
    """What a lock file says.

    Fields:
        environments: Names; of a conda-lock.yml its categories, which are installed together or apart.
        pip: Packages that come from a Python index, for people to read.
        local: Conda packages that are built from sources or lie on somebody's disk, for people to read.
    """

    format: str
    packages: tuple[LockedPackage, ...]
    channels: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


class LockFileDraft:
    """Gathers what a lock file lists, and what is wrong with it."""

    def __init__(self, format):
        self.format = format
        self._packages = {}
        self._uses = {}
        self._problems = []
        self._more_problems = 0
        # Dictionaries, since they are sets that keep the order.
        self._channels, self._environments, self._platforms = {}, {}, {}
        self._pip, self._local = {}, {}

    def finish(self):
        if self._problems:
            more = [f"and {self._more_problems} more"] if self._more_problems else []
            raise self.error("; ".join(self._problems + more))
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

    def error(self, reason):
        return BadLockFile(format=self.format, reason=reason)

    def problem(self, where, text):
        if len(self._problems) < _PROBLEMS_SHOWN:
            self._problems.append(f"{where}: {text}")
        else:
            self._more_problems += 1

    def as_mapping(self, value, where):
        return self._of_type(value, where, dict, "a mapping")

    def as_list(self, value, where):
        return self._of_type(value, where, list, "a list")

    def as_text(self, value, where):
        """Return a text of one line, or raise: it is used as a name or a URL."""
        if not isinstance(value, str) or not value or not value.isprintable():
            raise self.error(f"{where} is {quoted(value)}, not a text of one line")
        if len(value) > _LONGEST:
            raise self.error(f"{where} is longer than {_LONGEST} characters")
        return value

    def add_channel(self, value, where):
        url = value.get("url") if isinstance(value, dict) else value
        self._channels[without_secrets(self.as_text(url, where))] = None

    def add_environment(self, name):
        self._environments[name] = None

    def add_platform(self, name):
        self._platforms[name] = None

    def add_pip(self, entry, location):
        name, version = entry.get("name"), entry.get("version")
        if isinstance(name, str) and isinstance(version, str):
            self._pip[shown(f"{name}=={version}")] = None
        else:
            self._pip[without_secrets(location)] = None

    def add_conda(self, location, hashes, where, *, size=None, uses=()):
        """Take a package as far as its URL leads to a channel; others are only reported.

        Args:
            hashes: A mapping with `sha256` and `md5`, among others.
        """
        if not is_url(location) or location.startswith("git+"):
            self.add_local(location)
            return
        package = _parse_url(location)
        if package is None:
            self.problem(where, f"{quoted(location)} is not the URL of a conda package")
            return
        found = {key: self._hash(hashes.get(key), key, where) for key in _DIGITS}
        package = replace(package, **found, size=self._size(size, where))
        self._packages[package.url] = self._merged(package, where)
        self._uses.setdefault(package.url, {}).update(dict.fromkeys(uses))
        if len(self._packages) > _MOST_PACKAGES:
            raise self.error(f"it lists more than {_MOST_PACKAGES} packages")

    def add_local(self, location):
        self._local[without_secrets(location)] = None

    def _of_type(self, value, where, kind, words):
        if value is None:
            return kind()
        if not isinstance(value, kind):
            raise self.error(f"{where} is {quoted(value)}, not {words}")
        return value

    def _hash(self, value, key, where):
        if not value:
            return None
        if not isinstance(value, str) or not _DIGITS[key].fullmatch(value.lower()):
            digits = {"md5": 32, "sha256": 64}[key]
            self.problem(where, f"{key} is {quoted(value)}, not {digits} hexadecimal digits")
            return None
        return value.lower()

    def _size(self, value, where):
        if value is None:
            return None
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}", value):
            self.problem(where, f"size is {quoted(value)}, not a number of bytes")
            return None
        return int(value)

    def _merged(self, package, where):
        """Join a package with what an earlier entry says of the same URL."""
        earlier = self._packages.get(package.url, package)
        for key in _DIGITS:
            hashes = {getattr(earlier, key), getattr(package, key)} - {None}
            if len(hashes) > 1:
                self.problem(where, f"{quoted(package.url)} is listed before with another {key}")
        return replace(
            earlier,
            sha256=earlier.sha256 or package.sha256,
            md5=earlier.md5 or package.md5,
            size=earlier.size or package.size,
        )


def is_url(text):
    return _URL.match(text) is not None


def quoted(value):
    """Show a value of the file in a message, without the secrets of a URL."""
    if isinstance(value, str):
        return f"'{shown(without_secrets(value))}'"
    return {dict: "a mapping", list: "a list"}.get(type(value), "missing")


def without_secrets(text):
    """Return a text with the URLs in it bare of user, password, token, query and fragment.

    Of a URL whose host cannot be told from a password nothing is left.
    """
    return _AFTER_SCHEME.sub(_bare, text)


def _bare(match):
    host, slash, path = match.group()[3:].partition("/")
    host, *rest = re.split("[?#]", host.rpartition("@")[2], maxsplit=1)
    if not _HOST.fullmatch(host):
        return "://***"
    if rest:
        return f"://{host}"
    return f"://{host}" + _TOKEN.sub("", slash + re.split("[?#]", path, maxsplit=1)[0])


def _parse_url(url):
    """Return the package that a URL is of, or None."""
    bare = without_secrets(url)
    parts = bare.split("/")
    if " " in bare or len(parts) < 5:
        return None
    subdir, filename = parts[-2], unquote(parts[-1])
    stem = next((filename.removesuffix(e) for e in EXTENSIONS if filename.endswith(e)), "")
    # Not by the letter of CEP 26: there are older channels, and their packages can be missing here like all others.
    if len(filename) > 255 or not filename.isprintable() or not _FILENAME.fullmatch(stem):
        return None
    return LockedPackage(bare, subdir, filename) if is_subdir(subdir) else None
