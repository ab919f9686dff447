"""Which packages go along when single packages are promoted into a stage.

The source is where the packages are, the target what the stage serves now. Both are functions that take names and give
the `Candidate`s of these names, so that a channel of a million packages is never loaded whole.
"""

from dataclasses import dataclass
from itertools import islice

from pulp_conda.channel.errors import BadMatchSpec, NothingToPromote, shown
from pulp_conda.channel.layout import NOARCH
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.policies.satisfaction import Demands, Offers, is_beside, read_dependency
from pulp_conda.channel.versions import VersionKey

# Single packages: whoever wants more promotes the whole version.
MOST_PACKAGES = 10_000

_NAMES_AT_ONCE = 100

# How often a package of the source is compared with a dependency. What is left then counts as unmet.
_MOST_COMPARISONS = 5_000_000


@dataclass(frozen=True)
class Closure:
    """What to add to the target.

    Attributes:
        packages: By path. One that has the path of another in the target takes its place.
        unmet: `Unmet` for the dependencies of these packages that neither side satisfies.
    """

    packages: list
    unmet: list


def select(specs, *, source, target, names):
    """Return the packages of the source that match any of the specs, by path, without those that the target has.

    A record that was changed in the source makes another package, which the target does not have.

    Args:
        names: A function that gives all package names of the source. Called for specs that have a pattern for the name.

    Raises:
        BadMatchSpec: a spec does not parse, or matches more than `MOST_PACKAGES`.
        NothingToPromote: with all specs that match nothing in the source.
    """
    queries = [Query(spec) for spec in specs]
    selected, useless = {}, []
    for query in queries:
        if query.exact_name is not None:
            of_query = [query.exact_name]
        else:
            of_query = filter(query.may_match, sorted(names()))
        found = {}
        for chunk in _chunks(of_query):
            found |= {row.identity: row for row in source(chunk) if query.matches(row)}
            if len(found) > MOST_PACKAGES:
                reason = f"it matches more than {MOST_PACKAGES} packages"
                raise BadMatchSpec(spec=query.spec, reason=reason)
        if not found:
            useless.append(f"'{shown(query.spec)}'")
        selected |= found
    if useless:
        raise NothingToPromote(specs=", ".join(useless))
    for chunk in _chunks(sorted({row.name for row in selected.values()})):
        for row in target(chunk):
            selected.pop(row.identity, None)
    return _by_path(selected.values())


def closure(wanted, *, source, target):
    """Return the `Closure`: packages, and what they depend on as far as the target does not have it.

    Where nothing in the target satisfies a dependency, the newest release (version and build number) that does is taken
    from the source. Of its builds come those that need nothing more. One build would not do: `scipy >=1.15` is the same
    text in packages for each Python, and each needs another build of scipy. All builds would be too many: the one for a
    Python that the target lacks would bring this Python with it. If each build needs more, the last one comes.

    Args:
        wanted: Packages of the source that the target does not have, see `select`.
    """
    added = {package.identity: package for package in wanted}
    stage = _Stage(target, added.values())
    waiting = list(added.values())
    while waiting:
        demands = Demands(waiting)
        waiting = []
        for package in _needed(demands, stage, source):
            added[package.identity] = package
            waiting.append(package)
    packages = _by_path(added.values())
    return Closure(packages, list(Demands(packages).unmet(stage.offers)))


class _Stage:
    """The target with what is added to it, as far as somebody asked for it."""

    def __init__(self, target, added):
        self.offers = Offers(added)
        self.comparisons = 0
        self._target = target
        self._known = set()

    def learn(self, names):
        for chunk in _chunks(sorted(set(names) - self._known)):
            self._known.update(chunk)
            for package in self._target(chunk):
                self.offers.add(package)

    def has_all_for(self, package):
        return all(
            self.offers.satisfy(dependency, package.subdir) for dependency in _dependencies(package)
        )


def _needed(demands, stage, source):
    """Yield packages of the source for what the stage lacks. The stage has each of them when it is yielded."""
    wanted = [(subdir, dependency) for subdir, _, dependency in demands if dependency]
    stage.learn(dependency.name for _, dependency in wanted)
    missing = {}
    for subdir, dependency in wanted:
        if not stage.offers.satisfy(dependency, subdir):
            missing.setdefault(dependency.name, []).append((subdir, dependency))
    for chunk in _chunks(missing):
        rows = {}
        for row in source(chunk):
            rows.setdefault(row.name, []).append(row)
        found = []
        for name in chunk:
            for subdir, dependency in missing[name]:
                stage.comparisons += len(rows.get(name, ()))
                if stage.comparisons <= _MOST_COMPARISONS:
                    releases = _newest_releases(dependency, subdir, rows.get(name, ()))
                    found.append((subdir, dependency, releases))
        stage.learn(
            dependency.name
            for *_, releases in found
            for release in releases
            for row in release
            for dependency in _dependencies(row)
        )
        for subdir, dependency, releases in found:
            # What came for another dependency may do for this one.
            if stage.offers.satisfy(dependency, subdir):
                continue
            builds = [row for release in releases for row in _builds(release, stage)]
            for row in builds:
                stage.offers.add(row)
                yield row


def _newest_releases(dependency, subdir, rows):
    """Return lists of packages: the newest that satisfy a dependency, on each platform where it has to be satisfied.

    A package of `noarch` goes onto every platform, and not each has the same for it.
    """
    fitting = [row for row in rows if is_beside(row.subdir, subdir) and dependency.takes(row)]
    platforms = {row.subdir for row in fitting} if subdir == NOARCH else {subdir}
    releases = []
    for platform in sorted(platforms):
        there = [row for row in fitting if row.subdir in (platform, NOARCH)]
        if there:
            newest = max(map(_release, there))
            releases.append([row for row in there if _release(row) == newest])
    return releases


def _builds(release, stage):
    """Choose among packages of one name and version, see `closure`."""
    # Of one build in both formats, clients take the `.conda`.
    by_age = sorted(
        release,
        key=lambda row: (row.filename.endswith(".conda"), row.indexed_timestamp or 0, row.path),
    )
    builds = {(row.subdir, row.build): row for row in by_age}.values()
    complete = [row for row in builds if stage.has_all_for(row)]
    return complete or [max(builds, key=lambda row: (row.indexed_timestamp or 0, row.path))]


def _release(row):
    return VersionKey(row.version), row.build_number


def _dependencies(package):
    return filter(None, map(read_dependency, package.depends or ()))


def _by_path(packages):
    return sorted(packages, key=lambda package: package.identity[:2])


def _chunks(names):
    names = iter(names)
    while chunk := list(islice(names, _NAMES_AT_ONCE)):
        yield chunk
