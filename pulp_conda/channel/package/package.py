"""Package files: read the record of a `.conda` or a `.tar.bz2` file.

Formats: CEP 35. Contents: CEP 34. Nothing is unpacked to disk, and only a few files of `info/` are
kept in memory.
"""

import json
from dataclasses import replace
from typing import Any, BinaryIO

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadIndexJson,
    ChannelError,
    MissingMetadata,
    MissingSubdir,
    PackageMismatch,
    PayloadMismatch,
    noting,
    raise_all,
    shown,
)
from pulp_conda.channel.fields import read_field, read_fields
from pulp_conda.channel.matchspec import dependency_problem
from pulp_conda.channel.package.archive import INDEX, Limits, PackageArchive, Spend, spend_freely
from pulp_conda.channel.package.info import PackageInfo, kept_members, listed_files, parse_info
from pulp_conda.channel.package.payload import Payload
from pulp_conda.channel.records import (
    PackageRecord,
    RecordError,
    check_record,
    filename_problems,
)
from pulp_conda.channel.storable import find_unstorable

__all__ = ["Limits", "read_package_with_info"]

# Keys that only a channel may add to a record (CEP 21, CEP 47, CEP 50). They are ignored in a
# package.
_KEYS_OF_CHANNELS = {"attestations_sha256", "indexed_timestamp", "run_exports"}

# Keys whose values are those of the file, whatever the package says.
_KEYS_OF_FILES = {"md5", "sha256", "size"}

# These make the name of the file.
_IN_NAME = ("name", "version", "build")

_SHOWN_PROBLEMS = 10

_ARCHITECTURES = {"x86_64": "64", "x86": "32"}


def read_package_with_info(
    file: BinaryIO,
    *,
    filename: str | None = None,
    subdir: str | None = None,
    md5: str | None,
    sha256: str,
    size: int,
    limits: Limits = Limits(),
    spend: Spend = spend_freely,
) -> tuple[PackageRecord, PackageInfo]:
    """Check a package, and return its record and its other metadata. The file is read once.

    The record is `info/index.json` with the file's checksums and size.

    Args:
        file: The package, open and seekable.
        filename: Its file name, or None for the name that follows from `info/index.json`.
        subdir: Its subdir. It is used for a package that does not state its subdir in any way, and
            compared for other packages.
        md5: The md5 of the file in hex, or None for a record without one.
        sha256: The sha256 of the file in hex.
        size: The bytes of the file.
        limits: What the package may unpack to.
        spend: Told how much was unpacked, as `PackageArchive` does.

    Raises:
        PackageError: the file is damaged, hostile or too large, or its content does not agree with
            `filename` or `subdir`.
        LayoutError: `filename` or `subdir` is not valid.
        SeveralErrors: more than one of these. It has everything that is wrong with the package. If
            the archives cannot be read to the end, that is one of its errors, and what is wrong
            behind that place is not known.
    """
    errors: list[ChannelError] = []
    expected = None
    with noting(errors):
        expected = None if filename is None else layout.parse_filename(filename)
    given, subdir = subdir, None
    with noting(errors):
        subdir = None if given is None else layout.check_subdir(given)
    keep = kept_members(limits)
    payload = Payload()
    archive = PackageArchive(file, filename or "the package", size, limits, keep, spend, payload)
    is_whole = False
    with noting(errors):
        archive.read()
        is_whole = True
    if archive.index is None:
        if is_whole:
            errors.append(MissingMetadata(filename=archive.filename, member=INDEX))
        raise_all(errors)
    with noting(errors):
        index = _parse_index(archive)
        with noting(errors):
            _check_index(archive.filename, index)
        with noting(errors):
            _check_statements(archive, index, expected, subdir)
        with noting(errors):
            _check_stems(archive, index)
        if _stated_subdir(index) is None and given is None:
            errors.append(MissingSubdir(filename=archive.filename))
    warnings: tuple[str, ...] = ()
    if is_whole:
        with noting(errors):
            warnings = _check_payload(archive, payload)
    raise_all(errors)
    record = _record(archive, index, subdir, {"md5": md5, "sha256": sha256, "size": size})
    info = replace(parse_info(archive, record.name), warnings=warnings)
    return replace(record, run_exports=info.run_exports), info


def _parse_index(archive: PackageArchive) -> dict[str, Any]:
    """Return `info/index.json`, whatever its values are.

    Raises:
        BadIndexJson: it is no JSON object.
    """
    assert archive.index is not None
    try:
        text = archive.index.decode("utf-8-sig")
        orjson.loads(text)  # It refuses NaN and half surrogates, which json allows.
        index = json.loads(text, object_pairs_hook=_parse_object)
        orjson.dumps(index)  # It refuses very deep nesting, and integers of more than 64 bits.
    except (ValueError, TypeError, RecursionError) as error:
        reason = f"it is not JSON: {shown(str(error))}"
        raise BadIndexJson(filename=archive.filename, reason=reason) from None
    if not isinstance(index, dict):
        raise BadIndexJson(filename=archive.filename, reason="it is not a JSON object")
    return index


def _check_index(filename: str, index: dict[str, Any]) -> None:
    """Check all values of `info/index.json`.

    Raises:
        BadIndexJson: with everything that is wrong.
    """
    stated = {
        key: value
        for key, value in index.items()
        if key not in _KEYS_OF_CHANNELS and key not in _KEYS_OF_FILES
    }
    problems: list[str] = []
    if bad := find_unstorable(index):
        problems.append(f"'{bad.place}' {bad.reason}")
    problems += read_fields(stated, subdir="", filename="").problems
    subdir = index.get("subdir")
    if subdir not in (None, "") and not (isinstance(subdir, str) and layout.is_subdir(subdir)):
        problems.append(f"'{shown(str(subdir))}' is not a subdir")
    problems += layout.name_problems(*_parts(index))
    problems += _spec_problems(index)
    if problems:
        raise BadIndexJson(filename=filename, reason=_first_of(problems))


def _record(
    archive: PackageArchive, index: dict[str, Any], subdir: str | None, facts: dict[str, Any]
) -> PackageRecord:
    """Return the record of a package that was checked.

    Args:
        facts: The size and the digests of the file. An md5 that is None is left out.

    Raises:
        BadIndexJson
    """
    name = layout.PackageName(index["name"], index["version"], index["build"], archive.extension)
    fields = {key: value for key, value in index.items() if key not in _KEYS_OF_CHANNELS}
    fields |= {key: value for key, value in facts.items() if value is not None}
    if facts["md5"] is None:
        fields.pop("md5", None)
    subdir = _stated_subdir(index) or subdir
    assert subdir is not None
    if not fields.get("subdir"):
        fields["subdir"] = subdir
    try:
        return check_record(subdir, name.filename, fields)
    except RecordError as error:
        raise BadIndexJson(filename=archive.filename, reason=str(error)) from None


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # If a key is there twice, readers differ in which value they use. So the value that is checked
    # here may not be the one that a client sees.
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object has the same key twice")
    return fields


def _check_statements(
    archive: PackageArchive,
    index: dict[str, Any],
    expected: layout.PackageName | None,
    subdir: str | None,
) -> None:
    """Compare the content of the package with the file name and the subdir from the caller.

    Raises:
        PackageMismatch: they do not agree.
    """
    problems = []
    if expected:
        problems += filename_problems(index, expected)
        if archive.extension != expected.extension:
            problems.append(
                f"its format is '{archive.extension}', and '{expected.extension}' in the file name"
            )
    stated = _stated_subdir(index)
    if subdir and stated not in (subdir, None):
        problems.append(f"its subdir is '{shown(stated or '')}', not '{subdir}'")
    if problems:
        raise PackageMismatch(filename=archive.filename, reason="; ".join(problems))


def _check_stems(archive: PackageArchive, index: dict[str, Any]) -> None:
    """Check the names of the archives, as `PackageArchive.check_stems` does.

    The archives of a package whose name is wrong have wrong names, too.
    """
    parts = _parts(index)
    if index.keys() >= set(_IN_NAME) and not layout.name_problems(*parts):
        archive.check_stems("-".join(parts))


def _parts(index: dict[str, Any]) -> list[str]:
    """Return name, version and build. What is no text is another fault, and "0" stands for it."""
    values = (index.get(key) for key in _IN_NAME)
    return [value if isinstance(value, str) else "0" for value in values]


def _spec_problems(index: dict[str, Any]) -> list[str]:
    """Return in words what clients cannot read of what a package depends on.

    That is each match spec that names a URL or a channel, or does not parse.
    """
    lists = {key: read_field(index, key) or [] for key in ("depends", "constrains")}
    for extra, specs in (read_field(index, "extra_depends") or {}).items():
        lists[f"extra_depends.{extra}"] = specs
    return [
        f"'{shown(key)}' has {problem}"
        for key, specs in lists.items()
        for spec in specs
        if (problem := dependency_problem(spec))
    ]


def _check_payload(archive: PackageArchive, payload: Payload) -> tuple[str, ...]:
    """Compare the files of the package with its `info/paths.json`, by which clients check them.

    Returns:
        What differs, but is harmless.

    Raises:
        PayloadMismatch: a file is missing, or has other bytes.
    """
    problems: list[str] = []
    warnings: list[str] = []
    for difference in payload.differences(listed_files(archive)):
        (warnings if difference.is_harmless else problems).append(difference.text)
    if problems:
        raise PayloadMismatch(filename=archive.filename, reason=_first_of(problems))
    return (_first_of(warnings),) if warnings else ()


def _first_of(problems: list[str]) -> str:
    more = ["and more"] if len(problems) > _SHOWN_PROBLEMS else []
    return "; ".join(problems[:_SHOWN_PROBLEMS] + more)


def _stated_subdir(index: dict[str, Any]) -> str | None:
    """Return the subdir that a package states, or None if it does not say its platform at all.

    Packages that were built before the key `subdir` existed state it with older keys.
    """
    if subdir := index.get("subdir"):
        return str(subdir)
    if index.get("noarch"):
        return layout.NOARCH
    platform, arch = index.get("platform"), index.get("arch")
    if isinstance(platform, str) and isinstance(arch, str):
        subdir = f"{platform}-{_ARCHITECTURES.get(arch, arch)}"
        if layout.is_subdir(subdir):
            return subdir
    return None
