"""Repodata patches: instructions that correct the records of packages. The files stay as they are.

Format: `patch_instructions.json` of CEP 21. For what the CEP does not say, conda-index and rattler
are the model. Instructions for a `.tar.bz2` file are also for the `.conda` file of the same stem,
except for keys that have instructions of their own there. A removed package is left out of the
index. A revoked package stays in the index with a dependency that nothing can satisfy.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any

import orjson

from pulp_conda.channel import layout

REVOKED = "package_has_been_revoked"

SECTIONS = {"packages": ".tar.bz2", "packages.conda": ".conda"}
VERSION = "patch_instructions_version"


def merge(documents: Iterable[Mapping[str, Any]]) -> "Patches":
    """Return the `Patches` with the instructions of checked documents. A later document wins."""
    patches = Patches()
    for document in documents:
        patches.add(document)
    return patches


class Patches:
    """The instructions for one subdir."""

    def __init__(self) -> None:
        self._changes: dict[str, dict[str, Any]] = {}
        self._remove: set[str] = set()
        self._revoke: set[str] = set()
        self._removed_upstream: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.has_instructions or self._removed_upstream)

    @property
    def has_instructions(self) -> bool:
        """Whether there is more than a list of packages that the upstream removed."""
        return bool(self._changes or self._remove or self._revoke)

    def add(self, document: Mapping[str, Any]) -> None:
        """Add a checked document, which wins over the documents before it."""
        for filename, changes in document.get("packages", {}).items():
            # These instructions are also for the .conda file, so they win over earlier ones of that
            # file.
            self._forget(_twin(filename), changes)
            self._change(filename, changes)
        for filename, changes in document.get("packages.conda", {}).items():
            self._change(filename, changes)
        self._remove.update(document.get("remove", ()))
        self._revoke.update(document.get("revoke", ()))
        self._removed_upstream.update(document.get("removed", ()))

    def apply(self, filename: str, canonical: bytes) -> bytes:
        """Return the changed record of a package.

        Args:
            filename: The file name of the package.
            canonical: The record as `PackageRecord.canonical`. The result has the same form, and is
                the same object if nothing changes.
        """
        changes = self._changes_of(filename)
        is_revoked = _names(self._revoke, filename)
        if not changes and not is_revoked:
            return canonical
        fields = orjson.loads(canonical)
        for key, value in changes.items():
            if key == "run_exports":
                continue
            if value is None:
                fields.pop(key, None)
            else:
                fields[key] = value
        if is_revoked:
            fields["revoked"] = True
            depends = fields.get("depends") or []
            fields["depends"] = depends if REVOKED in depends else [*depends, REVOKED]
        patched = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
        return canonical if patched == canonical else patched

    def run_exports(self, filename: str) -> dict[str, Any] | None:
        """Return the new run_exports of a package, or None if they do not change (CEP 21)."""
        return self._changes_of(filename).get("run_exports")

    def is_removed(self, filename: str) -> bool:
        """Say whether a package is left out of the index."""
        return filename in self._removed_upstream or _names(self._remove, filename)

    @property
    def removed(self) -> list[str]:
        """The file names of all packages that are left out of the index, sorted.

        Some of them may never have been in the channel.
        """
        return sorted(self._removed_upstream | _with_twins(self._remove))

    def filenames(self) -> list[str]:
        """Return all file names that stand in the instructions, sorted."""
        return sorted(self._changes.keys() | self._remove | self._revoke | self._removed_upstream)

    def targets(self) -> set[str]:
        """Return the file names of all packages that the instructions are for."""
        return _with_twins(self.filenames())

    def differing(self, other: "Patches") -> set[str]:
        """Return the file names of all packages for which others do not say the same."""
        return {
            filename
            for filename in self.targets() | other.targets()
            if self._effect_on(filename) != other._effect_on(filename)
        }

    def document(self) -> dict[str, Any]:
        """Return the content of `patch_instructions.json`.

        A `.conda` file counts as removed there if the `.tar.bz2` file of the same stem is removed.
        The format cannot say it otherwise.
        """
        sections = {
            section: {
                filename: dict(sorted(self._changes[filename].items()))
                for filename in sorted(self._changes)
                if filename.endswith(extension)
            }
            for section, extension in SECTIONS.items()
        }
        # conda-index refuses version 2, so it stands only where it is needed.
        has_run_exports = any("run_exports" in changes for changes in self._changes.values())
        return {
            **sections,
            VERSION: 2 if has_run_exports else 1,
            "remove": sorted(self._remove | self._removed_upstream),
            "revoke": sorted(self._revoke),
        }

    def _effect_on(self, filename: str) -> tuple[dict[str, Any], bool, bool]:
        is_revoked = _names(self._revoke, filename)
        return self._changes_of(filename), is_revoked, self.is_removed(filename)

    def _change(self, filename: str, changes: Mapping[str, Any]) -> None:
        if changes:
            self._changes.setdefault(filename, {}).update(changes)

    def _forget(self, filename: str, keys: Iterable[str]) -> None:
        changes = self._changes.get(filename, {})
        for key in keys:
            changes.pop(key, None)
        if not changes:
            self._changes.pop(filename, None)

    def _changes_of(self, filename: str) -> dict[str, Any]:
        changes = self._changes.get(filename, {})
        if filename.endswith(".conda") and (old := self._changes.get(_older_twin(filename))):
            return {**old, **changes}
        return changes


def upstream_document(filenames: Iterable[object]) -> dict[str, list[str]] | None:
    """Return a document for the packages that an upstream removed, or None if there are none.

    It is for these file names only, and not for other files of the same stem. Names that are not
    valid for a package are left out, because clients may refuse a list with such a name.
    """
    removed = sorted({filename for filename in filenames if layout.is_filename(filename)})
    return {"removed": removed} if removed else None


def _names(filenames: Collection[str], filename: str) -> bool:
    """Say whether instructions for these files are also for a file."""
    return filename in filenames or (
        filename.endswith(".conda") and _older_twin(filename) in filenames
    )


def _with_twins(filenames: Collection[str]) -> set[str]:
    older = (filename for filename in filenames if filename.endswith(".tar.bz2"))
    return set(chain(filenames, map(_twin, older)))


def _twin(filename: str) -> str:
    """Return the name of the `.conda` file with the stem of a `.tar.bz2` file."""
    return filename.removesuffix(".tar.bz2") + ".conda"


def _older_twin(filename: str) -> str:
    """Return the name of the `.tar.bz2` file with the stem of a `.conda` file."""
    return filename.removesuffix(".conda") + ".tar.bz2"
