"""What a stage asks of packages before they come in: the gate of kind `policy`."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from pulp_conda.channel.errors import BadMatchSpec, BadPolicy, listed, shown
from pulp_conda.channel.matchspec import Queries, Query
from pulp_conda.channel.policies.licenses import LicenseRule
from pulp_conda.channel.policies.satisfaction import Demands, Offers

RULES = ("minimum_age", "licenses", "blocked", "required", "dependencies")

# Of each rule, so that a million licenses do not hide the one package that is blocked.
MOST_FINDINGS = 100

_MOST_ENTRIES = 1000
_LONGEST_TEXT = 1000
_LONGEST_PATTERN = 200
_MOST_DAYS = 3650
_MOST_CHANNELS = 20


@dataclass(frozen=True)
class Finding:
    """One thing that a rule objects to.

    Attributes:
        subject: The path of a package, or the spec that no package matches.
    """

    rule: str
    subject: str
    text: str


@dataclass
class PolicyVerdict:
    """What the rules object to.

    Attributes:
        findings: The first `MOST_FINDINGS` of each rule.
        counts: How many there are of each rule.
    """

    findings: list = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)

    @property
    def count(self):
        return self.counts.total()

    @property
    def passed(self):
        return not self.counts

    def add(self, rule, subject, text):
        self.counts[rule] += 1
        if self.counts[rule] <= MOST_FINDINGS:
            self.findings.append(Finding(rule, subject, text))


@dataclass(frozen=True)
class Policy:
    """The rules of one gate; those that it does not have are None."""

    minimum_age: "MinimumAge | None" = None
    licenses: "Licenses | None" = None
    blocked: "Blocked | None" = None
    required: tuple | None = None
    dependencies: "Dependencies | None" = None


@dataclass(frozen=True)
class MinimumAge:
    """New packages wait for some days, in which others may notice what is wrong with them."""

    days: float
    exceptions: Queries = field(default_factory=lambda: Queries(()))
    waivers: tuple = ()

    def reason_against(self, package, now):
        added_ms, now_ms = package.indexed_timestamp, now.timestamp() * 1000
        if added_ms is not None and added_ms <= now_ms - self.days * 86_400_000:
            return None
        if self.exceptions.matching(package):
            return None
        if any(now <= waiver.end and waiver.query.matches(package) for waiver in self.waivers):
            return None
        if added_ms is None:
            return "nobody knows since when the channel has it"
        if added_ms > now_ms:
            return "the channel has it since a time that lies in the future"
        added = datetime.fromtimestamp(added_ms / 1000, UTC)
        due = added + timedelta(days=self.days)
        return f"the channel has it since {added:%Y-%m-%d %H:%M} UTC, and it passes from {due:%Y-%m-%d %H:%M} UTC on"


@dataclass(frozen=True)
class Waiver:
    """Lets packages pass that are too young, up to the end of a day."""

    query: Query
    end: datetime
    reason: str


@dataclass(frozen=True)
class Licenses:
    rule: LicenseRule
    exceptions: Queries

    def reason_against(self, package):
        reason = self.rule.reason_against(package.license or "")
        return reason if reason and not self.exceptions.matching(package) else None


@dataclass(frozen=True)
class Blocked:
    """Packages that must not come in, each with a reason."""

    reasons: dict
    queries: Queries

    def reason_against(self, package):
        for query in self.queries.matching(package):
            return f"'{query.spec}' is blocked: {self.reasons[query]}"
        return None


@dataclass(frozen=True)
class Dependencies:
    """Everything that packages depend on has to be there, in the channel itself or in its base channels.

    Attributes:
        base_channels: Their names, for whoever calls `evaluate`.
        only_new: Leave out packages that the stage serves already.
    """

    base_channels: tuple = ()
    only_new: bool = False


def read_policy(options, *, gate):
    """Return the `Policy` that the options of a gate describe.

    Args:
        options: The gate's own options, without those that all kinds of gates have.
        gate: The name of the gate, for the message.

    Raises:
        BadPolicy: with all that is wrong.
    """
    problems = _Problems()
    options = problems.check_object(options, "options", RULES)
    if not options and not problems:
        problems.append(f"it has no rule, and needs one of {', '.join(RULES)}")
    rules = {rule: _READERS[rule](options[rule], problems) for rule in RULES if rule in options}
    if problems:
        raise BadPolicy(gate=gate, reason=listed(problems))
    return Policy(**rules)


def evaluate(policy, candidates, *, now, base=()):
    """Return the `PolicyVerdict` on everything that a stage would serve.

    Each iterable is read once. Nothing of it is kept but, for `dependencies`, an index.

    Args:
        candidates: A `Candidate` for each package.
        now: The time, with a time zone.
        base: Packages of the base channels; their name, version, build and subdir are enough.
    """
    verdict = PolicyVerdict()
    required = Queries(policy.required or ())
    missing = dict.fromkeys(required)
    offers, demands = Offers(), Demands()
    for package in candidates:
        if policy.minimum_age and package.is_new:
            if reason := policy.minimum_age.reason_against(package, now):
                verdict.add("minimum_age", package.path, reason)
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


class _Problems(list):
    """What is wrong with options, in words that name the place, the value and what was expected."""

    def expect(self, expected, value, where):
        kinds = {list: "a list", dict: "an object", type(None): "missing"}
        found = kinds.get(type(value)) or shown(repr(value), longest=80)
        self.append(f"'{where}' is {found}, not {expected}")

    def check_object(self, value, where, keys):
        """Return an object's known keys."""
        if not isinstance(value, dict):
            self.expect(f"an object with {', '.join(keys)}", value, where)
            return {}
        for key in value:
            if key not in keys:
                self.append(f"'{where}' has no '{shown(key)}', but {', '.join(keys)}")
        return {key: value[key] for key in keys if key in value}

    def check_list(self, value, where, expected, most=_MOST_ENTRIES):
        """Yield (place, entry) for each entry of a list."""
        if not isinstance(value, list):
            self.expect(f"a list of {expected}", value, where)
            return
        if not 1 <= len(value) <= most:
            self.append(f"'{where}' has {len(value)} entries, not 1 to {most} {expected}")
            return
        for index, entry in enumerate(value):
            yield f"{where}[{index}]", entry

    def check_text(self, value, where, longest=_LONGEST_TEXT):
        if isinstance(value, str) and value.strip() and len(value) <= longest:
            return value
        self.expect(f"a text of 1 to {longest} characters", value, where)
        return None

    def check_query(self, value, where):
        if not isinstance(value, str):
            self.expect("a match spec, for example 'numpy >=2'", value, where)
            return None
        try:
            return Query(value)
        except BadMatchSpec as error:
            reason = shown(error.facts["reason"])
            self.append(f"'{where}' is '{shown(value, longest=80)}', not a match spec: {reason}")
            return None

    def check_queries(self, value, where):
        entries = self.check_list(value, where, "match specs")
        return tuple(self.check_query(entry, place) for place, entry in entries)


def _read_minimum_age(value, problems):
    where = "minimum_age"
    value = problems.check_object(value, where, ("days", "exceptions", "waivers"))
    days = value.get("days")
    # A true is an int for Python, and a NaN is in no range.
    if type(days) not in (int, float) or not 0 < days <= _MOST_DAYS:
        problems.expect(f"a number of days, above 0 and up to {_MOST_DAYS}", days, f"{where}.days")
    exceptions = _read_exceptions(value, where, problems)
    waivers = []
    if "waivers" in value:
        entries = problems.check_list(value["waivers"], f"{where}.waivers", "waivers")
        waivers = [_read_waiver(entry, place, problems) for place, entry in entries]
    return None if problems else MinimumAge(days, exceptions, tuple(waivers))


def _read_waiver(value, where, problems):
    value = problems.check_object(value, where, ("spec", "until", "reason"))
    query = problems.check_query(value.get("spec"), f"{where}.spec")
    reason = problems.check_text(value.get("reason"), f"{where}.reason")
    until = value.get("until")
    try:
        until = date.fromisoformat(until)
    except (TypeError, ValueError):
        problems.expect("a date such as '2027-01-31'", until, f"{where}.until")
        return None
    return Waiver(query, datetime.combine(until, time.max, UTC), reason)


def _read_licenses(value, problems):
    where = "licenses"
    value = problems.check_object(value, where, ("allowed", "denied", "unknown", "exceptions"))
    patterns = {"allowed": (), "denied": ()}
    for key in patterns.keys() & value.keys():
        entries = problems.check_list(value[key], f"{where}.{key}", "license patterns")
        patterns[key] = [
            problems.check_text(entry, place, _LONGEST_PATTERN) for place, entry in entries
        ]
    unknown = value.get("unknown", "deny")
    if unknown not in ("allow", "deny"):
        problems.expect("'allow' or 'deny'", unknown, f"{where}.unknown")
    exceptions = _read_exceptions(value, where, problems)
    if not value.keys() & {"allowed", "denied", "unknown"}:
        problems.append(f"'{where}' needs one of allowed, denied and unknown")
    if problems:
        return None
    return Licenses(LicenseRule(**patterns, allow_unknown=unknown == "allow"), exceptions)


def _read_blocked(value, problems):
    reasons = {}
    for where, entry in problems.check_list(value, "blocked", "objects with spec and reason"):
        entry = problems.check_object(entry, where, ("spec", "reason"))
        query = problems.check_query(entry.get("spec"), f"{where}.spec")
        reasons[query] = problems.check_text(entry.get("reason"), f"{where}.reason")
    return None if problems else Blocked(reasons, Queries(reasons))


def _read_required(value, problems):
    return problems.check_queries(value, "required")


def _read_dependencies(value, problems):
    where = "dependencies"
    if value is True:
        return Dependencies()
    if not isinstance(value, dict):
        problems.expect("true or an object with base_channels, only_new", value, where)
        return None
    value = problems.check_object(value, where, ("base_channels", "only_new"))
    channels = ()
    if "base_channels" in value:
        entries = problems.check_list(
            value["base_channels"], f"{where}.base_channels", "names of channels", _MOST_CHANNELS
        )
        channels = tuple(problems.check_text(entry, place) for place, entry in entries)
    only_new = value.get("only_new", False)
    if type(only_new) is not bool:
        problems.expect("true or false", only_new, f"{where}.only_new")
    return Dependencies(channels, only_new)


def _read_exceptions(value, where, problems):
    if "exceptions" not in value:
        return Queries(())
    queries = problems.check_queries(value["exceptions"], f"{where}.exceptions")
    return None if problems else Queries(queries)


_READERS = {
    "minimum_age": _read_minimum_age,
    "licenses": _read_licenses,
    "blocked": _read_blocked,
    "required": _read_required,
    "dependencies": _read_dependencies,
}
