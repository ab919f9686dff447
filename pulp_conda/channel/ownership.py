"""Which channel a package name comes from, where several channels are served as one.

Each name belongs to one channel, in all subdirs. Otherwise a stranger could publish a higher
version of a private name in a public channel, and clients would install that ("dependency
confusion").
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from pulp_conda.channel.errors import BadOwnerRule

_PATTERN = re.compile(r"[a-z0-9_.*?-]{1,128}", re.ASCII)
# What people confuse, and some tools take for the same.
_SEPARATORS = str.maketrans("_.", "--")


@dataclass(frozen=True)
class Rules:
    """The patterns of each channel, in their order."""

    owns: Sequence[Sequence[str]]

    def owner_of(self, name: str) -> int | None:
        """Return the place of the channel that a rule gives this name, or None.

        The first channel with a pattern that matches is it. `-`, `_` and `.` count as the same.
        """
        spelled = name.lower().translate(_SEPARATORS)
        for place, patterns in enumerate(self.owns):
            if any(_compiled(pattern).match(spelled) for pattern in patterns):
                return place
        return None


def check_owner_rule(pattern: str) -> str:
    """Return a pattern for package names, with `*` and `?`, in lower case.

    Raises:
        BadOwnerRule: no name could match it.
    """
    if not _PATTERN.fullmatch(pattern.lower()):
        raise BadOwnerRule(pattern=pattern)
    return pattern.lower()


def hidden_names(names: Sequence[Collection[str]], rules: Rules) -> list[set[str]]:
    """Return which of its names each channel does not own.

    A name belongs to the channel that a rule says, also if that has no such name; else to the first
    channel that has it.

    Args:
        names: Those that each channel has in any subdir, in the order of the channels.
    """
    owners: dict[str, int | None] = {}
    for place, of_channel in enumerate(names):
        for name in of_channel:
            if name not in owners:
                by_rule = rules.owner_of(name)
                owners[name] = place if by_rule is None else by_rule
    return [
        {name for name in of_channel if owners[name] != place}
        for place, of_channel in enumerate(names)
    ]


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.translate(_SEPARATORS)))
