"""How much a selection takes, and what may never be in it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pulp_conda.channel.policies.satisfaction import Candidate
from pulp_conda.channel.selection.closure import Bounds, has_features, is_prerelease
from pulp_conda.channel.selection.pool import Lookup, Package

IF_NEEDED, ALL, NEVER = "if_needed", "all", "never"
NEWEST = "newest"

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class SelectionBounds:
    """How much is selected.

    Attributes:
        with_dependencies: Select what the roots need as well. Otherwise only the packages that
            match the roots, and nothing is solved.
        newest: How many releases for each root and each dependency. 0 means all.
        for_each: Match specs of which each is wanted with each group of roots, in turn.
        machines: What the machines have, each as changes to the defaults of its platform. The
            roots can be installed on each of them.
        builds: `newest` for the newest build of each variant of a release, or `all`.
        prereleases, track_features: `if_needed`, if nothing else is there, `all` or `never`.
        min_age_days: Younger packages are never in.
        max_age_days: Older packages are in only if nothing else is there. None for no limit.
        max_packages, max_bytes: More is an error. None for no limit.
    """

    with_dependencies: bool = False
    newest: int = 2
    for_each: tuple[str, ...] = ()
    machines: tuple[Mapping[str, str | None], ...] = ({},)
    builds: str = NEWEST
    prereleases: str = IF_NEEDED
    track_features: str = IF_NEEDED
    min_age_days: int = 0
    max_age_days: int | None = None
    max_packages: int | None = None
    max_bytes: int | None = None

    def of_machine(self, machine: Mapping[str, str | None], now_ms: int) -> Bounds:
        """Return what bounds the closure for a machine."""
        return Bounds(
            self.newest,
            machine,
            all_builds=self.builds == ALL,
            all_prereleases=self.prereleases == ALL,
            all_features=self.track_features == ALL,
            not_before=None if self.max_age_days is None else now_ms - self.max_age_days * _DAY_MS,
        )


@dataclass(frozen=True)
class Offer:
    """What a selection is made from.

    Attributes:
        source: Gives the packages of the upstream.
        base: Gives the packages of other channels, which are not selected. All packages of a name
            come from them, if they have any, unless the name is that of a root of its own.
        names: Gives all names of the upstream.
        reason_against: Says why a package is left out by the filter of the remote or a block.
        platforms: The subdirs that the upstream has.
        now_ms: The time, in milliseconds since 1970.
    """

    source: Lookup
    base: Lookup
    names: Callable[[], Iterable[str]]
    reason_against: Callable[[Candidate], str | None]
    platforms: frozenset[str]
    now_ms: int


class Rules:
    """What may never be in, with the reason.

    Attributes:
        left_out: The packages that were left out, and why, by name.
    """

    def __init__(self, bounds: SelectionBounds, offer: Offer, has_filter: bool = True) -> None:
        self.bounds = bounds
        self._offer = offer
        self._has_filter = has_filter
        self.left_out: dict[str, list[tuple[Package, str]]] = {}

    def lookup(self, names: list[str]) -> Iterator[Package]:
        """Yield the packages of the upstream that may be in."""
        for name in names:
            self.left_out.setdefault(name, [])
        for package in self._offer.source(names):
            reason = self._reason_against(package)
            if reason is None:
                yield package
            else:
                self.left_out[package.candidate.name].append((package, reason))

    def _reason_against(self, package: Package) -> str | None:
        bounds, candidate = self.bounds, package.candidate
        if self._has_filter and (reason := self._offer.reason_against(candidate)) is not None:
            return reason
        if bounds.prereleases == NEVER and is_prerelease(package):
            return "a prerelease ('prereleases')"
        if bounds.track_features == NEVER and has_features(package):
            return "it has track_features ('track_features')"
        youngest = self._offer.now_ms - bounds.min_age_days * _DAY_MS
        if bounds.min_age_days and (candidate.indexed_timestamp or 0) > youngest:
            return f"younger than {bounds.min_age_days} days ('min_age_days')"
        return None

    def with_min_age(self, days: int) -> "Rules":
        """Return the same rules with another `min_age_days`."""
        return Rules(replace(self.bounds, min_age_days=days), self._offer)

    def relaxed(self) -> Iterator[tuple[str, "Rules"]]:
        """Yield the same rules without one of them, and what has to be changed for that."""
        bounds, offer = self.bounds, self._offer
        if bounds.prereleases == NEVER:
            other = replace(bounds, prereleases=IF_NEEDED)
            yield f"'prereleases' '{IF_NEEDED}'", Rules(other, offer)
        if bounds.track_features == NEVER:
            other = replace(bounds, track_features=IF_NEEDED)
            yield f"'track_features' '{IF_NEEDED}'", Rules(other, offer)
        yield "other 'includes', 'excludes' or blocks", Rules(bounds, offer, has_filter=False)
