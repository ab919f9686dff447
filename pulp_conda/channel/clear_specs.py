"""The MatchSpecs that have one meaning, as a grammar.

CEP 29 describes a language that grew: conda and rattler read some texts differently, or otherwise
than the CEP says. A filter with such a text keeps out other packages than its author means. The
grammar here is the part of CEP 29 that both read as the CEP says, and a few forms beside it that
both read alike. `docs/user/reference/match-specs.md` lists what is outside of it.
"""

import re
from typing import NoReturn

from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadMatchSpec, shown

_BLANKS = re.compile(" *")
_NAME = re.compile(r"\^[^\s\[\]$=<>!~]*\$|[A-Za-z0-9_.*-]+")
_SEGMENTS = r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*"
_LITERAL = rf"(?:[0-9]+!)?{_SEGMENTS}(?:\+{_SEGMENTS})?"
_CLAUSE = re.compile(
    rf"(?:(?P<operator>==|!=|~=|<=|>=|=|<|>) ?)?(?:(?P<literal>{_LITERAL})(?P<glob>\.?\*)?|\*)"
)
_COMPATIBLE = re.compile(r"[A-Za-z0-9!]+(?:\.[A-Za-z0-9]+)+")
_SEPARATOR = re.compile(" ?[,|] ?")
_OPENING, _CLOSING = re.compile(r"[( ]*"), re.compile(r"[) ]*")
# Without the characters by which conda takes a build for something else.
_BUILD = re.compile(r"\^[\w.+*?\\{}]*\$|[A-Za-z0-9_.+*]+", re.ASCII)
# `name=version=build`, where the first `=` is no operator. A blank before it is common.
_BETWEEN = re.compile(r" ?==?(?=[^=\s|,<>!~]+=[^=\s])")
_KEY = re.compile(
    r"""([a-z_0-9]+)=(?:
        '([^'"\\\[\]\#]*)' | "([^'"\\\[\]\#]*)" | ([^'"\\\[\]\#=,\ ]+) | (\[[^'"\\\[\]\#=]+\])
    )""",
    re.VERBOSE,
)
_COMMA = re.compile(" *, *")
_BUILD_NUMBER = re.compile("(?:==|!=|<=|>=|<|>)?[0-9]+")
_CONDITION = re.compile(r"\sif\s")
# conda takes a spec that ends like this for the path of a file.
_FILES = (".conda", ".tar.bz2", ".whl")

# The keys whose value may be a list (CEP 43 and 44).
_LISTS = ("extras", "flags")

# What rattler does not compare, or not as CEP 29 says.
_GLOBS_ONLY = ("license", "subdir", "fn")

# Which globs may follow a version, by the operator in front of it.
_GLOBS = {
    "": (".*", "*"),
    "=": (".*", "*"),
    "==": (".*", "*"),
    "!=": (".*",),
    ">=": (".*",),
    "<": (".*",),
    "<=": (".*",),
}


def check_clear(spec: str) -> None:
    """Check that a MatchSpec has one meaning. It is one that rattler takes.

    Raises:
        BadMatchSpec: it has not. The reason has the position of the unclear part, from 1.
    """
    _Reader(spec).read()


class _Reader:
    """Reads a spec, or a part of it, from its start to its end, and stops where it is unclear."""

    def __init__(self, spec: str, start: int = 0, end: int | None = None) -> None:
        self._spec = spec
        self._at = start
        self._end = len(spec) if end is None else end
        # Where the version has an operator that means something else if there is a build.
        self._fuzzy_at: int | None = None
        self._has_build = False

    def read(self) -> None:
        if (comment := self._spec.find("#")) >= 0:
            self._fail("a '#' begins a comment for some clients", comment)
        if condition := _CONDITION.search(self._spec):
            self._fail("an 'if' begins a condition for some clients", condition.start() + 1)
        if self._spec.rstrip().endswith(_FILES):
            self._fail("conda takes it for the path of a file", 0)
        self._take(_BLANKS)
        self._read_name()
        if not self._is_at("[") and not self._is_at_end():
            self._read_positional()
        if self._is_at("["):
            self._read_keys()
        if not self._is_at_end():
            self._fail(f"'{shown(self._rest, 40)}' follows what is complete")
        if self._has_build and self._fuzzy_at is not None:
            self._fail(
                "with a build, clients do not agree on '=' and on '==' before a '*': write '1.2' "
                "for this version, or '1.2.*' for all that begin with it",
                self._fuzzy_at,
            )

    def _read_name(self) -> None:
        start = self._at
        name = self._take(_NAME)
        if not name:
            self._fail("a package name is expected")
        is_pattern = bool(set(name) & set("*^$"))
        if is_pattern and re.search("[A-Z]", re.sub(r"\\.", "", name)):
            self._fail("a pattern of names has lower case letters only, as names have", start)
        if name.startswith("^"):
            self._check_regex(name, start)
        elif "**" in name:
            self._fail("'**' has no meaning of its own: write '*'", start)
        elif "*" not in name and not layout.is_name(name.lower().removeprefix("__")):
            self._fail(f"'{shown(name, 80)}' is not a package name", start)
        if not self._is_at_end() and self._rest[0] not in " [=<>!~":
            self._fail(f"'{shown(self._rest[0])}' cannot stand in or behind a name")

    def _read_positional(self) -> None:
        """Read a version, and a build behind it."""
        if between := self._take(_BETWEEN):
            start = self._at
            self._read_clause()
            if self._spec[start] in "=<>!~":
                self._fail("an operator follows the '=' between name and version", start)
            if between.endswith("==") and self._spec[self._at - 1] == "*":
                self._fuzzy_at = start
            if not self._is_at("="):
                self._fail("a '=' and a build are expected")
            self._at += 1
            self._read_build()
            return
        self._take(_BLANKS)
        if self._is_at("[") or self._is_at_end():
            return
        self._read_version()
        blanks = self._take(_BLANKS)
        if not self._is_at("[") and not self._is_at_end():
            if not blanks:
                self._fail(f"'{shown(self._rest, 40)}' cannot follow a version")
            self._read_build()
            self._take(_BLANKS)

    def _read_version(self, *, is_grouped: bool = False) -> None:
        """Read clauses up to what cannot be one.

        Args:
            is_grouped: Parentheses are allowed. Outside of brackets, conda drops them.
        """
        self._fuzzy_at = None
        fuzzy: list[tuple[int, str]] = []
        count = 0
        while True:
            if is_grouped:
                self._take(_OPENING)
            start = self._at
            operator, glob = self._read_clause()
            if operator == "=" and count > 0 and self._spec[start - 1] == " ":
                self._fail("conda takes a '=' behind a blank for the start of the build", start)
            if operator == "=" and not glob:
                self._fuzzy_at = start
            elif operator == "==" and glob or operator == "=" and glob == "*":
                fuzzy.append((start, operator))
            count += 1
            if is_grouped:
                self._take(_CLOSING)
            if not self._take(_SEPARATOR):
                break
        for place, operator in fuzzy:
            if count > 1 or is_grouped:
                self._fail(f"'{operator}' before a '*' has to stand alone: write '1.2.*'", place)
            if operator == "==":
                self._fuzzy_at = place
        if count > 1:
            self._fuzzy_at = None

    def _read_clause(self) -> tuple[str, str | None]:
        """Read one comparison, and return its operator and the glob at its end."""
        start = self._at
        match = _CLAUSE.match(self._spec, start, self._end)
        if match is None:
            self._fail(f"'{shown(self._rest, 40)}' is not a version or a comparison with one")
        operator, literal, glob = match["operator"] or "", match["literal"], match["glob"]
        if literal is None:
            glob = "*"
            if match.group() not in ("*", "=*"):
                self._fail(f"'{operator}' cannot stand before '*'", start)
        elif glob and glob not in _GLOBS.get(operator, ()):
            self._fail(
                f"clients do not agree on a '{glob}' behind '{operator}{shown(literal, 40)}'", start
            )
        elif operator == "~=" and not _COMPATIBLE.fullmatch(literal):
            self._fail("'~=' needs a version with a '.', and without '_' and '+'", start)
        self._at = match.end()
        if not self._is_at_end() and self._rest[0] not in " ,|=[)":
            part = shown(self._spec[start : self._at + 1], 40)
            if glob or literal is None:
                self._fail(f"'*' can only be the end of a version, and '{part}' goes on", start)
            self._fail(f"'{part}' is not a version or a comparison with one", start)
        return operator, glob

    def _read_build(self) -> None:
        start = self._at
        build = self._take(_BUILD)
        if not build or (not self._is_at_end() and self._rest[0] not in " ["):
            self._fail(
                f"'{shown(self._spec[start:], 40)}' is not a build: behind a version stands at "
                "most one, and further comparisons follow a ','",
                start,
            )
        self._check_string(build, start)
        self._has_build = True

    def _read_keys(self) -> None:
        self._at += 1
        keys: set[str] = set()
        while True:
            self._take(_BLANKS)
            start = self._at
            match = _KEY.match(self._spec, start)
            if match is None:
                self._fail(
                    "'key=value' is expected, and quotes around a value with a blank or one of "
                    "',=': no value has a quote, '[', ']', '#' or '\\' in it"
                )
            key = match[1]
            if key in keys:
                self._fail(f"'{key}' is given twice", start)
            keys.add(key)
            place = next(place for place in (2, 3, 4, 5) if match[place] is not None)
            if place == 5 and key not in _LISTS:
                self._fail(f"'{key}' is no list", match.start(place))
            self._check_value(key, match[place], match.start(place))
            self._at = match.end()
            if not self._take(_COMMA):
                break
        self._take(_BLANKS)
        if not self._is_at("]"):
            self._fail("',' or ']' is expected")
        self._at += 1
        self._take(_BLANKS)

    def _check_value(self, key: str, value: str, start: int) -> None:
        if key == "version":
            end = start + len(value)
            reader = _Reader(self._spec, start, end)
            reader._take(_BLANKS)
            reader._read_version(is_grouped=True)
            reader._take(_BLANKS)
            if not reader._is_at_end():
                reader._fail(f"'{shown(reader._rest, 40)}' cannot follow a version")
            self._fuzzy_at = reader._fuzzy_at
        elif key == "build_number":
            if not _BUILD_NUMBER.fullmatch(value):
                self._fail("a build number is a number, with or without an operator", start)
        else:
            self._check_string(value, start, may_be_regex=key not in _GLOBS_ONLY)
            self._has_build |= key == "build"

    def _check_string(self, expression: str, start: int, *, may_be_regex: bool = True) -> None:
        if not expression:
            self._fail("the value is empty", start)
        if expression.startswith("^") or expression.endswith("$"):
            if not may_be_regex:
                self._fail("regular expressions are for names and builds only", start)
            if len(expression) < 2 or expression[0] != "^" or expression[-1] != "$":
                self._fail("a regular expression begins with '^' and ends with '$'", start)
            self._check_regex(expression, start)
        elif "**" in expression:
            self._fail("'**' has no meaning of its own: write '*'", start)

    def _check_regex(self, expression: str, start: int) -> None:
        """Refuse alternatives outside of parentheses.

        rattler searches for them (CEP 29), and conda compares from the start.
        """
        outside = re.sub(r"\\.", "", expression)
        while (shorter := re.sub(r"\([^()]*\)", "", outside)) != outside:
            outside = shorter
        if "|" in outside:
            self._fail("'|' in a regular expression needs parentheses, as in '^(a|b)$'", start)

    @property
    def _rest(self) -> str:
        return self._spec[self._at : self._end]

    def _is_at(self, character: str) -> bool:
        return self._spec.startswith(character, self._at, self._end)

    def _is_at_end(self) -> bool:
        return self._at == self._end

    def _take(self, pattern: re.Pattern[str]) -> str:
        """Move over what a pattern matches here, and return it."""
        match = pattern.match(self._spec, self._at, self._end)
        if match is None:
            return ""
        self._at = match.end()
        return match.group()

    def _fail(self, reason: str, at: int | None = None) -> NoReturn:
        place = (self._at if at is None else at) + 1
        raise BadMatchSpec(spec=self._spec, reason=f"{reason}, at character {place}")
