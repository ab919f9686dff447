"""What was selected from an upstream, and why."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pulp_conda.channel.errors import shown
from pulp_conda.channel.layout import NOARCH
from pulp_conda.channel.selection.pool import Package, Pool, numbers
from pulp_conda.channel.selection.rules import Rules
from pulp_conda.channel.selection.survey import Survey

# In a report.
_MOST_PACKAGES = 1000
_MOST_REASONS = 10


@dataclass
class Selected:
    """What was selected, and why.

    Attributes:
        sets: The packages by name, as sets of the pool. It has those of base channels, too.
        starts: By the group and the spec of each root, its packages, as sets of the pool.
        locked: The packages of lock files by path, and the lock file that has them.
        unmet: The dependencies that neither the upstream nor a base channel has.
        not_installable: Sentences about roots that some platforms have no solution for.
    """

    pool: Pool
    rules: Rules
    sets: dict[str, int] = field(default_factory=dict)
    starts: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    locked: dict[str, tuple[Package, str]] = field(default_factory=dict)
    unmet: dict[str, None] = field(default_factory=dict)
    not_installable: dict[str, None] = field(default_factory=dict)
    surveys: list[Callable[[], Survey]] = field(default_factory=list)

    @cached_property
    def packages(self) -> dict[str, Package]:
        """The packages of the upstream that were selected, by path."""
        chosen = {path: package for path, (package, _) in self.locked.items()}
        for name, which in self.sets.items():
            for package in self.pool.of(name, self._own(name, which)):
                chosen[package.candidate.path] = package
        return dict(sorted(chosen.items()))

    @property
    def size(self) -> int:
        """The bytes of the packages."""
        return sum(package.size for package in self.packages.values())

    def _own(self, name: str, which: int) -> int:
        return which & self.pool.from_source(name) & ~self.pool.there(name)

    def report(self) -> dict[str, Any]:
        """Return what was selected, per platform and per root, and what was left out."""
        by_subdir: dict[str, list[Package]] = {}
        for package in self.packages.values():
            by_subdir.setdefault(package.candidate.subdir, []).append(package)
        reasons = Counter(
            reason for left_out in self.rules.left_out.values() for _, reason in left_out
        )
        return {
            "count": len(self.packages),
            "size": self.size,
            "platforms": {subdir: _total(some) for subdir, some in by_subdir.items()},
            "roots": [*self._roots()],
            "left_out": [
                {"rule": rule, "count": count}
                for rule, count in reasons.most_common(_MOST_PACKAGES)
            ],
            "unmet": list(self.unmet)[:_MOST_PACKAGES],
            "not_installable": list(self.not_installable)[:_MOST_PACKAGES],
            "packages": [
                {"path": path, "size": package.size}
                for path, package in list(self.packages.items())[:_MOST_PACKAGES]
            ],
        }

    def _roots(self) -> Iterator[dict[str, Any]]:
        for (group, spec), start in self.starts.items():
            reached = self._reach({key: None for key in _keys(start)})
            packages = [
                package
                for name, which in _as_sets(reached).items()
                for package in self.pool.of(name, self._own(name, which))
            ]
            yield {"group": group, "spec": spec, **_total(packages)}
        by_file: dict[str, list[Package]] = {}
        for package, name in self.locked.values():
            by_file.setdefault(name, []).append(package)
        for name, packages in by_file.items():
            yield {"group": name, "spec": None, **_total(packages)}

    def _reach(self, start: "_Parents") -> "_Parents":
        """Return all that roots lead to among what was selected, and from where it is reached by
        the fewest steps.
        """
        parents = dict(start)
        waiting = deque(start)
        while waiting:
            name, number = key = waiting.popleft()
            (package,) = self.pool.of(name, 1 << number)
            for text in (*package.depends, *package.optional):
                dependency = self.pool.read(text)
                if dependency is None or dependency.name not in self.sets:
                    continue
                requirement = self.pool.requirement(text)
                assert requirement is not None, "it could be read"
                for other in numbers(requirement.takes & self.sets[requirement.name]):
                    (needed,) = self.pool.of(requirement.name, 1 << other)
                    subdirs = {package.candidate.subdir, needed.candidate.subdir}
                    if (requirement.name, other) in parents or len(subdirs - {NOARCH}) > 1:
                        continue
                    parents[requirement.name, other] = key, text
                    waiting.append((requirement.name, other))
        return parents

    def why(self, wanted: str) -> dict[str, Any]:
        """Return the shortest way from a root to a package, or what keeps it out.

        Args:
            wanted: A package name, a file name, or a path in the channel.
        """
        paths = [
            path
            for path, package in self.packages.items()
            if wanted in (package.candidate.name, package.candidate.filename, path)
        ]
        if not paths:
            return {"name": wanted, "selected": False, "way": [], "reasons": self._against(wanted)}
        for path in paths:
            if path in self.locked:
                way = [f"{self.locked[path][1]} names {path}"]
                return {"name": wanted, "selected": True, "way": way, "reasons": []}
        return {"name": wanted, "selected": True, "way": self._way(set(paths)), "reasons": []}

    def whys(self, paths: Sequence[str]) -> dict[str, str]:
        """Return for packages that were selected the root or the dependency that brought them."""
        parents = self._reach({key: None for key in self._first()})
        by_path = {self._path(key): parent for key, parent in parents.items()}
        whys: dict[str, str] = {}
        for path in paths[:_MOST_PACKAGES]:
            parent = by_path.get(path)
            if path in self.locked:
                whys[path] = f"{self.locked[path][1]} names it"
            elif parent is not None:
                whys[path] = f"{self._path(parent[0])} needs '{shown(parent[1])}'"
            else:
                whys[path] = "it is a root" if path in by_path else "it is in a solution"
        return whys

    def _first(self) -> "dict[_Key, tuple[str, str]]":
        """Return the packages of roots, each with its first root."""
        first: dict[_Key, tuple[str, str]] = {}
        for root, start in self.starts.items():
            for key in _keys(start):
                first.setdefault(key, root)
        return first

    def _way(self, paths: set[str]) -> list[str]:
        first = self._first()
        parents = self._reach({key: None for key in first})
        for key in parents:
            if self._path(key) in paths:
                break
        else:
            return ["It is in a solution, and no selected package asks for it by name."]
        steps: list[str] = []
        while (parent := parents[key]) is not None:
            before, text = parent
            steps.append(f"{self._path(before)} needs '{shown(text)}': {self._path(key)}")
            key = before
        group, spec = first[key]
        return [f"'{shown(spec)}' of {group}: {self._path(key)}", *reversed(steps)]

    def _path(self, key: "_Key") -> str:
        (package,) = self.pool.of(key[0], 1 << key[1])
        return package.candidate.path

    def _against(self, wanted: str) -> list[str]:
        """Say why nothing of a name, or a file of it, was selected."""
        left_out = [
            f"{package.candidate.path} is left out: {reason}"
            for packages in self.rules.left_out.values()
            for package, reason in packages
            if wanted
            in (package.candidate.name, package.candidate.filename, package.candidate.path)
        ]
        name = self._name_of(wanted)
        if name is None:
            return left_out[:_MOST_REASONS] or ["No root leads to this name."]
        if name != wanted and not left_out:
            return [
                f"The solutions do not need it, and there are newer ones of '{name}', "
                "see 'newest' and 'builds'."
            ]
        reasons = [
            f"{shown(reason, longest=1000)}."
            for survey in self.surveys
            if (reason := survey().reason_against_name(name))
        ]
        if not reasons and self.pool.there(name):
            reasons = [f"A base channel has '{name}', so that it is not mirrored."]
        if not reasons and not left_out:
            reasons = ["No selected package needs it."]
        return [*left_out, *dict.fromkeys(reasons)][:_MOST_REASONS]

    def _name_of(self, wanted: str) -> str | None:
        """Return the name of the packages that may be selected and are meant."""
        for name in self.pool.names:
            if wanted == name or any(
                wanted in (package.candidate.filename, package.candidate.path)
                for package in self.pool.all(name)
            ):
                return name
        return None


_Key = tuple[str, int]
_Parents = dict[_Key, tuple[_Key, str] | None]


def _total(packages: Sequence[Package]) -> dict[str, int]:
    return {"count": len(packages), "size": sum(package.size for package in packages)}


def _keys(sets: Mapping[str, int]) -> Iterator[_Key]:
    for name, which in sets.items():
        yield from ((name, number) for number in numbers(which))


def _as_sets(keys: Iterable[_Key]) -> dict[str, int]:
    sets: dict[str, int] = {}
    for name, number in keys:
        sets[name] = sets.get(name, 0) | 1 << number
    return sets
