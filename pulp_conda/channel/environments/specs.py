"""Environments: what people say they want to install, read from the files in which they say it.

Formats: `environment.yml` (CEP 24, selectors included), the manifests of pixi, and a MatchSpec per line.
"""

import re
from dataclasses import dataclass, field
from itertools import chain

from pulp_conda.channel.environments.environment_yml import check_platforms, read_environment_yml
from pulp_conda.channel.environments.manifests import read_manifest
from pulp_conda.channel.environments.virtual_packages import check_virtual_packages
from pulp_conda.channel.errors import BadEnvironment, BadMatchSpec, listed, shown
from pulp_conda.channel.layout import KNOWN_SUBDIRS, is_name
from pulp_conda.channel.matchspec import check_matchspec

FORMATS = ("environment.yml", "pixi.toml", "pyproject.toml", "specs")

# Characters of a file: the parsers take up to half a second for as many.
LARGEST = 2**16
_MOST_SPECS = 1000

_CHANNEL_BEHIND = re.compile(r"[\[,\s]channel\s*=")


@dataclass(frozen=True)
class Environment:
    """What a file wants.

    Attributes:
        platforms: The subdirs that it is for; empty if neither the file nor the caller says so.
        requirements: The specs by platform; under "" if there are no platforms. They name no channels.
        channels: As the file names them, those of single specs at the end. Others must say which channel that is.
        virtual_packages: What the file says of its machines, by platform and name: `{"linux-64": {"__cuda": "12"}}`.
        pip: What it wants from PyPI: kept and reported, and never solved.
    """

    platforms: tuple[str, ...]
    requirements: dict[str, tuple[str, ...]]
    channels: tuple[str, ...] = ()
    virtual_packages: dict[str, dict[str, str]] = field(default_factory=dict)
    pip: tuple[str, ...] = ()


def read_environment(text, *, format, section="default", platforms=()):
    """Read an environment from the text of a file.

    Args:
        format: One of `FORMATS`.
        section: Which environment of a manifest.
        platforms: For which subdirs, or none for those that the file names. It need not name them.

    Raises:
        BadEnvironment: with the places of what is wrong.
    """
    if format not in FORMATS:
        raise BadEnvironment(
            reason=f"'{shown(format)}' is none of the formats {', '.join(FORMATS)}"
        )
    if len(text) > LARGEST:
        raise BadEnvironment(reason=f"the file is longer than {LARGEST} characters")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadEnvironment(reason="the file holds a character that no text has")
    platforms = tuple(platforms)
    try:
        check_platforms(platforms, "platforms")
        if format in ("pixi.toml", "pyproject.toml"):
            draft = read_manifest(text, format=format, section=section, platforms=platforms)
            check_platforms(draft["platforms"], "platforms")
        elif section != "default":
            raise ValueError(f"a file of this format has no section '{shown(section)}'")
        elif format == "specs":
            draft = _read_specs(text, platforms)
        else:
            draft = read_environment_yml(text, platforms)
    except ValueError as error:
        raise BadEnvironment(reason=str(error)) from None
    return _checked(**draft)


def _read_specs(text, platforms):
    specs = [
        (f"line {number}", spec)
        for number, line in enumerate(text.splitlines(), 1)
        if (spec := re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip())
    ]
    return {"platforms": platforms, "requirements": {key: specs for key in platforms or [""]}}


def _checked(platforms, requirements, channels=(), virtual_packages=None, pip=()):
    """Return the `Environment`, with the specs parted from the channels that they name."""
    # Dictionaries, since they are sets that keep the order.
    problems = {}
    read = {}
    for where, text in dict.fromkeys(chain.from_iterable(requirements.values())):
        try:
            read[where, text] = _read_spec(text)
        except ValueError as error:
            problems[f"'{where}': {error}"] = None
    channels = dict.fromkeys([*channels, *(channel for channel, _ in read.values() if channel)])
    checked = {}
    for platform, specs in requirements.items():
        kept = dict.fromkeys(read[entry][1] for entry in specs if entry in read)
        if len(kept) > _MOST_SPECS:
            problems[f"it asks for more than {_MOST_SPECS} packages"] = None
        elif not specs:
            on = f" on {platform}" if platform else ""
            problems[f"it asks for no package{on}, so there is nothing to solve"] = None
        checked[platform] = tuple(kept)
    pip = dict.fromkeys(pip)
    if len(pip) > _MOST_SPECS:
        problems[f"it asks for more than {_MOST_SPECS} packages from PyPI"] = None
    for text in (*channels, *pip):
        if not text.isprintable():
            problems[f"'{shown(text)}' holds a character that cannot be printed"] = None
    if problems:
        raise BadEnvironment(reason=listed(list(problems)))
    return Environment(
        platforms=tuple(platforms),
        requirements=checked,
        channels=tuple(channels),
        virtual_packages={
            platform: check_virtual_packages(packages)
            for platform, packages in (virtual_packages or {}).items()
        },
        pip=tuple(pip),
    )


def _read_spec(text):
    """Return the channel that a spec names, or None, and the spec without it.

    Raises:
        ValueError: what is wrong with it.
    """
    text = text.strip()
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
    # Virtual packages have two underscores in front.
    if not is_name(name.removeprefix("__")):
        raise ValueError(f"'{shown(spec)}' needs the name of one package, '{shown(name)}' is none")
    return channel, spec
