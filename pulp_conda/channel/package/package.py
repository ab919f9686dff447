"""Package files: open a `.conda` or a `.tar.bz2`, and give the package's record.

Formats: CEP 35; contents: CEP 34. Nothing is unpacked to disk, and only a few files of `info/` are kept in memory.
"""

import json
from dataclasses import replace

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadIndexJson,
    MissingMetadata,
    MissingSubdir,
    PackageMismatch,
    shown,
)
from pulp_conda.channel.package.archive import INDEX, Limits, PackageArchive
from pulp_conda.channel.package.info import kept_members, parse_info
from pulp_conda.channel.records import (
    RecordError,
    check_record,
    filename_problems,
    index_problems,
)

__all__ = ["Limits", "read_package", "read_package_with_info"]

# What a channel says of a package (CEP 21, CEP 47, CEP 50). A package that says it of itself is not believed.
_WORDS_OF_CHANNELS = {"attestations_sha256", "indexed_timestamp", "run_exports"}

_ARCHITECTURES = {"x86_64": "64", "x86": "32"}


def read_package(file, **arguments):
    """Do what `read_package_with_info` does, and return the record alone."""
    record, _ = read_package_with_info(file, **arguments)
    return record


def read_package_with_info(file, *, filename=None, subdir=None, md5, sha256, size, limits=Limits()):
    """Check a package and return its `PackageRecord` and `PackageInfo`, in one walk through the file.

    The record is `info/index.json` with the file's checksums and size.

    Args:
        file: The package, open and seekable.
        filename: The name it shall have, or None for the name that follows from `info/index.json`.
        subdir: The caller's statement, for packages that don't say it themselves.
        md5: Hex digest of the file; so are `sha256` and, in bytes, `size`.
        limits: What the package may unpack to.

    Raises:
        PackageError: the file is damaged, hostile, too large, or not the package that it is said to be.
        LayoutError: `filename` or `subdir` are none.
    """
    expected = None if filename is None else layout.parse_filename(filename)
    if subdir is not None:
        layout.check_subdir(subdir)
    keep = kept_members(limits)
    archive = PackageArchive(file, filename or "the package", size, limits, keep)
    archive.read()
    index = _parse_index(archive)
    name = layout.PackageName(index["name"], index["version"], index["build"], archive.extension)
    _check_statements(archive.filename, name, index, expected, subdir)
    archive.check_stems(name.stem)
    fields = {key: value for key, value in index.items() if key not in _WORDS_OF_CHANNELS}
    fields |= {"md5": md5, "sha256": sha256, "size": size}
    if fields.get("subdir") is None:
        fields["subdir"] = subdir or _derive_subdir(archive.filename, index)
    try:
        record = check_record(fields["subdir"], name.filename, fields)
    except RecordError as error:
        raise BadIndexJson(filename=archive.filename, reason=str(error)) from None
    info = parse_info(archive, name.name)
    return replace(record, run_exports=info.run_exports), info


def _parse_index(archive):
    if archive.index is None:
        raise MissingMetadata(filename=archive.filename, member=INDEX)
    try:
        text = archive.index.decode("utf-8-sig")
        orjson.loads(text)  # Stricter than json: no NaN, no half surrogates.
        index = json.loads(text, object_pairs_hook=_parse_object)
        orjson.dumps(index)  # As it will be stored: no endless nesting, no integer beyond 64 bits.
    except (ValueError, TypeError, RecursionError) as error:
        reason = f"it is not JSON: {shown(str(error))}"
        raise BadIndexJson(filename=archive.filename, reason=reason) from None
    if not isinstance(index, dict):
        raise BadIndexJson(filename=archive.filename, reason="it is not a JSON object")
    problems = index_problems(index)
    parts = [index.get(key) for key in ("name", "version", "build")]
    if all(isinstance(part, str) for part in parts):
        problems += layout.name_problems(*parts)
    if problems:
        raise BadIndexJson(filename=archive.filename, reason="; ".join(problems))
    return index


def _parse_object(pairs):
    # Readers differ in which of two values they take, so what we check may not be what a client sees.
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object has the same key twice")
    return fields


def _check_statements(filename, name, index, expected, subdir):
    """Compare what the package says with the file name and subdir that the caller gave."""
    problems = []
    if expected:
        problems += filename_problems(index, expected)
        if name.extension != expected.extension:
            problems.append(
                f"its format is '{name.extension}', and '{expected.extension}' in the file name"
            )
    if subdir and index.get("subdir") not in (subdir, None):
        problems.append(f"its subdir is '{index['subdir']}', not '{subdir}'")
    if problems:
        raise PackageMismatch(filename=filename, reason="; ".join(problems))


def _derive_subdir(filename, index):
    """Say for which platform a package is that was built before `subdir` existed."""
    if index.get("noarch"):
        return layout.NOARCH
    platform, arch = index.get("platform"), index.get("arch")
    if isinstance(platform, str) and isinstance(arch, str):
        subdir = f"{platform}-{_ARCHITECTURES.get(arch, arch)}"
        if layout.is_subdir(subdir):
            return subdir
    raise MissingSubdir(filename=filename)
