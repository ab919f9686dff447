"""What differs between two states of a channel, by package name.

A file name that is in both states is `replaced` when its bytes differ (upstream or somebody put another
build under the same name) and `updated` when only its record does (a hotfix of the metadata).
"""

from dataclasses import dataclass, field

from pulp_conda.channel.versions import VersionKey

KINDS = ("added", "removed", "replaced", "updated")


@dataclass(frozen=True)
class Change:
    """One file of the channel that is not the same in both states.

    Attributes:
        kind: One of `KINDS`.
        record: The record in the state that has it; the newer one if both do.
        keys: For `updated`, the keys of the record that changed, sorted.
    """

    kind: str
    record: object
    keys: tuple = field(default=())

    @property
    def path(self):
        return (self.record.subdir, self.record.filename)


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
            changes.append(Change("updated", record, changed_keys(before.fields, record.fields)))
    changes += [Change("removed", record) for record in older.values()]

    changes.sort(
        key=lambda change: (change.record.name, VersionKey(change.record.version), change.path)
    )
    by_name = {}
    for change in changes:
        by_name.setdefault(change.record.name, []).append(change)
    return by_name


def changed_keys(before, after):
    """Name the keys whose values differ, or that only one of two records has."""
    missing = object()
    return tuple(
        sorted(
            key
            for key in before.keys() | after.keys()
            if before.get(key, missing) != after.get(key, missing)
        )
    )
