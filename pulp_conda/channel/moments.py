"""Which state of a channel is meant: what stands behind the `@` of a URL, and what a comparison is told.

v42                       version 42 of the lifecycle's repository
v42.1                     the first set of single packages on top of it
2026-03-03                what was served at the end of that day, in UTC
2026-03-03T12:00:00Z      what was served at the end of that second
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pulp_conda.channel.errors import BadMoment, FutureMoment

_LARGEST_NUMBER = 2**31 - 1  # of PostgreSQL's integers
_LONGEST = 300

_STATE = re.compile(r"v(0|[1-9][0-9]{0,9})(?:\.([1-9][0-9]{0,9}))?")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_MOMENT = re.compile(rf"({_DATE})(?:T({_TIME})(?:Z|\+00:00))?")
_OTHER_ZONE = re.compile(rf"{_DATE}T{_TIME}(?P<zone>[-+ ][0-9]{{2}}:?[0-9]{{2}})?")

# What can only be meant as a state, so that a typing error in one is not taken for the name of a stage.
_LIKE_A_MOMENT = re.compile(r"v[0-9]+(\.[0-9]*)?|[0-9]{4}-.*")


@dataclass(frozen=True)
class State:
    """A version of a lifecycle's repository, and which set of single packages on top of it."""

    version: int
    fix: int = 0


@dataclass(frozen=True)
class Moment:
    """A moment of the past, or now.

    Attributes:
        at: In UTC, the last microsecond that is meant: what moved at `at` counts, and what moved later does not. Of a
            day or second that has not ended it is the `now` of who asked, so the same text can mean more later.
    """

    at: datetime


@dataclass(frozen=True)
class Reference:
    """One side of a comparison.

    Attributes:
        stage: The name of a stage, or None for the repository itself.
        at: A `State` or `Moment`, or None for what it is now. Of the repository, a moment means its newest version that
            was made by then.
    """

    stage: str | None
    at: State | Moment | None


def parse_moment(text, *, now):
    """Return the `State` or `Moment` that a text means.

    Raises:
        BadMoment: it is neither.
        FutureMoment: it begins after `now`.
    """
    if len(text) > _LONGEST:
        raise BadMoment(text=text[:_LONGEST], reason=f"it is longer than {_LONGEST} characters")
    if text.startswith("v"):
        return _parse_state(text)
    match = _MOMENT.fullmatch(text)
    if not match:
        raise BadMoment(text=text, reason=_why_no_moment(text))
    day, time = match.groups()
    try:
        start = datetime.fromisoformat(f"{day}T{time or '00:00:00'}+00:00")
    except ValueError as error:
        raise BadMoment(text=text, reason=str(error)) from None
    length = timedelta(seconds=1) if time else timedelta(days=1)
    now = now.astimezone(UTC)
    if start > now:
        raise FutureMoment(text=text, now=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return Moment(min(start + (length - timedelta.resolution), now))


def parse_reference(text, *, now):
    """Return the `Reference` that a text means: a stage, a state or moment, or both as in `testing@v42`.

    Raises:
        BadMoment, FutureMoment: as `parse_moment`.
    """
    stage, separator, at = text.partition("@")
    if separator and not stage:
        raise BadMoment(text=text, reason="nothing stands before the '@'")
    if separator:
        return Reference(stage, parse_moment(at, now=now))
    if not text or is_like_moment(text):
        return Reference(None, parse_moment(text, now=now))
    return Reference(text, None)


def is_like_moment(text):
    """Tell whether a text is read as a state or moment wherever it stands, so that no stage may be called so."""
    return _LIKE_A_MOMENT.fullmatch(text) is not None


def _parse_state(text):
    match = _STATE.fullmatch(text)
    numbers = [int(number or 0) for number in match.groups()] if match else []
    if not match or max(numbers) > _LARGEST_NUMBER:
        raise BadMoment(text=text, reason="no number of a version follows the 'v'")
    return State(*numbers)


def _why_no_moment(text):
    if not text:
        return "it is empty"
    zone = _OTHER_ZONE.fullmatch(text)
    if zone and zone["zone"]:
        return "its time zone is not UTC"
    if zone:
        return "it does not say that its time is in UTC"
    return "it is no date"
