"""Which packages have to go along when single packages are promoted from a source to a target.

The source has the packages now. The target is the channel that they go to. Both are functions that
take package names and return the `Candidate`s with these names. So a channel with a million
packages is never loaded as a whole.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from pulp_conda.channel.errors import BadMatchSpec, NothingToPromote, shown
from pulp_conda.channel.layout import NOARCH
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.policies.satisfaction import (
    Candidate,
    Demand,
    Demands,
    Dependency,
    Offers,
    Unmet,
    is_beside,
    read_dependency,
)
from pulp_conda.channel.versions import VersionKey

Lookup: TypeAlias = Callable[[list[str]], Iterable[Candidate]]

# For how many packages a promotion of single packages is meant. Who wants more can promote the
# whole version.
MOST_PACKAGES = 10_000

_NAMES_AT_ONCE = 100

# How often a package of the source is compared with a dependency. After that, the dependencies that
# are left count as unmet.
_MOST_COMPARISONS = 5_000_000


@dataclass(frozen=True)
class Closure:
    """What to add to the target.

    Attributes:
        packages: In the order of their paths. If the target has another package under the same
            path, the one here replaces it.
        unmet: The dependencies of these packages that neither the source nor the target satisfies.
    """

    packages: list[Candidate]
    unmet: list[Unmet]


class _Missing(NamedTuple):
    """A dependency of packages in a subdir that the target does not satisfy."""

    subdir: str
    dependency: Dependency


class _Found(NamedTuple):
    """A missing dependency and what the source has for it, see `_newest_releases`."""

    missing: _Missing
    releases: list[list[Candidate]]


def select(
    specs: Iterable[str],
    *,
    source: Lookup,
    target: Lookup,
    names: Callable[[], Iterable[str]],
) -> list[Candidate]:
    """Return the packages of the source that match any of the specs and are not in the target.

    They are in the order of their paths. If the record of a package was changed in the source, the
    target does not have it: another record makes another package.

    Args:
        names: A function that returns all package names of the source. It is called only for specs
            that have a pattern for the name.

    Raises:
        BadMatchSpec: A spec does not parse, or matches more than `MOST_PACKAGES` packages.
        NothingToPromote: Names all specs that match nothing in the source.
    """
    queries = [Query(spec) for spec in specs]
    selected: dict[tuple[str, str, Any], Candidate] = {}
    useless = []
    for query in queries:
        names_of_query: Iterable[str]
        if query.exact_name is not None:
            names_of_query = [query.exact_name]
        else:
            names_of_query = filter(query.may_match, sorted(names()))
        found: dict[tuple[str, str, Any], Candidate] = {}
        for chunk in _chunks(names_of_query):
            found |= {
                package.identity: package for package in source(chunk) if query.matches(package)
            }
            if len(found) > MOST_PACKAGES:
                reason = f"it matches more than {MOST_PACKAGES} packages"
                raise BadMatchSpec(spec=query.spec, reason=reason)
        if not found:
            useless.append(f"'{shown(query.spec)}'")
        selected |= found
    if useless:
        raise NothingToPromote(specs=", ".join(useless))
    for chunk in _chunks(sorted({package.name for package in selected.values()})):
        for package in target(chunk):
            selected.pop(package.identity, None)
    return _by_path(selected.values())


def closure(wanted: Iterable[Candidate], *, source: Lookup, target: Lookup) -> Closure:
    """Return packages together with what they depend on and the target does not have.

    If nothing in the target satisfies a dependency, it comes from the source, in the newest release
    (version and build number) that satisfies it. Of this release come all builds that need nothing
    more. A single build would be too few: packages for different Pythons have the same text
    `scipy >=1.15`, and each needs another build of scipy. All builds would be too many: one for a
    Python that the target lacks would bring this Python with it. If every build needs more, only
    the last one comes.

    Args:
        wanted: Packages of the source that the target does not have, see `select`.
    """
    added = {package.identity: package for package in wanted}
    merged = _Merged(target, added.values())
    waiting = list(added.values())
    while waiting:
        demands = Demands(waiting)
        waiting = []
        for package in _needed(demands, merged, source):
            added[package.identity] = package
            waiting.append(package)
    packages = _by_path(added.values())
    return Closure(packages, list(Demands(packages).unmet(merged.offers)))


class _Merged:
    """The target together with the packages that are added to it.

    Attributes:
        offers: These packages, for the names that `learn` was called with.
        comparisons: How often a package of the source was compared with a dependency.
    """

    def __init__(self, target: Lookup, added: Iterable[Candidate]) -> None:
        self.offers = Offers(added)
        self.comparisons = 0
        self._target = target
        self._known: set[str] = set()

    def learn(self, names: Iterable[str]) -> None:
        """Load the packages of the target with these names, each name once."""
        for chunk in _chunks(sorted(set(names) - self._known)):
            self._known.update(chunk)
            for package in self._target(chunk):
                self.offers.add(package)

    def has_all_for(self, package: Candidate) -> bool:
        return all(
            self.offers.satisfy(dependency, package.subdir) for dependency in _dependencies(package)
        )


def _needed(demands: Iterable[Demand], merged: _Merged, source: Lookup) -> Iterator[Candidate]:
    """Yield packages of the source for what the target lacks, and add each to what is merged."""
    wanted = [_Missing(demand.subdir, demand.dependency) for demand in demands if demand.dependency]
    merged.learn(dependency.name for _, dependency in wanted)
    missing: dict[str, list[_Missing]] = {}
    for subdir, dependency in wanted:
        if not merged.offers.satisfy(dependency, subdir):
            missing.setdefault(dependency.name, []).append(_Missing(subdir, dependency))
    for names in _chunks(missing):
        by_name: dict[str, list[Candidate]] = {}
        for package in source(names):
            by_name.setdefault(package.name, []).append(package)
        found = []
        for name in names:
            packages = by_name.get(name, [])
            for lack in missing[name]:
                merged.comparisons += len(packages)
                if merged.comparisons <= _MOST_COMPARISONS:
                    found.append(_Found(lack, _newest_releases(lack, packages)))
        merged.learn(
            dependency.name
            for _, releases in found
            for release in releases
            for package in release
            for dependency in _dependencies(package)
        )
        for lack, releases in found:
            # A package that came for another dependency may satisfy this one, too.
            if merged.offers.satisfy(lack.dependency, lack.subdir):
                continue
            builds = [package for release in releases for package in _builds(release, merged)]
            for package in builds:
                merged.offers.add(package)
                yield package


def _newest_releases(lack: _Missing, packages: Iterable[Candidate]) -> list[list[Candidate]]:
    """Return the newest release that satisfies a dependency, for each platform that needs it.

    A package of `noarch` needs it on every platform, and platforms may have different releases.
    """
    subdir, dependency = lack
    fitting = [
        package
        for package in packages
        if is_beside(package.subdir, subdir) and dependency.takes(package)
    ]
    platforms = {package.subdir for package in fitting} if subdir == NOARCH else {subdir}
    releases = []
    for platform in sorted(platforms):
        there = [package for package in fitting if package.subdir in (platform, NOARCH)]
        if there:
            newest = max(map(_release, there))
            releases.append([package for package in there if _release(package) == newest])
    return releases


def _builds(release: Iterable[Candidate], merged: _Merged) -> list[Candidate]:
    """Return the builds of a release that have to be added, see `closure`."""
    # If a build is there in both formats, clients take the `.conda`, so it comes last and stays.
    by_age = sorted(
        release,
        key=lambda package: (
            package.filename.endswith(".conda"),
            package.indexed_timestamp or 0,
            package.path,
        ),
    )
    builds = {(package.subdir, package.build): package for package in by_age}.values()
    complete = [package for package in builds if merged.has_all_for(package)]
    return complete or [
        max(builds, key=lambda package: (package.indexed_timestamp or 0, package.path))
    ]


def _release(package: Candidate) -> tuple[VersionKey, int]:
    return VersionKey(package.version), package.build_number


def _dependencies(package: Candidate) -> Iterator[Dependency]:
    return filter(None, map(read_dependency, package.depends or ()))


def _by_path(packages: Iterable[Candidate]) -> list[Candidate]:
    return sorted(packages, key=lambda package: package.identity[:2])


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    names = iter(names)
    while chunk := list(islice(names, _NAMES_AT_ONCE)):
        yield chunk
