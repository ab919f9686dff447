"""What a package file says of itself besides its record.

Contents: CEP 34; run_exports: CEP 12; traits: CEP 38. All of it is optional: a file that is missing, unreadable or far too
large is as if the package had none, since clients install the package all the same.
"""

import re
from dataclasses import dataclass

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.metadata.run_exports import check_run_exports
from pulp_conda.channel.package.archive import Limits, PackageArchive

# What a package does when it is installed, as channeldata.json has it.
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
_RUN_EXPORTS = "info/run_exports.json"  # Others of early conda-build are read by no index.
_PATHS = "info/paths.json"
_FILES = "info/files"
_HAS_PREFIX = "info/has_prefix"

# For what is stored and sent out a hundred at a time. The largest of 2026 have 100 KB.
_STORED_SIZE = 2**20

_BOM = b"\xef\xbb\xbf"

# In JSON text, where an even number of backslashes stands for themselves.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")

# A placeholder, a mode and a path; or a path alone.
_PREFIX_LINE = re.compile(r"""(?:"[^"]*"|'[^']*'|\S+)\s+(binary|text)\s+(.*)""")


@dataclass(frozen=True)
class PackageInfo:
    """What stands in `info/` besides the index.

    Attributes:
        run_exports: What the package adds to those built with it, `{}` if nothing.
        about: Its description, `{}` if there is none.
        link: How it is linked, if it says so.
        licenses: The names of the license texts, sorted.
        traits: For each of `TRAITS`, whether it has it.
    """

    run_exports: dict
    about: dict
    link: dict | None
    licenses: tuple[str, ...]
    traits: dict[str, bool]


def read_info(file, *, filename, size, limits=Limits()):
    """Return the `PackageInfo` of a package whose record is known from elsewhere.

    Of a `.conda` file only the archive `info` is unpacked. A `.tar.bz2` is read to its end: conda-build puts license texts
    between the files.

    Args:
        file: The package, open and seekable.
        size: Its bytes.

    Raises:
        PackageError: what was read is damaged, hostile, or larger than the limits.
        BadPackageName: `filename` is none.
    """
    name = layout.parse_filename(filename).name
    archive = PackageArchive(file, filename, size, limits, kept_members(limits))
    archive.read(info_only=True)
    return parse_info(archive, name)


def kept_members(limits):
    """Return the members that `parse_info` needs, each with the bytes that it may have."""
    stored = min(_STORED_SIZE, limits.info_member_size)
    return dict.fromkeys((_ABOUT, _LINK, _RUN_EXPORTS), stored) | dict.fromkeys(
        (_PATHS, _FILES, _HAS_PREFIX), limits.info_member_size
    )


def parse_info(archive, name):
    """Return the `PackageInfo` of an archive that was read; ``name`` is the package's."""
    kept = archive.kept
    return PackageInfo(
        run_exports=_parse_run_exports(kept),
        about=_parse_object(kept, _ABOUT) or {},
        link=_parse_object(kept, _LINK),
        licenses=tuple(sorted({_as_text(path) for path in archive.licenses})),
        traits=_find_traits(kept, name),
    )


def as_stored(value):
    """Return a JSON value without NULs, which no database takes in a text.

    Raises:
        TypeError: it cannot be written as JSON, or is nested too deeply.
    """
    text = orjson.dumps(value)
    return orjson.loads(_NUL.sub(rb"\1", text)) if rb"\u0000" in text else value


def _parse_run_exports(kept):
    try:
        return check_run_exports(_parse_json(kept, _RUN_EXPORTS))
    except ValueError:
        return {}


def _parse_object(kept, member):
    value = _parse_json(kept, member)
    return value if isinstance(value, dict) else None


def _parse_json(kept, member):
    """Return the value in a JSON file, or None."""
    try:
        return as_stored(orjson.loads(kept.get(member, b"").removeprefix(_BOM)))
    except (ValueError, TypeError):
        return None


def _as_text(name):
    # tarfile has a way to write bytes that are no UTF-8, which nobody else understands.
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _find_traits(kept, name):
    traits = dict.fromkeys(TRAITS, False)
    # A package without architecture has `python-scripts/`, which becomes one of the others.
    script = re.compile(
        rf"(?:bin|Scripts|python-scripts)/\.{re.escape(name)}-(pre-link|post-link|pre-unlink)\.(?:sh|bat)"
        r"|etc/conda/((?:de)?activate\.d)/.+"
    )
    for path, prefix_mode in _installed_files(kept):
        if prefix_mode:
            traits[f"{prefix_mode}_prefix"] = True
        if match := script.fullmatch(path):
            traits[match[2] or match[1].replace("-", "_")] = True
    return traits


def _installed_files(kept):
    """Yield the path of each file and whether its prefix is `binary` or `text`; None for one without a prefix.

    CEP 34: what `info/paths.json` says is preferred to the files that it replaced.
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


def _lines(kept, member):
    text = kept.get(member, b"").decode(errors="replace")
    return filter(None, map(str.strip, text.split("\n")))
