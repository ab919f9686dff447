"""Every path of a channel, both ways: what a path means, and which path a file has.

CEP 26 has the rules for names, file names, subdirs and URLs. A path is relative to the channel's
base URL, and nothing in it is percent-encoded: `!` and `+` stand for themselves.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeGuard
from urllib.parse import quote

from pulp_conda.channel.errors import BadChannelName, BadPackageName, BadSubdir

NOARCH = "noarch"

# The subdirs that conda and rattler know in 2026. All are tried if an upstream does not list its
# own.
KNOWN_SUBDIRS = (
    NOARCH,
    "linux-64",
    "linux-aarch64",
    "linux-ppc64le",
    "linux-32",
    "linux-s390x",
    "linux-armv6l",
    "linux-armv7l",
    "linux-riscv64",
    "osx-64",
    "osx-arm64",
    "win-64",
    "win-arm64",
    "win-32",
    "emscripten-wasm32",
    "wasi-wasm32",
)

# The platforms for which conda-forge builds in 2026. Channels have these if nobody says which.
DEFAULT_SUBDIRS = (
    NOARCH,
    "linux-64",
    "linux-aarch64",
    "linux-ppc64le",
    "osx-64",
    "osx-arm64",
    "win-64",
    "win-arm64",
)

EXTENSIONS = (".conda", ".tar.bz2")

# The pattern of CEP 26 is longer. This one matches the same names in half the time.
_NAME = re.compile(r"(?:[a-z0-9]|_(?!_))[._-]?(?:[a-z0-9]+(?:[._-]|$))*", re.ASCII)
_VERSION = re.compile(r"[0-9a-z._+!]+", re.ASCII)
_BUILD = re.compile(r"[a-zA-Z0-9_.+]+", re.ASCII)
_SUBDIR = re.compile(r"noarch|[a-z0-9]+-[a-z0-9]+", re.ASCII)
_SHARD = re.compile(r"shards/([0-9a-f]{64})\.msgpack\.zst", re.ASCII)
_SIDECAR = re.compile(r"([^/]+(?:\.conda|\.tar\.bz2))\.sigs(?:\.([0-9a-f]{64}))?", re.ASCII)
_CHANNEL_PART = re.compile(r"[a-z0-9_][a-z0-9_.-]*", re.ASCII)


@dataclass(frozen=True)
class PackageName:
    """The parts of a package's file name."""

    name: str
    version: str
    build: str
    extension: str

    @property
    def stem(self) -> str:
        """The file name without its extension, which CEP 26 calls the distribution string."""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def filename(self) -> str:
        """The whole file name."""
        return self.stem + self.extension


@dataclass(frozen=True)
class Metadata:
    """The path of a metadata file. `subdir` is None for a file in the channel's root."""

    subdir: str | None
    filename: str


@dataclass(frozen=True)
class Shard:
    """The path of a shard, which has the records of one package name. `sha256` is in hex."""

    subdir: str
    sha256: str


@dataclass(frozen=True)
class Sidecar:
    """The path of a package's attestations (CEP 50).

    Attributes:
        filename: The file name of the package.
        sha256: The digest of the attestations in hex if the path has one, or None.
    """

    subdir: str
    filename: str
    sha256: str | None


@dataclass(frozen=True)
class Package:
    """The path of a package file."""

    subdir: str
    filename: str


@dataclass(frozen=True)
class Folder:
    """The path of a folder. `subdir` is None for the channel's root."""

    subdir: str | None


class PageKind(StrEnum):
    """What a page for people is about; also the part of its path behind `-/`."""

    SEARCH = "search"
    PACKAGE = "package"  # of a name, and perhaps one version
    FILE = "file"  # of a subdir and a file name
    CHANGES = "changes"
    STATES = "states"
    STAGES = "stages"


@dataclass(frozen=True)
class Page:
    """The path of a page for people about a part of the channel.

    Attributes:
        parts: What stands behind the kind: (name,) or (name, version) of a package, (subdir,
            filename) of a file, nothing for the others.
    """

    kind: PageKind
    parts: tuple[str, ...] = ()


Meaning = Folder | Metadata | Shard | Package | Sidecar | Page

REPODATA = "repodata.json"
REPODATA_ZST = "repodata.json.zst"
REPODATA_BZ2 = "repodata.json.bz2"
CURRENT_REPODATA = "current_repodata.json"
REPODATA_FROM_PACKAGES = "repodata_from_packages.json"
PATCH_INSTRUCTIONS = "patch_instructions.json"
SHARD_INDEX = "repodata_shards.msgpack.zst"
RUN_EXPORTS = "run_exports.json"
RUN_EXPORTS_ZST = "run_exports.json.zst"
CHANNELDATA = "channeldata.json"
NOTICES = "notices.json"
HISTORY_FEED = "history.atom"

# The metadata files of a channel. A file that is not listed here is not served.
SUBDIR_METADATA = frozenset(
    {
        REPODATA,
        REPODATA_ZST,
        REPODATA_BZ2,
        CURRENT_REPODATA,
        REPODATA_FROM_PACKAGES,
        PATCH_INSTRUCTIONS,
        SHARD_INDEX,
        RUN_EXPORTS,
        RUN_EXPORTS_ZST,
    }
)
ROOT_METADATA = frozenset({CHANNELDATA, NOTICES, HISTORY_FEED})

# The folder of a channel with its earlier states, each of which is a channel. Clients take it for a
# part of the channel's name.
PAST = "at"

# Stands before a moment in another spelling of the same URLs, which is read and not written. It is
# no letter of a channel's name: conda's classic solver removes packages of such channels, and mamba
# takes what stands before it for a password.
_OTHER_PAST = "@"

# The folder of a channel with its pages for people. It can be no subdir, no label, and no part of a
# channel's name (CEP 26).
PAGES = "-"

# The part of a URL behind which a token stands: https://docs.conda.io, "channel_alias"; mamba and
# rattler read URLs in the same way.
TOKEN = "t"


def parse_path(path: str) -> Meaning | None:
    """Return what a path below the channel's URL means, or None for a path that no channel has."""
    if path == "":
        return Folder(None)
    if path in ROOT_METADATA:
        return Metadata(None, path)
    subdir, slash, filename = path.partition("/")
    if subdir == PAGES:
        return _parse_page(filename)
    if not slash or not is_subdir(subdir):
        return None
    if filename == "":
        return Folder(subdir)
    if filename in SUBDIR_METADATA:
        return Metadata(subdir, filename)
    if "/" not in filename and filename.endswith(EXTENSIONS):
        return Package(subdir, filename)
    if match := _SHARD.fullmatch(filename):
        return Shard(subdir, match.group(1))
    if match := _SIDECAR.fullmatch(filename):
        return Sidecar(subdir, match.group(1), match.group(2))
    return None


def _parse_page(path: str) -> Page | None:
    """Return what a path behind `-/` means."""
    kind, *parts = path.split("/")
    match kind, parts:
        case ((PageKind.SEARCH | PageKind.CHANGES | PageKind.STATES | PageKind.STAGES), []):
            return Page(PageKind(kind))
        case PageKind.PACKAGE, [name] if name:
            return Page(PageKind.PACKAGE, (name,))
        case PageKind.PACKAGE, [name, version] if name and version:
            return Page(PageKind.PACKAGE, (name, version))
        case PageKind.FILE, [subdir, filename] if is_subdir(subdir) and filename:
            return Page(PageKind.FILE, (subdir, filename))
    return None


def page_path(kind: PageKind, *parts: str) -> str:
    """Return the path of a page, relative to the channel and percent-encoded, as links have it."""
    return join_url(PAGES, kind, *parts)


def is_page(path: str) -> bool:
    """Say whether people open a path, of a URL or below a channel: a folder, or a page."""
    return path == "" or path.endswith("/") or f"/{PAGES}/" in f"/{path}"


def split_past(path: str) -> str | None:
    """Return the part of a path behind `at/`, which begins with a moment; None if the path is not
    of the past.
    """
    if path == PAST:
        return ""
    for start in (f"{PAST}/", _OTHER_PAST):
        if path.startswith(start):
            return path.removeprefix(start)
    return None


def past_url(url: str, moment: str) -> str:
    """Return the URL of a channel at a moment, from the URL of the channel. Both have no slash at
    their end.
    """
    return f"{url}/{PAST}/{moment}"


def past_prefixes(url: str) -> list[str]:
    """Return with what every URL of the past of a channel begins."""
    return [f"{url}/{PAST}/", f"{url}{_OTHER_PAST}", f"{url}/{_OTHER_PAST}"]


def metadata_path(subdir: str, filename: str) -> str:
    """Return the path of a metadata file of a subdir, relative to the channel."""
    return f"{subdir}/{filename}"


def package_path(subdir: str, filename: str) -> str:
    """Return the path of a package file, relative to the channel."""
    return f"{subdir}/{filename}"


def join_url(base_url: str, *segments: str) -> str:
    """Return a URL with path segments appended, percent-encoded in the way of conda's clients.

    Clients do not encode `!` and `+`. A query string of the base URL stays at the end.
    """
    base, question_mark, query = base_url.partition("?")
    path = "/".join(quote(segment, safe="!+~@:,/") for segment in segments)
    return f"{base.rstrip('/')}/{path}{question_mark}{query}"


def is_subdir(text: str) -> bool:
    """Say whether a text is a valid subdir. CEP 26 has no list, so unknown platforms are valid."""
    return len(text) <= 32 and _SUBDIR.fullmatch(text) is not None


def is_platform(value: object) -> TypeGuard[str]:
    """Say whether a value is the subdir of a platform. `noarch` is not."""
    return isinstance(value, str) and is_subdir(value) and value != NOARCH


def check_subdir(text: object) -> str:
    """Return the subdir as it was given.

    Raises:
        BadSubdir: it is no valid subdir (CEP 26).
    """
    if not isinstance(text, str) or not is_subdir(text):
        raise BadSubdir(subdir=text)
    return text


def parse_filename(filename: str) -> PackageName:
    """Return the parts of a package's file name.

    Raises:
        BadPackageName: it has another extension, fewer than three parts, a part that breaks CEP 26,
            or more than 211 characters.
    """
    for extension in EXTENSIONS:
        if filename.endswith(extension):
            break
    else:
        raise BadPackageName(filename=filename, reason="it has another extension")
    parts = filename.removesuffix(extension).rsplit("-", 2)
    if len(parts) != 3:
        raise BadPackageName(filename=filename, reason="it has fewer than three parts")
    name, version, build = parts
    if reasons := name_problems(name, version, build):
        raise BadPackageName(filename=filename, reason="; ".join(reasons))
    if len(filename) > 211:
        raise BadPackageName(filename=filename, reason="it is longer than 211 characters")
    return PackageName(name, version, build, extension)


def is_filename(name: object) -> TypeGuard[str]:
    """Say whether a value can be the file name of a package (CEP 26)."""
    try:
        return isinstance(name, str) and parse_filename(name) is not None
    except BadPackageName:
        return False


def is_name(value: object) -> TypeGuard[str]:
    """Say whether a value is the name of a package (CEP 26)."""
    return isinstance(value, str) and len(value) <= 64 and _matches_name(value)


def name_problems(name: str, version: str, build: str) -> list[str]:
    """Return in words what is wrong with a package's name, version and build (CEP 26)."""
    problems = []
    for word, text, is_valid in (
        ("name", name, _matches_name),
        ("version", version, _VERSION.fullmatch),
        ("build", build, _BUILD.fullmatch),
    ):
        if len(text) > 64:
            problems.append(f"the {word} '{text}' is longer than 64 characters")
        elif not is_valid(text):
            problems.append(f"'{text}' is not a {word}")
    return problems


@lru_cache(1000)
def _matches_name(text: str) -> bool:
    # This pattern takes longer than all other checks. The packages of one name are checked one
    # after the other, so the last names are remembered.
    return _NAME.fullmatch(text) is not None


def check_channel_name(name: str, *, exists: bool = False) -> str:
    """Return the name of a channel, which is its path with slashes, as it was given.

    The last part must not be a known subdir: clients read `…/linux-64` as a subdir of the channel
    before it. No part must be `t`: clients take what follows it in a URL for a token.

    Args:
        exists: There may be such a channel, from before a part `t` was refused.

    Raises:
        BadChannelName: it is no valid name (CEP 26).
    """
    parts = name.split("/")
    for part in parts:
        if not _CHANNEL_PART.fullmatch(part) or len(part) > 128:
            raise BadChannelName(name=name, reason=f"'{part}' is not a channel name (CEP 26)")
    if TOKEN in parts and not exists:
        reason = f"clients take what follows its part '{TOKEN}' for a token"
        raise BadChannelName(name=name, reason=reason)
    if parts[-1] in KNOWN_SUBDIRS:
        raise BadChannelName(name=name, reason=f"its last part '{parts[-1]}' is a subdir")
    return name
