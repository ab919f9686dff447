"""Texts that say which state of a channel is meant, behind the `at/` of a URL or in a comparison.

v42                       version 42 of the source
v42.1                     the first set of single packages on top of version 42
2026-03-03                what was served at the end of that day, in UTC
2026-03-03t120000z        what was served at the end of that second

These are written with letters that the name of a channel may have (CEP 26), so that a URL of the
past is a channel of its own for every client. `2026-03-03T12:00:00Z` and upper case are read too,
and never written.

The source is where packages are collected; its versions have numbers. A target is a name under
which states of the source are served, for example `stable`. `v42` and `v42.1` are the labels of
states.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pulp_conda.channel.errors import BadMoment, FutureMoment

_LARGEST_NUMBER = 2**31 - 1  # The largest integer of a column in PostgreSQL.
_LONGEST = 300

_STATE = re.compile(r"v(0|[1-9][0-9]{0,9})(?:\.([1-9][0-9]{0,9}))?")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9]{6})"
_MOMENT = re.compile(rf"({_DATE})(?:t({_TIME})(?:z|\+00:?00))?")
_OTHER_ZONE = re.compile(rf"{_DATE}t{_TIME}(?P<zone>[-+ ][0-9]{{2}}:?[0-9]{{2}})?")

# A text like this is read as a state or a moment. With a typing error in it, it is refused and not
# taken for the name of a target.
_LIKE_A_MOMENT = re.compile(r"v[0-9]+(\.[0-9]*)?|[0-9]{4}-.*")

# Between a target and a state or moment.
_AT = re.compile("/at/|@")


@dataclass(frozen=True)
class State:
    """A version of the source, possibly with single packages on top of it.

    Attributes:
        version: The number of the version.
        fix: The number of the set of single packages on top of the version, or 0 for none.
    """

    version: int
    fix: int = 0


@dataclass(frozen=True)
class Moment:
    """A time that is not in the future.

    Attributes:
        at: The moment in UTC. A change at this microsecond counts, and a later change does not. For
            a day or a second that has not ended yet it is the time now, so the same text can mean a
            later moment when it is read again.
    """

    at: datetime


@dataclass(frozen=True)
class Reference:
    """One side of a comparison.

    Attributes:
        stage: The name of the target that is meant, or None for the source itself.
        at: The state or moment that is meant, or None for what is served now. A moment of the
            source means the newest version that it had then.
    """

    stage: str | None
    at: State | Moment | None


def parse_moment(text: str, *, now: datetime) -> State | Moment:
    """Return the state or moment that a text means.

    Args:
        now: The time now, with a time zone.

    Raises:
        BadMoment: the text means neither.
        FutureMoment: the day or second begins after `now`.
    """
    if len(text) > _LONGEST:
        raise BadMoment(text=text[:_LONGEST], reason=f"it is longer than {_LONGEST} characters")
    lower = text.lower()
    if lower.startswith("v"):
        return _parse_state(text)
    match = _MOMENT.fullmatch(lower)
    if not match:
        raise BadMoment(text=text, reason=_why_no_moment(text))
    day, time = match.groups()
    try:
        start = datetime.fromisoformat(f"{day}T{time or '000000'}+00:00")
    except ValueError as error:
        raise BadMoment(text=text, reason=str(error)) from None
    length = timedelta(seconds=1) if time else timedelta(days=1)
    now = now.astimezone(UTC)
    if start > now:
        raise FutureMoment(text=text, now=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return Moment(min(start + (length - timedelta.resolution), now))


def spell_moment(text: str) -> str:
    """Return a text that `parse_moment` reads in its one spelling in URLs: `2026-03-03t120000z` for
    `2026-03-03T12:00:00Z`.
    """
    return text.lower().replace(":", "").replace("+0000", "z")


def parse_reference(text: str, *, now: datetime) -> Reference:
    """Return what a text means: a target, a state or moment, or both as in `testing/at/v42`, for
    which `testing@v42` is another spelling.

    Args:
        now: The time now, with a time zone.

    Raises:
        BadMoment, FutureMoment: as `parse_moment` does.
    """
    target, *moments = _AT.split(text, maxsplit=1)
    if moments and not target:
        raise BadMoment(text=text, reason="no name stands before the moment")
    if moments:
        return Reference(target, parse_moment(moments[0], now=now))
    if not text or is_like_moment(text):
        return Reference(None, parse_moment(text, now=now))
    return Reference(text, None)


def spell_reference(text: str) -> str:
    """Return a text that `parse_reference` reads in its one spelling: `testing/at/v42` for
    `testing@V42`.
    """
    target, *moments = _AT.split(text, maxsplit=1)
    if moments:
        return f"{target}/at/{spell_moment(moments[0])}"
    return spell_moment(text) if is_like_moment(text) else text


def is_like_moment(text: str) -> bool:
    """Say whether a text is read as a state or moment. No target may have such a name."""
    return _LIKE_A_MOMENT.fullmatch(text.lower()) is not None


def _parse_state(text: str) -> State:
    match = _STATE.fullmatch(text.lower())
    numbers = [int(number or 0) for number in match.groups()] if match else []
    if not numbers or max(numbers) > _LARGEST_NUMBER:
        raise BadMoment(text=text, reason="no number of a version follows the 'v'")
    return State(*numbers)


def _why_no_moment(text: str) -> str:
    if not text:
        return "it is empty"
    zone = _OTHER_ZONE.fullmatch(text.lower())
    if zone and zone["zone"]:
        return "its time zone is not UTC"
    if zone:
        return "it does not say that its time is in UTC"
    return "it is no date"
