"""The environments of a pixi workspace: `pixi.toml`, or the table `tool.pixi` of `pyproject.toml`.

An environment consists of features. Inside of a feature, a dependency in a target replaces the one
of the same name outside of the target. Between features, dependencies of the same name add up.
See https://pixi.prefix.dev/latest/reference/pixi_manifest/.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from pulp_conda.channel.environments.draft import EnvironmentDraft, RequestedSpec
from pulp_conda.channel.environments.virtual_packages import can_have
from pulp_conda.channel.layout import is_platform

# What the parser of TOML gives.
_Table: TypeAlias = dict[str, Any]

# The memory of the parser grows with the square of the parts of a key.
_MOST_DOTS = 100

_KINDS = ("build-dependencies", "host-dependencies", "dependencies")
_FAMILIES = {
    "unix": ("linux", "osx"),
    "linux": ("linux",),
    "osx": ("osx",),
    "win": ("win",),
}

_SYSTEM_KEYS = {
    "archspec": "__archspec",
    "cuda": "__cuda",
    "glibc": "__glibc",
    "linux": "__linux",
    "macos": "__osx",
    "osx": "__osx",
    "windows": "__win",
}

# The keys of a dependency, and what a MatchSpec calls them.
_SPEC_KEYS = {
    "version": "version",
    "build": "build",
    "build-number": "build_number",
    "file-name": "fn",
    "subdir": "subdir",
    "md5": "md5",
    "sha256": "sha256",
    "license": "license",
    "license-family": "license_family",
    "track-features": "track_features",
    "extras": "extras",
    "flags": "flags",
    "when": "when",
}
_SOURCES = ("git", "path", "url")


@dataclass(frozen=True)
class _Platform:
    """A platform of the workspace: a subdir, or a machine with its own name and virtual packages.

    The name and the subdir are empty if nobody names a platform.
    """

    name: str
    subdir: str
    virtual_packages: dict[str, str] = field(default_factory=dict)


class _Layer(NamedTuple):
    """A feature, or a target of a feature.

    Attributes:
        where: The keys above the table, for people: `feature.test.` or empty.
    """

    where: str
    table: _Table


class _Entry(NamedTuple):
    """The value of a dependency, and its place for people."""

    where: str
    value: Any


class _Composition(NamedTuple):
    """The names of the features of an environment.

    Attributes:
        without_default: The default feature belongs to it only if the names have it.
    """

    names: list[str]
    without_default: bool = False


class _Specs(NamedTuple):
    """What a feature wants on a machine, and the channels that single dependencies name."""

    specs: list[RequestedSpec]
    channels: list[str]


def read_manifest(
    text: str, *, format: str, section: str, platforms: Sequence[str]
) -> EnvironmentDraft:
    """Return what an environment of a workspace wants.

    If two platforms of the file have the same subdir, the first one counts, as it does for pixi.

    Args:
        format: `pixi.toml` or `pyproject.toml`.
        section: The name of the environment.
        platforms: The subdirs to read it for. If there are none, those that the file names.

    Raises:
        ValueError: Says in words what is wrong and where.
    """
    document = _parse(text)
    project: _Table = {}
    if format == "pyproject.toml":
        project = _table(document, "project")
        document = _table(_table(document, "tool"), "pixi", "tool.")
        if not document:
            raise ValueError("it has no table 'tool.pixi'")
    # Older versions of pixi call the table `project`.
    key = "workspace" if "workspace" in document else "project"
    workspace = _table(document, key)
    if key not in document:
        raise ValueError("it has no table 'workspace'")
    features = _features(document, project, section)
    known = _workspace_platforms(workspace)
    for feature in features:
        if "platforms" in feature.table:
            known = _bound_platforms(feature, known)
    machines: dict[str, _Platform] = {}
    for platform in known:
        machines.setdefault(platform.subdir, platform)
    targets = {subdir: machines.get(subdir) or _Platform(subdir, subdir) for subdir in platforms}
    # If nobody names a platform, read what is outside of all targets.
    targets = targets or machines or {"": _Platform("", "")}
    requirements: dict[str, list[RequestedSpec]] = {}
    channels = _channels(workspace, features)
    for subdir, machine in targets.items():
        requirements[subdir] = []
        for feature in features:
            found = _specs(feature, machine)
            requirements[subdir] += found.specs
            channels += found.channels
    return EnvironmentDraft(
        platforms=[subdir for subdir in targets if subdir],
        requirements=requirements,
        channels=channels,
        virtual_packages={
            subdir: packages
            for subdir, machine in targets.items()
            if (packages := _virtual_packages(features, machine))
        },
        pip=[
            requirement
            for feature in features
            for machine in targets.values()
            for requirement in _pip(feature, machine)
        ],
    )


def _parse(text: str) -> _Table:
    # A key ends at a line feed. A key in quotes may hold the other characters that end lines.
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS:
            raise ValueError(f"line {number} has more than {_MOST_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not TOML 1.0: {error}") from None


def _features(document: _Table, project: _Table, section: str) -> list[_Layer]:
    """Return the features of an environment. The default feature is the last one, as for pixi.

    Args:
        project: The table `project` of a `pyproject.toml`, or an empty one.
    """
    default = {key: value for key, value in document.items() if key not in ("feature", "workspace")}
    known = {
        name: (f"feature.{name}.", value) for name, value in _table(document, "feature").items()
    }
    known["default"] = ("", default)
    if project:
        default = _with_project(default, project)
        known["default"] = ("", default)
        for name in _table(project, "optional-dependencies", "project."):
            # A group of packages from PyPI is a feature, too.
            known.setdefault(name, (f"feature.{name}.", {}))
    environments = _table(document, "environments")
    if section not in environments and section != "default":
        there = ", ".join(f"'{name}'" for name in ["default", *environments][:10])
        raise ValueError(f"it has no environment '{section}', it has {there}")
    names, without_default = _composition(environments.get(section, []), section)
    if not without_default and "default" not in names:
        names.append("default")
    features = []
    for name in names:
        if name not in known:
            raise ValueError(
                f"'environments.{section}' has the feature '{name}', which is not there"
            )
        where, feature = known[name]
        if not isinstance(feature, dict):
            raise ValueError(f"'feature.{name}' is not a table")
        features.append(_Layer(where, feature))
    return features


def _composition(value: object, section: str) -> _Composition:
    """Return of which features an environment says that it consists."""
    if isinstance(value, dict):
        names = _texts(value.get("features", []), f"environments.{section}.features")
        without_default = value.get("no-default-feature") is True
        return _Composition(list(dict.fromkeys(names)), without_default)
    return _Composition(list(dict.fromkeys(_texts(value, f"environments.{section}"))))


def _with_project(default: _Table, project: _Table) -> _Table:
    """Add what the table `project` of a `pyproject.toml` wants: a Python and packages of PyPI."""
    python = project.get("requires-python")
    dependencies = _table(default, "dependencies")
    if isinstance(python, str) and "python" not in dependencies:
        default = default | {"dependencies": {"python": python, **dependencies}}
    return default | {"_project": _texts(project.get("dependencies", []), "project.dependencies")}


def _workspace_platforms(workspace: _Table) -> list[_Platform]:
    entries = workspace.get("platforms", [])
    if not isinstance(entries, list):
        raise ValueError("'workspace.platforms' is not a list")
    return [_platform(entry, f"workspace.platforms[{n}]") for n, entry in enumerate(entries)]


def _platform(entry: object, where: str) -> _Platform:
    if isinstance(entry, str):
        entry = {"platform": entry}
    if not isinstance(entry, dict):
        raise ValueError(f"'{where}' is neither a text nor a table")
    subdir = entry.get("platform", entry.get("name"))
    if not isinstance(subdir, str) or not is_platform(subdir):
        raise ValueError(f"'{where}' is {subdir!r}, which is no platform such as 'linux-64'")
    packages = _system_packages(
        {key: value for key, value in entry.items() if key not in ("name", "platform")}, where
    )
    # A platform without a name gets the one that pixi gives it.
    parts = [f"{name.strip('_')}-{version}" for name, version in sorted(packages.items())]
    name = entry.get("name") or "-".join([subdir, *parts]).replace(".", "-")
    return _Platform(str(name), subdir, packages)


def _bound_platforms(feature: _Layer, known: list[_Platform]) -> list[_Platform]:
    """Return the platforms that a feature supports, out of those that are known so far."""
    names = _texts(feature.table["platforms"], f"{feature.where}platforms")
    bound = [
        platform
        for name in names
        for platform in (
            [p for p in known if p.name == name] or [p for p in known if p.subdir == name][:1]
        )
    ]
    if not bound:
        raise ValueError(f"'{feature.where}platforms' has none of the workspace's platforms")
    return bound


def _channels(workspace: _Table, features: list[_Layer]) -> list[str]:
    """Return the channels of all features, the highest priority first."""
    channels = []
    for feature in features:
        place, table = feature if "channels" in feature.table else _Layer("workspace.", workspace)
        entries = table.get("channels", [])
        if not isinstance(entries, list):
            raise ValueError(f"'{place}channels' is not a list")
        for number, entry in enumerate(entries):
            entry = {"channel": entry} if isinstance(entry, str) else entry
            priority = entry.get("priority", 0) if isinstance(entry, dict) else None
            if type(priority) is not int or not isinstance(entry.get("channel"), str):
                raise ValueError(f"'{place}channels[{number}]' is not a channel")
            channels.append((-priority, entry["channel"]))
    return [channel for _, channel in sorted(channels, key=lambda pair: pair[0])]


def _layers(feature: _Layer, machine: _Platform) -> list[_Layer]:
    """Return a feature and those of its targets that are for a machine. A later one wins."""
    layers = [feature]
    targets = _table(feature.table, "target", feature.where)
    for selector in targets:
        if _is_selected(selector, machine):
            where = f"{feature.where}target.{selector}."
            layers.append(_Layer(where, _table(targets, selector, feature.where)))
    return layers


def _is_selected(selector: str, machine: _Platform) -> bool:
    if not machine.subdir:
        return False
    if selector in (machine.name, machine.subdir):
        return True
    if selector in _FAMILIES:
        return machine.subdir.partition("-")[0] in _FAMILIES[selector]
    if "*" not in selector:
        return False
    # No regular expression, because one with many stars can take very long.
    first, *middle, last = selector.split("*")
    rest = machine.name
    if len(first) + len(last) > len(rest) or not rest.startswith(first) or not rest.endswith(last):
        return False
    rest = rest[len(first) : len(rest) - len(last)]
    for part in middle:
        _, found, rest = rest.partition(part) if part else ("", "*", rest)
        if not found:
            return False
    return True


def _specs(feature: _Layer, machine: _Platform) -> _Specs:
    layers = _layers(feature, machine)
    wanted: dict[str, _Entry] = {}
    constraints: dict[str, _Entry] = {}
    for kind in (*_KINDS, "constraints"):
        found = constraints if kind == "constraints" else wanted
        for layer in layers:
            for name, value in _table(layer.table, kind, layer.where).items():
                found[name.lower()] = _Entry(f"{layer.where}{kind}.{name}", value)
    specs = []
    channels: list[str] = []
    for name, (place, value) in wanted.items():
        specs.append(RequestedSpec(place, _spec(name, value, place, channels)))
    for name, (place, value) in constraints.items():
        # A constraint holds only if something else wants the package.
        value = {"version": value} if isinstance(value, str) else value
        specs.append(RequestedSpec(place, _spec(name, value, place, channels, when=name)))
    return _Specs(specs, channels)


def _spec(name: str, value: Any, place: str, channels: list[str], **more: str) -> str:
    """Return a match spec without its channel, and append the channel to a list."""
    if isinstance(value, str):
        return f"{name} {value}"
    if not isinstance(value, dict):
        raise ValueError(f"'{place}' is neither a version nor a table")
    parts = []
    for key, item in (value | more).items():
        if key == "channel" and isinstance(item, str):
            channels.append(item)
        elif key in _SOURCES:
            raise ValueError(f"'{place}' comes from '{key}', which no channel can serve")
        elif key not in _SPEC_KEYS:
            raise ValueError(f"'{place}' has the key '{key}', which is not known")
        else:
            parts.append(f"{_SPEC_KEYS[key]}={_bracket_value(item, f'{place}.{key}')}")
    return f"{name}[{','.join(parts)}]" if parts else name


def _bracket_value(item: object, place: str) -> str:
    if isinstance(item, list):
        return f"[{','.join(_texts(item, place))}]"
    if type(item) is int:
        item = str(item)
    if not isinstance(item, str) or '"' in item:
        raise ValueError(f"'{place}' is no text without quotes")
    return f'"{item}"'


def _pip(feature: _Layer, machine: _Platform) -> list[str]:
    """Return the requirements from PyPI of a feature on a machine."""
    requirements = list(feature.table.get("_project", []))
    for layer in _layers(feature, machine):
        for name, value in _table(layer.table, "pypi-dependencies", layer.where).items():
            place = f"{layer.where}pypi-dependencies.{name}"
            value = {"version": value} if isinstance(value, str) else value
            if not isinstance(value, dict):
                raise ValueError(f"'{place}' is neither a text nor a table")
            extras = ",".join(_texts(value.get("extras", []), place))
            version = str(value.get("version", "")).replace("*", "", value.get("version") == "*")
            source = next((f" @ {value[key]}" for key in _SOURCES if key in value), "")
            requirements.append(f"{name}{f'[{extras}]' if extras else ''}{version}{source}")
    return requirements


def _virtual_packages(features: list[_Layer], machine: _Platform) -> dict[str, str]:
    packages: dict[str, str] = {}
    # If two features of an environment differ, the first one counts.
    for where, feature in reversed(features):
        table = _table(feature, "system-requirements", where)
        packages |= _system_packages(table, f"{where}system-requirements")
    packages = {name: v for name, v in packages.items() if can_have(machine.subdir, name)}
    return packages | machine.virtual_packages


def _system_packages(table: _Table, where: str) -> dict[str, str]:
    """Return virtual packages, from the keys that pixi has for them."""
    packages: _Table = {}
    for key, value in table.items():
        if key == "libc":
            family = value.get("family", "glibc") if isinstance(value, dict) else "glibc"
            packages[f"__{family}"] = value.get("version") if isinstance(value, dict) else value
        elif key == "cuda" and isinstance(value, dict):
            packages["__cuda"] = value.get("driver")
            if "arch" in value:
                packages["__cuda_arch"] = value["arch"]
        elif key in _SYSTEM_KEYS or key.startswith("__"):
            packages[_SYSTEM_KEYS.get(key, key)] = value
        else:
            raise ValueError(f"'{where}' has the key '{key}', which is not known")
    for name, version in packages.items():
        if not isinstance(version, str):
            raise ValueError(f"'{where}' has no text as version of '{name}'")
    return packages


def _table(table: Mapping[str, Any], key: str, where: str = "") -> _Table:
    """Return the table under a key. It is empty if there is none."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"'{where}{key}' is not a table")
    return value


def _texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"'{where}' is not a list of texts")
    return value
