"""Every path of a channel, both ways: what a path means, and where a thing lives.

CEP 26 rules names, file names, subdirs and URLs. A path is relative to the channel's base URL and
arrives decoded, so `!` and `+` are themselves.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from pulp_conda.channel.errors import BadChannelName, BadPackageName, BadSubdir

NOARCH = "noarch"

# What the clients of 2026 know (conda and rattler); tried when an upstream does not list its subdirs.
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

EXTENSIONS = (".conda", ".tar.bz2")

# CEP 26 has [a-z0-9_](?!_) as well, and this matches the same in half the time.
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
    def stem(self):
        """The distribution string: the file name without its extension."""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def filename(self):
        return self.stem + self.extension


@dataclass(frozen=True)
class Metadata:
    """The path of a metadata file; ``subdir`` is None for those at the channel's root."""

    subdir: str | None
    filename: str


@dataclass(frozen=True)
class Shard:
    """The path of a shard, the records of one package name; ``sha256`` in hex."""

    subdir: str
    sha256: str


@dataclass(frozen=True)
class Sidecar:
    """The path of a package's attestations (CEP 50); ``sha256`` in hex where the path names their bytes, or None."""

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
    """The path of a folder; ``subdir`` is None for the channel's root."""

    subdir: str | None


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

# Files written at publication: whoever adds one adds it here, and it is served.
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


def parse_path(path):
    """Say what a path below the channel's URL stands for.

    Returns:
        A `Folder`, `Metadata`, `Shard`, `Package` or `Sidecar`, or None for a path that no channel has.
    """
    if path == "":
        return Folder(None)
    if path in ROOT_METADATA:
        return Metadata(None, path)
    subdir, slash, filename = path.partition("/")
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
        return Sidecar(subdir, *match.groups())
    return None


def metadata_path(subdir, filename):
    """Return where a metadata file of a subdir lives, relative to the channel."""
    return f"{subdir}/{filename}"


def shard_path(subdir, sha256):
    """Return where a shard lives, relative to the channel; ``sha256`` in hex."""
    return f"{subdir}/shards/{sha256}.msgpack.zst"


def sidecar_path(subdir, filename, sha256=None):
    """Return where the attestations of a package live, relative to the channel; ``sha256`` in hex."""
    return f"{subdir}/{filename}.sigs" + (f".{sha256}" if sha256 else "")


def package_path(subdir, filename):
    """Return where a package lives, relative to the channel."""
    return f"{subdir}/{filename}"


def join_url(base_url, *segments):
    """Append path segments to a URL, escaped the way conda's clients write them.

    Clients send `!` and `+` as they are; a query string of the base URL stays behind the path.
    """
    base, question_mark, query = base_url.partition("?")
    path = "/".join(quote(segment, safe="!+~@:,/") for segment in segments)
    return f"{base.rstrip('/')}/{path}{question_mark}{query}"


def is_subdir(text):
    """Say whether a text is a valid subdir; unknown platforms are (CEP 26 has a pattern, no list)."""
    return len(text) <= 32 and _SUBDIR.fullmatch(text) is not None


def is_platform(value):
    """Say whether a value is a subdir that machines have: `noarch` is none's."""
    return isinstance(value, str) and is_subdir(value) and value != NOARCH


def check_subdir(text):
    """Return the subdir, or raise `BadSubdir`."""
    if not isinstance(text, str) or not is_subdir(text):
        raise BadSubdir(subdir=text)
    return text


def parse_filename(filename):
    """Split a package's file name into its parts.

    Raises:
        BadPackageName: another extension, fewer than three parts, or a part that breaks CEP 26.
    """
    for extension in EXTENSIONS:
        if filename.endswith(extension):
            break
    else:
        raise BadPackageName(filename=filename, reason="it has another extension")
    parts = filename.removesuffix(extension).rsplit("-", 2)
    if len(parts) != 3:
        raise BadPackageName(filename=filename, reason="it has fewer than three parts")
    package_name = PackageName(*parts, extension)
    if reasons := name_problems(*parts):
        raise BadPackageName(filename=filename, reason="; ".join(reasons))
    if len(filename) > 211:
        raise BadPackageName(filename=filename, reason="it is longer than 211 characters")
    return package_name


def is_filename(name):
    """Say whether a value can be the file name of a package."""
    try:
        return isinstance(name, str) and parse_filename(name) is not None
    except BadPackageName:
        return False


def is_name(value):
    """Say whether a value is the name of a package (CEP 26)."""
    return isinstance(value, str) and len(value) <= 64 and _matches_name(value)


def name_problems(name, version, build):
    """List in words what CEP 26 has against a package's name, version and build."""
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
def _matches_name(text):
    # The packages of a name come one after the other, and this pattern takes longer than all else that is checked.
    return _NAME.fullmatch(text) is not None


def check_channel_name(name):
    """Return the channel's name (its path, with slashes), or raise `BadChannelName`.

    The last part must not be a subdir: clients take `…/linux-64` for the channel before it.
    """
    parts = name.split("/")
    for part in parts:
        if not _CHANNEL_PART.fullmatch(part) or len(part) > 128:
            raise BadChannelName(name=name, reason=f"'{part}' is not a channel name (CEP 26)")
    if parts[-1] in KNOWN_SUBDIRS:
        raise BadChannelName(name=name, reason=f"its last part '{parts[-1]}' is a subdir")
    return name
