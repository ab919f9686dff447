"""The rules that packages have to keep before they come into a channel."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from pulp_conda.channel.errors import BadMatchSpec, BadPolicy, listed, shown
from pulp_conda.channel.matchspec import Queries, Query
from pulp_conda.channel.policies.licenses import LicenseRule
from pulp_conda.channel.policies.satisfaction import Candidate, Demands, Offers

RULES = ("minimum_age", "licenses", "blocked", "required", "dependencies")

# How many findings of each rule are kept. The limit is per rule, so that a million licenses do not
# hide the one package that is blocked.
MOST_FINDINGS = 100

MOST_ENTRIES = 1000
LONGEST_TEXT = 1000
LONGEST_PATTERN = 200
MOST_DAYS = 3650
MOST_CHANNELS = 20

# In milliseconds.
_DAY = 86_400_000


@dataclass(frozen=True)
class Finding:
    """One thing that is against a rule.

    Attributes:
        subject: The path of a package, or the spec that no package matches.
        text: What is wrong, in words.
    """

    rule: str
    subject: str
    text: str


@dataclass
class PolicyVerdict:
    """What is against the rules.

    Attributes:
        findings: The first `MOST_FINDINGS` of each rule.
        counts: The number of all findings by rule.
        old_by_date: How many new packages keep the rule `minimum_age` only by a date that their
            upstream gave.
    """

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    old_by_date: int = 0

    @property
    def count(self) -> int:
        """The number of all findings."""
        return self.counts.total()

    @property
    def passed(self) -> bool:
        return not self.counts

    def add(self, rule: str, subject: str, text: str) -> None:
        """Count a finding, and keep it if it is one of the first of its rule."""
        self.counts[rule] += 1
        if self.counts[rule] <= MOST_FINDINGS:
            self.findings.append(Finding(rule, subject, text))


@dataclass(frozen=True)
class Waiver:
    """Lets packages pass that are too young, up to the end of a day."""

    query: Query
    end: datetime
    reason: str


@dataclass(frozen=True)
class MinimumAge:
    """New packages wait for some days. In this time others may notice what is wrong with them.

    The age of a package is the time since this server first saw it. A date that its upstream gave
    counts only where somebody decided to believe it.
    """

    days: float
    exceptions: Queries = field(default_factory=lambda: Queries(()))
    waivers: tuple[Waiver, ...] = ()

    def reason_against(self, package: Candidate, now: datetime) -> str | None:
        if self._is_over(package.seen_timestamp, now) or self.is_old_by_date(package, now):
            return None
        if self.exceptions.matching(package):
            return None
        if any(now <= waiver.end and waiver.query.matches(package) for waiver in self.waivers):
            return None
        if package.seen_timestamp is None:
            return "it is not known since when this server has it"
        if package.seen_timestamp > now.timestamp() * 1000:
            return "this server has it since a time in the future"
        seen = datetime.fromtimestamp(package.seen_timestamp / 1000, UTC)
        due = seen + timedelta(days=self.days)
        return (
            f"this server has it since {seen:%Y-%m-%d %H:%M} UTC, "
            f"and it passes from {due:%Y-%m-%d %H:%M} UTC on"
        )

    def is_old_by_date(self, package: Candidate, now: datetime) -> bool:
        """Say whether a package is old enough only by a date of its upstream."""
        return not self._is_over(package.seen_timestamp, now) and self._is_over(
            package.believed_timestamp, now
        )

    def _is_over(self, timestamp: int | None, now: datetime) -> bool:
        return timestamp is not None and timestamp <= now.timestamp() * 1000 - self.days * _DAY


@dataclass(frozen=True)
class Licenses:
    """Packages have an allowed license, or are exceptions."""

    rule: LicenseRule
    exceptions: Queries

    def reason_against(self, package: Candidate) -> str | None:
        reason = self.rule.reason_against(package.license or "")
        return reason if reason and not self.exceptions.matching(package) else None


@dataclass(frozen=True)
class Blocked:
    """Packages that must not come in, each with a reason.

    Attributes:
        queries: The keys of `reasons`, ready for many packages.
    """

    reasons: Mapping[Query, str]
    queries: Queries

    def reason_against(self, package: Candidate) -> str | None:
        for query in self.queries.matching(package):
            return f"'{query.spec}' is blocked: {self.reasons[query]}"
        return None


@dataclass(frozen=True)
class Dependencies:
    """All dependencies of packages are satisfied in the channel itself or in its base channels.

    Attributes:
        base_channels: The names of the base channels. Who calls `evaluate` reads these channels.
        only_new: Whether to leave out packages that the target has already.
    """

    base_channels: tuple[str, ...] = ()
    only_new: bool = False


@dataclass(frozen=True)
class Policy:
    """The rules of one gate. A rule that the gate does not have is None.

    Attributes:
        required: Each of these queries needs a package that matches.
    """

    minimum_age: MinimumAge | None = None
    licenses: Licenses | None = None
    blocked: Blocked | None = None
    required: tuple[Query, ...] | None = None
    dependencies: Dependencies | None = None


def read_policy(options: object, *, gate: str) -> Policy:
    """Return the `Policy` that the options of a gate describe.

    Args:
        options: The options from untrusted JSON, without those that all kinds of gates have.
        gate: The name of the gate, for the message.

    Raises:
        BadPolicy: Names all that is wrong.
    """
    problems = _Problems()
    known = problems.check_object(options, "options", RULES)
    if not known and not problems:
        problems.append(f"it has no rule, and needs one of {', '.join(RULES)}")
    rules = {rule: _READERS[rule](known[rule], problems) for rule in RULES if rule in known}
    if problems:
        raise BadPolicy(gate=gate, reason=listed(problems))
    return Policy(**rules)


def evaluate(
    policy: Policy,
    candidates: Iterable[Candidate],
    *,
    now: datetime,
    base: Iterable[Candidate] = (),
) -> PolicyVerdict:
    """Return the `PolicyVerdict` on all packages that a channel would have.

    Each iterable is read once. For the rule `dependencies` an index of the packages stays in
    memory. For the other rules nothing does.

    Args:
        candidates: All packages that the channel would have.
        now: The time, with a time zone.
        base: Packages of the base channels. Name, version, build and subdir are enough.
    """
    verdict = PolicyVerdict()
    required = Queries(policy.required or ())
    missing = dict.fromkeys(required)
    offers, demands = Offers(), Demands()
    for package in candidates:
        if policy.minimum_age and package.is_new:
            if reason := policy.minimum_age.reason_against(package, now):
                verdict.add("minimum_age", package.path, reason)
            elif policy.minimum_age.is_old_by_date(package, now):
                verdict.old_by_date += 1
        if policy.licenses and (reason := policy.licenses.reason_against(package)):
            verdict.add("licenses", package.path, reason)
        if policy.blocked and (reason := policy.blocked.reason_against(package)):
            verdict.add("blocked", package.path, reason)
        if missing:
            for query in required.matching(package):
                missing.pop(query, None)
        if policy.dependencies:
            offers.add(package)
            if package.is_new or not policy.dependencies.only_new:
                demands.add(package)
    for query in missing:
        verdict.add("required", query.spec, "no package matches it")
    if policy.dependencies:
        for package in base:
            offers.add(package)
        for unmet in demands.unmet(offers):
            text = f"its dependency '{shown(unmet.depends)}' {unmet.reason}"
            others = f", and {unmet.count - 1} more packages have it" if unmet.count > 1 else ""
            verdict.add("dependencies", unmet.path, text + others)
    return verdict


class _Entry(NamedTuple):
    """An entry of a list in the options, and its place: `blocked[3]`."""

    where: str
    value: Any


class _Problems(list[str]):
    """What is wrong with options, in words that name the place, the value and what was expected.

    The methods with `check` return what is right in a value, and note what is wrong.
    """

    def expect(self, expected: str, value: object, where: str) -> None:
        """Note that a value is not what was expected."""
        kinds: dict[type, str] = {list: "a list", dict: "an object", type(None): "missing"}
        found = kinds.get(type(value)) or shown(repr(value), longest=80)
        self.append(f"'{where}' is {found}, not {expected}")

    def check_object(self, value: object, where: str, keys: tuple[str, ...]) -> dict[str, Any]:
        """Return the known keys of an object, with their values and in the order of `keys`."""
        if not isinstance(value, dict):
            self.expect(f"an object with {', '.join(keys)}", value, where)
            return {}
        for key in value:
            if key not in keys:
                self.append(f"'{where}' has no '{shown(key)}', but {', '.join(keys)}")
        return {key: value[key] for key in keys if key in value}

    def check_list(
        self, value: object, where: str, expected: str, most: int = MOST_ENTRIES
    ) -> Iterator[_Entry]:
        """Yield the entries of a list that is neither empty nor too long."""
        if not isinstance(value, list):
            self.expect(f"a list of {expected}", value, where)
            return
        if not 1 <= len(value) <= most:
            self.append(f"'{where}' has {len(value)} entries, not 1 to {most} {expected}")
            return
        for index, entry in enumerate(value):
            yield _Entry(f"{where}[{index}]", entry)

    def check_text(self, value: object, where: str, longest: int = LONGEST_TEXT) -> str | None:
        if isinstance(value, str) and value.strip() and len(value) <= longest:
            return value
        self.expect(f"a text of 1 to {longest} characters", value, where)
        return None

    def check_texts(self, entries: Iterable[_Entry], longest: int = LONGEST_TEXT) -> list[str]:
        texts = [self.check_text(entry, where, longest) for where, entry in entries]
        return [text for text in texts if text is not None]

    def check_query(self, value: object, where: str) -> Query | None:
        if not isinstance(value, str):
            self.expect("a match spec, for example 'numpy >=2'", value, where)
            return None
        try:
            return Query(value)
        except BadMatchSpec as error:
            reason = shown(error.facts["reason"])
            self.append(f"'{where}' is '{shown(value, longest=80)}', not a match spec: {reason}")
            return None

    def check_queries(self, value: object, where: str) -> tuple[Query, ...]:
        entries = self.check_list(value, where, "match specs")
        queries = [self.check_query(entry, place) for place, entry in entries]
        return tuple(query for query in queries if query is not None)


# Each reader returns a rule, and notes what is wrong. Its result counts only if nothing is wrong.


def _read_minimum_age(value: object, problems: _Problems) -> MinimumAge:
    where = "minimum_age"
    options = problems.check_object(value, where, ("days", "exceptions", "waivers"))
    days: Any = options.get("days")
    # For Python, True is an int. A NaN fails the comparison.
    if type(days) not in (int, float) or not 0 < days <= MOST_DAYS:
        problems.expect(f"a number of days, above 0 and up to {MOST_DAYS}", days, f"{where}.days")
        days = MOST_DAYS
    exceptions = _read_exceptions(options, where, problems)
    waivers: list[Waiver | None] = []
    if "waivers" in options:
        entries = problems.check_list(options["waivers"], f"{where}.waivers", "waivers")
        waivers = [_read_waiver(entry, place, problems) for place, entry in entries]
    return MinimumAge(days, exceptions, tuple(waiver for waiver in waivers if waiver is not None))


def _read_waiver(value: object, where: str, problems: _Problems) -> Waiver | None:
    options = problems.check_object(value, where, ("spec", "until", "reason"))
    query = problems.check_query(options.get("spec"), f"{where}.spec")
    reason = problems.check_text(options.get("reason"), f"{where}.reason")
    until: Any = options.get("until")
    try:
        last_day = date.fromisoformat(until)
    except (TypeError, ValueError):
        problems.expect("a date such as '2027-01-31'", until, f"{where}.until")
        return None
    if query is None or reason is None:
        return None
    return Waiver(query, datetime.combine(last_day, time.max, UTC), reason)


def _read_licenses(value: object, problems: _Problems) -> Licenses:
    where = "licenses"
    options = problems.check_object(value, where, ("allowed", "denied", "unknown", "exceptions"))
    patterns: dict[str, list[str]] = {"allowed": [], "denied": []}
    for key in patterns:
        if key in options:
            entries = problems.check_list(options[key], f"{where}.{key}", "license patterns")
            patterns[key] = problems.check_texts(entries, LONGEST_PATTERN)
    unknown = options.get("unknown", "deny")
    if unknown not in ("allow", "deny"):
        problems.expect("'allow' or 'deny'", unknown, f"{where}.unknown")
    exceptions = _read_exceptions(options, where, problems)
    if not options.keys() & {"allowed", "denied", "unknown"}:
        problems.append(f"'{where}' needs one of allowed, denied and unknown")
    rule = LicenseRule(patterns["allowed"], patterns["denied"], allow_unknown=unknown == "allow")
    return Licenses(rule, exceptions)


def _read_blocked(value: object, problems: _Problems) -> Blocked:
    reasons = {}
    for where, entry in problems.check_list(value, "blocked", "objects with spec and reason"):
        options = problems.check_object(entry, where, ("spec", "reason"))
        query = problems.check_query(options.get("spec"), f"{where}.spec")
        reason = problems.check_text(options.get("reason"), f"{where}.reason")
        if query is not None and reason is not None:
            reasons[query] = reason
    return Blocked(reasons, Queries(reasons))


def _read_required(value: object, problems: _Problems) -> tuple[Query, ...]:
    return problems.check_queries(value, "required")


def _read_dependencies(value: object, problems: _Problems) -> Dependencies:
    where = "dependencies"
    if value is True:
        return Dependencies()
    if not isinstance(value, dict):
        problems.expect("true or an object with base_channels, only_new", value, where)
        return Dependencies()
    options = problems.check_object(value, where, ("base_channels", "only_new"))
    channels: list[str] = []
    if "base_channels" in options:
        entries = problems.check_list(
            options["base_channels"],
            f"{where}.base_channels",
            "names of channels",
            MOST_CHANNELS,
        )
        channels = problems.check_texts(entries)
    only_new = options.get("only_new", False)
    if type(only_new) is not bool:
        problems.expect("true or false", only_new, f"{where}.only_new")
    return Dependencies(tuple(channels), only_new)


def _read_exceptions(options: dict[str, Any], where: str, problems: _Problems) -> Queries:
    if "exceptions" not in options:
        return Queries(())
    return Queries(problems.check_queries(options["exceptions"], f"{where}.exceptions"))


_READERS: dict[str, Callable[[Any, _Problems], Any]] = {
    "minimum_age": _read_minimum_age,
    "licenses": _read_licenses,
    "blocked": _read_blocked,
    "required": _read_required,
    "dependencies": _read_dependencies,
}
