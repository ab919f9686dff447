"""The metadata in a package file that is not in its record.

Contents: CEP 34. run_exports: CEP 12. Traits: CEP 38. All of it is optional. A file that is
unreadable or too large counts as missing, since clients install such a package, too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.metadata.run_exports import check_run_exports
from pulp_conda.channel.package.archive import Limits, PackageArchive
from pulp_conda.channel.package.recipe import RECIPES, read_source_urls

# What a package does when it is installed. These are keys of channeldata.json.
TRAITS = (
    "activate.d",
    "binary_prefix",
    "deactivate.d",
    "post_link",
    "pre_link",
    "pre_unlink",
    "text_prefix",
)

_ABOUT = "info/about.json"
_LINK = "info/link.json"
_RUN_EXPORTS = "info/run_exports.json"  # Early conda-build had other forms, which no index reads.
_PATHS = "info/paths.json"
_FILES = "info/files"
_HAS_PREFIX = "info/has_prefix"

# Bytes of a file that is stored in the database. API responses have a hundred of them on a page.
# The largest file of 2026 has 100 KB.
_STORED_SIZE = 2**20

# Bytes of a recipe. One with all the packages of its build environment has 100 KB.
_RECIPE_SIZE = 2**20

_BOM = b"\xef\xbb\xbf"

# A NUL in JSON text. If the number of backslashes before `u0000` is even, it is no escape.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")

# A line of `has_prefix`: a placeholder, a mode and a path.
_PREFIX_LINE = re.compile(r"""(?:"[^"]*"|'[^']*'|\S+)\s+(binary|text)\s+(.*)""")


@dataclass(frozen=True)
class PackageInfo:
    """The metadata in `info/` besides `index.json`.

    Attributes:
        run_exports: The dependencies that the package adds to packages that are built with it. `{}`
            if there are none.
        about: The content of `about.json`, `{}` if there is none.
        link: The content of `link.json`, which says how to install the package, or None.
        licenses: The names of the license texts, sorted.
        traits: For each of `TRAITS`, whether the package has it.
        source_urls: The URLs of the sources that the package was built from.
        warnings: What is odd about the package in words, but no reason to refuse it.
    """

    run_exports: dict[str, Any]
    about: dict[str, Any]
    link: dict[str, Any] | None
    licenses: tuple[str, ...]
    traits: dict[str, bool]
    source_urls: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_info(
    file: BinaryIO, *, filename: str, size: int, limits: Limits = Limits()
) -> PackageInfo:
    """Return the `PackageInfo` of a package whose record is already known.

    Of a `.conda` file only the archive `info` is unpacked. A `.tar.bz2` is read to its end, because
    conda-build puts license texts between the files.

    Args:
        file: The package, open and seekable.
        filename: Its file name.
        size: Its bytes.
        limits: What it may unpack to.

    Raises:
        PackageError: the part that was read is damaged, hostile, or larger than the limits.
        BadPackageName: `filename` is not valid.
    """
    name = layout.parse_filename(filename).name
    archive = PackageArchive(file, filename, size, limits, kept_members(limits))
    archive.read(info_only=True)
    return parse_info(archive, name)


def read_paths(
    file: BinaryIO, *, filename: str, size: int, limits: Limits = Limits()
) -> list[tuple[str, int | None]]:
    """Return the paths that `info/paths.json` of a package lists, each with its size in bytes, or
    None if that is not said.

    Args:
        file, filename, size, limits: As for `read_info`.

    Raises:
        PackageError: the part that was read is damaged, hostile, or larger than the limits.
    """
    kept = {_PATHS: limits.info_member_size}
    archive = PackageArchive(file, filename, size, limits, kept)
    archive.read(info_only=True)
    paths = []
    for entry in listed_files(archive):
        if isinstance(entry, dict) and isinstance(path := entry.get("_path"), str):
            size_in_bytes = entry.get("size_in_bytes")
            is_size = isinstance(size_in_bytes, int) and size_in_bytes >= 0
            paths.append((path, size_in_bytes if is_size else None))
    return paths


def kept_members(limits: Limits) -> dict[str, int]:
    """Return the members that `parse_info` needs, each with the most bytes that it may have."""
    stored = min(_STORED_SIZE, limits.info_member_size)
    recipe = min(_RECIPE_SIZE, limits.info_member_size)
    return (
        dict.fromkeys((_ABOUT, _LINK, _RUN_EXPORTS), stored)
        | dict.fromkeys(RECIPES, recipe)
        | dict.fromkeys((_PATHS, _FILES, _HAS_PREFIX), limits.info_member_size)
    )


def parse_info(archive: PackageArchive, name: str) -> PackageInfo:
    """Return the `PackageInfo` of an archive.

    Args:
        archive: An archive after `read`, which has kept `kept_members`.
        name: The package name.
    """
    kept = archive.kept
    return PackageInfo(
        run_exports=_parse_run_exports(kept),
        about=_parse_object(kept, _ABOUT) or {},
        link=_parse_object(kept, _LINK),
        licenses=tuple(sorted({_as_text(path) for path in archive.licenses})),
        traits=_find_traits(kept, name),
        source_urls=read_source_urls(kept),
    )


def listed_files(archive: PackageArchive) -> list[Any]:
    """Return the entries of `info/paths.json` as they are, or none without such a file."""
    paths = _parse_object(archive.kept, _PATHS) or {}
    entries = paths.get("paths")
    return entries if isinstance(entries, list) else []


def as_stored(value: Any) -> Any:
    """Return a JSON value without NULs in its texts, because PostgreSQL cannot store them.

    Raises:
        TypeError: it cannot be written as JSON, or it is nested too deeply.
    """
    text = orjson.dumps(value)
    return orjson.loads(_NUL.sub(rb"\1", text)) if rb"\u0000" in text else value


def _parse_run_exports(kept: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        return check_run_exports(_parse_json(kept, _RUN_EXPORTS))
    except ValueError:
        return {}


def _parse_object(kept: Mapping[str, bytes], member: str) -> dict[str, Any] | None:
    value = _parse_json(kept, member)
    return value if isinstance(value, dict) else None


def _parse_json(kept: Mapping[str, bytes], member: str) -> Any:
    """Return the value in a JSON file, or None."""
    try:
        return as_stored(orjson.loads(kept.get(member, b"").removeprefix(_BOM)))
    except (ValueError, TypeError):
        return None


def _as_text(name: str) -> str:
    # tarfile turns bytes that are not UTF-8 into half surrogates, which no database can store.
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _find_traits(kept: Mapping[str, bytes], name: str) -> dict[str, bool]:
    traits = dict.fromkeys(TRAITS, False)
    # A noarch package has `python-scripts/`, which is installed as `bin/` or `Scripts/`.
    script = re.compile(
        rf"(?:bin|Scripts|python-scripts)/\.{re.escape(name)}"
        r"-(pre-link|post-link|pre-unlink)\.(?:sh|bat)"
        r"|etc/conda/((?:de)?activate\.d)/.+"
    )
    for path, prefix_mode in _installed_files(kept):
        if prefix_mode:
            traits[f"{prefix_mode}_prefix"] = True
        if match := script.fullmatch(path):
            traits[match[2] or match[1].replace("-", "_")] = True
    return traits


def _installed_files(kept: Mapping[str, bytes]) -> Iterator[tuple[str, str | None]]:
    """Yield (path, mode) for each file that is installed.

    The mode is `binary` or `text` if the file has a prefix that is replaced at installation, or
    None. `info/paths.json` is preferred to the older files for the same purpose (CEP 34).
    """
    paths = _parse_object(kept, _PATHS)
    if paths is None or not isinstance(paths.get("paths"), list):
        for path in _lines(kept, _FILES):
            yield path, None
        for line in _lines(kept, _HAS_PREFIX):
            match = _PREFIX_LINE.fullmatch(line)
            yield (match[2], match[1]) if match else (line, "text")
        return
    for entry in paths["paths"]:
        if isinstance(entry, dict) and isinstance(entry.get("_path"), str):
            mode = "binary" if entry.get("file_mode") == "binary" else "text"
            yield entry["_path"], mode if entry.get("prefix_placeholder") else None


def _lines(kept: Mapping[str, bytes], member: str) -> Iterable[str]:
    text = kept.get(member, b"").decode(errors="replace")
    return filter(None, map(str.strip, text.split("\n")))
