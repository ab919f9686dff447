"""The notices of a channel: messages that clients show to their users (CEP 6).

conda prints them on a terminal. rattler reads no more than a megabyte of the file.
"""

import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import orjson

from pulp_conda.channel.errors import BadNotice, listed, shown

LEVELS = ("info", "warning", "critical")

# With these limits the file is far smaller than a megabyte, even if JSON escapes every character.
_MOST = 100
_LONGEST_MESSAGE = 2000  # Bytes. CEP 6 recommends the length of a tweet.
_LONGEST_ID = 100

_KEYS = ("id", "message", "level", "created_at", "expires_at")


def check_notices(value: object, now: datetime) -> list[dict[str, Any]]:
    """Return the notices in the form in which they are stored and served.

    Times are in UTC and end with `+00:00`, because conda cannot read a `Z` with older Pythons. Each
    notice has the key `expires_at`. Old versions of conda read `expired_at` instead, but rattler
    refuses a notice that has both.

    Args:
        value: A list of notices, which is untrusted input.
        now: The time now with a time zone. It becomes the `created_at` of notices that have none.

    Raises:
        BadNotice: with all problems and their places.
    """
    if not isinstance(value, list):
        raise BadNotice(reason="the notices are not a list")
    if len(value) > _MOST:
        raise BadNotice(reason=f"there are {len(value)} notices, and {_MOST} are allowed")
    notices: list[dict[str, Any]] = []
    problems: list[str] = []
    for index, entry in enumerate(value):
        notice, found = _check_notice(index, entry, now)
        notices.append(notice)
        problems += (f"notices[{index}]: {problem}" for problem in found)
    if not problems:
        problems = _repeated_ids(notices)
    if problems:
        raise BadNotice(reason=listed(problems))
    return notices


def current_notices(notices: Iterable[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Return the notices that have not expired. They must be in the form of `check_notices`."""
    return [notice for notice in notices if _expiry(notice) > now]


def last_expiry(notices: Iterable[dict[str, Any]], now: datetime) -> datetime | None:
    """Return when the last one of the expired notices expired, or None if none has expired."""
    return max((_expiry(notice) for notice in notices if _expiry(notice) <= now), default=None)


def encode_notices(notices: list[dict[str, Any]]) -> bytes:
    """Return the content of `notices.json`."""
    return orjson.dumps({"notices": notices})


def _check_notice(index: int, entry: object, now: datetime) -> tuple[dict[str, Any], list[str]]:
    """Return a notice with all keys, and what is wrong with it. A wrong notice becomes empty."""
    if not isinstance(entry, dict):
        return {}, ["it is not an object"]
    problems = [f"{_quoted(key)} is not known" for key in entry if key not in _KEYS]
    level = entry.get("level")
    if level not in LEVELS:
        problems.append(f"'level' is {_quoted(level)}, not info, warning or critical")
    if problem := _text_problem(entry.get("message"), _LONGEST_MESSAGE):
        problems.append(f"'message' {problem}")
    given = {"created_at": now.isoformat(), "id": ""} | {
        key: value for key, value in entry.items() if value is not None
    }
    times = {}
    for key in ("created_at", "expires_at"):
        try:
            times[key] = _parse_time(given.get(key))
        except (TypeError, ValueError, OverflowError):
            text = _quoted(given.get(key))
            problems.append(f"'{key}' is {text}, not a date and time with a time zone")
    if given["id"] != "" and (problem := _text_problem(given["id"], _LONGEST_ID)):
        problems.append(f"'id' {problem}")
    if problems:
        return {}, problems
    if times["expires_at"] <= times["created_at"]:
        return {}, ["it expires before it was made"]
    notice = {"id": None, "message": entry["message"], "level": level} | {
        key: times[key].isoformat() for key in ("created_at", "expires_at")
    }
    # conda remembers the ids of the notices that it has shown.
    notice["id"] = given["id"] or str(
        uuid5(NAMESPACE_OID, f"{index} {orjson.dumps(notice).decode()}")
    )
    return notice, []


def _repeated_ids(notices: list[dict[str, Any]]) -> list[str]:
    first: dict[str, int] = {}
    for index, notice in enumerate(notices):
        first.setdefault(notice["id"], index)
    return [
        f"notices[{index}]: 'id' is that of notices[{first[notice['id']]}]"
        for index, notice in enumerate(notices)
        if first[notice["id"]] != index
    ]


def _text_problem(text: object, longest: int) -> str | None:
    if not isinstance(text, str) or not text.strip():
        return "is missing" if text is None else "is not a text, or is empty"
    # A terminal would obey control characters, and half a surrogate cannot be encoded.
    odd = {char for char in text if unicodedata.category(char) in ("Cc", "Cs")} - {"\n", "\t"}
    if odd:
        return f"holds the control character {ascii(min(odd))}"
    size = len(text.encode())
    if size > longest:
        return f"has {size} bytes, and {longest} are allowed"
    return None


def _parse_time(text: Any) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError
    return time.astimezone(UTC).replace(microsecond=0)


def _expiry(notice: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(notice["expires_at"])


def _quoted(value: object) -> str:
    return f"'{shown(value)}'" if isinstance(value, str) else shown(repr(value))
