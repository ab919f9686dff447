"""MatchSpec, the query language for packages (CEP 29), and filters made of it that give reasons."""

import re

from rattler import BuildString, MatchSpec, PackageRecord, VersionSpec
from rattler.exceptions import InvalidMatchSpecError, InvalidVersionError, InvalidVersionSpecError

from pulp_conda.channel.errors import BadMatchSpec

# Characters of a spec: rattler's parser takes the process down with it where parentheses nest by the thousand.
LONGEST = 1000

_CONSTRAINT = re.compile(r"[^,|()\s]+")


class PackageFilter:
    """Which packages of an upstream to take.

    A package is taken if one of ``includes`` matches (or there are none) and none of ``excludes`` does.

    Raises:
        BadMatchSpec: for the first spec that does not parse.
    """

    def __init__(self, includes=(), excludes=()):
        self._includes = [_Query(spec) for spec in includes]
        self._excludes = [_Query(spec) for spec in excludes]

    def reason_against(self, record):
        """Say why a record is left out, in words that are the same for all such records; None if it is taken."""
        if not self._includes and not self._excludes:
            return None
        if self._includes and not any(query.matches(record) for query in self._includes):
            return "matched by none of 'includes'"
        for query in self._excludes:
            if query.matches(record):
                return f"excluded by '{query.spec}'"
        return None


def check_matchspec(spec):
    """Return the parsed spec.

    Globs in names are allowed (`*-debug`), a channel is not: the place of the query says which channel is meant.

    Raises:
        BadMatchSpec: with the position of the part that does not parse, counted from 1.
    """
    if len(spec) > LONGEST:
        raise BadMatchSpec(spec=spec, reason=f"it is longer than {LONGEST} characters")
    try:
        match_spec = MatchSpec(spec, exact_names_only=False)
    except InvalidMatchSpecError as error:
        raise BadMatchSpec(spec=spec, reason=_explain(spec, str(error))) from None
    if match_spec.channel is not None:
        raise BadMatchSpec(spec=spec, reason="it names a channel, and there is only one here")
    return match_spec


class _Query:
    """A MatchSpec that looks at the name first, which decides most cases without asking rattler."""

    def __init__(self, spec):
        self.spec = spec
        self._match_spec = check_matchspec(spec)
        name = self._match_spec.name.normalized
        self._exact_name = None if set(name) & set("*^$") else name

    def matches(self, record):
        if self._exact_name is not None and self._exact_name != record.name:
            return False
        # rattler leaves the subdir to whoever chose the repodata.
        if self._match_spec.subdir not in (None, record.subdir):
            return False
        try:
            candidate = _as_rattler(record, record.version)
        except InvalidVersionError:
            # Not a version, so no constraint on versions holds; the rest of the spec still may.
            if self._match_spec.version is not None:
                return False
            candidate = _as_rattler(record, "0")
        return self._match_spec.matches(candidate)


def _as_rattler(record, version):
    return PackageRecord(
        name=record.name,
        version=version,
        build=BuildString(record.build),
        build_number=record.build_number,
        subdir=record.subdir,
        license=record.license or None,
        sha256=bytes.fromhex(record.sha256),
        md5=bytes.fromhex(record.md5) if record.md5 else None,
    )


def _explain(spec, reason):
    """Add a position to what rattler says, which names the part but not its place."""
    reason = reason.splitlines()[0].rstrip(".") if reason else "it does not parse"
    _, _, part = reason.rpartition("spec: ")
    start = spec.find(part) if part != reason else -1
    if start < 0:
        return f"{reason}, at character 1"
    for constraint in _CONSTRAINT.finditer(spec, start):
        try:
            VersionSpec(constraint.group())
        except InvalidVersionSpecError as error:
            return f"{error}, at character {constraint.start() + 1}"
    return f"{reason}, at character {start + 1}"
