"""Which packages of an upstream a mirror has, so that what is asked for can be installed from it.

A selection has groups of roots. Of each group, for each of the alternatives and each machine, a
closure is selected (see `closure`), and the mirror has their union. Rules say what may never be in,
before anything is solved. All else is a preference that gives way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

from pulp_conda.channel.errors import (
    BoundLeavesNothing,
    ContradictorySpecs,
    LockedFilesMissing,
    NotInstallable,
    RootMatchesNothing,
    SelectionTooLarge,
    listed,
    shown,
)
from pulp_conda.channel.lockfiles.model import LockedPackage
from pulp_conda.channel.matchspec import Query, Queryable
from pulp_conda.channel.policies.satisfaction import Candidate
from pulp_conda.channel.selection.closure import Closure, Solve, platforms_of, select_closure
from pulp_conda.channel.selection.pool import Package, Pool, numbers
from pulp_conda.channel.selection.rules import Offer, Rules, SelectionBounds
from pulp_conda.channel.selection.selected import Selected
from pulp_conda.channel.selection.survey import Root, Survey, Wish


@dataclass(frozen=True)
class RootGroup:
    """Roots that are wanted together.

    Attributes:
        name: What reports call it.
        specs: Match specs. Those for one name have to hold together.
        platform: The subdir to install it on. None for all that have packages of the roots.
        machine: What the machine has, as changes to the defaults. None for the machines of the
            selection.
        own: Whether the roots are wanted from the upstream itself, even if a base channel has them.
    """

    name: str
    specs: tuple[str, ...]
    platform: str | None = None
    machine: Mapping[str, str | None] | None = None
    own: bool = True


@dataclass(frozen=True)
class LockedRoots:
    """The packages of a lock file, which are selected as they are.

    Attributes:
        name: What reports call it.
    """

    name: str
    packages: tuple[LockedPackage, ...]


@dataclass(frozen=True)
class _Together:
    """A wish for packages of one name that several specs choose."""

    name: str
    queries: tuple[Query, ...]

    @property
    def spec(self) -> str:
        return f"{self.name}[{', '.join(query.spec for query in self.queries)}]"

    @property
    def exact_name(self) -> str | None:
        return self.name

    def matches(self, record: Queryable, /) -> bool:
        return all(query.matches(record) for query in self.queries)


def curate(
    groups: Sequence[RootGroup],
    locked: Sequence[LockedRoots],
    bounds: SelectionBounds,
    offer: Offer,
    solve: Solve,
) -> Selected:
    """Return what a mirror has, so that each group can be installed from it.

    Raises:
        RootMatchesNothing, ContradictorySpecs: A root is not in the upstream.
        BoundLeavesNothing: It can be installed with another bound, and not with this one.
        LockedFilesMissing: The upstream does not have the files of a lock file.
        SelectionTooLarge: It is more than the bounds allow.
        NotInstallable, NotProven, SolverGaveUp, TooManyRoots: See `select_closure`.
    """
    return _Curation(groups, bounds, offer, solve).run(locked)


class _Curation:
    def __init__(
        self, groups: Sequence[RootGroup], bounds: SelectionBounds, offer: Offer, solve: Solve
    ) -> None:
        self._groups = groups
        self._bounds = bounds
        self._offer = offer
        self._solve = solve
        self._of_base: dict[str, list[Package]] = {}
        self._own: set[str] = set()
        self._queries = {spec: Query(spec) for group in groups for spec in group.specs}
        self._queries |= {spec: Query(spec) for spec in bounds.for_each}

    def run(self, locked: Sequence[LockedRoots]) -> Selected:
        own = [self._queries[spec] for group in self._groups if group.own for spec in group.specs]
        names = {query.exact_name for query in own if query.exact_name is not None}
        if names:
            found = self._offer.source(sorted(names))
            self._own = {package.candidate.name for package in found}
        rules = Rules(self._bounds, self._offer)
        selected = Selected(self._pool(rules), rules)
        for group in self._groups:
            for specs in self._alternatives(group):
                for machine in (
                    [group.machine] if group.machine is not None else (self._bounds.machines)
                ):
                    self._add(selected, group, specs, machine)
        self._add_locked(selected, locked)
        self._check_size(selected)
        return selected

    def _alternatives(self, group: RootGroup) -> Iterator[tuple[str, ...]]:
        if group.machine is not None or not self._bounds.for_each:
            yield group.specs
            return
        for spec in self._bounds.for_each:
            yield (*group.specs, spec)

    def _pool(self, rules: Rules) -> Pool:
        def source(names: list[str]) -> Iterator[Package]:
            based = {package.candidate.name for package in self._base(names)}
            return rules.lookup([name for name in names if name not in based])

        return Pool(
            source,
            self._base,
            wanted=lambda package: False,
            is_withheld=lambda name: bool(rules.left_out.get(name)),
        )

    def _base(self, names: list[str]) -> Iterator[Package]:
        new = [name for name in names if name not in self._of_base and name not in self._own]
        for name in new:
            self._of_base[name] = []
        if new:
            for package in self._offer.base(new):
                self._of_base[package.candidate.name].append(package)
        for name in names:
            if name not in self._own:
                yield from self._of_base[name]

    def _add(
        self,
        selected: Selected,
        group: RootGroup,
        specs: tuple[str, ...],
        machine: Mapping[str, str | None],
    ) -> None:
        try:
            roots = list(self._roots(specs, selected.pool, selected.rules))
            closure = self._close(group, roots, machine, selected.pool)
        except NotInstallable as error:
            raise self._blamed(error, group, specs, machine, selected.rules) from None
        for name, which in closure.sets.items():
            selected.sets[name] = selected.sets.get(name, 0) | which
        for root in roots:
            matching = _all_matching(selected.pool, root)
            texts = [spec for spec in specs if self._queries[spec].may_match(root.name)]
            for text in texts:
                start = selected.starts.setdefault((group.name, text), {})
                start[root.name] = matching & selected.sets.get(root.name, 0)
        selected.unmet |= {
            f"{unmet.path} needs '{shown(unmet.depends)}': {unmet.reason}": None
            for unmet in closure.unmet
        }
        selected.not_installable |= dict.fromkeys(closure.not_installable)
        if self._bounds.with_dependencies:
            together = [root for root in roots if not root.is_pattern]
            platforms = (
                (group.platform,) if group.platform else platforms_of(selected.pool, together)
            )
            bounds = self._bounds.of_machine(machine, self._offer.now_ms)
            selected.surveys += [
                partial(Survey, selected.pool, platform, bounds.machine(platform), together, True)
                for platform in platforms
            ]

    def _roots(self, specs: Sequence[str], pool: Pool, rules: Rules) -> Iterator[Root]:
        """Yield the roots that specs stand for, each with packages in the pool.

        Raises:
            RootMatchesNothing, ContradictorySpecs: There are none at all.
            NotInstallable: There are some, which rules leave out.
        """
        exact: dict[str, list[Query]] = {}
        for query in (self._queries[spec] for spec in specs):
            if query.exact_name is not None:
                exact.setdefault(query.exact_name, []).append(query)
                continue
            names = sorted(filter(query.may_match, self._offer.names()))
            pool.learn(names)
            some = [name for name in names if self._matching(pool, name, query)]
            if not some:
                raise self._nothing(query, names, pool, rules)
            for name in some:
                yield Root(name, query, of_target=True)
        pool.learn(exact)
        for name, queries in exact.items():
            for query in queries:
                if not self._matching(pool, name, query):
                    raise self._nothing(query, [name], pool, rules)
            wish: Wish = queries[0] if len(queries) == 1 else _Together(name, tuple(queries))
            if not self._matching(pool, name, wish):
                raise ContradictorySpecs(
                    specs=", ".join(f"'{shown(query.spec)}'" for query in queries), name=name
                )
            yield Root(name, wish, of_target=True)

    def _matching(self, pool: Pool, name: str, wish: Wish) -> bool:
        return any(wish.matches(package.candidate) for package in pool.all(name))

    def _nothing(
        self, query: Query, names: Sequence[str], pool: Pool, rules: Rules
    ) -> NotInstallable | RootMatchesNothing:
        spec = shown(query.spec)
        reasons = [
            f"{package.candidate.path} is left out: {reason}"
            for name in names
            for package, reason in rules.left_out.get(name, ())
            if query.matches(package.candidate)
        ]
        if reasons:
            return NotInstallable(specs=spec, reason=listed(reasons, most=3))
        if any(pool.count(name) for name in names):
            hint = "It has packages of this name, but none that the spec chooses"
        else:
            near = get_close_matches(str(query.exact_name), list(self._offer.names()), n=3)
            hint = f"Similar names: {', '.join(map(repr, near))}" if near else "Look for the name"
        return RootMatchesNothing(spec=spec, hint=hint)

    def _close(
        self,
        group: RootGroup,
        roots: Sequence[Root],
        machine: Mapping[str, str | None],
        pool: Pool,
    ) -> Closure:
        bounds = self._bounds.of_machine(machine, self._offer.now_ms)
        if self._bounds.with_dependencies:
            platforms = (group.platform,) if group.platform else ()
            return select_closure(roots, pool, bounds, self._solve, platforms)
        sets: dict[str, int] = {}
        for root in roots:
            which = _all_matching(pool, root)
            by_subdir: dict[str, int] = {}
            for number, package in zip(numbers(which), pool.of(root.name, which), strict=True):
                subdir = package.candidate.subdir
                by_subdir[subdir] = by_subdir.get(subdir, 0) | 1 << number
            for some in by_subdir.values():
                sets[root.name] = sets.get(root.name, 0) | bounds.prefer(pool, root.name, some)
        return Closure([], [], sets=sets)

    def _blamed(
        self,
        error: NotInstallable,
        group: RootGroup,
        specs: tuple[str, ...],
        machine: Mapping[str, str | None],
        rules: Rules,
    ) -> NotInstallable | BoundLeavesNothing:
        """Return an error that names the bound without which the roots can be installed, if there
        is one.
        """
        if not any(rules.left_out.values()):
            return error

        def works(relaxed: Rules) -> bool:
            pool = self._pool(relaxed)
            try:
                self._close(group, list(self._roots(specs, pool, relaxed)), machine, pool)
            except NotInstallable:
                return False
            return True

        change = None
        days, too_many = 0, self._bounds.min_age_days
        if too_many and works(rules.with_min_age(days)):
            while too_many - days > 1:
                between = (days + too_many) // 2
                days, too_many = (
                    (between, too_many) if works(rules.with_min_age(between)) else (days, between)
                )
            change = f"'min_age_days' {days}"
        else:
            changes = (change for change, relaxed in rules.relaxed() if works(relaxed))
            change = next(changes, None)
        if change is None:
            return error
        return BoundLeavesNothing(
            spec=error.facts["specs"], reason=error.facts["reason"], change=change
        )

    def _add_locked(self, selected: Selected, locked: Sequence[LockedRoots]) -> None:
        for roots in locked:
            by_path = {package.path: package for package in roots.packages}
            names = sorted({_name_of(package) for package in roots.packages})
            found: set[tuple[str, str]] = set()
            reasons = []
            for package in self._offer.source(names):
                candidate = package.candidate
                wanted = by_path.get((candidate.subdir, candidate.filename))
                if wanted is None:
                    continue
                if not _is_same_file(wanted, candidate):
                    reasons.append(f"{candidate.path} is another file in the upstream")
                elif reason := self._offer.reason_against(candidate):
                    reasons.append(f"{candidate.path} is left out: {reason}")
                else:
                    selected.locked[candidate.path] = package, roots.name
                found.add(wanted.path)
            for package in self._offer.base(names):
                found.add((package.candidate.subdir, package.candidate.filename))
            reasons += [
                f"the upstream has no {subdir}/{filename}"
                for subdir, filename in sorted(by_path.keys() - found)
            ]
            if reasons:
                raise LockedFilesMissing(name=roots.name, reasons=listed(reasons, most=3))

    def _check_size(self, selected: Selected) -> None:
        count, size = len(selected.packages), selected.size
        for key, limit, found in (
            ("max_packages", self._bounds.max_packages, count),
            ("max_bytes", self._bounds.max_bytes, size),
        ):
            if limit is not None and found > limit:
                raise SelectionTooLarge(packages=count, bytes=size, key=key, limit=limit)


def _all_matching(pool: Pool, root: Root) -> int:
    return pool.where(root.name, lambda package: root.query.matches(package.candidate))


def _name_of(package: LockedPackage) -> str:
    return package.filename.rsplit("-", 2)[0]


def _is_same_file(locked: LockedPackage, candidate: Candidate) -> bool:
    if locked.sha256 and candidate.sha256:
        return locked.sha256 == candidate.sha256
    return bool(locked.md5) and locked.md5 == candidate.md5
