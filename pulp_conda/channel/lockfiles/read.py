"""Lock files of conda's tools: which files exactly an environment consists of.

This module reads `pixi.lock` (versions 4 to 7, as rattler reads and writes it), `conda-lock.yml`
(CEP 37, and the versions 1 to 3 of pixi.lock, which have its format) and the explicit lists of
`conda list --explicit` (CEP 23).

rattler's `LockFile` is not used. It reads no explicit lists, and leaves out packages that no
environment uses. It stops at the first problem, often without its place: one wrong hash in a file
of 100,000 packages is "failed to parse digest". It takes 6.8 s for such a file, where this module
takes 4.1 s. And its time grows with the square of the levels: 0.8 s for 20,000 times `{a: `, so a
day for a file of 32 MB.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pulp_conda.channel.environments.plain_yaml import PlainYaml, PlainYamlError, read_plain
from pulp_conda.channel.errors import BadLockFile
from pulp_conda.channel.layout import EXTENSIONS
from pulp_conda.channel.lockfiles.model import (
    LockedPackage,
    LockFile,
    LockFileDraft,
    Use,
    is_url,
    quoted,
)


class LockFormat(StrEnum):
    """The formats of lock files."""

    PIXI = "pixi"
    CONDA_LOCK = "conda-lock"
    EXPLICIT = "explicit"


EXPLICIT_MARKER = "@EXPLICIT"

# The pixi.lock of a large workspace has a few megabytes, and about 20 values per package.
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
    """Which packages of a lock file a channel has. Each package is in one of four places.

    Attributes:
        present: The channel has the file.
        missing: The channel has no file of that name.
        differing: The channel has another file of that name.
        unproven: The channel has a file of that name, and there is no hash to compare.
    """

    present: tuple[LockedPackage, ...]
    missing: tuple[LockedPackage, ...]
    differing: tuple[LockedPackage, ...]
    unproven: tuple[LockedPackage, ...]


class _PixiEntry(NamedTuple):
    """What kind of package an entry of a pixi.lock is, and its URL or path."""

    kind: PlainYaml
    location: PlainYaml


def read_lock_file(text: str, *, format: str | None = None) -> LockFile:
    """Return what a lock file says.

    A package that is listed twice is there once. Hashes may be missing.

    Args:
        format: The name of a `LockFormat`. If it is None, the text decides.

    Raises:
        BadLockFile: Names all that is wrong, each with its place. Also for a text that is no lock
            file, or is larger than the limits.
    """
    name_of_format = format or "of unknown format"
    if len(text) > LARGEST:
        reason = f"it has {len(text)} characters, and {LARGEST} are allowed"
        raise BadLockFile(format=name_of_format, reason=reason)
    text = text.removeprefix("\ufeff")
    if format == LockFormat.EXPLICIT or (format is None and _is_explicit(text)):
        draft = LockFileDraft(LockFormat.EXPLICIT)
        _read_explicit(text, draft)
        return draft.finish()
    try:
        document = read_plain(text, _MOST_VALUES)
    except PlainYamlError as error:
        raise BadLockFile(format=name_of_format, reason=str(error)) from error
    draft = LockFileDraft(format or _format_of(document))
    read = _read_pixi if draft.format == LockFormat.PIXI else _read_conda_lock
    read(draft.as_mapping(document, "the file"), draft)
    return draft.finish()


def compare(
    lock: LockFile, hashes_by_path: Mapping[tuple[str, str], Sequence[str | None]]
) -> Comparison:
    """Say which packages of a lock file a channel has.

    Args:
        hashes_by_path: What the channel has of them: {(subdir, filename): (sha256, md5)}. Other
            packages in it do no harm.
    """
    places: dict[str, list[LockedPackage]] = {
        "present": [],
        "missing": [],
        "differing": [],
        "unproven": [],
    }
    for package in lock.packages:
        places[_place(package, hashes_by_path.get(package.path))].append(package)
    return Comparison(**{name: tuple(packages) for name, packages in places.items()})


def _place(package: LockedPackage, stored_hashes: Sequence[str | None] | None) -> str:
    if stored_hashes is None:
        return "missing"
    for locked, stored in zip((package.sha256, package.md5), stored_hashes, strict=True):
        if locked and stored:
            return "present" if locked == stored else "differing"
    return "unproven"


def _is_explicit(text: str) -> bool:
    return _MARKER_LINE.search(text) is not None


def _format_of(document: PlainYaml) -> str:
    if isinstance(document, dict):
        if "environments" in document:
            return LockFormat.PIXI
        if "package" in document:
            return LockFormat.CONDA_LOCK
    raise BadLockFile(
        format="of unknown format",
        reason="it has neither 'environments' (pixi.lock) nor 'package' (conda-lock.yml), "
        f"and no line '{EXPLICIT_MARKER}'",
    )


def _read_pixi(document: dict[str, PlainYaml], draft: LockFileDraft) -> None:
    version = document.get("version")
    if version not in _PIXI_VERSIONS:
        raise draft.error(_version_problem(version, _PIXI_VERSIONS))
    uses = _read_environments(document, draft)
    listed = set()
    for index, value in enumerate(draft.as_list(document.get("packages"), "packages")):
        where = f"packages[{index}]"
        entry = draft.as_mapping(value, where)
        kind, place = _kind_and_location(version, entry)
        if kind not in _PIXI_KINDS:
            draft.problem(where, "it is neither a conda nor a PyPI package")
            continue
        location = draft.as_text(place, where)
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
            environment, platform = used_in[0]
            where = f"environments.{environment}.packages.{platform}"
            draft.problem(where, f"{quoted(location)} is not in 'packages'")


def _read_environments(
    document: dict[str, PlainYaml], draft: LockFileDraft
) -> dict[str, list[Use]]:
    """Return where each conda package is used, by the location with which the file names it."""
    subdirs = {}
    for index, value in enumerate(draft.as_list(document.get("platforms"), "platforms")):
        entry = draft.as_mapping(value, f"platforms[{index}]")
        name = draft.as_text(entry.get("name"), f"platforms[{index}].name")
        subdirs[name] = draft.as_text(entry.get("subdir") or name, f"platforms[{index}].subdir")
    # The inner dictionaries have values of None, because they are sets that keep the order.
    uses: dict[str, dict[Use, None]] = {}
    environments = draft.as_mapping(document.get("environments"), "environments")
    for name, value in environments.items():
        where = f"environments.{draft.as_text(name, 'a name in environments')}"
        environment = draft.as_mapping(value, where)
        draft.add_environment(name)
        for channel in draft.as_list(environment.get("channels"), f"{where}.channels"):
            draft.add_channel(channel, f"a channel of {where}")
        packages = draft.as_mapping(environment.get("packages"), f"{where}.packages")
        for platform, selectors in packages.items():
            subdir = subdirs.get(draft.as_text(platform, f"a platform of {where}"), platform)
            draft.add_platform(subdir)
            there = f"{where}.packages.{platform}"
            for selector in draft.as_list(selectors, there):
                location = draft.as_mapping(selector, f"an entry of {there}").get("conda")
                if location is not None:
                    text = draft.as_text(location, f"an entry of {there}")
                    uses.setdefault(text, {})[Use(name, subdir)] = None
    return {location: list(used_in) for location, used_in in uses.items()}


def _kind_and_location(version: PlainYaml, entry: dict[str, PlainYaml]) -> _PixiEntry:
    if version in ("4", "5"):
        return _PixiEntry(entry.get("kind"), entry.get("url") or entry.get("path"))
    for kind in _PIXI_KINDS:
        if kind in entry:
            return _PixiEntry(kind, entry[kind])
    return _PixiEntry(None, None)


def _read_conda_lock(document: dict[str, PlainYaml], draft: LockFileDraft) -> None:
    version = document.get("version", "1")
    if version not in _CONDA_LOCK_VERSIONS:
        raise draft.error(_version_problem(version, _CONDA_LOCK_VERSIONS))
    metadata = draft.as_mapping(document.get("metadata"), "metadata")
    for channel in draft.as_list(metadata.get("channels"), "metadata.channels"):
        draft.add_channel(channel, "a channel of metadata.channels")
    for name in draft.as_list(metadata.get("platforms"), "metadata.platforms"):
        draft.add_platform(draft.as_text(name, "an entry of metadata.platforms"))
    for index, value in enumerate(draft.as_list(document.get("package"), "package")):
        where = f"package[{index}]"
        entry = draft.as_mapping(value, where)
        manager = entry.get("manager")
        if manager == "conda":
            category = draft.as_text(entry.get("category") or "main", f"{where}.category")
            platform = draft.as_text(entry.get("platform"), f"{where}.platform")
            draft.add_environment(category)
            draft.add_conda(
                draft.as_text(entry.get("url"), f"{where}.url"),
                draft.as_mapping(entry.get("hash"), f"{where}.hash"),
                where,
                size=entry.get("size"),
                uses=[Use(category, platform)],
            )
        elif manager in ("pip", "pypi"):
            draft.add_pip(entry, draft.as_text(entry.get("url"), f"{where}.url"))
        else:
            draft.problem(where, f"manager is {quoted(manager)}, not conda or pip")


def _read_explicit(text: str, draft: LockFileDraft) -> None:
    if not _is_explicit(text):
        raise draft.error(f"it has no line '{EXPLICIT_MARKER}'")
    if text.count("\n") > _MOST_LINES:
        raise draft.error(f"it has more than {_MOST_LINES} lines")
    uses: Iterable[Use] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if comment := _PLATFORM_COMMENT.fullmatch(line):
            platform = draft.as_text(comment.group(1), f"the platform in line {number}")
            draft.add_platform(platform)
            uses = [Use(None, platform)]
        elif line and not line.startswith("#") and line != EXPLICIT_MARKER:
            location, has_hash, digest = line.rpartition("#") if "#" in line else (line, "", "")
            hashes = _EXPLICIT_HASH.fullmatch(digest.lower())
            if has_hash and not hashes:
                draft.problem(f"line {number}", f"{quoted(digest)} is neither an md5 nor a sha256")
            draft.as_text(location, f"line {number}")
            if is_url(location) or location.endswith(EXTENSIONS):
                found = hashes.groupdict() if hashes else {}
                draft.add_conda(location, found, f"line {number}", uses=uses)
            else:
                draft.problem(f"line {number}", f"{quoted(location)} is not a package file")


def _version_problem(version: PlainYaml, known: tuple[str, ...]) -> str:
    return f"its version is {quoted(version)}, and {known[0]} to {known[-1]} can be read"
