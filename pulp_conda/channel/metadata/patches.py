"""Repodata patches: instructions that correct the records of packages whose files stay as they are.

Format: `patch_instructions.json`, written down in CEP 21 and otherwise by what conda-index and rattler do: a patch of a
`.tar.bz2` also holds for the `.conda` of the same stem, where that one has no patch of the same key. A removed package
leaves the index, a revoked one stays there with a dependency that nothing can satisfy.
"""

from itertools import chain

import orjson

from pulp_conda.channel import layout

REVOKED = "package_has_been_revoked"

SECTIONS = {"packages": ".tar.bz2", "packages.conda": ".conda"}
VERSION = "patch_instructions_version"


def merge(documents):
    """Return the `Patches` that do what these checked documents do one after the other."""
    patches = Patches()
    for document in documents:
        patches.add(document)
    return patches


class Patches:
    """The instructions for one subdir."""

    def __init__(self):
        self._changes = {}
        self._remove = set()
        self._revoke = set()
        self._removed_upstream = set()

    def __bool__(self):
        return bool(self.has_instructions or self._removed_upstream)

    @property
    def has_instructions(self):
        """Whether there is more than a list of what the upstream removed."""
        return bool(self._changes or self._remove or self._revoke)

    def add(self, document):
        """Take a further document, which wins over those before it."""
        for filename, changes in document.get("packages", {}).items():
            # Else an earlier patch of the .conda would win over this one, which is for both.
            self._forget(_twin(filename), changes)
            self._change(filename, changes)
        for filename, changes in document.get("packages.conda", {}).items():
            self._change(filename, changes)
        self._remove.update(document.get("remove", ()))
        self._revoke.update(document.get("revoke", ()))
        self._removed_upstream.update(document.get("removed", ()))

    def apply(self, filename, canonical):
        """Return the record, given and returned as `PackageRecord.canonical`; the same object if nothing changes."""
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

    def run_exports(self, filename):
        """Return what the run_exports of a package shall be, or None if they stay (CEP 21)."""
        return self._changes_of(filename).get("run_exports")

    def is_removed(self, filename):
        """Say whether a package is left out of the index."""
        return filename in self._removed_upstream or _names(self._remove, filename)

    @property
    def removed(self):
        """All names that are left out of the index, also of packages that the channel never had."""
        return sorted(self._removed_upstream | _with_twins(self._remove))

    def filenames(self):
        """All names that the instructions mention, sorted."""
        return sorted(self._changes.keys() | self._remove | self._revoke | self._removed_upstream)

    def targets(self):
        """All names of packages that would feel the instructions."""
        return _with_twins(self.filenames())

    def document(self):
        """Return `patch_instructions.json`, which cannot say that a `.tar.bz2` was removed and its `.conda` was not."""
        sections = {
            section: {
                filename: dict(sorted(self._changes[filename].items()))
                for filename in sorted(self._changes)
                if filename.endswith(extension)
            }
            for section, extension in SECTIONS.items()
        }
        # conda-index refuses version 2, so only those who need it have it.
        has_run_exports = any("run_exports" in changes for changes in self._changes.values())
        return {
            **sections,
            VERSION: 2 if has_run_exports else 1,
            "remove": sorted(self._remove | self._removed_upstream),
            "revoke": sorted(self._revoke),
        }

    def _change(self, filename, changes):
        if changes:
            self._changes.setdefault(filename, {}).update(changes)

    def _forget(self, filename, keys):
        changes = self._changes.get(filename, {})
        for key in keys:
            changes.pop(key, None)
        if not changes:
            self._changes.pop(filename, None)

    def _changes_of(self, filename):
        changes = self._changes.get(filename, {})
        if filename.endswith(".conda") and (old := self._changes.get(_older_twin(filename))):
            return {**old, **changes}
        return changes


def upstream_document(filenames):
    """Return a document that says what an upstream removed: these names and no twins; None if there is nothing to say.

    Names that no package can have are left out: a client that reads such a list may refuse all of it.
    """
    removed = sorted({filename for filename in filenames if layout.is_filename(filename)})
    return {"removed": removed} if removed else None


def _names(filenames, filename):
    """Say whether instructions that name these files hold for a file."""
    return filename in filenames or (
        filename.endswith(".conda") and _older_twin(filename) in filenames
    )


def _with_twins(filenames):
    older = (filename for filename in filenames if filename.endswith(".tar.bz2"))
    return set(chain(filenames, map(_twin, older)))


def _twin(filename):
    return filename.removesuffix(".tar.bz2") + ".conda"


def _older_twin(filename):
    return filename.removesuffix(".conda") + ".tar.bz2"
