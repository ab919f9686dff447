"""Whether the packages that others depend on are there at all, by name, version and build.

This is no solving: if each dependency finds a package, all of them together may still not fit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from rattler import MatchSpec, Version, VersionSpec
from rattler import PackageRecord as RattlerRecord
from rattler.exceptions import InvalidMatchSpecError, InvalidVersionError, InvalidVersionSpecError

from pulp_conda.channel.layout import NOARCH, package_path
from pulp_conda.channel.matchspec import LONGEST, as_rattler, leading_name

# How often a package is compared with a spec. For a name with many packages and many specs, the
# number of comparisons could be the product of both.
_MOST_COMPARISONS = 200_000_000

# For how many names the packages are kept in a form that rattler compares.
_MOST_UNPACKED = 50


class Candidate(NamedTuple):
    """A package that may come into a channel. It is a tuple because there can be a million.

    Attributes:
        depends: The dependencies that the record lists. None or empty if the rules need none.
        indexed_timestamp: When the channel first had it, in milliseconds since 1970, or None.
        is_new: Whether the target does not have it yet.
        seen_timestamp: When this server first had it, in milliseconds since 1970. None if nobody
            knows, or if the rules do not ask.
        believed_timestamp: A date of its upstream that counts as well, or None.
        key: What the caller knows the package by. Another record of the same file has another key.
    """

    subdir: str
    filename: str
    name: str
    version: str
    build: str
    build_number: int
    license: str = ""
    depends: list[str] | None = None
    sha256: str = ""
    md5: str = ""
    indexed_timestamp: int | None = None
    is_new: bool = False
    key: Any = None
    seen_timestamp: int | None = None
    believed_timestamp: int | None = None

    @property
    def path(self) -> str:
        return package_path(self.subdir, self.filename)

    @property
    def identity(self) -> tuple[str, str, Any]:
        """What tells two packages apart: path, sha256 and key."""
        return self.path, self.sha256, self.key


@dataclass(frozen=True)
class Unmet:
    """A dependency of packages in one subdir that no package satisfies.

    Attributes:
        path: The path of the first package that has it.
        depends: The text of the dependency.
        count: How many packages have it.
        reason: What is wrong, in words that can follow the dependency in a sentence.
    """

    subdir: str
    path: str
    depends: str
    count: int
    reason: str


class _Release:
    """All packages of one name, subdir and version."""

    def __init__(self, name: str, version: str) -> None:
        self._name = name
        self._builds: list[tuple[str, int]] = []
        self.version: Version | None
        try:
            self.version = Version(version)
        except InvalidVersionError:
            self.version = None

    def add(self, build: str, build_number: int) -> None:
        self._builds.append((build, build_number))

    @cached_property
    def builds(self) -> list[RattlerRecord]:
        """The builds as rattler compares them, each once. Their version is always 0."""
        return [as_rattler(self._name, "0", *build) for build in dict.fromkeys(self._builds)]


class Dependency:
    """One entry of `depends`, reduced to its name, version and build.

    Attributes:
        conditional: Whether it holds only if something else is installed. We cannot know whether
            that will be so.

    Raises:
        InvalidMatchSpecError, InvalidVersionSpecError: No client could read it.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise InvalidMatchSpecError(f"it is longer than {LONGEST} characters")
        spec = MatchSpec(text)
        self.name = spec.name.normalized
        self.conditional = spec.condition is not None
        # `*` also matches a text that is no version, so it is no constraint here.
        self._version = None if spec.version in (None, "*") else VersionSpec(spec.version)
        self._build: MatchSpec | None = None
        if spec.build is not None or spec.build_number is not None:
            self._build = _only_build(spec)

    @property
    def asks_for_build(self) -> bool:
        return self._build is not None

    def takes_version(self, version: Version | None) -> bool:
        """Say whether a version satisfies it. None stands for a text that is no version."""
        return self._version is None or (version is not None and self._version.matches(version))

    def takes_one_of(self, builds: Iterable[RattlerRecord]) -> bool:
        """Say whether one of some builds satisfies it, whatever their versions are."""
        return self._build is None or any(map(self._build.matches, builds))

    def takes(self, package: Candidate) -> bool:
        """Say whether a package of the same name satisfies it."""
        release = _Release(package.name, package.version)
        release.add(package.build, package.build_number)
        return self.takes_version(release.version) and self.takes_one_of(release.builds)


class Offers:
    """The packages that dependencies may find. Each needs about 40 bytes of memory."""

    def __init__(self, packages: Iterable[Candidate] = ()) -> None:
        # By name and subdir, as lines with version, build and build number.
        self._packages: dict[str, dict[str, bytearray]] = {}
        # The same for a few names, ready for comparison.
        self._unpacked: dict[str, dict[str, list[_Release]]] = {}
        self._left = _MOST_COMPARISONS
        for package in packages:
            self.add(package)

    def add(self, package: Candidate) -> None:
        line = f"{package.version}\0{package.build}\0{package.build_number}\n".encode()
        of_name = self._packages.setdefault(package.name, {})
        if package.subdir in of_name:
            of_name[package.subdir] += line
        else:
            of_name[package.subdir] = bytearray(line)
        self._unpacked.pop(package.name, None)

    @property
    def exhausted(self) -> bool:
        """Whether the limit on comparisons is reached. From then on nothing satisfies anything."""
        return self._left <= 0

    def satisfy(self, dependency: Dependency, subdir: str) -> bool:
        """Say whether a package satisfies a dependency of packages in a subdir.

        Packages of a platform find packages of the platform and of `noarch`. Packages of `noarch`
        find packages of every platform. Virtual packages are always found.
        """
        if dependency.name.startswith("__"):
            return True
        return any(
            self._any_matches(dependency, releases)
            for other_subdir, releases in self._releases(dependency.name).items()
            if is_beside(other_subdir, subdir)
        )

    def _any_matches(self, dependency: Dependency, releases: list[_Release]) -> bool:
        for release in releases:
            if self.exhausted:
                return False
            self._left -= 1
            if not dependency.takes_version(release.version):
                continue
            if not dependency.asks_for_build:
                return True
            self._left -= len(release.builds)
            if dependency.takes_one_of(release.builds):
                return True
        return False

    def _releases(self, name: str) -> dict[str, list[_Release]]:
        if name not in self._unpacked:
            if len(self._unpacked) >= _MOST_UNPACKED:
                del self._unpacked[next(iter(self._unpacked))]
            self._unpacked[name] = {
                subdir: _unpack(name, bytes(lines))
                for subdir, lines in self._packages.get(name, {}).items()
            }
        return self._unpacked[name]


class Demand(NamedTuple):
    """A text that packages of a subdir have in `depends`.

    Attributes:
        dependency: The text as a `Dependency`, or None if no client could read it.
    """

    subdir: str
    text: str
    dependency: Dependency | None


@dataclass(slots=True)
class _Wanted:
    """A text that packages of a subdir have in `depends`: the first of them, and their number."""

    path: str
    count: int = 0


class Demands:
    """What packages depend on. Each text is kept and answered once per subdir."""

    def __init__(self, packages: Iterable[Candidate] = ()) -> None:
        # By subdir and text.
        self._wanted: dict[str, dict[str, _Wanted]] = {}
        for package in packages:
            self.add(package)

    def add(self, package: Candidate) -> None:
        of_subdir = self._wanted.setdefault(package.subdir, {})
        for text in package.depends or ():
            # The machine of the user has the virtual packages.
            if text.startswith("__"):
                continue
            # A longer text is no match spec. Its beginning is enough to say so.
            text = text[: LONGEST + 1]
            if text not in of_subdir:
                of_subdir[text] = _Wanted(package.path)
            of_subdir[text].count += 1

    def __iter__(self) -> Iterator[Demand]:
        """Yield what the packages depend on, in the order of names, texts and subdirs."""
        by_name: dict[str, set[str]] = {}
        for texts in self._wanted.values():
            for text in texts:
                by_name.setdefault(leading_name(text).lower(), set()).add(text)
        subdirs = sorted(self._wanted)
        for name in sorted(by_name):
            for text in sorted(by_name[name]):
                dependency = read_dependency(text)
                for subdir in subdirs:
                    if text in self._wanted[subdir]:
                        yield Demand(subdir, text, dependency)

    def unmet(self, offers: Offers) -> Iterator[Unmet]:
        """Yield the dependencies that no package satisfies."""
        for subdir, text, dependency in self:
            if dependency is None:
                reason = "is not a match spec"
            elif dependency.conditional or offers.satisfy(dependency, subdir):
                continue
            elif offers.exhausted:
                reason = (
                    "was not looked for: "
                    "the channel has too many packages and dependencies of one name"
                )
            else:
                places = "any subdir" if subdir == NOARCH else f"{subdir} or noarch"
                reason = f"is satisfied by nothing in {places}"
            wanted = self._wanted[subdir][text]
            yield Unmet(subdir, wanted.path, text, wanted.count, reason)


def read_dependency(text: str) -> Dependency | None:
    """Return an entry of `depends` as a `Dependency`, or None if no client could read it."""
    try:
        return Dependency(text)
    except (InvalidMatchSpecError, InvalidVersionSpecError):
        return None


def is_beside(other_subdir: str, subdir: str) -> bool:
    """Say whether packages of a subdir can be installed together with those of another one."""
    return subdir == NOARCH or other_subdir in (subdir, NOARCH)


def _only_build(spec: MatchSpec) -> MatchSpec:
    """Return a spec for the build and the build number alone. Candidates have no other keys."""
    keys = {"build": spec.build, "build_number": spec.build_number}
    stated = ",".join(f'{key}="{value}"' for key, value in keys.items() if value is not None)
    return MatchSpec(f"{spec.name.normalized}[{stated}]")


def _unpack(name: str, lines: bytes) -> list[_Release]:
    releases: dict[str, _Release] = {}
    for line in lines.decode().split("\n")[:-1]:
        version, build, build_number = line.split("\0")
        if version not in releases:
            releases[version] = _Release(name, version)
        releases[version].add(build, int(build_number))
    return list(releases.values())
