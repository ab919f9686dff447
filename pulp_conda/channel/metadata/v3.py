"""The `v3` section of repodata: what belongs there and in which form.

Format: CEP 48. What made it necessary: conditional dependencies (CEP 43), optional ones (CEP 44), flags (CEP 45). Clients
that do not know these stumble over such records, so they stand where those clients do not look.
"""

import re

from rattler import MatchSpec
from rattler.exceptions import CanonicalMatchSpecError, InvalidMatchSpecError

from pulp_conda.channel.matchspec import LONGEST

REVISION = "v3"

# What index.json calls it (CEP 34, and rattler's older word).
_VERSION_KEYS = ("schema_version", "repodata_revision")

# What clients before v3 refuse inside of brackets.
_NEW_FIELD = re.compile(r"[\[,]\s*(?:when|extras|flags)\s*=")

_FIELD = r'(?:version|build|build_number|extras|flags|when)=(?:"(?:[^"\\]|\\.)*"|\[[^\[\]]*\])'
_BRACKET_FORM = re.compile(rf"[^\[\]]+(?:\[{_FIELD}(?:,{_FIELD})*\])?")
_NAME_AND_BRACKETS = re.compile(r"[^\s\[\]=<>!~;|,@:]+(?:\[.+\])?")


def declares_v3(fields):
    """Say whether a record has to be in `v3`: it says so, or has a spec that older clients cannot read.

    Extras and flags alone do not count. Their packages have to say it (CEP 44, CEP 45); an upstream that has such
    records outside serves them to clients that do not know `v3`, and a mirror of it does the same.
    """
    for key in _VERSION_KEYS:
        version = fields.get(key)
        if type(version) is int and version >= 3:
            return True
    specs = [*(fields.get("depends") or ()), *(fields.get("constrains") or ())]
    for more in (fields.get("extra_depends") or {}).values():
        specs += more
    # Of a million records hardly one has brackets.
    return "[" in "".join(specs) and any(_NEW_FIELD.search(spec) for spec in specs)


def as_v3(fields):
    """Return the record with its specs in the form that they have in `v3`: `python[version=">=3.10"]`.

    A spec that cannot be written so stays as it is: one that names a channel, for example.
    """
    fields = dict(fields)
    for key in ("depends", "constrains"):
        if fields.get(key):
            fields[key] = [_in_brackets(spec) for spec in fields[key]]
    if fields.get("extra_depends"):
        fields["extra_depends"] = {
            group: [_in_brackets(spec) for spec in specs]
            for group, specs in fields["extra_depends"].items()
        }
    return fields


class RevisionCounter:
    """Counts the records of `v3`, for `info.repodata_revisions`."""

    def __init__(self):
        self._count = 0
        self._oldest = None
        self._newest = None

    def add(self, fields):
        """Count a record, given by its fields."""
        self._count += 1
        timestamp = fields.get("indexed_timestamp")
        if timestamp is None:
            return
        if self._oldest is None:
            self._oldest = self._newest = timestamp
        self._oldest = min(self._oldest, timestamp)
        self._newest = max(self._newest, timestamp)

    def as_info(self):
        """Return the map of revisions, empty if there are no such records."""
        if not self._count:
            return {}
        revision = {"n_packages": self._count}
        if self._newest is not None:
            revision |= {"newest": self._newest, "oldest": self._oldest}
        return {REVISION: revision}


def _in_brackets(spec):
    if spec.endswith("[]"):
        spec = spec.removesuffix("[]")
    if _NAME_AND_BRACKETS.fullmatch(spec) or len(spec) > LONGEST:
        return spec
    try:
        converted = MatchSpec(spec).to_canonical_string()
    except (InvalidMatchSpecError, CanonicalMatchSpecError):
        return spec
    return converted if _BRACKET_FORM.fullmatch(converted) else spec
