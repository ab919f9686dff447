"""Checks of patch instructions, which are untrusted input.

Format: `patch_instructions.json` (CEP 36, CEP 21), alone or in a package such as
`conda-forge-repodata-patches`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, TypeGuard

import orjson
from conda_package_streaming.package_streaming import stream_conda_component

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadPackageName,
    BadPatch,
    MissingMetadata,
    PackageTooLarge,
    shown,
)
from pulp_conda.channel.fields import field_problem
from pulp_conda.channel.matchspec import LONGEST, dependency_problem
from pulp_conda.channel.metadata.patches import SECTIONS, VERSION, Patches, merge
from pulp_conda.channel.package.archive import INDEX, Limits, PackageArchive, read_member
from pulp_conda.channel.storable import find_unstorable

# The most bytes of a document in a request. It is checked while the client waits.
MAX_SIZE = 2**20

_SHOWN_PROBLEMS = 10

LISTS = ("remove", "revoke")
_KNOWN = frozenset({VERSION, *SECTIONS, *LISTS})

_FACTS = frozenset(
    {
        "attestations_sha256",
        "build",
        "build_number",
        "indexed_timestamp",  # CEP 47
        "md5",
        "name",
        "sha256",
        "size",
        "subdir",
        "version",
    }
)
_RUN_EXPORTS = frozenset({"noarch", "strong", "strong_constrains", "weak", "weak_constrains"})
_EXTRA = re.compile(r"[a-z0-9_.+-]{1,64}")  # CEP 44
_FLAG = re.compile(r"[a-z0-9_]+(:[a-z0-9_]+)?")  # CEP 45


def check_instructions(document: object, max_size: int = MAX_SIZE) -> dict[str, Any]:
    """Return a document in canonical form: with all sections, sorted, without empty instructions.

    Args:
        document: The content of a `patch_instructions.json`.
        max_size: The most bytes that it may have as JSON.

    Raises:
        BadPatch: with the first ten problems.
    """
    patches = _checked(document, max_size)
    if not patches:
        raise BadPatch(reason="it changes nothing")
    return patches.document()


def read_patches_package(
    file: BinaryIO,
    *,
    filename: str,
    size: int,
    subdirs: Iterable[str] = layout.KNOWN_SUBDIRS,
    limits: Limits = Limits(),
) -> dict[str, dict[str, Any]]:
    """Return the checked documents by subdir of a package such as `conda-forge-repodata-patches`.

    Its files are `<subdir>/patch_instructions.json`. They name some packages whose names break CEP
    26. No channel here can have such packages, so these names are ignored.

    Args:
        file: The package, open and seekable.
        filename: Its file name.
        size: Its bytes.
        subdirs: The subdirs to read.
        limits: What the package may unpack to.

    Raises:
        PackageError: the file is damaged, hostile or too large.
        BadPatch: its instructions are wrong.
    """
    stem = layout.parse_filename(filename).stem
    archive = PackageArchive(file, filename, size, limits)
    archive.read()  # A sync downloads files without reading them.
    if archive.index is None:
        raise MissingMetadata(filename=filename, member=INDEX)
    archive.check_stems(stem)
    members = {f"{subdir}/{layout.PATCH_INSTRUCTIONS}": subdir for subdir in subdirs}
    documents = {}
    file.seek(0)
    for tar, member in stream_conda_component(stem + archive.extension, file):
        if member.name in members and member.isreg():
            if member.size > (limit := limits.info_member_size):
                raise PackageTooLarge(
                    filename=filename,
                    reason=f"'{member.name}' is larger than {limit} bytes",
                    setting="CONDA_PACKAGE_LIMITS.info_member_size",
                )
            text = read_member(tar, member)
            try:
                documents[members[member.name]] = _read_document(text, limit)
            except BadPatch as error:
                raise error.at(f"'{member.name}' of '{filename}'") from None
        tar.members.clear()  # Otherwise tarfile keeps all of them in memory.
    return {subdir: document for subdir, document in documents.items() if document}


def _read_document(text: bytes, max_size: int) -> dict[str, Any] | None:
    """Return a checked document, or None if it has no instructions."""
    try:
        document = orjson.loads(text)
    except ValueError as error:
        raise BadPatch(reason=f"it is no JSON ({shown(str(error))})") from None
    patches = _checked(_without_bad_names(document), max_size)
    return patches.document() if patches else None


def _checked(document: object, max_size: int) -> Patches:
    if bad := find_unstorable(document):
        raise BadPatch(reason=f"'{bad.place}' {bad.reason}")
    try:
        size = len(orjson.dumps(document))
    except TypeError as error:
        raise BadPatch(reason=f"it cannot be written as JSON ({shown(str(error))})") from None
    if size > max_size:
        reason = f"it is larger than {max_size} bytes; put it into a package (see 'package')"
        raise BadPatch(reason=reason)
    problems = list(islice(_problems(document), _SHOWN_PROBLEMS + 1))
    if len(problems) > _SHOWN_PROBLEMS:
        problems[_SHOWN_PROBLEMS:] = ["and more"]
    if problems or not isinstance(document, dict):
        raise BadPatch(reason="; ".join(problems))
    return merge([document])


def _without_bad_names(document: object) -> object:
    """Return a document without the file names that are not valid for a package."""
    if not isinstance(document, dict):
        return document
    result = dict(document)
    for key, value in document.items():
        if key in SECTIONS and isinstance(value, dict):
            result[key] = {name: value[name] for name in value if layout.is_filename(name)}
        elif key in LISTS and isinstance(value, list):
            result[key] = [
                name for name in value if layout.is_filename(name) or not isinstance(name, str)
            ]
    return result


def _problems(document: object) -> Iterator[str]:
    """Yield in words what is wrong."""
    if not isinstance(document, dict):
        yield "it is not an object"
        return
    for key in sorted(document.keys() - _KNOWN):
        if key == "v3":
            yield "'v3' is no section of it: name those packages by their files, in the other two"
        else:
            yield f"'{shown(key)}' is no section of it"
    version = document.get(VERSION)
    if version not in (None, 1, 2) or isinstance(version, bool):
        yield f"its '{VERSION}' is not 1 or 2"
    for key in LISTS:
        yield from _list_problems(key, document.get(key, []))
    specs: set[str] = set()
    for section, extension in SECTIONS.items():
        packages = document.get(section, {})
        if not isinstance(packages, dict):
            yield f"'{section}' is not an object"
            continue
        for filename, changes in packages.items():
            if problem := _filename_problem(filename):
                yield problem
            elif not filename.endswith(extension):
                yield f"'{filename}' stands in '{section}', where '{extension}' files do"
            elif not isinstance(changes, dict):
                yield f"what '{filename}' has is not an object"
            else:
                yield from _change_problems(filename, changes, version, specs)


def _list_problems(key: str, filenames: object) -> Iterator[str]:
    if not isinstance(filenames, list):
        yield f"'{key}' is not a list"
        return
    for filename in filenames:
        if problem := _filename_problem(filename):
            yield f"in '{key}', {problem}"


def _change_problems(
    filename: str, changes: dict[str, Any], version: object, specs: set[str]
) -> Iterator[str]:
    for key, value in changes.items():
        place = f"'{shown(key)}' of '{filename}'"
        if key in _FACTS:
            yield f"{place} is a fact about the file, which no patch changes"
        elif key not in _CHECKS:
            yield f"{place} is no key that a patch changes: {', '.join(sorted(_CHECKS))}"
        elif key == "run_exports" and version == 1:
            yield f"{place} needs '{VERSION}' 2 (CEP 21)"
        else:
            problems = list(_CHECKS[key](value, specs))
            if not problems and value is not None and (odd := field_problem(key, value)):
                problems = [odd]
            for problem in problems:
                yield f"{place} {problem}"


def _check_specs(value: object, known: set[str]) -> Iterator[str]:
    """Yield what is wrong with a list of match specs, and add the good ones to `known`."""
    if not isinstance(value, list):
        yield "is not a list of match specs"
        return
    for spec in value:
        # Hundreds of thousands of records have the same few thousand specs.
        if not isinstance(spec, str):
            yield "is not a list of match specs"
        elif spec not in known:
            if problem := dependency_problem(spec, must_be_clear=True):
                yield f"has {problem}"
            else:
                known.add(spec)


def _check_extra_depends(value: object, known: set[str]) -> Iterator[str]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield "is not an object of match specs by extra"
        return
    for name, specs in value.items():
        if not _EXTRA.fullmatch(name):
            yield f"has '{shown(name)}', which is no name of an extra"
        yield from _check_specs(specs, known)


def _check_run_exports(value: object, known: set[str]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield "is not an object"
        return
    for kind, specs in value.items():
        if kind not in _RUN_EXPORTS:
            yield f"has '{shown(kind)}', which is none of {', '.join(sorted(_RUN_EXPORTS))}"
        yield from _check_specs(specs, known)


def _check_text(value: object, _: set[str]) -> Iterator[str]:
    if value is not None and not _is_text(value):
        yield "is neither null nor a text of up to 1000 characters"


def _check_flags(value: object, _: set[str]) -> Iterator[str]:
    if value is None:
        return
    if not _is_list_of_texts(value) or not all(map(_FLAG.fullmatch, value)):
        yield "is not a list of flags such as 'cuda' or 'blas:mkl'"


def _check_purls(value: object, _: set[str]) -> Iterator[str]:
    if value is None:
        return
    if not _is_list_of_texts(value) or not all(purl.startswith("pkg:") for purl in value):
        yield "is not a list of package URLs such as 'pkg:pypi/numpy'"


# The keys that a patch may change. conda-forge and rattler change these, and run_exports is from
# CEP 21. `noarch` is not among them, because it says how the file was built.
_CHECKS: dict[str, Callable[[Any, set[str]], Iterator[str]]] = {
    "constrains": _check_specs,
    "depends": _check_specs,
    "extra_depends": _check_extra_depends,
    "features": _check_text,
    "flags": _check_flags,
    "license": _check_text,
    "license_family": _check_text,
    "purls": _check_purls,
    "run_exports": _check_run_exports,
    "track_features": _check_text,
}


def _filename_problem(filename: object) -> str | None:
    if not isinstance(filename, str):
        return "there is something else than a file name"
    try:
        layout.parse_filename(filename)
    except BadPackageName as error:
        reason = error.facts["reason"]
        return f"'{shown(filename)}' is not a package's file name ({shown(reason)})"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _is_list_of_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(map(_is_text, value))
