"""`current_repodata.json`: the newest packages of a subdir, and the packages that they need.

No CEP describes it. conda's classic solver reads this file first, and the whole repodata if it
finds no solution. So every package can still be installed.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from rattler import MatchSpec, PackageRecord
from rattler.exceptions import InvalidMatchSpecError, InvalidVersionError

from pulp_conda.channel.matchspec import LONGEST, as_rattler
from pulp_conda.channel.versions import VersionKey

# How often a package is compared with a spec at most. Without this limit, many packages of one name
# and many specs for it would take very long.
_MOST_COMPARISONS = 5_000_000


# Name, version, build, build number, file name, and the match specs of what it depends on.
CurrentCandidate = tuple[str, str, str, int, str, list[str]]


def select_current(packages: Iterable[CurrentCandidate]) -> set[str]:
    """Return the file names of the newest packages, and of older packages that they need.

    The newest packages of a name are those of the newest version with the highest build number. If
    a selected package depends on a name, and none of the selected packages of that name matches,
    then the newest packages that match are selected, too, and the packages that these need.
    """
    by_name: dict[str, list[_Package]] = {}
    for package in packages:
        by_name.setdefault(package[0], []).append(_Package(*package))
    releases = {name: _releases(of_name) for name, of_name in by_name.items()}
    selected = {name: list(newest) for name, (newest, *_) in releases.items()}
    _add_needed(selected, releases)
    return {package.filename for of_name in selected.values() for package in of_name}


@dataclass(frozen=True, eq=False)
class _Package:
    name: str
    version: str
    build: str
    build_number: int
    filename: str
    depends: list[str]

    @cached_property
    def comparable(self) -> PackageRecord | None:
        """The package in the form that rattler compares, or None if its version does not parse."""
        try:
            return as_rattler(self.name, self.version, self.build, self.build_number)
        except InvalidVersionError:
            return None


def _releases(packages: list[_Package]) -> list[list[_Package]]:
    """Return lists of packages with the same version and build number, the newest first."""
    # It is slow to compare versions, and there are fewer versions than packages.
    keys = sorted(map(VersionKey, {package.version for package in packages}))
    ranks: dict[str, int] = {}
    rank, before = 0, None
    for key in keys:
        if before is not None and before < key:
            rank += 1
        ranks[key.text] = rank
        before = key

    def age(package: _Package) -> tuple[int, int]:
        return ranks[package.version], package.build_number

    return [list(same) for _, same in groupby(sorted(packages, key=age, reverse=True), key=age)]


def _add_needed(
    selected: dict[str, list[_Package]], releases: dict[str, list[list[_Package]]]
) -> None:
    """Add the packages that the selected packages need."""
    waiting = deque(package for of_name in selected.values() for package in of_name)
    specs: set[str] = set()
    left = _MOST_COMPARISONS
    while waiting and left > 0:
        for spec in waiting.popleft().depends:
            if spec in specs or (match_spec := _parse_spec(spec)) is None:
                continue
            specs.add(spec)
            name = match_spec.name.normalized
            for release in [selected.get(name, ()), *releases.get(name, ())]:
                left -= len(release)
                found = [package for package in release if _matches(match_spec, package)]
                if not found:
                    continue
                if release is not selected[name]:
                    selected[name] += found
                    waiting += found
                break


def _parse_spec(spec: str) -> MatchSpec | None:
    if len(spec) > LONGEST:
        return None
    try:
        return MatchSpec(spec)
    except InvalidMatchSpecError:
        return None


def _matches(match_spec: MatchSpec, package: _Package) -> bool:
    return package.comparable is not None and match_spec.matches(package.comparable)
