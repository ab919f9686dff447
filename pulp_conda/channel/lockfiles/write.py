"""Lock files from solved environments: `pixi.lock`, `conda-lock.yml` and explicit lists.

The same environments give the same bytes. The URLs have no credentials.

rattler's topological sort is not used for the order of installation: with 50,000 packages that
depend on each other in a chain or in a circle its recursion ends the whole process (exit code 139).
Of 20,000 packages it takes 3.4 s, where `in_install_order` takes 0.4 s. And rattler's `LockFile`
writes only version 7 of pixi.lock.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
import yaml

from pulp_conda.channel.errors import MissingHash, first_of
from pulp_conda.channel.layout import NOARCH
from pulp_conda.channel.lockfiles.read import EXPLICIT_MARKER, LockFormat
from pulp_conda.channel.matchspec import leading_name
from pulp_conda.channel.secrets import without_secrets

# An entry of repodata with its `url`.
_Record: TypeAlias = Mapping[str, Any]

# The newest version that the pixi of 2025 can read, too.
_PIXI_VERSION = 6
_CONDA_LOCK_VERSION = 1

_PACKAGES_NAMED = 10

# The keys of a record that rattler keeps in a lock file, in its order. The URL has name, version
# and build.
_PIXI_KEYS = (
    "build_number",
    "noarch",
    "sha256",
    "md5",
    "legacy_bz2_md5",
    "depends",
    "constrains",
    "extra_depends",
    "features",
    "flags",
    "track_features",
    "license",
    "license_family",
    "purls",
    "size",
    "legacy_bz2_size",
    "timestamp",
    "python_site_packages_path",
)


@dataclass(frozen=True)
class SolvedEnvironment:
    """An environment and the packages that it consists of.

    Attributes:
        channels: URLs, the one with the highest priority first.
        platforms: The packages by platform. Each is a record as in repodata with the key `url`.
    """

    name: str
    channels: Sequence[str]
    platforms: Mapping[str, Sequence[_Record]]


def write_pixi_lock(environments: Sequence[SolvedEnvironment]) -> str:
    """Return the text of a `pixi.lock` for one or more environments with different names."""
    packages = {
        _url(record): record
        for environment in environments
        for records in environment.platforms.values()
        for record in records
    }
    return _dump(
        {
            "version": _PIXI_VERSION,
            "environments": {
                environment.name: {
                    "channels": [
                        {"url": without_secrets(url).rstrip("/") + "/"}
                        for url in environment.channels
                    ],
                    "packages": {
                        platform: [{"conda": url} for url in sorted(map(_url, records))]
                        for platform, records in sorted(environment.platforms.items())
                    },
                }
                for environment in sorted(environments, key=lambda environment: environment.name)
            },
            "packages": [
                {"conda": url, **_pixi_fields(record)} for url, record in sorted(packages.items())
            ],
        }
    )


def write_conda_lock(
    environment: SolvedEnvironment, sources: Iterable[str] = ("environment.yml",)
) -> str:
    """Return the text of a `conda-lock.yml` (CEP 37). Such a file has a single environment.

    For CEP 37 and mamba the sha256 of a package is enough, but conda-lock refuses the whole file if
    a package has no md5.

    Args:
        sources: The files that the environment comes from, at least one: mamba reads no lock file
            that names none.

    Raises:
        MissingHash: packages have no md5.
    """
    platforms = sorted(environment.platforms)
    for platform in platforms:
        _check_hashes(environment.platforms[platform], "md5", LockFormat.CONDA_LOCK)
    ordered = {
        platform: in_install_order(environment.platforms[platform]) for platform in platforms
    }
    return _dump(
        {
            "version": _CONDA_LOCK_VERSION,
            "metadata": {
                "content_hash": {
                    platform: _content_hash(ordered[platform]) for platform in platforms
                },
                "channels": [
                    {"url": without_secrets(url), "used_env_vars": []}
                    for url in environment.channels
                ],
                "platforms": platforms,
                "sources": list(sources),
            },
            "package": [
                _conda_lock_entry(platform, record)
                for platform in platforms
                for record in ordered[platform]
            ],
        }
    )


def write_explicit(environment: SolvedEnvironment, platform: str, digest: str = "sha256") -> str:
    """Return the explicit list (CEP 23) of an environment on a platform, for `conda create --file`.

    Args:
        digest: `sha256` or `md5`. conda before 24.9 and mamba before 2.1 read only md5.

    Raises:
        MissingHash: packages have no such hash.
    """
    _check_hashes(environment.platforms[platform], digest, LockFormat.EXPLICIT)
    prefix = "sha256:" if digest == "sha256" else ""
    lines = [
        "# This file may be used to create an environment using:",
        "# $ conda create --name <env> --file <this file>",
        f"# platform: {platform}",
        EXPLICIT_MARKER,
    ]
    for record in in_install_order(environment.platforms[platform]):
        lines.append(f"{_url(record)}#{prefix}{record[digest]}")
    return "\n".join(lines) + "\n"


def in_install_order(records: Iterable[_Record]) -> list[_Record]:
    """Return the records so that each comes after those that it needs. Otherwise the name decides.

    Packages that need each other in a circle are in an order that only depends on their names.
    """
    by_name = {record["name"]: record for record in records}
    # A dictionary with values of None, because it is a set that keeps the order.
    ordered: dict[str, None] = {}
    for first in sorted(by_name):
        # This is no recursion, because untrusted packages decide how deep it would go.
        waiting, entered = [first], set()
        while waiting:
            name = waiting[-1]
            if name in ordered or name in entered:
                ordered.setdefault(waiting.pop(), None)
                continue
            entered.add(name)
            waiting.extend(
                needed
                for needed in sorted(_needed(by_name[name]), reverse=True)
                if needed in by_name and needed not in ordered and needed not in entered
            )
    return [by_name[name] for name in ordered]


def _needed(record: _Record) -> set[str]:
    names = {leading_name(spec) for spec in record.get("depends") or ()}
    # pip and python need each other. Python comes first, because installing pip runs python.
    return names - {"pip"} if record["name"] == "python" else names


def _url(record: _Record) -> str:
    return without_secrets(record["url"])


def _check_hashes(records: Iterable[_Record], digest: str, lock_format: LockFormat) -> None:
    lacking = sorted(
        _url(record).rpartition("/")[2] for record in records if not record.get(digest)
    )
    if lacking:
        names = first_of([f"'{name}'" for name in sorted(lacking)], _PACKAGES_NAMED)
        raise MissingHash(format=lock_format, digest=digest, packages=", ".join(names))


def _pixi_fields(record: _Record) -> dict[str, Any]:
    fields = {key: record.get(key) for key in _PIXI_KEYS}
    if record["subdir"] != NOARCH:
        fields["noarch"] = None
    if isinstance(fields["track_features"], str):
        fields["track_features"] = fields["track_features"].replace(",", " ").split()
    # An empty list of purls has a meaning: PyPI does not have the package.
    return {
        key: value
        for key, value in fields.items()
        if value not in (None, "", [], (), {}) or (key == "purls" and value is not None)
    }


def _conda_lock_entry(platform: str, record: _Record) -> dict[str, Any]:
    return {
        "name": record["name"],
        "version": record["version"],
        "manager": "conda",
        "platform": platform,
        "dependencies": _dependencies(record),
        "url": _url(record),
        "hash": {key: record[key] for key in ("md5", "sha256") if record.get(key)},
        "category": "main",
        "optional": False,
    }


def _dependencies(record: _Record) -> dict[str, str]:
    """Return the constraint on each dependency by name.

    Two constraints on one name are joined if they are only versions. Otherwise the later one wins.
    """
    constraints: dict[str, str] = {}
    for spec in record.get("depends") or ():
        name = leading_name(spec)
        constraint = spec.removeprefix(name).strip()
        earlier = constraints.get(name)
        if earlier and constraint and " " not in earlier + constraint:
            constraint = f"{earlier},{constraint}"
        constraints[name] = constraint or earlier or ""
    return dict(sorted(constraints.items()))


def _content_hash(records: Iterable[_Record]) -> str:
    files = [(_url(record), record.get("sha256"), record.get("md5")) for record in records]
    return hashlib.sha256(orjson.dumps(sorted(files, key=str))).hexdigest()


_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_SafeDumper):
    """Writes no aliases, and puts quotes around texts that other readers take for numbers."""

    def ignore_aliases(self, data: object) -> bool:
        return True


# PyYAML writes YAML 1.1. The readers in Rust and C++ know YAML 1.2, where 12e3 and 0o7 are numbers.
_NUMBER_OF_1_2 = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+|0o[0-7]+")


def _represent_text(dumper: Any, text: str) -> Any:
    style = "'" if _NUMBER_OF_1_2.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _dump(document: dict[str, Any]) -> str:
    text: str = yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=2**31 - 1,
    )
    return text
