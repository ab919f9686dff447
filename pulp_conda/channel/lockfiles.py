"""Lock files of conda's tools: which files exactly an environment consists of.

Read are `pixi.lock` (versions 4 to 7, as rattler reads and writes it), `conda-lock.yml` (CEP 37, and the versions 1 to
3 of pixi.lock, which began as that) and the explicit lists of `conda list --explicit` (CEP 23).
"""

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from pulp_conda.channel.errors import BadLockFile, shown
from pulp_conda.channel.layout import EXTENSIONS, is_subdir
from pulp_conda.channel.plain_yaml import PlainYamlError, read_plain

PIXI = "pixi"
CONDA_LOCK = "conda-lock"
EXPLICIT = "explicit"
FORMATS = (PIXI, CONDA_LOCK, EXPLICIT)

EXPLICIT_MARKER = "@EXPLICIT"

# A pixi.lock of a large workspace has a few megabytes, and some 20 values per package.
LARGEST = 32 * 1024 * 1024
_MOST_VALUES = 2_000_000
_MOST_LINES = 500_000
_MOST_PACKAGES = 100_000
_LONGEST = 4096  # characters of a name or a URL

_PROBLEMS_SHOWN = 10

_PIXI_VERSIONS = ("4", "5", "6", "7")
_PIXI_KINDS = ("conda", "conda_source", "pypi")
_CONDA_LOCK_VERSIONS = ("1", "2", "3")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_AFTER_SCHEME = re.compile(r"://\S*")
_HOST = re.compile(r"([^:]*|\[[0-9a-fA-F:.]+\])(:[0-9]*)?")
_TOKEN = re.compile(r"/t/[^/]+(?=/|$)")
_FILENAME = re.compile(r"[^/\\]+-[^/\\-]+-[^/\\-]+")
_DIGITS = {"md5": re.compile(r"[0-9a-f]{32}"), "sha256": re.compile(r"[0-9a-f]{64}")}
_MARKER_LINE = re.compile(rf"^[ \t]*{EXPLICIT_MARKER}[ \t\r]*$", re.MULTILINE)
_EXPLICIT_HASH = re.compile(r"(?P<md5>[0-9a-f]{32})|(?:sha256:)?(?P<sha256>[0-9a-f]{64})")
_PLATFORM_COMMENT = re.compile(r"#\s*platform:\s*(\S+)")


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

    @property
    def without_hash(self):
        """The packages that nobody could check."""
        return tuple(package for package in self.packages if not package.sha256 and not package.md5)


@dataclass(frozen=True)
class Comparison:
    """Which packages of a lock file a channel has, each in one of four places.

    Fields:
        differing: The channel has another file under the name.
        unproven: The channel has a file of the name, and there is no hash to compare.
    """

    present: tuple[LockedPackage, ...]
    missing: tuple[LockedPackage, ...]
    differing: tuple[LockedPackage, ...]
    unproven: tuple[LockedPackage, ...]


def read_lock_file(text, *, format=None):
    """Return what a lock file says.

    A package that is listed twice is there once. Hashes may be missing, see `LockFile.without_hash`.

    Args:
        format: `PIXI`, `CONDA_LOCK` or `EXPLICIT`; found out from the text if it is None.

    Raises:
        BadLockFile: with all that is wrong in it, and where; it is no lock file, or larger than the limits.
    """
    unknown = format or "of unknown format"
    if len(text) > LARGEST:
        reason = f"it has {len(text)} characters, and {LARGEST} are allowed"
        raise BadLockFile(format=unknown, reason=reason)
    text = text.removeprefix("\ufeff")
    if format == EXPLICIT or (format is None and _is_explicit(text)):
        reader = _Reader(EXPLICIT)
        _read_explicit(text, reader)
        return reader.finish()
    try:
        document = read_plain(text, _MOST_VALUES)
    except PlainYamlError as error:
        raise BadLockFile(format=unknown, reason=str(error)) from error
    reader = _Reader(format or _format_of(document))
    document = reader.as_mapping(document, "the file")
    read = {PIXI: _read_pixi, CONDA_LOCK: _read_conda_lock}[reader.format]
    read(document, reader)
    return reader.finish()


def compare(lock, found):
    """Say which packages of a lock file a channel has.

    Args:
        found: What the channel has of them: {(subdir, filename): (sha256, md5)}, and more does not hurt.
    """
    places = {"present": [], "missing": [], "differing": [], "unproven": []}
    for package in lock.packages:
        places[_place(package, found.get(package.path))].append(package)
    return Comparison(**{name: tuple(packages) for name, packages in places.items()})


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


def _place(package, hashes):
    if hashes is None:
        return "missing"
    for locked, stored in zip((package.sha256, package.md5), hashes, strict=True):
        if locked and stored:
            return "present" if locked == stored else "differing"
    return "unproven"


def _is_explicit(text):
    return _MARKER_LINE.search(text) is not None


def _format_of(document):
    if isinstance(document, dict):
        if "environments" in document:
            return PIXI
        if "package" in document:
            return CONDA_LOCK
    raise BadLockFile(
        format="of unknown format",
        reason="it has neither 'environments' (pixi.lock) nor 'package' (conda-lock.yml), "
        f"and no line '{EXPLICIT_MARKER}'",
    )


class _Reader:
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
            raise self.error(f"{where} is {_quoted(value)}, not a text of one line")
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
        if not _URL.match(location) or location.startswith("git+"):
            self.add_local(location)
            return
        package = _parse_url(location)
        if package is None:
            self.problem(where, f"{_quoted(location)} is not the URL of a conda package")
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
            raise self.error(f"{where} is {_quoted(value)}, not {words}")
        return value

    def _hash(self, value, key, where):
        if not value:
            return None
        if not isinstance(value, str) or not _DIGITS[key].fullmatch(value.lower()):
            digits = {"md5": 32, "sha256": 64}[key]
            self.problem(where, f"{key} is {_quoted(value)}, not {digits} hexadecimal digits")
            return None
        return value.lower()

    def _size(self, value, where):
        if value is None:
            return None
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}", value):
            self.problem(where, f"size is {_quoted(value)}, not a number of bytes")
            return None
        return int(value)

    def _merged(self, package, where):
        """Join a package with what an earlier entry says of the same URL."""
        earlier = self._packages.get(package.url, package)
        for key in _DIGITS:
            hashes = {getattr(earlier, key), getattr(package, key)} - {None}
            if len(hashes) > 1:
                self.problem(where, f"{_quoted(package.url)} is listed before with another {key}")
        return replace(
            earlier,
            sha256=earlier.sha256 or package.sha256,
            md5=earlier.md5 or package.md5,
            size=earlier.size or package.size,
        )


def _read_pixi(document, reader):
    version = document.get("version")
    if version not in _PIXI_VERSIONS:
        raise reader.error(_version_problem(version, _PIXI_VERSIONS))
    uses = _read_environments(document, reader)
    listed = set()
    for index, entry in enumerate(reader.as_list(document.get("packages"), "packages")):
        where = f"packages[{index}]"
        kind, location = _kind_and_location(version, reader.as_mapping(entry, where))
        if kind not in _PIXI_KINDS:
            reader.problem(where, "it is neither a conda nor a PyPI package")
            continue
        location = reader.as_text(location, where)
        if kind == "conda":
            used_in = uses.get(location, ())
            reader.add_conda(location, entry, where, size=entry.get("size"), uses=used_in)
            listed.add(location)
        elif kind == "conda_source":
            reader.add_local(location)
        else:
            reader.add_pip(entry, location)
    for location, used_in in uses.items():
        if location not in listed:
            environment, platform = next(iter(used_in))
            where = f"environments.{environment}.packages.{platform}"
            reader.problem(where, f"{_quoted(location)} is not in 'packages'")


def _read_environments(document, reader):
    """Return the environments and platforms of each conda package, by what the file calls the package."""
    subdirs = {}
    for index, platform in enumerate(reader.as_list(document.get("platforms"), "platforms")):
        platform = reader.as_mapping(platform, f"platforms[{index}]")
        name = reader.as_text(platform.get("name"), f"platforms[{index}].name")
        subdirs[name] = reader.as_text(platform.get("subdir") or name, f"platforms[{index}].subdir")
    uses = {}
    environments = reader.as_mapping(document.get("environments"), "environments")
    for name, environment in environments.items():
        where = f"environments.{reader.as_text(name, 'a name in environments')}"
        environment = reader.as_mapping(environment, where)
        reader.add_environment(name)
        for channel in reader.as_list(environment.get("channels"), f"{where}.channels"):
            reader.add_channel(channel, f"a channel of {where}")
        packages = reader.as_mapping(environment.get("packages"), f"{where}.packages")
        for platform, selectors in packages.items():
            platform = reader.as_text(platform, f"a platform of {where}")
            reader.add_platform(subdirs.get(platform, platform))
            there = f"{where}.packages.{platform}"
            for selector in reader.as_list(selectors, there):
                location = reader.as_mapping(selector, f"an entry of {there}").get("conda")
                if location is not None:
                    location = reader.as_text(location, f"an entry of {there}")
                    use = (name, subdirs.get(platform, platform))
                    uses.setdefault(location, {})[use] = None
    return uses


def _kind_and_location(version, entry):
    if version in ("4", "5"):
        return entry.get("kind"), entry.get("url") or entry.get("path")
    for kind in _PIXI_KINDS:
        if kind in entry:
            return kind, entry[kind]
    return None, None


def _read_conda_lock(document, reader):
    version = document.get("version", "1")
    if version not in _CONDA_LOCK_VERSIONS:
        raise reader.error(_version_problem(version, _CONDA_LOCK_VERSIONS))
    metadata = reader.as_mapping(document.get("metadata"), "metadata")
    for channel in reader.as_list(metadata.get("channels"), "metadata.channels"):
        reader.add_channel(channel, "a channel of metadata.channels")
    for platform in reader.as_list(metadata.get("platforms"), "metadata.platforms"):
        reader.add_platform(reader.as_text(platform, "an entry of metadata.platforms"))
    for index, entry in enumerate(reader.as_list(document.get("package"), "package")):
        where = f"package[{index}]"
        manager = reader.as_mapping(entry, where).get("manager")
        if manager == "conda":
            category = reader.as_text(entry.get("category") or "main", f"{where}.category")
            platform = reader.as_text(entry.get("platform"), f"{where}.platform")
            reader.add_environment(category)
            reader.add_conda(
                reader.as_text(entry.get("url"), f"{where}.url"),
                reader.as_mapping(entry.get("hash"), f"{where}.hash"),
                where,
                size=entry.get("size"),
                uses=[(category, platform)],
            )
        elif manager in ("pip", "pypi"):
            reader.add_pip(entry, reader.as_text(entry.get("url"), f"{where}.url"))
        else:
            reader.problem(where, f"manager is {_quoted(manager)}, not conda or pip")


def _read_explicit(text, reader):
    if not _is_explicit(text):
        raise reader.error(f"it has no line '{EXPLICIT_MARKER}'")
    if text.count("\n") > _MOST_LINES:
        raise reader.error(f"it has more than {_MOST_LINES} lines")
    uses = ()
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if match := _PLATFORM_COMMENT.fullmatch(line):
            platform = reader.as_text(match.group(1), f"the platform in line {number}")
            reader.add_platform(platform)
            uses = [(None, platform)]
        elif line and not line.startswith("#") and line != EXPLICIT_MARKER:
            location, has_hash, digest = line.rpartition("#") if "#" in line else (line, "", "")
            match = _EXPLICIT_HASH.fullmatch(digest.lower())
            if has_hash and not match:
                reader.problem(
                    f"line {number}", f"{_quoted(digest)} is neither an md5 nor a sha256"
                )
            hashes = match.groupdict() if match else {}
            reader.as_text(location, f"line {number}")
            if _URL.match(location) or location.endswith(EXTENSIONS):
                reader.add_conda(location, hashes, f"line {number}", uses=uses)
            else:
                reader.problem(f"line {number}", f"{_quoted(location)} is not a package file")


def _version_problem(version, known):
    return f"its version is {_quoted(version)}, and {known[0]} to {known[-1]} can be read"


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


def _quoted(value):
    """Show a value of the file in a message, without the secrets of a URL."""
    if isinstance(value, str):
        return f"'{shown(without_secrets(value))}'"
    return {dict: "a mapping", list: "a list"}.get(type(value), "missing")
