"""Durations as people write them."""

import re

from pulp_glue.common.i18n import get_translation

translation = get_translation(__package__)
_ = translation.gettext

_SECONDS = {"m": 60, "h": 60 * 60, "d": 24 * 60 * 60}
_DURATION = re.compile(r"([0-9]{1,9})([mhd])")


def seconds_of(duration: str) -> int:
    """Return a duration such as `90m`, `6h` or `1d` in seconds.

    Raises:
        ValueError: it is none.
    """
    if found := _DURATION.fullmatch(duration.strip().lower()):
        return int(found[1]) * _SECONDS[found[2]]
    reason = _("'{}' is no duration. Write minutes as '90m', hours as '6h', or days as '1d'.")
    raise ValueError(reason.format(duration))
