"""What differs between two states of a channel, by package name.

A file name that is in both states is `replaced` when its bytes differ (upstream or somebody put another
build under the same name) and `updated` when only its record does (a hotfix of the metadata).

Of a package name as a whole, the highest versions of the two states tell the story: it is `upgraded`, `downgraded`,
`new` or `gone`; else `rebuilt`, if its highest version got new files; else `changed`, in its metadata or in versions below
the highest. Which files are in both states does not matter for that: a version that was there before is no upgrade.
"""

from dataclasses import dataclass, field

import orjson

from pulp_conda.channel.versions import VersionKey

KINDS = ("added", "removed", "replaced", "updated")
SUMMARIES = ("upgraded", "downgraded", "new", "gone", "rebuilt", "changed")

# Bytes of JSON that the values of one change may take.
VALUES_SIZE = 2000


@dataclass(frozen=True)
class Change:
    """One file of the channel that is not the same in both states.

    Attributes:
        kind: One of `KINDS`.
        record: The record in the state that has it; the newer one if both do.
        keys: For `updated`, the keys of the record that changed, sorted.
        values: For `updated`, the values of these keys as {key: {"from": …, "to": …}}; `from` or `to` is missing where the
            record had no such key, and the key where its values are too large.
    """

    kind: str
    record: object
    keys: tuple = field(default=())
    values: dict = field(default_factory=dict)

    @property
    def path(self):
        return (self.record.subdir, self.record.filename)


@dataclass(frozen=True)
class NameChange:
    """What became of a package name.

    Attributes:
        name: The package name.
        summary: One of `SUMMARIES`.
        from_version, to_version: The highest version in each state, or None.
        subdirs: Where: for `upgraded` and `downgraded` those that got the new version, if any did.
        counts: How many of its files changed, by kind.
        changes: The changes themselves, versions in their order; not all of them where there are very many.
    """

    name: str
    summary: str
    from_version: str | None
    to_version: str | None
    subdirs: tuple
    counts: dict
    changes: tuple = ()


def diff(removed, added):
    """Return the changes as {package name: [changes]}, names sorted, versions in their order.

    Args:
        removed: Records that only the older state has.
        added: Records that only the newer state has.
    """
    older = {(record.subdir, record.filename): record for record in removed}
    changes = []
    for record in added:
        before = older.pop((record.subdir, record.filename), None)
        if before is None:
            changes.append(Change("added", record))
        elif before.sha256 != record.sha256:
            changes.append(Change("replaced", record))
        else:
            keys = _changed_keys(before.fields, record.fields)
            values = _values(before.fields, record.fields, keys)
            changes.append(Change("updated", record, keys, values))
    changes += [Change("removed", record) for record in older.values()]

    changes.sort(
        key=lambda change: (change.record.name, VersionKey(change.record.version), change.path)
    )
    by_name = {}
    for change in changes:
        by_name.setdefault(change.record.name, []).append(change)
    return by_name


def summarize(before, after, gained):
    """Return one of `SUMMARIES`, and the highest version in each state or None, of one package name.

    Args:
        before, after: All versions that a state has, not only those whose files differ.
        gained: The versions that have files which are new.
    """
    older, newer = highest(before), highest(after)
    if older is None:
        return "new", older, newer
    if newer is None:
        return "gone", older, newer
    before, after = VersionKey(older), VersionKey(newer)
    if before < after:
        summary = "upgraded"
    elif after < before:
        summary = "downgraded"
    elif any(VersionKey(version) == after for version in gained):
        summary = "rebuilt"
    else:
        summary = "changed"
    return summary, older, newer


def highest(versions):
    """Return the highest of some versions, or None; of two texts for one version, always the same."""
    return max(versions, key=lambda version: (VersionKey(version), version), default=None)


def _changed_keys(before, after):
    """Name the keys whose values differ, or that only one of two records has."""
    missing = object()
    return tuple(
        sorted(
            key
            for key in before.keys() | after.keys()
            if before.get(key, missing) != after.get(key, missing)
        )
    )


def _values(before, after, keys):
    values, room = {}, VALUES_SIZE
    for key in keys:
        value = {side: of[key] for side, of in (("from", before), ("to", after)) if key in of}
        size = len(orjson.dumps({key: value}))
        if size <= room:
            values[key] = value
            room -= size
    return values
