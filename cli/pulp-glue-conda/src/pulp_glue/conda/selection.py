"""The selection of a curated mirror, compared with what the server has."""

import typing as t

_ROOTS = ("specs", "environments", "lock_files")


def merge_selection(
    there: dict[str, t.Any] | None, wanted: dict[str, t.Any]
) -> dict[str, t.Any] | None:
    """Return the selection to send, or None if the server has all of it already.

    Fields that are not wanted stay as they are.

    Parameters:
        there: The selection on the server, which has all of its fields, or None.
        wanted: Some fields of a selection.
    """
    wanted = dict(wanted)
    if "groups" in wanted:
        wanted["groups"] = [
            {kind: list(group.get(kind) or ()) for kind in _ROOTS} for group in wanted["groups"]
        ]
    if there is not None and all(there.get(key) == value for key, value in wanted.items()):
        return None
    return {**(there or {}), **wanted}
