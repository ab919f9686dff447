"""Texts and JSON values that can be stored.

JSON allows two kinds of texts that nothing here can keep: PostgreSQL refuses a NUL, and UTF-8 has
no form for half of a surrogate pair, which JSON writes as `\\ud800`.
"""

import re
from typing import Any, NamedTuple

from pulp_conda.channel.errors import shown

# orjson writes up to 254 levels.
DEEPEST = 200

_REFUSED = re.compile("[\0\ud800-\udfff]")

# A NUL in JSON. If the number of backslashes before `u0000` is even, it is no escape.
_NUL_IN_JSON = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Unstorable(NamedTuple):
    """The place in a JSON value that cannot be stored.

    Fields:
        path: The keys and the places in lists that lead to it. If a key cannot be stored, it is the
            last of them.
        reason: What is wrong, to stand behind the place.
    """

    path: tuple[str | int, ...]
    reason: str

    @property
    def place(self) -> str:
        """The path for people, for example `stages[1].gates`."""
        parts = (
            f"[{part}]" if isinstance(part, int) else f".{shown(part, longest=100)}"
            for part in self.path[:10]
        )
        return "".join(parts).removeprefix(".")


def text_problem(text: str) -> str | None:
    """Return why a text cannot be stored, or None if it can."""
    found = _REFUSED.search(text)
    if found is None:
        return None
    what = "a NUL" if found.group() == "\0" else "half of a surrogate pair"
    return f"holds {what}, which no text can have"


def find_unstorable(value: Any) -> Unstorable | None:
    """Return the first place of a JSON value that cannot be stored, or None.

    It is a text or a key, or the place where the value is nested more than `DEEPEST` levels deep.
    """
    # Not by recursion: the value may be nested deeply.
    open_values: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while open_values:
        path, value = open_values.pop()
        if isinstance(value, str):
            if problem := text_problem(value):
                return Unstorable(path, problem)
        elif len(path) > DEEPEST:
            return Unstorable(path, f"is nested more than {DEEPEST} levels deep")
        elif isinstance(value, dict):
            for key in value:
                if isinstance(key, str) and (problem := text_problem(key)):
                    return Unstorable((*path, key), problem)
            open_values += (((*path, key), value[key]) for key in reversed(value))
        elif isinstance(value, list):
            open_values += (((*path, at), value[at]) for at in reversed(range(len(value))))
    return None


def has_nul(json: bytes) -> bool:
    """Say whether a text or a key of a JSON document, given as bytes, has a NUL."""
    return b"\\u0000" in json and _NUL_IN_JSON.search(json) is not None
