"""Whether the packages that others depend on are there at all, by name, version and build.

No solving: that each dependency has its package does not say that all of them fit together.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rattler import MatchSpec, Version, VersionSpec
from rattler.exceptions import InvalidMatchSpecError, InvalidVersionError, InvalidVersionSpecError

from pulp_conda.channel.layout import NOARCH, package_path
from pulp_conda.channel.matchspec import LONGEST, as_rattler, leading_name

# How often a package is compared with a spec. Names with many packages and specs could ask for the product of both.
_MOST_COMPARISONS = 200_000_000

# Names whose packages are ready for comparison.
_MOST_UNPACKED = 50


class Candidate(NamedTuple):
    """A package that may come into a stage. A tuple, since there are a million of them.

    Attributes:
        depends: The entries of the record; None or empty where nobody asks for them.
        indexed_timestamp: Since when the channel has it, in milliseconds since 1970, or None.
        is_new: The stage does not serve it yet.
        key: What the caller knows the package by. Another record of the same file has another key.
    """

    subdir: str
    filename: str
    name: str
    version: str
    build: str
    build_number: int
    license: str = ""
    depends: list | None = None
    sha256: str = ""
    md5: str = ""
    indexed_timestamp: int | None = None
    is_new: bool = False
    key: object = None

    @property
    def path(self):
        return package_path(self.subdir, self.filename)

    @property
    def identity(self):
        return self.path, self.sha256, self.key


@dataclass(frozen=True)
class Unmet:
    """A dependency that nothing satisfies, as the packages of one subdir state it.

    Attributes:
        path: The first package that has it.
        count: How many packages have it.
        reason: What is wrong, in words that follow on the dependency.
    """

    subdir: str
    path: str
    depends: str
    count: int
    reason: str


class Dependency:
    """One entry of `depends`, cut down to what says which packages satisfy it: name, version and build.

    Attributes:
        conditional: It is needed only if something else is installed, so that nobody can ask for it in general.

    Raises:
        InvalidMatchSpecError, InvalidVersionSpecError: no client could read it.
    """

    def __init__(self, text):
        if len(text) > LONGEST:
            raise InvalidMatchSpecError(f"it is longer than {LONGEST} characters")
        spec = MatchSpec(text)
        self.name = spec.name.normalized
        self.conditional = spec.condition is not None
        # What is no version is still any version.
        self._version = None if spec.version in (None, "*") else VersionSpec(spec.version)
        self._build = None
        if spec.build is not None or spec.build_number is not None:
            self._build = _only_build(spec)

    @property
    def asks_for_build(self):
        return self._build is not None

    def takes_version(self, version):
        """Tell whether a version suits; None stands for a text that is no version."""
        return self._version is None or (version is not None and self._version.matches(version))

    def takes_one_of(self, builds):
        return self._build is None or any(map(self._build.matches, builds))

    def takes(self, package):
        release = _Release(package.name, package.version)
        release.add(package.build, package.build_number)
        return self.takes_version(release.version) and self.takes_one_of(release.builds)


class Offers:
    """What there is, in little memory: some 40 bytes for each package."""

    def __init__(self, packages=()):
        self._packages = {}
        self._unpacked = {}
        self._left = _MOST_COMPARISONS
        for package in packages:
            self.add(package)

    def add(self, package):
        line = f"{package.version}\0{package.build}\0{package.build_number}\n".encode()
        of_name = self._packages.setdefault(package.name, {})
        if package.subdir in of_name:
            of_name[package.subdir] += line
        else:
            of_name[package.subdir] = bytearray(line)
        self._unpacked.pop(package.name, None)

    @property
    def exhausted(self):
        """So much was asked that the answer has been no ever since."""
        return self._left <= 0

    def satisfy(self, dependency, subdir):
        """Tell whether a package of the subdir finds what it depends on.

        Packages of a platform have those of `noarch` beside them, and packages of `noarch` any platform's.
        """
        if dependency.name.startswith("__"):
            return True
        return any(
            self._any_matches(dependency, releases)
            for place, releases in self._releases(dependency.name).items()
            if is_beside(place, subdir)
        )

    def _any_matches(self, dependency, releases):
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

    def _releases(self, name):
        if name not in self._unpacked:
            if len(self._unpacked) >= _MOST_UNPACKED:
                del self._unpacked[next(iter(self._unpacked))]
            self._unpacked[name] = {
                subdir: _unpack(name, bytes(lines))
                for subdir, lines in self._packages.get(name, {}).items()
            }
        return self._unpacked[name]


class Demands:
    """What packages depend on. Each text is kept once per subdir, as are the answers."""

    def __init__(self, packages=()):
        self._wanted = {}
        for package in packages:
            self.add(package)

    def add(self, package):
        wanted = self._wanted.setdefault(package.subdir, {})
        for text in package.depends or ():
            # Virtual packages are the user's machine.
            if text.startswith("__"):
                continue
            # What is longer is no match spec, and need not be kept to say so.
            text = text[: LONGEST + 1]
            if text in wanted:
                wanted[text][1] += 1
            else:
                wanted[text] = [package.path, 1]

    def __iter__(self):
        """Yield (subdir, text, dependency or None if it cannot be read), names together and in order."""
        by_name = {}
        for wanted in self._wanted.values():
            for text in wanted:
                by_name.setdefault(leading_name(text).lower(), set()).add(text)
        subdirs = sorted(self._wanted)
        for name in sorted(by_name):
            for text in sorted(by_name[name]):
                dependency = read_dependency(text)
                for subdir in subdirs:
                    if text in self._wanted[subdir]:
                        yield subdir, text, dependency

    def unmet(self, offers):
        """Yield `Unmet` for what nobody offers."""
        for subdir, text, dependency in self:
            if dependency is None:
                reason = "is not a match spec"
            elif dependency.conditional or offers.satisfy(dependency, subdir):
                continue
            elif offers.exhausted:
                reason = "was not looked for: the channel has too many packages and dependencies of one name"
            else:
                places = "any subdir" if subdir == NOARCH else f"{subdir} or noarch"
                reason = f"is satisfied by nothing in {places}"
            path, count = self._wanted[subdir][text]
            yield Unmet(subdir, path, text, count, reason)


def read_dependency(text):
    """Return the `Dependency`, or None if no client could read it."""
    try:
        return Dependency(text)
    except (InvalidMatchSpecError, InvalidVersionSpecError):
        return None


def is_beside(place, subdir):
    """Tell whether packages of `subdir` can be installed together with those of `place`."""
    return subdir == NOARCH or place in (subdir, NOARCH)


def _only_build(spec):
    """Keep of a spec what asks for a build: other keys ask for what is not known here."""
    keys = {"build": spec.build, "build_number": spec.build_number}
    stated = ",".join(f'{key}="{value}"' for key, value in keys.items() if value is not None)
    return MatchSpec(f"{spec.name.normalized}[{stated}]")


class _Release:
    """All packages of one name, subdir and version."""

    def __init__(self, name, version):
        self._name = name
        self._builds = []
        try:
            self.version = Version(version)
        except InvalidVersionError:
            self.version = None

    def add(self, build, build_number):
        self._builds.append((build, build_number))

    @cached_property
    def builds(self):
        return [as_rattler(self._name, "0", *build) for build in dict.fromkeys(self._builds)]


def _unpack(name, lines):
    releases = {}
    for line in lines.decode().split("\n")[:-1]:
        version, build, build_number = line.split("\0")
        if version not in releases:
            releases[version] = _Release(name, version)
        releases[version].add(build, int(build_number))
    return list(releases.values())
