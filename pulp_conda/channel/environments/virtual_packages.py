"""Virtual packages: what a machine has that no channel brings (CEP 30).

A mapping of names to versions says what a machine has: `{"__glibc": "2.28"}`. The value None says
that the machine does not have the package, although the default says that it does. The value of
`__archspec` is the name of a microarchitecture and no version, because specs match its build.
"""

import re
from collections.abc import Mapping

from rattler import Version
from rattler.exceptions import InvalidVersionError

from pulp_conda.channel.errors import BadEnvironment, listed, shown

_NAME = re.compile(r"__[a-z0-9][a-z0-9._-]{0,61}", re.ASCII)
_MICROARCHITECTURE = re.compile(r"[A-Za-z0-9_.+]{1,64}", re.ASCII)
MOST = 50

# What pixi assumes of a machine that it does not see.
_LINUX = {"__linux": "4.18", "__glibc": "2.28"}
_OSX = {"__osx": "13.0"}
# The oldest Windows that Python 3.13 runs on.
_WIN = {"__win": "10.0.17763"}

_UNIX = ("linux", "osx", "freebsd", "emscripten")
_FAMILY_OF = {
    "__linux": ("linux",),
    "__glibc": ("linux",),
    "__musl": ("linux",),
    "__osx": ("osx",),
    "__win": ("win",),
    "__unix": _UNIX,
}

# From CEP 30, appendix A. All other architectures have the name that the subdir has.
_ARCHITECTURES = {"32": "x86", "64": "x86_64", "arm64": "aarch64"}


def default_virtual_packages(subdir: str) -> dict[str, str]:
    """Return what we assume that a machine of a platform has, as versions by name.

    It has no GPU, and a system of 2018 or later. For `noarch` the mapping is empty.
    """
    family, _, architecture = subdir.partition("-")
    if not architecture:
        return {}
    packages = {"__archspec": _ARCHITECTURES.get(architecture, architecture)}
    if family in _UNIX:
        packages["__unix"] = "0"
    return packages | {"linux": _LINUX, "osx": _OSX, "win": _WIN}.get(family, {})


def merge_virtual_packages(subdir: str, *changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return what a machine has, as versions by name: the defaults of its platform with changes.

    Args:
        changes: Mappings of names to versions. A later one wins, and None removes a package.
    """
    packages: dict[str, str | None] = {**default_virtual_packages(subdir)}
    for change in changes:
        packages |= change
    return {name: version for name, version in sorted(packages.items()) if version is not None}


def can_have(subdir: str, name: str) -> bool:
    """Say whether a machine of a platform can have a virtual package: no Windows has `__glibc`."""
    return name not in _FAMILY_OF or subdir.partition("-")[0] in _FAMILY_OF[name]


def check_virtual_packages(mapping: object) -> dict[str, str | None]:
    """Return a mapping of virtual packages from untrusted input in one form.

    In the result, `False` has become None, and whole numbers have become texts.

    Raises:
        BadEnvironment: Names all that is wrong.
    """
    if not isinstance(mapping, dict):
        raise BadEnvironment(reason="the virtual packages are not a mapping of names to versions")
    if len(mapping) > MOST:
        raise BadEnvironment(reason=f"there are more than {MOST} virtual packages")
    checked = {}
    problems = []
    for name, value in mapping.items():
        if type(value) is int:
            value = str(value)
        if problem := _problem(name, value):
            problems.append(problem)
        checked[name] = None if value is False else value
    if problems:
        raise BadEnvironment(reason=listed(problems))
    return checked


def _problem(name: object, value: object) -> str | None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"'{shown(str(name))}' is not the name of a virtual package, which starts with '__'"
    if value is None or value is False:
        return None
    if isinstance(value, float):
        return f"'{name}' is the number {value}: write it in quotes, as 2.10 would be 2.1"
    if not isinstance(value, str) or len(value) > 64:
        return f"'{name}' is no version"
    if name == "__archspec":
        if _MICROARCHITECTURE.fullmatch(value):
            return None
        return f"'{name}' is '{shown(value)}', which is no microarchitecture"
    try:
        Version(value)
    except InvalidVersionError:
        return f"'{name}' is '{shown(value)}', which is no version"
    return None
