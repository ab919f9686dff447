"""Which packages could be installed on a machine together with some roots.

First come the names that the roots lead to, with the hard rules: what may never be there. Then arc
consistency: a package is out if one of its dependencies finds nothing, and so on, until all that is
left finds something for each dependency. That is much cheaper than to solve, and not as exact: what
is out cannot be installed, but not all that is left can be.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pulp_conda.channel.errors import shown
from pulp_conda.channel.layout import NOARCH
from pulp_conda.channel.matchspec import Query, Queryable
from pulp_conda.channel.selection.pool import Machine, Package, Pool, Requirement, numbers
from pulp_conda.channel.versions import VersionKey

# How many steps an explanation has.
_LONGEST_CHAIN = 6

# Sets of packages by name, see `pool`.
Sets = Mapping[str, int]


class Wish(Protocol):
    """Says which packages are wanted. `Query` is one."""

    @property
    def spec(self) -> str: ...
    @property
    def exact_name(self) -> str | None: ...
    def matches(self, record: Queryable, /) -> bool: ...


@dataclass(frozen=True)
class Root:
    """Packages of one name that are wanted.

    Attributes:
        name: The name of the packages.
        query: Says which of them are wanted. Its spec may have a pattern for the name.
        of_target: Whether packages that only the target has will do.
    """

    name: str
    query: Wish
    of_target: bool = False

    @property
    def is_pattern(self) -> bool:
        """Whether the spec has a pattern for the name. Nobody installs all that it matches."""
        return self.query.exact_name is None


class Survey:
    """The packages of a pool that could be installed on one machine together with some roots.

    Args:
        roots: If they are wanted together, at most one for each name. Then only those packages of
            their names can be installed that they want, because they are there in any case.
        together: Whether they are.

    Attributes:
        live: Which packages of each name could be installed.
        base: Which of them the target has with all that they need, without anything else.
    """

    def __init__(
        self, pool: Pool, platform: str, machine: Machine, roots: Sequence[Root], together: bool
    ) -> None:
        self.pool = pool
        self.platform = platform
        self.machine = machine
        self.roots = roots
        pool.learn(root.name for root in roots)
        self._wanted = {root: _wanted(pool, root) for root in roots}
        self._pins = {root.name: wanted for root, wanted in self._wanted.items() if together}
        self._allowed: dict[str, int] = {}
        self._walk()
        self._found_nothing: set[str] = set()
        self.base, _ = self._consistent(
            {name: allowed & pool.there(name) for name, allowed in self._allowed.items()}
        )
        self.live, self._found_nothing = self._consistent(self._allowed)

    def wanted(self, root: Root) -> int:
        """Return which packages of a root could be installed."""
        return self.live[root.name] & self._wanted[root]

    def is_here(self, root: Root) -> bool:
        """Say whether this platform has packages of a root, even if they cannot be installed."""
        packages = self.pool.of(root.name, self._wanted[root])
        return any(self._is_beside(package) for package in packages)

    def packages(self, sets: Sets) -> Iterator[Package]:
        """Yield the packages in sets."""
        for name in sorted(sets):
            yield from self.pool.of(name, sets[name])

    def requirements(self, package: Package) -> Iterator[Requirement]:
        """Yield what a package needs from channels, and what it may need in some cases."""
        for text in (*package.depends, *package.optional):
            requirement = self._requirement(text)
            if requirement is not None:
                yield requirement

    def close(
        self,
        start: Sets,
        choose: Callable[[str, int], int],
        prefer_base: bool,
    ) -> dict[str, int]:
        """Return some packages, and what is chosen for each of their dependencies, and so on.

        Args:
            start: The packages.
            choose: Takes a name and the packages that a dependency could have, and returns those
                that it shall have.
            prefer_base: If the base has packages for a dependency, it shall have these.
        """
        chosen: dict[str, int] = {}
        waiting = [(name, which) for name, which in start.items() if which]
        answered: set[tuple[str, int]] = set()
        while waiting:
            name, which = waiting.pop()
            new = which & ~chosen.get(name, 0)
            chosen[name] = chosen.get(name, 0) | new
            for package in self.pool.of(name, new):
                for requirement in self.requirements(package):
                    question = requirement.name, requirement.takes
                    if question not in answered and not requirement.is_external:
                        answered.add(question)
                        there = requirement.takes & self.base.get(requirement.name, 0)
                        if prefer_base and there:
                            waiting.append((requirement.name, there))
                        elif takes := requirement.takes & self.live.get(requirement.name, 0):
                            waiting.append((requirement.name, choose(requirement.name, takes)))
        return chosen

    def is_complete(self, package: Package) -> bool:
        """Say whether the base has all that a package needs."""
        return all(
            requirement is None
            or requirement.is_conditional
            or requirement.is_external
            or requirement.takes & self.base.get(requirement.name, 0)
            for requirement in map(self._requirement, package.depends)
        )

    def external(self, package: Package) -> Iterator[str]:
        """Yield the dependencies of a package that only other channels can have."""
        for text in package.depends:
            requirement = self._requirement(text)
            if requirement is not None and requirement.is_external:
                yield text

    def reason_against_name(self, name: str) -> str | None:
        """Say why no package of a name could be installed, as the end of a sentence. None if one
        could, or if the roots do not lead to the name.
        """
        if self.live.get(name, 1):
            return None
        packages = self.pool.all(name)
        here = [package for package in packages if self._is_beside(package)]
        return self._reason(here) if here else f"there is no package for {self.platform}"

    def reason_against(self, root: Root) -> str:
        """Say why no package of a root could be installed, as the end of a sentence."""
        here = [
            package
            for package in self.pool.of(root.name, self._wanted[root])
            if self._is_beside(package)
        ]
        if not here:
            return f"it has no package for {self.platform}"
        return self._reason(here)

    def _reason(self, packages: Sequence[Package], depth: int = 0) -> str:
        """Say why the newest of some packages cannot be installed."""
        package = max(packages, key=lambda package: VersionKey(package.candidate.version))
        path = package.candidate.path
        if forbidden := self._reason_forbidden(package):
            return f"{path} {forbidden}"
        if not any(other is package for other in self._pinned(package.candidate.name)):
            return f"{path} is not what the specs ask for"
        for text in package.depends:
            if text not in self._found_nothing:
                continue
            requirement = self.pool.requirement(text)
            assert requirement is not None  # it found nothing, so it could be read
            among = list(self.pool.of(requirement.name, requirement.takes))
            beside = [other for other in among if self._is_beside(other)]
            needs = f"{path} needs '{shown(text)}'"
            if not beside:
                return f"{needs}, which nothing in {self.platform} or noarch satisfies"
            if depth < _LONGEST_CHAIN:
                return f"{needs}, and {self._reason(beside, depth + 1)}"
            return f"{needs}, which cannot be installed"
        return f"{path} cannot be installed"

    def _pinned(self, name: str) -> Iterator[Package]:
        """Yield the packages of a name that the roots allow."""
        return self.pool.of(name, self._pins.get(name, (1 << self.pool.count(name)) - 1))

    def _walk(self) -> None:
        """Find out what is allowed of all names that the roots lead to."""
        waiting = {root.name for root in self.roots}
        while waiting:
            self.pool.learn(waiting)
            found: set[str] = set()
            for name in sorted(waiting):
                allowed = self.pool.where(name, lambda package: not self._reason_forbidden(package))
                allowed &= self._pins.get(name, allowed)
                self._allowed[name] = allowed
                for package in self.pool.of(name, allowed):
                    for text in (*package.depends, *package.optional):
                        dependency = self.pool.read(text)
                        if dependency is not None and not _is_virtual(dependency.name):
                            found.add(dependency.name)
            waiting = found - self._allowed.keys()

    def _reason_forbidden(self, package: Package) -> str | None:
        """Say why a package may never be there, as the end of a sentence, or return None."""
        if not self._is_beside(package):
            return f"is not for {self.platform}"
        for text in package.depends:
            dependency = self.pool.read(text)
            if dependency is None:
                return f"needs '{shown(text)}', which is not a match spec"
            if _is_virtual(dependency.name):
                if not self.machine.satisfies(dependency):
                    return f"needs '{shown(text)}', which the machine does not have"
            elif not dependency.conditional and not self._meets_pins(text, dependency.name):
                return f"needs '{shown(text)}', which the other specs do not allow"
        for text in package.constrains:
            dependency = self.pool.read(text)
            if dependency is None or dependency.conditional:
                continue
            if _is_virtual(dependency.name):
                if not self.machine.satisfies(dependency, if_there=True):
                    return f"does not go with the machine: it allows only '{shown(text)}'"
            elif not self._meets_pins(text, dependency.name):
                return f"allows only '{shown(text)}', which the other specs do not allow"
        return None

    def _meets_pins(self, text: str, name: str) -> bool:
        if name not in self._pins or not self._pins[name]:
            return True
        requirement = self.pool.requirement(text)
        return requirement is not None and bool(requirement.takes & self._pins[name])

    def _is_beside(self, package: Package) -> bool:
        return package.candidate.subdir in (self.platform, NOARCH)

    def _requirement(self, text: str) -> Requirement | None:
        """Return what a text takes. None for virtual packages, and what no client could read."""
        dependency = self.pool.read(text)
        if dependency is None or _is_virtual(dependency.name):
            return None
        return self.pool.requirement(text)

    def _consistent(self, sets: Sets) -> tuple[dict[str, int], set[str]]:
        """Return the packages in sets of which each dependency finds something in the result, and
        the dependencies that find nothing.
        """
        live = dict(sets)
        # By name, the dependencies on it. By dependency and name, the packages that have it.
        on: dict[str, set[str]] = {}
        users: dict[str, dict[str, int]] = {}
        for name, which in live.items():
            for number, package in zip(numbers(which), self.pool.of(name, which), strict=True):
                for text in package.depends:
                    requirement = self._requirement(text)
                    if requirement is None or requirement.is_conditional or requirement.is_external:
                        continue
                    on.setdefault(requirement.name, set()).add(text)
                    of_text = users.setdefault(text, {})
                    of_text[name] = of_text.get(name, 0) | 1 << number
        found_nothing: set[str] = set()
        waiting = sorted(on)
        while waiting:
            name = waiting.pop()
            for text in sorted(on.get(name, ())):
                requirement = self.pool.requirement(text)
                if text in found_nothing or requirement is None:
                    continue
                if requirement.takes & live.get(name, 0):
                    continue
                found_nothing.add(text)
                for user, which in users[text].items():
                    if live[user] & which:
                        live[user] &= ~which
                        waiting.append(user)
        return live, found_nothing


def expand(queries: Iterable[Query], names: Callable[[], Iterable[str]]) -> Iterator[Root]:
    """Yield the roots that queries stand for: one, or one for each name that a pattern matches."""
    for query in queries:
        if query.exact_name is not None:
            yield Root(query.exact_name, query)
        else:
            yield from (Root(name, query) for name in sorted(names()) if query.may_match(name))


def _wanted(pool: Pool, root: Root) -> int:
    """Return which packages of the source a root wants."""
    matching = pool.where(root.name, lambda package: root.query.matches(package.candidate))
    return matching if root.of_target else matching & pool.from_source(root.name)


def _is_virtual(name: str) -> bool:
    return name.startswith("__")
