"""The `v3` section of repodata: what belongs there and in which form.

Format: CEP 48. Records with conditional dependencies (CEP 43), optional dependencies (CEP 44) or
flags (CEP 45) stand there. Old clients fail with such records, and do not read this section.
"""

import re
from collections.abc import Collection, Mapping
from functools import reduce
from typing import Any

from rattler import MatchSpec
from rattler.exceptions import CanonicalMatchSpecError, InvalidMatchSpecError

from pulp_conda.channel.matchspec import LONGEST
from pulp_conda.channel.metadata.splice import Revision

REVISION = "v3"

# The keys of a record with the number of its revision. The second is an older word of rattler.
_VERSION_KEYS = ("schema_version", "repodata_revision")

# Keys in the brackets of a spec that old clients refuse.
_NEW_FIELD = re.compile(r"[\[,]\s*(?:when|extras|flags)\s*=")

_FIELD = r'(?:version|build|build_number|extras|flags|when)=(?:"(?:[^"\\]|\\.)*"|\[[^\[\]]*\])'
_BRACKET_FORM = re.compile(rf"[^\[\]]+(?:\[{_FIELD}(?:,{_FIELD})*\])?")
_NAME_AND_BRACKETS = re.compile(r"[^\s\[\]=<>!~;|,@:]+(?:\[.+\])?")


def declares_v3(fields: Mapping[str, Any]) -> bool:
    """Say whether a record has to be in `v3`.

    It has to be there if it says so itself, or has a spec that old clients cannot read. The keys
    for extras and flags alone are no reason, because packages with them have to say so themselves
    (CEP 44, CEP 45). If a channel has such records outside of `v3`, a mirror has them there, too.
    """
    for key in _VERSION_KEYS:
        version = fields.get(key)
        if type(version) is int and version >= 3:
            return True
    specs = [*(fields.get("depends") or ()), *(fields.get("constrains") or ())]
    for more in (fields.get("extra_depends") or {}).values():
        specs += more
    # Brackets are very rare, and to look for them first saves time.
    return "[" in "".join(specs) and any(_NEW_FIELD.search(spec) for spec in specs)


def as_v3(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with the specs in the form of `v3`, for example `python[version=">=3.10"]`.

    A spec that cannot be written so stays as it is, for example one that names a channel.
    """
    converted = dict(fields)
    for key in ("depends", "constrains"):
        if converted.get(key):
            converted[key] = [_in_brackets(spec) for spec in converted[key]]
    if converted.get("extra_depends"):
        converted["extra_depends"] = {
            group: [_in_brackets(spec) for spec in specs]
            for group, specs in converted["extra_depends"].items()
        }
    return converted


class RevisionCounter:
    """Counts the records of `v3`, for `info.repodata_revisions`.

    Attributes:
        by_name: What each package name has.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Revision] = {}
        self._open: Revision = _NONE

    def copy(self, by_name: Mapping[str, Revision], changed: Collection[str]) -> None:
        """Count the records of an earlier file, but for those of some names."""
        self.by_name |= by_name
        for name in changed:
            self.by_name.pop(name, None)

    def copy_more(self, by_name: Mapping[str, Revision], hidden: Collection[str]) -> None:
        """Count the records of one of several files, but for those of some names."""
        hidden = frozenset(hidden)
        self.by_name |= {name: revision for name, revision in by_name.items() if name not in hidden}

    def add(self, fields: Mapping[str, Any]) -> None:
        """Count the record with these fields."""
        timestamp: int | None = fields.get("indexed_timestamp")
        self._open = _sum(self._open, (1, timestamp, timestamp))

    def end_name(self, name: str) -> None:
        """Say that the records since the last call are all that a package name has."""
        if self._open != _NONE:
            self.by_name[name] = self._open
            self._open = _NONE

    def as_info(self) -> dict[str, dict[str, int]]:
        """Return `info.repodata_revisions`, or an empty map if no record was counted."""
        count, oldest, newest = reduce(_sum, self.by_name.values(), self._open)
        if not count:
            return {}
        revision = {"n_packages": count}
        if newest is not None and oldest is not None:
            revision |= {"newest": newest, "oldest": oldest}
        return {REVISION: revision}


_NONE: Revision = (0, None, None)


def _sum(one: Revision, other: Revision) -> Revision:
    """Return the `Revision` of the records of two."""
    oldest = [date for date in (one[1], other[1]) if date is not None]
    newest = [date for date in (one[2], other[2]) if date is not None]
    return one[0] + other[0], min(oldest, default=None), max(newest, default=None)


def _in_brackets(spec: str) -> str:
    if spec.endswith("[]"):
        spec = spec.removesuffix("[]")
    if _NAME_AND_BRACKETS.fullmatch(spec) or len(spec) > LONGEST:
        return spec
    try:
        converted = MatchSpec(spec).to_canonical_string()
    except (InvalidMatchSpecError, CanonicalMatchSpecError):
        return spec
    return converted if _BRACKET_FORM.fullmatch(converted) else spec
