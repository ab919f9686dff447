"""Environments: what people want to install, read from the files in which they say it.

Formats: `environment.yml` (CEP 24, with selectors), the manifests of pixi, and lists with one
MatchSpec per line.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from pulp_conda.channel.clear_specs import check_clear
from pulp_conda.channel.environments.draft import EnvironmentDraft, RequestedSpec, check_platforms
from pulp_conda.channel.environments.environment_yml import read_environment_yml
from pulp_conda.channel.environments.manifests import read_manifest
from pulp_conda.channel.environments.virtual_packages import check_virtual_packages
from pulp_conda.channel.errors import BadEnvironment, BadMatchSpec, listed, shown
from pulp_conda.channel.layout import KNOWN_SUBDIRS, is_name
from pulp_conda.channel.matchspec import check_matchspec


class EnvironmentFormat(StrEnum):
    """The formats of files that say what people want to install."""

    ENVIRONMENT_YML = "environment.yml"
    PIXI = "pixi.toml"
    PYPROJECT = "pyproject.toml"
    SPECS = "specs"


_OF_PIXI = (EnvironmentFormat.PIXI, EnvironmentFormat.PYPROJECT)

# Characters of a file. The parsers take up to half a second for as many.
LARGEST = 2**16
_MOST_SPECS = 1000

_CHANNEL_BEHIND = re.compile(r"[\[,\s]channel\s*=")


@dataclass(frozen=True)
class Environment:
    """What a file wants.

    Attributes:
        platforms: The subdirs that it is for. Empty if neither the file nor the caller names one.
        requirements: The specs by platform, or under "" if there are no platforms. None of them
            names a channel.
        channels: The channels as the file names them. Those that single specs name come last. A
            name may not be a URL: the caller has to know which channel it means.
        virtual_packages: What the file says about its machines, as versions by platform and name:
            `{"linux-64": {"__cuda": "12"}}`.
        pip: What the file wants from PyPI. It is kept and reported, and never solved.
    """

    platforms: tuple[str, ...]
    requirements: dict[str, tuple[str, ...]]
    channels: tuple[str, ...] = ()
    virtual_packages: dict[str, dict[str, str | None]] = field(default_factory=dict)
    pip: tuple[str, ...] = ()


class _ReadSpec(NamedTuple):
    """The channel that a spec names, or None, and the spec without it."""

    channel: str | None
    spec: str


def read_environment(
    text: str, *, format: str, section: str = "default", platforms: Iterable[str] = ()
) -> Environment:
    """Return the environment that the text of a file describes.

    Args:
        format: The name of an `EnvironmentFormat`.
        section: The name of the environment in a manifest of pixi.
        platforms: The subdirs to read it for. They need not be in the file. If there are none,
            those that the file names.

    Raises:
        BadEnvironment: Names all that is wrong, each with its place.
    """
    if format not in list(EnvironmentFormat):
        raise BadEnvironment(
            reason=f"'{shown(format)}' is none of the formats {', '.join(EnvironmentFormat)}"
        )
    if len(text) > LARGEST:
        raise BadEnvironment(reason=f"the file is longer than {LARGEST} characters")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadEnvironment(reason="the file holds a character that no text has")
    platforms = tuple(platforms)
    try:
        check_platforms(platforms, "platforms")
        if format in _OF_PIXI:
            draft = read_manifest(text, format=format, section=section, platforms=platforms)
            check_platforms(draft.platforms, "platforms")
        elif section != "default":
            raise ValueError(f"a file of this format has no section '{shown(section)}'")
        elif format == EnvironmentFormat.SPECS:
            draft = _read_specs(text, platforms)
        else:
            draft = read_environment_yml(text, platforms)
    except ValueError as error:
        raise BadEnvironment(reason=str(error)) from None
    # pixi's own files are for rattler alone, which decides what their specs mean.
    return _checked(draft, must_be_clear=format not in _OF_PIXI)


def _read_specs(text: str, platforms: Sequence[str]) -> EnvironmentDraft:
    """Return what a list wants. It has one spec per line, and comments behind `#`."""
    specs = [
        RequestedSpec(f"line {number}", spec)
        for number, line in enumerate(text.splitlines(), 1)
        if (spec := re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip())
    ]
    return EnvironmentDraft(platforms, {platform: specs for platform in platforms or [""]})


def _checked(draft: EnvironmentDraft, *, must_be_clear: bool) -> Environment:
    """Return the environment of a draft, with the channels taken out of the specs."""
    # Dictionaries with values of None, because they are sets that keep the order.
    problems: dict[str, None] = {}
    read_specs: dict[RequestedSpec, _ReadSpec] = {}
    for requested in dict.fromkeys(chain.from_iterable(draft.requirements.values())):
        try:
            read_specs[requested] = _read_spec(requested.text, must_be_clear)
        except ValueError as error:
            problems[f"'{requested.where}': {error}"] = None
    of_specs = [read.channel for read in read_specs.values() if read.channel]
    channels = dict.fromkeys([*draft.channels, *of_specs])
    requirements = {}
    for platform, wanted in draft.requirements.items():
        specs = dict.fromkeys(read_specs[entry].spec for entry in wanted if entry in read_specs)
        if len(specs) > _MOST_SPECS:
            problems[f"it asks for more than {_MOST_SPECS} packages"] = None
        elif not wanted:
            on = f" on {platform}" if platform else ""
            problems[f"it asks for no package{on}, so there is nothing to solve"] = None
        requirements[platform] = tuple(specs)
    pip = dict.fromkeys(draft.pip)
    if len(pip) > _MOST_SPECS:
        problems[f"it asks for more than {_MOST_SPECS} packages from PyPI"] = None
    for text in (*channels, *pip):
        if not text.isprintable():
            problems[f"'{shown(text)}' holds a character that cannot be printed"] = None
    if problems:
        raise BadEnvironment(reason=listed(list(problems)))
    return Environment(
        platforms=tuple(draft.platforms),
        requirements=requirements,
        channels=tuple(channels),
        virtual_packages={
            platform: check_virtual_packages(packages)
            for platform, packages in draft.virtual_packages.items()
        },
        pip=tuple(pip),
    )


def _read_spec(text: str, must_be_clear: bool) -> _ReadSpec:
    """Return a spec and its channel.

    Raises:
        ValueError: Says what is wrong with it.
    """
    text = text.strip()
    channel: str | None
    channel, found, spec = text.partition("::")
    if not found or "[" in channel or " " in channel:
        channel, spec = None, text
    elif channel.rpartition("/")[2] in KNOWN_SUBDIRS:
        raise ValueError(f"'{shown(text)}' has a subdir in front, write it behind: [subdir=…]")
    if _CHANNEL_BEHIND.search(spec):
        raise ValueError(
            f"'{shown(spec)}' names a channel behind, write it in front: 'channel::name'"
        )
    try:
        parsed = check_matchspec(spec)
    except BadMatchSpec as error:
        raise ValueError(f"'{shown(spec)}' is not a match spec: {error.facts['reason']}") from None
    if not spec.isprintable():
        raise ValueError(f"'{shown(spec)}' holds a character that cannot be printed")
    if '[url="' in str(parsed) or parsed.namespace:
        raise ValueError(f"'{shown(spec)}' is no package of a channel")
    name = parsed.name.normalized
    # Names of virtual packages start with two underscores.
    if not is_name(name.removeprefix("__")):
        raise ValueError(f"'{shown(spec)}' needs the name of one package, '{shown(name)}' is none")
    if must_be_clear:
        try:
            check_clear(spec)
        except BadMatchSpec as error:
            reason = error.facts["reason"]
            raise ValueError(f"'{shown(spec)}' has no clear meaning: {reason}") from None
    return _ReadSpec(channel, spec)
