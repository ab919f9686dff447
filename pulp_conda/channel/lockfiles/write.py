"""Lock files for conda's tools, from solved environments: `pixi.lock`, `conda-lock.yml` and explicit lists.

The same environments give the same bytes. Their URLs carry no credentials.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
import yaml

from pulp_conda.channel.layout import NOARCH
from pulp_conda.channel.lockfiles.model import without_secrets
from pulp_conda.channel.lockfiles.read import EXPLICIT_MARKER
from pulp_conda.channel.matchspec import leading_name

# The newest that pixi from 2025 on reads as well; rattler writes 7 and reads both.
_PIXI_VERSION = 6
_CONDA_LOCK_VERSION = 1

# The keys of a record that rattler keeps in a lock file, in its order. Name, version and build are in the URL.
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

    Fields:
        channels: URLs, the one with the highest priority first.
        platforms: For each platform its packages: records as in repodata, and the `url` of each.
    """

    name: str
    channels: Sequence[str]
    platforms: Mapping[str, Sequence[Mapping]]


def write_pixi_lock(environments):
    """Return the `pixi.lock` of one or more environments with different names."""
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


def write_conda_lock(environment, sources=("environment.yml",)):
    """Return the `conda-lock.yml` of an environment: such a file has one.

    conda-lock itself wants an md5 of every package; CEP 37 and mamba are content with a sha256.

    Args:
        sources: The files that the environment comes from. mamba reads no lock file that names none.
    """
    platforms = sorted(environment.platforms)
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


def write_explicit(environment, platform, digest="sha256"):
    """Return the explicit list of an environment on one platform, for `conda create --file`.

    Args:
        digest: `sha256` or `md5`. conda before 24.9 and mamba before 2.1 read md5 only. A package that has only the
            other one gets that.
    """
    lines = [
        "# This file may be used to create an environment using:",
        "# $ conda create --name <env> --file <this file>",
        f"# platform: {platform}",
        EXPLICIT_MARKER,
    ]
    for record in in_install_order(environment.platforms[platform]):
        hashes = {"sha256": _prefixed(record.get("sha256")), "md5": record.get("md5")}
        fragment = hashes.pop(digest) or next(iter(hashes.values()))
        lines.append(_url(record) + (f"#{fragment}" if fragment else ""))
    return "\n".join(lines) + "\n"


def in_install_order(records):
    """Return the records so that each comes after those that it needs, and else by name."""
    by_name = {record["name"]: record for record in records}
    ordered = {}
    for name in sorted(by_name):
        # Not by recursion: who makes the packages says how deep this goes.
        waiting, entered = [name], set()
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


def _needed(record):
    names = {leading_name(spec) for spec in record.get("depends") or ()}
    # They need each other, and pip is installed by python.
    return names - {"pip"} if record["name"] == "python" else names


def _url(record):
    return without_secrets(record["url"])


def _prefixed(sha256):
    return f"sha256:{sha256}" if sha256 else None


def _pixi_fields(record):
    fields = {key: record.get(key) for key in _PIXI_KEYS}
    if record["subdir"] != NOARCH:
        fields["noarch"] = None
    if isinstance(fields["track_features"], str):
        fields["track_features"] = fields["track_features"].replace(",", " ").split()
    # An empty list of purls says something: the package is none of PyPI's.
    return {
        key: value
        for key, value in fields.items()
        if value not in (None, "", [], (), {}) or (key == "purls" and value is not None)
    }


def _conda_lock_entry(platform, record):
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


def _dependencies(record):
    """Return constraints by name; of two for one name those that can be joined are."""
    constraints = {}
    for spec in record.get("depends") or ():
        name = leading_name(spec)
        constraint = spec.removeprefix(name).strip()
        earlier = constraints.get(name)
        if earlier and constraint and " " not in earlier + constraint:
            constraint = f"{earlier},{constraint}"
        constraints[name] = constraint or earlier or ""
    return dict(sorted(constraints.items()))


def _content_hash(records):
    files = [(_url(record), record.get("sha256"), record.get("md5")) for record in records]
    return hashlib.sha256(orjson.dumps(sorted(files, key=str))).hexdigest()


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Writes no aliases, and quotes what other readers of YAML take for numbers."""

    def ignore_aliases(self, data):
        return True


# PyYAML is of YAML 1.1, and its readers in Rust and C++ are of 1.2, where 12e3 and 0o7 are numbers.
_NUMBER_OF_1_2 = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+|0o[0-7]+")


def _represent_text(dumper, text):
    style = "'" if _NUMBER_OF_1_2.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _dump(document):
    return yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=2**31 - 1,
    )
