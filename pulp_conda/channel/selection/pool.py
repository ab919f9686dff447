"""The packages that a selection is made from, and which of them a dependency takes.

Packages are loaded by name. A set of packages of one name is an integer: bit `n` stands for the
package with the number `n`. So sets are small, and comparing them is fast.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import orjson
from rattler import PackageRecord as RattlerRecord
from rattler import Version
from rattler.exceptions import InvalidVersionError

from pulp_conda.channel.matchspec import as_rattler
from pulp_conda.channel.policies.satisfaction import Candidate, Dependency, read_dependency

# Conda and mamba add this dependency to Python (`add_pip_as_python_dependency`).
IMPLIED = {"python": ("pip",)}

_NAMES_AT_ONCE = 100


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """A package that may be selected.

    Attributes:
        depends: The match specs that it needs in any case.
        optional: Those that it needs only in some cases: for an extra (CEP 44), and pip for Python.
        constrains: The match specs that other packages have to satisfy, if they are installed.
        has_features: Whether it has `track_features`, so that clients take it only if they must.
        size: The bytes of the file. 0 if they are not known.
        record: The whole record as JSON.
        in_v3: Whether the record belongs in the section `v3` of repodata (CEP 48).
    """

    candidate: Candidate
    depends: tuple[str, ...]
    optional: tuple[str, ...]
    constrains: tuple[str, ...]
    has_features: bool
    size: int
    record: bytes
    in_v3: bool = False

    @classmethod
    def read(cls, candidate: Candidate, record: bytes, in_v3: bool = False) -> "Package":
        """Return a package from its record in JSON."""
        fields: dict[str, Any] = orjson.loads(record)
        extras = fields.get("extra_depends")
        groups = extras.values() if isinstance(extras, dict) else ()
        return cls(
            candidate,
            depends=_texts(fields.get("depends")),
            optional=(
                *(text for group in groups for text in _texts(group)),
                *IMPLIED.get(candidate.name, ()),
            ),
            constrains=_texts(fields.get("constrains")),
            has_features=bool(fields.get("track_features")),
            size=size if type(size := fields.get("size")) is int else 0,
            record=record,
            in_v3=in_v3,
        )

    @property
    def stem(self) -> tuple[str, str]:
        """The subdir, and the file name without its extension."""
        filename = self.candidate.filename
        return self.candidate.subdir, filename.removesuffix(".conda").removesuffix(".tar.bz2")


# Takes package names, and returns the packages that have them.
Lookup: TypeAlias = Callable[[list[str]], Iterable[Package]]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A match spec in a dependency.

    Attributes:
        name: The name of the package that it is about.
        takes: Which packages of this name satisfy it.
        is_conditional: Whether it holds only if something else is installed.
        is_external: Whether the pool has no package of this name at all. Then another channel of
            the user has to have it.
    """

    name: str
    takes: int
    is_conditional: bool
    is_external: bool


class Pool:
    """The packages of a source and of a target, by name.

    The source has what can be selected. The target is where it goes, and what is there need not be
    selected. If both have another file or another record at the same path, the one of the target
    counts, unless the one of the source is `wanted`. Of a build in both formats, only the `.conda`
    counts, as for clients, unless only the other one is wanted.

    Args:
        is_withheld: Says of a name that neither has whether the source has packages of it that
            may not be selected. Then no other channel is expected to have them.
    """

    def __init__(
        self,
        source: Lookup,
        target: Lookup,
        wanted: Callable[[Candidate], bool],
        is_withheld: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._source, self._target, self._wanted = source, target, wanted
        self._is_withheld = is_withheld
        self._packages: dict[str, list[Package]] = {}
        self._there: dict[str, int] = {}
        self._from_source: dict[str, int] = {}
        self._dependencies: dict[str, Dependency | None] = {}
        self._requirements: dict[str, Requirement | None] = {}
        self._releases: dict[str, list[_Release]] = {}

    def learn(self, names: Iterable[str]) -> None:
        """Load the packages with these names, each name once."""
        new = iter(sorted(set(names) - self._packages.keys()))
        while chunk := list(islice(new, _NAMES_AT_ONCE)):
            for name in chunk:
                self._packages[name], self._there[name], self._from_source[name] = [], 0, 0
            by_name: dict[str, tuple[list[Package], list[Package]]] = {
                name: ([], []) for name in chunk
            }
            for place, lookup in enumerate((self._source, self._target)):
                for package in lookup(chunk):
                    by_name[package.candidate.name][place].append(package)
            for name, (source, target) in by_name.items():
                self._merge(name, source, target)

    def _merge(self, name: str, source: list[Package], target: list[Package]) -> None:
        present = {package.stem: package for package in self._one_format(target)}
        merged: dict[tuple[str, str], Package] = dict(present)
        offered = set()
        for package in self._one_format(source):
            before = present.get(package.stem)
            same = before is not None and before.candidate.identity == package.candidate.identity
            if before is None or same or self._wanted(package.candidate):
                merged[package.stem] = package
                offered.add(package.stem)
                if not same:
                    present.pop(package.stem, None)
        for number, stem in enumerate(sorted(merged)):
            self._packages[name].append(merged[stem])
            self._there[name] |= (stem in present) << number
            self._from_source[name] |= (stem in offered) << number

    def _one_format(self, packages: Iterable[Package]) -> Iterable[Package]:
        by_stem: dict[tuple[str, str], Package] = {}
        for package in packages:
            before = by_stem.setdefault(package.stem, package)
            if before is not package:
                by_stem[package.stem] = max(before, package, key=self._rank)
        return by_stem.values()

    def _rank(self, package: Package) -> tuple[bool, bool]:
        candidate = package.candidate
        return self._wanted(candidate), candidate.filename.endswith(".conda")

    def of(self, name: str, chosen: int) -> Iterator[Package]:
        """Yield the packages of a name that are in a set."""
        packages = self._packages[name]
        for number in numbers(chosen):
            yield packages[number]

    def all(self, name: str) -> list[Package]:
        """Return the packages of a name."""
        return self._packages[name]

    @property
    def names(self) -> list[str]:
        """The names whose packages were loaded and are there."""
        return [name for name, packages in self._packages.items() if packages]

    def count(self, name: str) -> int:
        return len(self._packages[name])

    def there(self, name: str) -> int:
        """Return which packages of a name the target has."""
        return self._there[name]

    def from_source(self, name: str) -> int:
        """Return which packages of a name the source has."""
        return self._from_source[name]

    def where(self, name: str, holds: Callable[[Package], bool]) -> int:
        """Return which packages of a name a condition holds for."""
        return sum(holds(package) << n for n, package in enumerate(self._packages[name]))

    def read(self, text: str) -> Dependency | None:
        """Return a match spec in a dependency, or None if no client could read it."""
        if text not in self._dependencies:
            self._dependencies[text] = read_dependency(text)
        return self._dependencies[text]

    def requirement(self, text: str) -> Requirement | None:
        """Return what a dependency takes, or None if no client could read it.

        The packages of its name have to be loaded.
        """
        if text not in self._requirements:
            dependency = self.read(text)
            self._requirements[text] = (
                None if dependency is None else self._as_requirement(dependency)
            )
        return self._requirements[text]

    def _as_requirement(self, dependency: Dependency) -> Requirement:
        return Requirement(
            dependency.name,
            self._takes(dependency),
            dependency.conditional,
            is_external=not self._packages[dependency.name]
            and not self._is_withheld(dependency.name),
        )

    def _takes(self, dependency: Dependency) -> int:
        name = dependency.name
        if name not in self._releases:
            self._releases[name] = list(_releases(name, self._packages[name]))
        takes = 0
        for release in self._releases[name]:
            if dependency.takes_version(release.version):
                for build, packages in release.builds:
                    if dependency.takes_one_of([build]):
                        takes |= packages
        return takes


class Machine:
    """What the machine of a user has that no channel brings (CEP 30).

    Args:
        packages: The versions of its virtual packages by name, see `virtual_packages`.
    """

    def __init__(self, packages: Mapping[str, str]) -> None:
        self.packages = packages

    def satisfies(self, dependency: Dependency, *, if_there: bool = False) -> bool:
        """Say whether the machine has what a dependency on a virtual package asks for.

        Args:
            if_there: It is a constraint, so that a machine without this virtual package is fine.
        """
        version = self.packages.get(dependency.name)
        if version is None:
            return if_there or dependency.conditional
        build = "0"
        if dependency.name == "__archspec":
            # The microarchitecture is the build.
            version, build = "1", version
        return dependency.takes_version(Version(version)) and dependency.takes_one_of(
            [as_rattler(dependency.name, "0", build, 0)]
        )


@dataclass(frozen=True, slots=True)
class _Release:
    """The packages of one name and version: which packages have a build, by build."""

    version: Version | None
    builds: list[tuple[RattlerRecord, int]]


def numbers(chosen: int) -> Iterator[int]:
    """Yield the numbers of the packages in a set, in ascending order."""
    while chosen:
        lowest = chosen & -chosen
        yield lowest.bit_length() - 1
        chosen ^= lowest


def _releases(name: str, packages: list[Package]) -> Iterator[_Release]:
    by_version: dict[str, dict[tuple[str, int], int]] = {}
    for number, package in enumerate(packages):
        candidate = package.candidate
        builds = by_version.setdefault(candidate.version, {})
        build = candidate.build, candidate.build_number
        builds[build] = builds.get(build, 0) | 1 << number
    for text, builds in by_version.items():
        version: Version | None
        try:
            version = Version(text)
        except InvalidVersionError:
            version = None
        yield _Release(
            version, [(as_rattler(name, "0", *build), which) for build, which in builds.items()]
        )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()
