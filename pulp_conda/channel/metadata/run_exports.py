"""run_exports.json: the dependencies that packages add to other packages that are built with them.

Format: CEP 12. The file says what is in the packages, so patches of records do not change it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import orjson

from pulp_conda.channel.errors import BadUpstreamFile, shown
from pulp_conda.channel.metadata.splice import Document, Earlier, MergedEntries, ObjectWriter
from pulp_conda.channel.metadata.stream import MAX_SIZE, read_json
from pulp_conda.channel.storable import has_nul

KINDS = ("weak", "strong", "weak_constrains", "strong_constrains", "noarch")

_DEPTHS = {"info": 1, "packages": 2, "packages.conda": 2}


def check_run_exports(value: object) -> dict[str, Any]:
    """Return run_exports in one form: lists of specs by kind.

    A list without a kind is `weak` (CEP 34). A text is a list of one spec, as in conda-build.
    Unknown keys are kept as they are, for example the `schema_version` of CEP 43.

    Raises:
        ValueError: clients could not read them. The text says why.
    """
    if isinstance(value, str | list):
        value = {"weak": value}
    if not isinstance(value, dict):
        raise ValueError("they are not an object")
    checked = {}
    for key, specs in value.items():
        if key in KINDS:
            if specs is None:
                continue
            specs = [specs] if isinstance(specs, str) else specs
            if not isinstance(specs, list) or not all(isinstance(spec, str) for spec in specs):
                raise ValueError(f"'{key}' is not a list of strings")
        checked[key] = specs
    try:
        if has_nul(canonical(checked)):
            raise ValueError("a text in them holds a NUL, which no text can have")
    except orjson.JSONEncodeError as error:
        raise ValueError(f"they cannot be written as JSON ({error})") from None
    return checked


def canonical(run_exports: Mapping[str, Any]) -> bytes:
    """Return run_exports as JSON with sorted keys: equal run_exports give equal bytes."""
    return orjson.dumps(run_exports, option=orjson.OPT_SORT_KEYS)


def read_run_exports(
    file: IO[bytes], *, url: str, max_size: int = MAX_SIZE
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Yield (file name, run_exports) for the packages in a run_exports.json, or zstd of it.

    For an entry that clients could not read, it is (file name, why they could not).

    Args:
        file: The file, seekable.
        url: Where it came from. Errors name it.
        max_size: The most bytes that it may unpack to.

    Raises:
        BadUpstreamFile: the file is broken. It is raised when the reading gets to that place.
        RepodataTooLarge: the file is larger than the limit.
    """
    entries = read_json(file, _DEPTHS, url=url, error=BadUpstreamFile, max_size=max_size)
    for path, entry in entries:
        match path:
            case ("packages" | "packages.conda", str(filename)):
                pass
            case ("v3", str("conda" | "tar.bz2") as extension, str(stem)):
                filename = f"{stem}.{extension}"  # rattler reads this section, too.
            case ("packages" | "packages.conda",) if entry is None:
                continue
            case ("packages" | "packages.conda", *_):
                raise BadUpstreamFile(url=url, reason=f"its '{path[0]}' is not an object")
            case _:
                continue
        try:
            run_exports = check_run_exports(entry["run_exports"])
        except (LookupError, TypeError):
            yield filename, f"'{shown(filename)}' has no 'run_exports' in it"
        except ValueError as error:
            yield filename, f"the run_exports of '{shown(filename)}' are wrong: {error}"
        else:
            yield filename, run_exports


class RunExportsWriter:
    """Writes `run_exports.json`.

    Every package of the subdir needs an entry, also a package without run_exports.

    Args:
        subdir: The subdir of the packages.
        earlier: The file that has the entries of all names that are not added.
    """

    def __init__(self, subdir: str, earlier: Earlier | None = None) -> None:
        self._subdir = subdir
        self._packages = ObjectWriter(earlier, "packages")
        self._conda = ObjectWriter(earlier, "packages.conda")

    def add(self, filename: str, run_exports: bytes) -> None:
        """Add a package with what `canonical` returned for its run_exports."""
        section = self._conda if filename.endswith(".conda") else self._packages
        section.add(filename, b'{"run_exports":%b}' % run_exports)

    def add_name(self, name: str, entries: Iterable[tuple[str, str]]) -> None:
        """Add all packages of a package name: file name, and run_exports as canonical JSON.

        That takes less time than to add them one by one.
        """
        packages: list[str] = []
        conda: list[str] = []
        for filename, run_exports in entries:
            section = conda if filename.endswith(".conda") else packages
            section.append(f'"{filename}":{{"run_exports":{run_exports}}}')
        self._packages.write(packages)
        self._conda.write(conda)
        self._packages.end_name(name)
        self._conda.end_name(name)

    def finish(self) -> Document:
        """Return the file."""
        return _document(self._subdir, self._packages, self._conda)


def merge_run_exports(subdir: str, files: Sequence[Earlier]) -> Document:
    """Return a `run_exports.json` with the entries of several.

    Args:
        files: The files. A name is taken from the one of which it is not `changed`.
    """
    packages, conda = MergedEntries(files, "packages"), MergedEntries(files, "packages.conda")
    return _document(subdir, packages, conda)


def _document(
    subdir: str, packages: ObjectWriter | MergedEntries, conda: ObjectWriter | MergedEntries
) -> Document:
    info = orjson.dumps({"subdir": subdir, "version": 1})
    document = Document()
    document.add(b'{"info":' + info + b',"packages":')
    document.add_object("packages", packages)
    document.add(b',"packages.conda":')
    document.add_object("packages.conda", conda)
    document.add(b"}\n")
    return document
