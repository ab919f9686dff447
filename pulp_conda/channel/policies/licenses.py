"""Which licenses are allowed: SPDX license expressions, and the free text that older packages state.

Of `A OR B` one part has to be allowed, of `A AND B` both. A text that is no expression is compared as a whole.
"""

import re
from collections import deque
from fnmatch import translate
from functools import lru_cache

from pulp_conda.channel.errors import shown

# What SPDX and build tools write where nothing is known.
_NOT_STATED = ("", "none", "noassertion", "unknown")

_TOKEN = re.compile(r"[()]|[^\s()]+")
_OPERATORS = ("and", "or", "with", "(", ")")

# `AGPLv3 or later` is one license in free text, and nothing that `later` would allow.
_NO_LICENSE = ("any", "later", "newer")

# Nobody writes more, and what is more is compared as a whole.
_LONGEST = 1000
_DEEPEST = 20

# A channel has a few hundred texts for its million packages.
_MOST_REMEMBERED = 10_000


class LicenseRule:
    """Says what is wrong with the license of a package.

    Patterns such as `BSD-*` are compared with each license of an expression, in any case. A license with an exception
    (`GPL-3.0-only WITH GCC-exception-3.1`) is compared with the patterns that have a `WITH`, and then without its exception.

    Args:
        allowed: Patterns of licenses, one of which has to match; none allows every license.
        denied: Patterns that must not match.
        allow_unknown: Take packages that state no license.
    """

    def __init__(self, allowed=(), denied=(), allow_unknown=False):
        self._allowed = _Patterns(allowed)
        self._denied = _Patterns(denied)
        self._allow_unknown = allow_unknown
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._reason_against)

    def reason_against(self, text):
        """Return in words what is wrong, or None."""
        return (self._remembered if len(text) <= _LONGEST else self._reason_against)(text)

    def _reason_against(self, text):
        text = text.strip()
        if text.lower() in _NOT_STATED:
            return None if self._allow_unknown else "it states no license"
        try:
            problem = self._problem(text)
        except _NoExpression:
            problem = self._problem_of_license(text)
        if problem is None:
            return None
        license, fault = problem
        if license == text:
            return f"its license '{shown(text)}' {fault}"
        return f"its license is '{shown(text)}', and '{shown(license)}' {fault}"

    def _problem(self, text):
        """Return the license of an expression that is at fault, and what is wrong with it."""
        if len(text) > _LONGEST:
            raise _NoExpression
        tokens = deque(_TOKEN.findall(text))
        problem = self._problem_of_any(tokens, 0)
        if tokens:
            raise _NoExpression
        return problem

    def _problem_of_any(self, tokens, depth):
        problems = [self._problem_of_all(tokens, depth)]
        while _next(tokens) == "or":
            tokens.popleft()
            problems.append(self._problem_of_all(tokens, depth))
        return None if None in problems else problems[0]

    def _problem_of_all(self, tokens, depth):
        problems = [self._problem_of_one(tokens, depth)]
        while _next(tokens) == "and":
            tokens.popleft()
            problems.append(self._problem_of_one(tokens, depth))
        return next(filter(None, problems), None)

    def _problem_of_one(self, tokens, depth):
        if _next(tokens) == "(" and depth < _DEEPEST:
            tokens.popleft()
            problem = self._problem_of_any(tokens, depth + 1)
            if _next(tokens) != ")":
                raise _NoExpression
            tokens.popleft()
            return problem
        license = _words(tokens)
        if _next(tokens) != "with":
            return self._problem_of_license(license)
        tokens.popleft()
        return self._problem_of_license(license, f"{license} WITH {_words(tokens)}")

    def _problem_of_license(self, license, with_exception=None):
        stated = with_exception or license
        if with_exception and self._denied.match_exception(with_exception):
            return stated, "is denied"
        if with_exception and self._allowed.match_exception(with_exception):
            return None
        if self._denied.match(license):
            return stated, "is denied"
        if self._allowed and not self._allowed.match(license):
            return stated, "is not allowed"
        return None


class _NoExpression(Exception):
    """The text is written for people."""


class _Patterns:
    def __init__(self, patterns):
        self._of_licenses, self._of_exceptions = [], []
        for pattern in patterns:
            is_of_exception = " with " in pattern.lower()
            compiled = re.compile(translate(pattern), re.IGNORECASE)
            (self._of_exceptions if is_of_exception else self._of_licenses).append(compiled)

    def __bool__(self):
        return bool(self._of_licenses or self._of_exceptions)

    def match(self, license):
        return any(pattern.match(license) for pattern in self._of_licenses)

    def match_exception(self, text):
        return any(pattern.match(text) for pattern in self._of_exceptions)


def _next(tokens):
    return tokens[0].lower() if tokens else None


def _words(tokens):
    """Take the name of a license, which has several words in free text."""
    words = []
    while tokens and _next(tokens) not in _OPERATORS:
        words.append(tokens.popleft())
    if not words or words[0].lower() in _NO_LICENSE:
        raise _NoExpression
    return " ".join(words)
