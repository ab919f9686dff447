"""The environments of a pixi workspace, as `pixi.toml` or the table `tool.pixi` of a `pyproject.toml` describe them.

An environment is made of features: dependencies of one name replace each other inside of a feature, where a target
says more, and add up between features. See https://pixi.prefix.dev/latest/reference/pixi_manifest/.
"""

import tomllib
from dataclasses import dataclass, field

from pulp_conda.channel.environments.virtual_packages import can_have
from pulp_conda.channel.layout import is_platform

# The parser takes memory with the square of the parts of a key.
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

# The keys of a dependency, and how a MatchSpec calls them.
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
    """A platform of the workspace: a subdir, or a machine with its own name and virtual packages."""

    name: str
    subdir: str
    virtual_packages: dict = field(default_factory=dict)


def read_manifest(text, *, format, section, platforms):
    """Return the arguments of an `Environment` whose specs are not yet checked: pairs of where they stand and the text.

    If two platforms of the file are for one subdir, the first counts, which is the one that pixi prefers.

    Args:
        format: `pixi.toml` or `pyproject.toml`.
        section: The name of the environment.
        platforms: The subdirs to read it for, or none for those of the file.

    Raises:
        ValueError: in words, what is wrong and where.
    """
    document = _parse(text)
    project = {}
    if format == "pyproject.toml":
        project = _table(document, "project")
        document = _table(_table(document, "tool"), "pixi", "tool.")
        if not document:
            raise ValueError("it has no table 'tool.pixi'")
    # Its name of old.
    key = "workspace" if "workspace" in document else "project"
    workspace = _table(document, key)
    if key not in document:
        raise ValueError("it has no table 'workspace'")
    features = _features(document, project, section)
    known = _workspace_platforms(workspace)
    for where, feature in features:
        if "platforms" in feature:
            known = _bound_platforms(feature, where, known)
    machines = {}
    for platform in known:
        machines.setdefault(platform.subdir, platform)
    targets = {subdir: machines.get(subdir) or _Platform(subdir, subdir) for subdir in platforms}
    # Without any platform, what no target changes.
    targets = targets or machines or {"": _Platform("", "")}
    channels = []
    return {
        "platforms": [subdir for subdir in targets if subdir],
        "requirements": {
            subdir: [
                spec
                for where, feature in features
                for spec in _specs(feature, where, machine, channels)
            ]
            for subdir, machine in targets.items()
        },
        "channels": _channels(workspace, features) + channels,
        "virtual_packages": {
            subdir: packages
            for subdir, machine in targets.items()
            if (packages := _virtual_packages(features, machine))
        },
        "pip": [
            requirement
            for where, feature in features
            for machine in targets.values()
            for requirement in _pip(feature, where, machine)
        ],
    }


def _parse(text):
    # No key goes on over a line feed, and one in quotes may hold what else ends lines.
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS:
            raise ValueError(f"line {number} has more than {_MOST_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not TOML 1.0: {error}") from None


def _features(document, project, section):
    """Return (where it stands, table) of the features of an environment, the default last as it is the most common."""
    default = {key: value for key, value in document.items() if key not in ("feature", "workspace")}
    known = {
        name: (f"feature.{name}.", value) for name, value in _table(document, "feature").items()
    }
    known["default"] = ("", default)
    if project:
        default = _with_project(default, project)
        known["default"] = ("", default)
        for name in _table(project, "optional-dependencies", "project."):
            # Groups of packages from PyPI are features as well.
            known.setdefault(name, (f"feature.{name}.", {}))
    environments = _table(document, "environments")
    if section not in environments and section != "default":
        names = ", ".join(f"'{name}'" for name in ["default", *environments][:10])
        raise ValueError(f"it has no environment '{section}', it has {names}")
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
        features.append((where, feature))
    return features


def _composition(value, section):
    if isinstance(value, dict):
        names = _texts(value.get("features", []), f"environments.{section}.features")
        return list(dict.fromkeys(names)), value.get("no-default-feature") is True
    return list(dict.fromkeys(_texts(value, f"environments.{section}"))), False


def _with_project(default, project):
    """Add what the standard part of a `pyproject.toml` asks for: a Python, and packages from PyPI."""
    python = project.get("requires-python")
    dependencies = _table(default, "dependencies")
    if isinstance(python, str) and "python" not in dependencies:
        default = default | {"dependencies": {"python": python, **dependencies}}
    return default | {"_project": _texts(project.get("dependencies", []), "project.dependencies")}


def _workspace_platforms(workspace):
    entries = workspace.get("platforms", [])
    if not isinstance(entries, list):
        raise ValueError("'workspace.platforms' is not a list")
    return [_platform(entry, f"workspace.platforms[{n}]") for n, entry in enumerate(entries)]


def _platform(entry, where):
    if isinstance(entry, str):
        entry = {"platform": entry}
    if not isinstance(entry, dict):
        raise ValueError(f"'{where}' is neither a text nor a table")
    subdir = entry.get("platform", entry.get("name"))
    if not is_platform(subdir):
        raise ValueError(f"'{where}' is {subdir!r}, which is no platform such as 'linux-64'")
    packages = _system_packages(
        {key: value for key, value in entry.items() if key not in ("name", "platform")}, where
    )
    # The name that pixi makes up.
    parts = [f"{name.strip('_')}-{version}" for name, version in sorted(packages.items())]
    name = entry.get("name") or "-".join([subdir, *parts]).replace(".", "-")
    return _Platform(str(name), subdir, packages)


def _bound_platforms(feature, where, known):
    names = _texts(feature["platforms"], f"{where}platforms")
    bound = [
        platform
        for name in names
        for platform in (
            [p for p in known if p.name == name] or [p for p in known if p.subdir == name][:1]
        )
    ]
    if not bound:
        raise ValueError(f"'{where}platforms' has none of the workspace's platforms")
    return bound


def _channels(workspace, features):
    channels = []
    for where, feature in features:
        table, place = (feature, where) if "channels" in feature else (workspace, "workspace.")
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


def _layers(feature, where, machine):
    """Return (where it stands, table) of the feature and its targets that are for the machine; a later one wins."""
    layers = [(where, feature)]
    for selector, table in _table(feature, "target", where).items():
        if _is_selected(selector, machine):
            layers.append(
                (f"{where}target.{selector}.", _table(feature["target"], selector, where))
            )
    return layers


def _is_selected(selector, machine):
    if not machine.subdir:
        return False
    if selector in (machine.name, machine.subdir):
        return True
    if selector in _FAMILIES:
        return machine.subdir.partition("-")[0] in _FAMILIES[selector]
    if "*" not in selector:
        return False
    # No regular expression: many stars would take it very long.
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


def _specs(feature, where, machine, channels):
    """Return (where, spec) of a feature on a machine, and add the channels that they name to a list."""
    layers = _layers(feature, where, machine)
    wanted = {}
    constraints = {}
    for kind in (*_KINDS, "constraints"):
        found = constraints if kind == "constraints" else wanted
        for place, table in layers:
            for name, value in _table(table, kind, place).items():
                found[name.lower()] = (f"{place}{kind}.{name}", value)
    specs = []
    for name, (place, value) in wanted.items():
        specs.append((place, _spec(name, value, place, channels)))
    for name, (place, value) in constraints.items():
        # Only if something else wants the package.
        value = {"version": value} if isinstance(value, str) else value
        specs.append((place, _spec(name, value, place, channels, when=name)))
    return specs


def _spec(name, value, place, channels, **more):
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


def _bracket_value(item, place):
    if isinstance(item, list):
        return f"[{','.join(_texts(item, place))}]"
    if type(item) is int:
        item = str(item)
    if not isinstance(item, str) or '"' in item:
        raise ValueError(f"'{place}' is no text without quotes")
    return f'"{item}"'


def _pip(feature, where, machine):
    requirements = list(feature.get("_project", []))
    for place, table in _layers(feature, where, machine):
        for name, value in _table(table, "pypi-dependencies", place).items():
            value = {"version": value} if isinstance(value, str) else value
            if not isinstance(value, dict):
                raise ValueError(f"'{place}pypi-dependencies.{name}' is neither a text nor a table")
            extras = ",".join(_texts(value.get("extras", []), f"{place}pypi-dependencies.{name}"))
            version = str(value.get("version", "")).replace("*", "", value.get("version") == "*")
            source = next((f" @ {value[key]}" for key in _SOURCES if key in value), "")
            requirements.append(f"{name}{f'[{extras}]' if extras else ''}{version}{source}")
    return requirements


def _virtual_packages(features, machine):
    packages = {}
    # The first feature of an environment decides.
    for where, feature in reversed(features):
        table = _table(feature, "system-requirements", where)
        packages |= _system_packages(table, f"{where}system-requirements")
    packages = {name: v for name, v in packages.items() if can_have(machine.subdir, name)}
    return packages | machine.virtual_packages


def _system_packages(table, where):
    packages = {}
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


def _table(table, key, where=""):
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"'{where}{key}' is not a table")
    return value


def _texts(value, where):
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"'{where}' is not a list of texts")
    return value
