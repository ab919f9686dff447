"""What clients show to their users: the notices of a channel, at its root (CEP 6).

conda prints them on a terminal, and rattler reads no more than a megabyte of the file.
"""

import unicodedata
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

import orjson

from pulp_conda.channel.errors import BadNotice, listed, shown

LEVELS = ("info", "warning", "critical")

# Together far below a megabyte, also if every character is one that JSON escapes.
_MOST = 100
_LONGEST_MESSAGE = 2000  # bytes; CEP 6 thinks of a tweet
_LONGEST_ID = 100

_KEYS = ("id", "message", "level", "created_at", "expires_at")


def check_notices(value, now):
    """Return the notices in the form in which they are kept and served.

    Times are in UTC and end in `+00:00`, since conda on older Pythons cannot read a `Z`. The key is `expires_at`
    alone: old versions of conda look for `expired_at`, but rattler takes a notice that has both for a mistake.

    Args:
        now: For notices that do not say when they were made.

    Raises:
        BadNotice: with all that is wrong, and where.
    """
    if not isinstance(value, list):
        raise BadNotice(reason="the notices are not a list")
    if len(value) > _MOST:
        raise BadNotice(reason=f"there are {len(value)} notices, and {_MOST} are allowed")
    notices, problems = [], []
    for index, entry in enumerate(value):
        notice, found = _check_notice(index, entry, now)
        notices.append(notice)
        problems += (f"notices[{index}]: {problem}" for problem in found)
    if not problems:
        problems = _repeated_ids(notices)
    if problems:
        raise BadNotice(reason=listed(problems))
    return notices


def current_notices(notices, now):
    """Return those that have not expired, of notices that `check_notices` gave."""
    return [notice for notice in notices if _expiry(notice) > now]


def last_expiry(notices, now):
    """Return when `current_notices` last became fewer, or None."""
    return max((_expiry(notice) for notice in notices if _expiry(notice) <= now), default=None)


def encode_notices(notices):
    """Return the bytes of `notices.json`."""
    return orjson.dumps({"notices": notices})


def _check_notice(index, entry, now):
    """Return a notice in full, and a list of what is wrong with it."""
    if not isinstance(entry, dict):
        return None, ["it is not an object"]
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
        return None, problems
    if times["expires_at"] <= times["created_at"]:
        return None, ["it expires before it was made"]
    notice = {"id": None, "message": entry["message"], "level": level} | {
        key: times[key].isoformat() for key in ("created_at", "expires_at")
    }
    # conda keeps in mind by it what it has shown.
    notice["id"] = given["id"] or str(
        uuid5(NAMESPACE_OID, f"{index} {orjson.dumps(notice).decode()}")
    )
    return notice, []


def _repeated_ids(notices):
    first = {}
    for index, notice in enumerate(notices):
        first.setdefault(notice["id"], index)
    return [
        f"notices[{index}]: 'id' is that of notices[{first[notice['id']]}]"
        for index, notice in enumerate(notices)
        if first[notice["id"]] != index
    ]


def _text_problem(text, longest):
    if not isinstance(text, str) or not text.strip():
        return "is missing" if text is None else "is not a text, or is empty"
    # A terminal would obey control characters, and half a surrogate pair is in no encoding.
    odd = {char for char in text if unicodedata.category(char) in ("Cc", "Cs")} - {"\n", "\t"}
    if odd:
        return f"holds the control character {ascii(min(odd))}"
    size = len(text.encode())
    if size > longest:
        return f"has {size} bytes, and {longest} are allowed"
    return None


def _parse_time(text):
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError
    return time.astimezone(UTC).replace(microsecond=0)


def _expiry(notice):
    return datetime.fromisoformat(notice["expires_at"])


def _quoted(value):
    return f"'{shown(value)}'" if isinstance(value, str) else shown(repr(value))
