"""Lock files of conda's tools: which files exactly an environment consists of.

Read are `pixi.lock` (versions 4 to 7, as rattler reads and writes it), `conda-lock.yml` (CEP 37, and the versions 1 to
3 of pixi.lock, which began as that) and the explicit lists of `conda list --explicit` (CEP 23).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from pulp_conda.channel.environments.plain_yaml import PlainYamlError, read_plain
from pulp_conda.channel.errors import BadLockFile
from pulp_conda.channel.layout import EXTENSIONS
from pulp_conda.channel.lockfiles.model import LockedPackage, LockFileDraft, is_url, quoted


class LockFormat(StrEnum):
    """The formats of lock files."""

    PIXI = "pixi"
    CONDA_LOCK = "conda-lock"
    EXPLICIT = "explicit"


PIXI, CONDA_LOCK, EXPLICIT = LockFormat

EXPLICIT_MARKER = "@EXPLICIT"

# A pixi.lock of a large workspace has a few megabytes, and some 20 values per package.
LARGEST = 32 * 1024 * 1024
_MOST_VALUES = 2_000_000
_MOST_LINES = 500_000

_PIXI_VERSIONS = ("4", "5", "6", "7")
_PIXI_KINDS = ("conda", "conda_source", "pypi")
_CONDA_LOCK_VERSIONS = ("1", "2", "3")

_MARKER_LINE = re.compile(rf"^[ \t]*{EXPLICIT_MARKER}[ \t\r]*$", re.MULTILINE)
_EXPLICIT_HASH = re.compile(r"(?P<md5>[0-9a-f]{32})|(?:sha256:)?(?P<sha256>[0-9a-f]{64})")
_PLATFORM_COMMENT = re.compile(r"#\s*platform:\s*(\S+)")


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

    A package that is listed twice is there once. Hashes may be missing.

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
        draft = LockFileDraft(EXPLICIT)
        _read_explicit(text, draft)
        return draft.finish()
    try:
        document = read_plain(text, _MOST_VALUES)
    except PlainYamlError as error:
        raise BadLockFile(format=unknown, reason=str(error)) from error
    draft = LockFileDraft(format or _format_of(document))
    document = draft.as_mapping(document, "the file")
    read = {PIXI: _read_pixi, CONDA_LOCK: _read_conda_lock}[draft.format]
    read(document, draft)
    return draft.finish()


def compare(lock, found):
    """Say which packages of a lock file a channel has.

    Args:
        found: What the channel has of them: {(subdir, filename): (sha256, md5)}, and more does not hurt.
    """
    places = {"present": [], "missing": [], "differing": [], "unproven": []}
    for package in lock.packages:
        places[_place(package, found.get(package.path))].append(package)
    return Comparison(**{name: tuple(packages) for name, packages in places.items()})


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


def _read_pixi(document, draft):
    version = document.get("version")
    if version not in _PIXI_VERSIONS:
        raise draft.error(_version_problem(version, _PIXI_VERSIONS))
    uses = _read_environments(document, draft)
    listed = set()
    for index, entry in enumerate(draft.as_list(document.get("packages"), "packages")):
        where = f"packages[{index}]"
        kind, location = _kind_and_location(version, draft.as_mapping(entry, where))
        if kind not in _PIXI_KINDS:
            draft.problem(where, "it is neither a conda nor a PyPI package")
            continue
        location = draft.as_text(location, where)
        if kind == "conda":
            used_in = uses.get(location, ())
            draft.add_conda(location, entry, where, size=entry.get("size"), uses=used_in)
            listed.add(location)
        elif kind == "conda_source":
            draft.add_local(location)
        else:
            draft.add_pip(entry, location)
    for location, used_in in uses.items():
        if location not in listed:
            environment, platform = next(iter(used_in))
            where = f"environments.{environment}.packages.{platform}"
            draft.problem(where, f"{quoted(location)} is not in 'packages'")


def _read_environments(document, draft):
    """Return the environments and platforms of each conda package, by what the file calls the package."""
    subdirs = {}
    for index, platform in enumerate(draft.as_list(document.get("platforms"), "platforms")):
        platform = draft.as_mapping(platform, f"platforms[{index}]")
        name = draft.as_text(platform.get("name"), f"platforms[{index}].name")
        subdirs[name] = draft.as_text(platform.get("subdir") or name, f"platforms[{index}].subdir")
    uses = {}
    environments = draft.as_mapping(document.get("environments"), "environments")
    for name, environment in environments.items():
        where = f"environments.{draft.as_text(name, 'a name in environments')}"
        environment = draft.as_mapping(environment, where)
        draft.add_environment(name)
        for channel in draft.as_list(environment.get("channels"), f"{where}.channels"):
            draft.add_channel(channel, f"a channel of {where}")
        packages = draft.as_mapping(environment.get("packages"), f"{where}.packages")
        for platform, selectors in packages.items():
            platform = draft.as_text(platform, f"a platform of {where}")
            draft.add_platform(subdirs.get(platform, platform))
            there = f"{where}.packages.{platform}"
            for selector in draft.as_list(selectors, there):
                location = draft.as_mapping(selector, f"an entry of {there}").get("conda")
                if location is not None:
                    location = draft.as_text(location, f"an entry of {there}")
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


def _read_conda_lock(document, draft):
    version = document.get("version", "1")
    if version not in _CONDA_LOCK_VERSIONS:
        raise draft.error(_version_problem(version, _CONDA_LOCK_VERSIONS))
    metadata = draft.as_mapping(document.get("metadata"), "metadata")
    for channel in draft.as_list(metadata.get("channels"), "metadata.channels"):
        draft.add_channel(channel, "a channel of metadata.channels")
    for platform in draft.as_list(metadata.get("platforms"), "metadata.platforms"):
        draft.add_platform(draft.as_text(platform, "an entry of metadata.platforms"))
    for index, entry in enumerate(draft.as_list(document.get("package"), "package")):
        where = f"package[{index}]"
        manager = draft.as_mapping(entry, where).get("manager")
        if manager == "conda":
            category = draft.as_text(entry.get("category") or "main", f"{where}.category")
            platform = draft.as_text(entry.get("platform"), f"{where}.platform")
            draft.add_environment(category)
            draft.add_conda(
                draft.as_text(entry.get("url"), f"{where}.url"),
                draft.as_mapping(entry.get("hash"), f"{where}.hash"),
                where,
                size=entry.get("size"),
                uses=[(category, platform)],
            )
        elif manager in ("pip", "pypi"):
            draft.add_pip(entry, draft.as_text(entry.get("url"), f"{where}.url"))
        else:
            draft.problem(where, f"manager is {quoted(manager)}, not conda or pip")


def _read_explicit(text, draft):
    if not _is_explicit(text):
        raise draft.error(f"it has no line '{EXPLICIT_MARKER}'")
    if text.count("\n") > _MOST_LINES:
        raise draft.error(f"it has more than {_MOST_LINES} lines")
    uses = ()
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if match := _PLATFORM_COMMENT.fullmatch(line):
            platform = draft.as_text(match.group(1), f"the platform in line {number}")
            draft.add_platform(platform)
            uses = [(None, platform)]
        elif line and not line.startswith("#") and line != EXPLICIT_MARKER:
            location, has_hash, digest = line.rpartition("#") if "#" in line else (line, "", "")
            match = _EXPLICIT_HASH.fullmatch(digest.lower())
            if has_hash and not match:
                draft.problem(f"line {number}", f"{quoted(digest)} is neither an md5 nor a sha256")
            hashes = match.groupdict() if match else {}
            draft.as_text(location, f"line {number}")
            if is_url(location) or location.endswith(EXTENSIONS):
                draft.add_conda(location, hashes, f"line {number}", uses=uses)
            else:
                draft.problem(f"line {number}", f"{quoted(location)} is not a package file")


def _version_problem(version, known):
    return f"its version is {quoted(version)}, and {known[0]} to {known[-1]} can be read"
