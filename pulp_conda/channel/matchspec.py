"""MatchSpec, the query language for packages (CEP 29), and filters that are made of queries."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Protocol

from rattler import BuildString, MatchSpec, NamelessMatchSpec, PackageRecord, VersionSpec
from rattler.exceptions import (
    CanonicalMatchSpecError,
    InvalidMatchSpecError,
    InvalidVersionError,
    InvalidVersionSpecError,
)

from pulp_conda.channel.clear_specs import check_clear
from pulp_conda.channel.errors import BadMatchSpec, shown

# The most characters of a spec. rattler's parser crashes the process for a spec with thousands of
# nested parentheses.
LONGEST = 1000

# A channel and a namespace may stand in front of the name.
_NAME = re.compile(r"\s*(?:[^\s\[]*:)?([\w.-]*)")
_CONSTRAINT = re.compile(r"[^,|()\s]+")

# The keys by which packages can be chosen. Records here have no others, so rattler would treat any
# other key as always true or always false.
_KEYS = ("version", "build", "build_number", "subdir", "license", "md5", "sha256", "fn")
_KEY = re.compile(r"[\[,](\w+)=")
_LICENSE = re.compile(r"[\[,]license=\"([^\"]*)\"")

# For so many specs that match nothing, similar names are looked for. In a large channel it takes
# 0.1 seconds for each.
_MOST_HINTS = 5

# The most package names for which it is remembered which queries can match. A large channel has
# fewer names. The limit protects the memory from a channel with invented names.
_MOST_NAMES = 50_000


class Queryable(Protocol):
    """A package as queries see it. `PackageRecord` is one.

    `sha256` and `md5` are in hex. They and `license` are empty or None if they are not known.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def build(self) -> str: ...
    @property
    def build_number(self) -> int: ...
    @property
    def subdir(self) -> str: ...
    @property
    def filename(self) -> str: ...
    @property
    def license(self) -> str | None: ...
    @property
    def sha256(self) -> str | None: ...
    @property
    def md5(self) -> str | None: ...


class PackageFilter:
    """Says which packages of an upstream to take, and which of its specs match none of them.

    A package is taken if at least one of `includes` matches, or there are no `includes`, and none
    of `excludes` matches, and it is not blocked.

    Raises:
        BadMatchSpec: for the first spec that does not parse, or has no clear meaning. It is `at`
            its place: `excludes[1]`.
    """

    def __init__(
        self,
        includes: Iterable[str] = (),
        excludes: Iterable[str] = (),
        blocklist: "Blocklist | None" = None,
    ) -> None:
        self._includes = _queries("includes", includes)
        self._excludes = _queries("excludes", excludes)
        self._blocklist = blocklist or Blocklist()
        self._has_specs = bool(self._includes or self._excludes)
        self._of_name = lru_cache(_MOST_NAMES)(self._for_name)
        self._unmatched = {**self._includes, **self._excludes}
        self._names: set[str] = set()
        self._count = 0
        self._taken = 0

    def reason_against(self, record: Queryable, *, is_listed: bool = True) -> str | None:
        """Return why a package is left out, or None if it is taken.

        The sentence names no package, so packages can be counted by it.

        Args:
            is_listed: The upstream lists it as a package, and `warnings` counts it.
        """
        reason = self._reason_of_specs(record, is_listed) if self._has_specs else None
        if self._blocklist and (blocked := self._blocklist.reason_against(record)) is not None:
            return f"blocked: {blocked}"
        return reason

    def warnings(self, before: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a sentence for each spec that matched none of the packages, by its place.

        Args:
            before: None if `reason_against` got all packages of the upstream before. If it got only
                those that changed: what this method returned before they did.
        """
        if before is not None:
            still = {*self._unmatched.values(), *([] if self._taken else [""])}
            return {place: sentence for place, sentence in before.items() if place in still}
        if not self._count:
            return {}
        said: dict[str, str] = {}
        for query, place in self._unmatched.items():
            nothing = f"'{shown(query.spec)}' matched none of {self._count:,} packages ({place})."
            hint = self._hint(query) if len(said) < _MOST_HINTS else ""
            said[place] = f"{nothing} {hint}".rstrip()
        if not said and not self._taken:
            said[""] = f"'includes' and 'excludes' take none of {self._count:,} packages."
        return said

    def _reason_of_specs(self, record: Queryable, is_listed: bool) -> str | None:
        includes, excludes = self._of_name(record.name)
        self._count += is_listed
        unmatched = self._unmatched if is_listed else {}
        is_included = not self._includes
        for query in includes:
            # One match is enough, but others may not have matched anything yet.
            if (not is_included or query in unmatched) and query.matches(record):
                is_included = True
                unmatched.pop(query, None)
        excluding = None
        for query in excludes:
            is_needed = is_included and excluding is None
            if (is_needed or query in unmatched) and query.matches(record):
                excluding = excluding or query
                unmatched.pop(query, None)
        if not is_included:
            return "matched by none of 'includes'"
        if excluding is not None:
            return f"excluded by '{excluding.spec}'"
        self._taken += is_listed
        return None

    def _for_name(self, name: str) -> tuple[tuple["Query", ...], tuple["Query", ...]]:
        """Return the queries of `includes` and `excludes` that can match packages of a name."""
        if len(self._names) < _MOST_NAMES:
            self._names.add(name)
        return (
            tuple(query for query in self._includes if query.may_match(name)),
            tuple(query for query in self._excludes if query.may_match(name)),
        )

    def _hint(self, query: "Query") -> str:
        """Say what may be meant by a spec that matched nothing, or return an empty text."""
        if query.exact_name in self._names:
            return f"There are packages named '{query.exact_name}', but none that it chooses."
        name = leading_name(query.spec).lower()
        lengths = range(len(name) - 3, len(name) + 4)
        names = sorted(other for other in self._names if len(other) in lengths)
        near = get_close_matches(name, names, n=3, cutoff=0.75)
        return f"Similar names: {', '.join(map(repr, near))}." if near else ""


def _queries(field: str, specs: Iterable[str]) -> dict["Query", str]:
    """Return the queries of a list of specs, each with its place in a remote."""
    places = {}
    for index, spec in enumerate(specs):
        place = f"{field}[{index}]"
        try:
            places[Query(spec)] = place
        except BadMatchSpec as error:
            raise error.at(place) from None
    return places


def check_matchspec(spec: str) -> MatchSpec:
    """Return the spec as rattler reads it, also if others read it differently (see `Query`).

    Patterns in names are allowed (`*-debug`). A channel is not allowed, because a query is always
    about one channel.

    Raises:
        BadMatchSpec: it does not parse. The reason has the position of the wrong part, from 1.
    """
    if len(spec) > LONGEST:
        raise BadMatchSpec(spec=spec, reason=f"it is longer than {LONGEST} characters")
    try:
        match_spec = MatchSpec(spec, exact_names_only=False)
    except InvalidMatchSpecError as error:
        raise BadMatchSpec(spec=spec, reason=_explain(spec, str(error))) from None
    if match_spec.channel is not None:
        raise BadMatchSpec(spec=spec, reason="it names a channel, at character 1")
    return match_spec


def dependency_problem(spec: str, *, must_be_clear: bool = False) -> str | None:
    """Return why clients cannot read a spec as a dependency, or None: it has to name one package.

    The words can follow the name of a list: `'numpy >>1', which is not a match spec: …`.

    Args:
        must_be_clear: Also refuse what clients read differently (see `clear_specs`).
    """
    if len(spec) > LONGEST:
        return f"a match spec of more than {LONGEST} characters"
    # With a URL, clients would download the package from another server.
    if "://" in spec:
        return f"'{shown(spec)}', which names a URL"
    try:
        name = check_matchspec(spec).name.normalized
        if must_be_clear:
            check_clear(spec)
    except BadMatchSpec as error:
        return f"'{shown(spec)}', which is not a match spec: {error.facts['reason']}"
    if set(name) & set("*^$"):
        return f"'{shown(spec)}', which does not name one package"
    return None


class Query:
    """A MatchSpec that chooses packages.

    It compares the name first, which decides most cases without a call of rattler.

    Args:
        is_stored: The spec was taken before specs without a clear meaning were refused, and has the
            meaning that rattler gives it.

    Attributes:
        spec: The text of the MatchSpec.
        exact_name: The name that packages must have, or None if the spec has a pattern for it.

    Raises:
        BadMatchSpec: the spec does not parse, has a key by which packages cannot be chosen, or has
            no clear meaning (see `clear_specs`).
    """

    def __init__(self, spec: str, *, is_stored: bool = False) -> None:
        self.spec = spec
        self._match_spec = check_matchspec(spec)
        canonical = _check_keys(spec, self._match_spec)
        if not is_stored:
            check_clear(spec)
        name = self._match_spec.name.normalized
        self.exact_name = None if set(name) & set("*^$") else name
        self._of_name = MatchSpec(name, exact_names_only=False)
        # rattler compares neither subdirs nor file names, and licenses only as a whole.
        self._subdir = _string_pattern(self._match_spec.subdir)
        self._filename = _string_pattern(self._match_spec.file_name)
        license = _LICENSE.search(canonical)
        self._license = license and license[1]
        self._licenses = _string_pattern(self._license)

    def may_match(self, name: str) -> bool:
        """Say whether packages of this name can match."""
        if self.exact_name is not None:
            return self.exact_name == name
        return self._of_name.matches(as_rattler(name, "0", "0", 0))

    def matches(self, record: Queryable) -> bool:
        """Say whether a package matches."""
        if self.exact_name is not None and self.exact_name != record.name:
            return False
        if self._subdir and not self._subdir.match(record.subdir):
            return False
        if self._filename and not self._filename.match(record.filename):
            return False
        if self._licenses and not self._licenses.match(record.license or ""):
            return False
        try:
            candidate = self._candidate(record, record.version)
        except InvalidVersionError:
            # A text that is no version satisfies no constraint on versions. Without such a
            # constraint, the rest of the spec decides.
            if self._match_spec.version not in (None, "*"):
                return False
            candidate = self._candidate(record, "0")
        return self._match_spec.matches(candidate)

    def _candidate(self, record: Queryable, version: str) -> PackageRecord:
        return as_rattler(
            record.name,
            version,
            record.build,
            record.build_number,
            subdir=record.subdir,
            license=self._license,  # It was compared before.
            sha256=bytes.fromhex(record.sha256) if record.sha256 else None,
            md5=bytes.fromhex(record.md5) if record.md5 else None,
        )


class Queries:
    """Many queries for many packages. It is found once for each name which queries can match."""

    def __init__(self, queries: Iterable[Query]) -> None:
        self._queries = list(queries)
        self._of_name = lru_cache(_MOST_NAMES)(self._for_name)

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries)

    def matching(self, record: Queryable) -> list[Query]:
        """Return the queries that match a package, in their order."""
        return [query for query in self._of_name(record.name) if query.matches(record)]

    def _for_name(self, name: str) -> tuple[Query, ...]:
        return tuple(query for query in self._queries if query.may_match(name))


class Blocklist:
    """Says which packages are blocked, by the bytes of their files or by MatchSpecs.

    Args:
        digests: The public reason for each blocked file, by the sha256 of the file in hex.
        specs: The public reason for each MatchSpec whose packages are blocked, by the spec.

    Raises:
        BadMatchSpec: for the first spec that does not parse.
    """

    def __init__(
        self, digests: Mapping[str, str] | None = None, specs: Mapping[str, str] | None = None
    ) -> None:
        self._digests = digests or {}
        self._reasons = specs or {}
        self._queries = Queries(Query(spec, is_stored=True) for spec in self._reasons)

    def __bool__(self) -> bool:
        return bool(self._digests or self._reasons)

    @property
    def digests(self) -> list[str]:
        """The sha256 of all files that are blocked by their bytes, in hex."""
        return list(self._digests)

    @property
    def exact_names(self) -> list[str]:
        """The names of the packages that the specs without a pattern for the name can match."""
        return [query.exact_name for query in self._queries if query.exact_name is not None]

    @property
    def has_patterns(self) -> bool:
        """Whether a spec has a pattern for the name."""
        return any(query.exact_name is None for query in self._queries)

    def may_match(self, name: str) -> bool:
        """Say whether a spec can match packages of this name."""
        return any(query.may_match(name) for query in self._queries)

    def reason_against(self, package: Queryable) -> str | None:
        """Return the public reason why a package is blocked, or None if it is not."""
        if package.sha256 and (reason := self._digests.get(package.sha256)) is not None:
            return reason
        for query in self._queries.matching(package) if self._reasons else ():
            return self._reasons[query.spec]
        return None


def leading_name(spec: str) -> str:
    """Return the package name in a spec. What follows the name is not parsed."""
    match = _NAME.match(spec)
    return match[1] if match else ""


def as_rattler(
    name: str, version: str, build: str, build_number: int, **fields: Any
) -> PackageRecord:
    """Return a package that rattler can compare with specs.

    Args:
        fields: Further arguments of rattler's `PackageRecord`. Without `subdir` it is `noarch`.

    Raises:
        rattler.exceptions.InvalidVersionError: the version does not parse (CEP 33).
    """
    fields = {"subdir": "noarch", **fields}
    return PackageRecord(
        name=name, version=version, build=BuildString(build), build_number=build_number, **fields
    )


def _string_pattern(expression: str | None) -> re.Pattern[str] | None:
    """Return the pattern of texts that an expression matches: CEP 29, "String matching"."""
    if expression is None:
        return None
    # Of the wildcards of `fnmatch`, the CEP has the asterisk only.
    glob = re.sub(r"[?\[]", r"[\g<0>]", expression)
    return re.compile(fnmatch.translate(glob), re.IGNORECASE)


def _check_keys(spec: str, match_spec: MatchSpec) -> str:
    """Return the spec with another name in the form of CEP 29, Appendix A.

    Raises:
        BadMatchSpec: it has a key by which packages cannot be chosen.
    """
    # Some patterns of names have no canonical form, so the keys are read with another name.
    nameless = NamelessMatchSpec.from_match_spec(match_spec)
    try:
        canonical = MatchSpec.from_nameless(nameless, "x").to_canonical_string()
    except CanonicalMatchSpecError as error:
        raise BadMatchSpec(spec=spec, reason=f"{error}, at character 1") from None
    keys = _KEY.findall(canonical)
    if others := [key for key in keys if key not in _KEYS]:
        raise BadMatchSpec(
            spec=spec,
            reason=f"packages are not chosen by '{others[0]}', but by name and "
            f"{', '.join(_KEYS)}, at character {max(spec.find(others[0]), 0) + 1}",
        )
    return canonical


def _explain(spec: str, reason: str) -> str:
    """Return rattler's reason, which names the wrong part, with the position of that part."""
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
