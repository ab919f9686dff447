"""What differs between two states of a channel, by package name.

A file is `added` or `removed` if only one of the states has its name. If both have it, the file is
`replaced` when its bytes differ (somebody put another build under the same name), and `updated`
when only its record differs (somebody corrected the metadata).

A package name as a whole has a summary, for which the highest versions of the two states are
compared. The name is `upgraded` or `downgraded` if they differ, `new` or `gone` if one state does
not have the name. If they are equal, the name is `rebuilt` when the highest version has new files,
and otherwise `changed`: in its metadata, or in lower versions. Files that come back for a version
that the older state had are no upgrade.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from pulp_conda.channel.records import PackageRecord
from pulp_conda.channel.versions import VersionKey


class ChangeKind(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    REMOVED = "removed"
    REPLACED = "replaced"
    UPDATED = "updated"


class Summary(StrEnum):
    """What happened to the packages of a name."""

    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    NEW = "new"
    GONE = "gone"
    REBUILT = "rebuilt"
    CHANGED = "changed"


# The same as plain texts, which can be the keys of any JSON.
KINDS = tuple(kind.value for kind in ChangeKind)
SUMMARIES = tuple(summary.value for summary in Summary)

# Bytes of JSON that the `values` of one change may take.
VALUES_SIZE = 2000


@dataclass(frozen=True)
class Change:
    """One file of the channel that is not the same in both states.

    Attributes:
        kind: What happened.
        record: The record of the file; the newer one if both states have one.
        keys: For `updated`, the keys of the record that changed, sorted.
        values: For `updated`, the values of these keys as {key: {"from": …, "to": …}}. `from` or
            `to` is missing where the record had no such key. A key is missing if its values are too
            large.
    """

    kind: ChangeKind
    record: PackageRecord
    keys: tuple[str, ...] = ()
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def path(self) -> tuple[str, str]:
        """The subdir and the file name."""
        return (self.record.subdir, self.record.filename)


@dataclass(frozen=True)
class NameChange:
    """What became of a package name.

    Attributes:
        name: The package name.
        summary: What happened.
        from_version, to_version: The highest version in each state, or None.
        subdirs: The subdirs in which files changed. For `upgraded` and `downgraded`, the subdirs
            that got the new version, if there are any.
        counts: How many of its files changed, by kind.
        changes: The changes of files, sorted by version. Very many are cut off.
    """

    name: str
    summary: str
    from_version: str | None
    to_version: str | None
    subdirs: tuple[str, ...]
    counts: dict[str, int]
    changes: tuple[Change, ...] = ()


def diff(
    removed: Iterable[PackageRecord], added: Iterable[PackageRecord]
) -> dict[str, list[Change]]:
    """Return the changes by package name. Names are sorted, and the changes of a name by version.

    Args:
        removed: Records that only the older state has.
        added: Records that only the newer state has.
    """
    older = {(record.subdir, record.filename): record for record in removed}
    changes = []
    for record in added:
        before = older.pop((record.subdir, record.filename), None)
        if before is None:
            changes.append(Change(ChangeKind.ADDED, record))
        elif before.sha256 != record.sha256:
            changes.append(Change(ChangeKind.REPLACED, record))
        else:
            keys = _changed_keys(before.fields, record.fields)
            values = _values(before.fields, record.fields, keys)
            changes.append(Change(ChangeKind.UPDATED, record, keys, values))
    changes += [Change(ChangeKind.REMOVED, record) for record in older.values()]

    changes.sort(
        key=lambda change: (change.record.name, VersionKey(change.record.version), change.path)
    )
    by_name: dict[str, list[Change]] = {}
    for change in changes:
        by_name.setdefault(change.record.name, []).append(change)
    return by_name


def summarize(
    before: Iterable[str], after: Iterable[str], gained: Iterable[str]
) -> tuple[str, str | None, str | None]:
    """Return one of `SUMMARIES` for a package name, and its highest version in each state or None.

    Args:
        before: All versions that the older state has, not only those whose files differ.
        after: The same of the newer state.
        gained: The versions that have new files in the newer state.
    """
    older, newer = highest(before), highest(after)
    if older is None:
        return Summary.NEW, older, newer
    if newer is None:
        return Summary.GONE, older, newer
    older_key, newer_key = VersionKey(older), VersionKey(newer)
    if older_key < newer_key:
        summary = Summary.UPGRADED
    elif newer_key < older_key:
        summary = Summary.DOWNGRADED
    elif any(VersionKey(version) == newer_key for version in gained):
        summary = Summary.REBUILT
    else:
        summary = Summary.CHANGED
    return summary, older, newer


def highest(versions: Iterable[str]) -> str | None:
    """Return the highest version, or None if there is none.

    Two texts can stand for one version, such as `1.0` and `1.00`. Of these it is always the same
    one.
    """
    return max(versions, key=lambda version: (VersionKey(version), version), default=None)


def _changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys whose values differ, and those that only one of two records has, sorted."""
    missing = object()
    return tuple(
        sorted(
            key
            for key in before.keys() | after.keys()
            if before.get(key, missing) != after.get(key, missing)
        )
    )


def _values(
    before: Mapping[str, Any], after: Mapping[str, Any], keys: Iterable[str]
) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    room = VALUES_SIZE
    for key in keys:
        sides = (("from", before), ("to", after))
        value = {side: fields[key] for side, fields in sides if key in fields}
        size = len(orjson.dumps({key: value}))
        if size <= room:
            values[key] = value
            room -= size
    return values
