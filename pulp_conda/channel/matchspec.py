"""MatchSpec, the query language for packages (CEP 29): queries, and filters made of them that give reasons."""

import re
from functools import lru_cache

from rattler import BuildString, MatchSpec, NamelessMatchSpec, PackageRecord, VersionSpec
from rattler.exceptions import (
    CanonicalMatchSpecError,
    InvalidMatchSpecError,
    InvalidVersionError,
    InvalidVersionSpecError,
)

from pulp_conda.channel.errors import BadMatchSpec

# Characters of a spec: rattler's parser takes the process down with it where parentheses nest by the thousand.
LONGEST = 1000

_NAME = re.compile(r"[\w.-]*")
_CONSTRAINT = re.compile(r"[^,|()\s]+")

# What packages are chosen by. rattler takes other keys for true, or for false, since no record here has them.
_KEYS = ("version", "build", "build_number", "subdir", "license", "md5", "sha256", "fn")
_KEY = re.compile(r"[\[,](\w+)=")

# Names whose queries are remembered: all of a large channel, and few enough for one that makes up names.
_MOST_NAMES = 50_000


class PackageFilter:
    """Which packages of an upstream to take.

    A package is taken if one of ``includes`` matches (or there are none) and none of ``excludes`` does.

    Raises:
        BadMatchSpec: for the first spec that does not parse.
    """

    def __init__(self, includes=(), excludes=()):
        self._includes = [Query(spec) for spec in includes]
        self._excludes = [Query(spec) for spec in excludes]

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


class Query:
    """A MatchSpec that chooses packages. It looks at the name first, which decides most cases without asking rattler.

    Attributes:
        exact_name: The name that packages must have, or None if the spec has a pattern for it.

    Raises:
        BadMatchSpec: if the spec does not parse, or asks for something that packages are not chosen by.
    """

    def __init__(self, spec):
        self.spec = spec
        self._match_spec = check_matchspec(spec)
        _check_keys(spec, self._match_spec)
        name = self._match_spec.name.normalized
        self.exact_name = None if set(name) & set("*^$") else name
        self._of_name = MatchSpec(name, exact_names_only=False)
        self._subdir = self._match_spec.subdir
        self._filename = self._match_spec.file_name

    def may_match(self, name):
        """Tell whether packages of this name can match."""
        if self.exact_name is not None:
            return self.exact_name == name
        return self._of_name.matches(as_rattler(name, "0", "0", 0))

    def matches(self, record):
        if self.exact_name is not None and self.exact_name != record.name:
            return False
        # rattler leaves the subdir to whoever chose the repodata, and does not look at file names.
        if self._subdir not in (None, record.subdir):
            return False
        if self._filename not in (None, record.filename):
            return False
        try:
            candidate = _with_version(record, record.version)
        except InvalidVersionError:
            # Not a version, so no constraint on versions holds; the rest of the spec still may.
            if self._match_spec.version not in (None, "*"):
                return False
            candidate = _with_version(record, "0")
        return self._match_spec.matches(candidate)


class Queries:
    """Many queries for many packages. Which ones a name can match at all is found once for each name."""

    def __init__(self, queries):
        self._queries = list(queries)
        self._of_name = lru_cache(_MOST_NAMES)(self._for_name)

    def __iter__(self):
        return iter(self._queries)

    def matching(self, record):
        """Return those that match."""
        return [query for query in self._of_name(record.name) if query.matches(record)]

    def _for_name(self, name):
        return tuple(query for query in self._queries if query.may_match(name))


def leading_name(spec):
    """Return the name that a spec begins with, without asking what the rest of it means."""
    return _NAME.match(spec).group()


def as_rattler(name, version, build, build_number, **fields):
    """Return a package that rattler compares with specs.

    Raises:
        rattler.exceptions.InvalidVersionError: the version is none.
    """
    fields = {"subdir": "noarch", **fields}
    return PackageRecord(
        name=name, version=version, build=BuildString(build), build_number=build_number, **fields
    )


def _with_version(record, version):
    return as_rattler(
        record.name,
        version,
        record.build,
        record.build_number,
        subdir=record.subdir,
        license=record.license or None,
        sha256=bytes.fromhex(record.sha256) if record.sha256 else None,
        md5=bytes.fromhex(record.md5) if record.md5 else None,
    )


def _check_keys(spec, match_spec):
    # Not every pattern of a name has a canonical form.
    nameless = NamelessMatchSpec.from_match_spec(match_spec)
    try:
        canonical = MatchSpec.from_nameless(nameless, "x").to_canonical_string()
    except CanonicalMatchSpecError as error:
        raise BadMatchSpec(spec=spec, reason=str(error)) from None
    keys = _KEY.findall(canonical)
    if others := [key for key in keys if key not in _KEYS]:
        raise BadMatchSpec(
            spec=spec,
            reason=f"packages are not chosen by '{others[0]}', but by name and {', '.join(_KEYS)}",
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
