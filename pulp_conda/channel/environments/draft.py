"""What the readers of environment files return: what a file wants, with specs not yet checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pulp_conda.channel.errors import shown
from pulp_conda.channel.layout import is_platform

_MOST_PLATFORMS = 20


class RequestedSpec(NamedTuple):
    """A match spec as a file has it.

    Attributes:
        where: The place in the file, for people: `dependencies[3]` or `line 4`.
    """

    where: str
    text: str


@dataclass(frozen=True)
class EnvironmentDraft:
    """What a file wants. The attributes are those of `Environment`, and the specs may be wrong."""

    platforms: Sequence[str]
    requirements: Mapping[str, Sequence[RequestedSpec]]
    channels: Sequence[str] = ()
    virtual_packages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pip: Sequence[str] = ()


def check_platforms(platforms: Sequence[str], where: str) -> None:
    """Raise `ValueError` if one is no platform or is named twice, or if there are too many.

    Args:
        where: The place of the list, for people. It is part of the message.
    """
    if len(platforms) > _MOST_PLATFORMS:
        raise ValueError(f"'{where}' names more than {_MOST_PLATFORMS}")
    for number, platform in enumerate(platforms):
        if not is_platform(platform):
            raise ValueError(
                f"'{where}[{number}]' is '{shown(str(platform))}', "
                "which is no platform such as 'linux-64'"
            )
        if platform in platforms[:number]:
            raise ValueError(f"'{where}' names '{platform}' twice")
