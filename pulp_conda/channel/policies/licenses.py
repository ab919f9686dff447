"""Which licenses are allowed: SPDX license expressions, and the free text of older packages.

Of `A OR B` one part has to be allowed, of `A AND B` both. A text that is no expression is compared
with the patterns as a whole.

The PyPI package `license-expression` is not used: it reads the free text `AGPLv3 or later` as two
licenses, so that a rule against AGPL would let it pass. For `( )` it raises `IndexError`.
"""

import re
from collections import deque
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

from pulp_conda.channel.errors import shown

# What SPDX and build tools write if they do not know the license.
_NOT_STATED = ("", "none", "noassertion", "unknown")

_TOKEN = re.compile(r"[()]|[^\s()]+")
_OPERATORS = ("and", "or", "with", "(", ")")

# In free text, `AGPLv3 or later` is one license. There is no license `later` that could be allowed.
_NO_LICENSE = ("any", "later", "newer")

# Characters and levels of an expression. People write less. A text beyond is no expression.
_LONGEST = 1000
_DEEPEST = 20

# A channel with a million packages has a few hundred different texts.
_MOST_REMEMBERED = 10_000


class _Fault(NamedTuple):
    """The license of an expression that is at fault, and what is wrong with it, in words."""

    license: str
    text: str


class LicenseRule:
    """Says what is wrong with the license of a package.

    Patterns such as `BSD-*` are compared with each license of an expression. Upper and lower case
    are the same. A license with an exception (`GPL-3.0-only WITH GCC-exception-3.1`) is compared
    with the patterns that have a `WITH`. If none matches, it is compared without its exception.

    Args:
        allowed: Patterns of licenses. One has to match. Without patterns every license is allowed.
        denied: Patterns of licenses that must not match. They win over `allowed`.
        allow_unknown: Whether to take packages that state no license.
    """

    def __init__(
        self,
        allowed: Iterable[str] = (),
        denied: Iterable[str] = (),
        allow_unknown: bool = False,
    ) -> None:
        self._allowed = _Patterns(allowed)
        self._denied = _Patterns(denied)
        self._allow_unknown = allow_unknown
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._reason_against)

    def reason_against(self, text: str) -> str | None:
        """Return in words what is wrong with a license, or None if it may be used."""
        return (self._remembered if len(text) <= _LONGEST else self._reason_against)(text)

    def _reason_against(self, text: str) -> str | None:
        text = text.strip()
        if text.lower() in _NOT_STATED:
            return None if self._allow_unknown else "it states no license"
        try:
            fault = self._fault(text)
        except _NoExpression:
            fault = self._fault_of_license(text)
        if fault is None:
            return None
        if fault.license == text:
            return f"its license '{shown(text)}' {fault.text}"
        return f"its license is '{shown(text)}', and '{shown(fault.license)}' {fault.text}"

    def _fault(self, text: str) -> _Fault | None:
        """Return the first fault of an expression, or None. Raise `_NoExpression` if it is none."""
        if len(text) > _LONGEST:
            raise _NoExpression
        tokens = deque(_TOKEN.findall(text))
        fault = self._fault_of_any(tokens, 0)
        if tokens:
            raise _NoExpression
        return fault

    def _fault_of_any(self, tokens: deque[str], depth: int) -> _Fault | None:
        """Take `A OR B OR …` from the tokens."""
        faults = [self._fault_of_all(tokens, depth)]
        while _next(tokens) == "or":
            tokens.popleft()
            faults.append(self._fault_of_all(tokens, depth))
        return None if None in faults else faults[0]

    def _fault_of_all(self, tokens: deque[str], depth: int) -> _Fault | None:
        """Take `A AND B AND …` from the tokens."""
        faults = [self._fault_of_one(tokens, depth)]
        while _next(tokens) == "and":
            tokens.popleft()
            faults.append(self._fault_of_one(tokens, depth))
        return next(filter(None, faults), None)

    def _fault_of_one(self, tokens: deque[str], depth: int) -> _Fault | None:
        """Take a license, or an expression in parentheses, from the tokens."""
        if _next(tokens) == "(" and depth < _DEEPEST:
            tokens.popleft()
            fault = self._fault_of_any(tokens, depth + 1)
            if _next(tokens) != ")":
                raise _NoExpression
            tokens.popleft()
            return fault
        license = _words(tokens)
        if _next(tokens) != "with":
            return self._fault_of_license(license)
        tokens.popleft()
        return self._fault_of_license(license, f"{license} WITH {_words(tokens)}")

    def _fault_of_license(self, license: str, with_exception: str | None = None) -> _Fault | None:
        stated = with_exception or license
        if with_exception and self._denied.match_exception(with_exception):
            return _Fault(stated, "is denied")
        if with_exception and self._allowed.match_exception(with_exception):
            return None
        if self._denied.match(license):
            return _Fault(stated, "is denied")
        if self._allowed and not self._allowed.match(license):
            return _Fault(stated, "is not allowed")
        return None


class _NoExpression(Exception):
    """The text is no license expression."""


class _Patterns:
    """Patterns of licenses, and patterns of licenses with an exception."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._of_licenses: list[re.Pattern[str]] = []
        self._of_exceptions: list[re.Pattern[str]] = []
        for pattern in patterns:
            is_of_exception = " with " in pattern.lower()
            compiled = re.compile(translate(pattern), re.IGNORECASE)
            (self._of_exceptions if is_of_exception else self._of_licenses).append(compiled)

    def __bool__(self) -> bool:
        return bool(self._of_licenses or self._of_exceptions)

    def match(self, license: str) -> bool:
        return any(pattern.match(license) for pattern in self._of_licenses)

    def match_exception(self, text: str) -> bool:
        return any(pattern.match(text) for pattern in self._of_exceptions)


def _next(tokens: deque[str]) -> str | None:
    return tokens[0].lower() if tokens else None


def _words(tokens: deque[str]) -> str:
    """Take the name of a license from the tokens. In free text it has several words."""
    words = []
    while tokens and _next(tokens) not in _OPERATORS:
        words.append(tokens.popleft())
    if not words or words[0].lower() in _NO_LICENSE:
        raise _NoExpression
    return " ".join(words)
