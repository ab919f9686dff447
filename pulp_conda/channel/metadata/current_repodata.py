"""What `current_repodata.json` has: the newest packages of a subdir and what they need.

No CEP describes it. conda's classic solver looks there first, and into the whole repodata if that does not suffice, so
nothing is lost by what is left out.
"""

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError, InvalidVersionError

from pulp_conda.channel.matchspec import LONGEST, as_rattler
from pulp_conda.channel.versions import VersionKey

# How often a package is compared with a spec. Names with many packages and specs could ask for the product of both.
_MOST_COMPARISONS = 5_000_000


def select_current(packages):
    """Return the file names of the newest packages, and of older ones that they need.

    Of each name these are the builds of the newest version that have the highest build number. Where none of them is
    what a selected package depends on, the newest builds that are join them, and what those need.

    Args:
        packages: (name, version, build, build_number, filename, depends) of each package.
    """
    by_name = {}
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
    depends: list

    @cached_property
    def comparable(self):
        """The package as rattler compares it, or None if its version is none."""
        try:
            return as_rattler(self.name, self.version, self.build, self.build_number)
        except InvalidVersionError:
            return None


def _releases(packages):
    """Return lists of packages with the same version and build number, the newest first."""
    # Comparing versions is slow, and there are more builds than versions.
    keys = sorted(map(VersionKey, {package.version for package in packages}))
    ranks = {}
    for before, key in zip([None, *keys], keys):
        same = before is not None and not before < key
        ranks[key.text] = ranks[before.text] if same else len(ranks)

    def age(package):
        return ranks[package.version], package.build_number

    return [list(same) for _, same in groupby(sorted(packages, key=age, reverse=True), key=age)]


def _add_needed(selected, releases):
    waiting = deque(package for of_name in selected.values() for package in of_name)
    specs = set()
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


def _parse_spec(spec):
    if len(spec) > LONGEST:
        return None
    try:
        return MatchSpec(spec)
    except InvalidMatchSpecError:
        return None


def _matches(match_spec, package):
    return package.comparable is not None and match_spec.matches(package.comparable)
