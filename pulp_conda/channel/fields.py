"""The fields of a record: the values that all clients read, and what other values mean.

Format: CEP 34, CEP 36. Clients refuse a record for one field of another type, and some of them then
refuse all records of its name, or of the whole file. So a value that has one meaning is written in
the form that all clients read: `null` for a list is no list, and `5.0` is 5. A record with a value
that has no single meaning cannot be served.

The rules hold for rattler, and for conda where conda is stricter. `null` is an example: conda takes
it for a license, but not for a size.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeGuard

import orjson
from rattler import IndexJson, Version
from rattler.exceptions import InvalidVersionError, IoError

from pulp_conda.channel.errors import shown

REQUIRED = ("name", "version", "build", "build_number")

# These fields stand in the file name as well.
_IN_FILENAME = ("name", "version", "build")

# A `timestamp` up to this counts seconds (this is the year 9999), and a larger one counts
# milliseconds. rattler reads it in the same way.
LAST_SECOND = 253_402_300_799

# The years -9999 to 9999, without the days that differ between time zones. rattler refuses others.
_FIRST_TIME = -377_705_023_201
_LAST_TIME = 253_402_207_200

_LARGEST_INTEGER = 2**63 - 1
_HEX_DIGITS = re.compile(r"[0-9a-fA-F]*")
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)

# A value in which there is nothing says that there is none.
_EMPTY: tuple[Any, ...] = ("", [], {})

# The value of a field that is left out.
_ABSENT = object()

# Returns the value in the form that all clients read: the same object if it has this form. Raises
# `ValueError` with words to stand behind the key, if the value has no single meaning.
_Reader = Callable[[Any], Any]


class ReadFields(NamedTuple):
    """The fields of a record in the form that all clients read.

    Attributes:
        fields: The fields. They are the same object as before if nothing had to be changed.
        corrections: In words, what was changed. There are few different texts.
        problems: In words, which values have no single meaning. If there are some, the record
            cannot be served.
    """

    fields: dict[str, Any]
    corrections: tuple[str, ...]
    problems: tuple[str, ...]


def read_fields(fields: dict[str, Any], subdir: str, filename: str) -> ReadFields:
    """Return the fields of a record in the form that all clients read.

    Args:
        fields: The entry of repodata, or `info/index.json`.
        subdir: The subdir that the file is served from. A record that states another one is
            corrected.
        filename: The name of the file. It decides what a number means as version or build.
    """
    changes: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in fields.items():
        read = _READERS.get(key)
        if read is None:
            continue
        if value is None:
            if key not in _NULLABLE:
                changes[key] = _NULLS.get(key, _ABSENT)
            continue
        try:
            result = read(value)
        except ValueError as error:
            if key in _IN_FILENAME and _stands_in(filename, key, value):
                changes[key] = str(value)
            else:
                problems.append(f"'{key}' {error}")
        else:
            if result is not value:
                changes[key] = result
    if fields.get("subdir", subdir) != subdir:
        changes["subdir"] = subdir
    for key in REQUIRED:
        if key not in fields:
            problems.append(f"'{key}' is missing")
        elif changes.get(key) is _ABSENT:
            problems.append(f"'{key}' is {json_type(fields[key])}")
    if not changes:
        return ReadFields(fields, (), tuple(problems))
    corrections = tuple(_correction(key, fields[key]) for key in changes)
    changed = {**fields, **changes}
    changed = {key: value for key, value in changed.items() if value is not _ABSENT}
    return ReadFields(changed, corrections, tuple(problems))


def read_field(fields: Mapping[str, Any], key: str) -> Any:
    """Return the value of one field in the form that all clients read, or None if it has none."""
    value = fields.get(key)
    if value is None:
        return None
    try:
        result = _READERS[key](value)
    except ValueError:
        return None
    return None if result is _ABSENT else result


def is_plain(subdir: str, canonical: bytes) -> bool:
    """Say whether a record surely has the form that all clients read.

    It does not parse the record, which would take longer than this. For a few records with values
    that are rare, the answer is False although they have that form.

    Args:
        subdir: The subdir that the file is served from.
        canonical: The record as `PackageRecord.canonical`.
    """
    return _plain(subdir)(canonical) is not None


def field_problem(key: str, value: Any) -> str | None:
    """Return why clients do not read a value as it is, in words to stand behind the key, or None.

    It is for values that are not null.
    """
    read = _READERS.get(key)
    try:
        return "has another form than clients read" if read and read(value) is not value else None
    except ValueError as error:
        return str(error)


def served_form(subdir: str, filename: str, canonical: bytes) -> bytes:
    """Return a stored record in the form that all clients read.

    Args:
        subdir: The subdir that the file is served from.
        filename: The name of the file.
        canonical: The record as `PackageRecord.canonical`. The result is the same object if it has
            the right form.

    Raises:
        ValueError: a value has no single meaning. The text has all of them.
    """
    if is_plain(subdir, canonical):
        return canonical
    fields = orjson.loads(canonical)
    read = read_fields(fields, subdir, filename)
    if read.problems:
        raise ValueError("; ".join(read.problems))
    if read.fields is fields:
        return canonical
    return orjson.dumps(read.fields, option=orjson.OPT_SORT_KEYS)


def json_type(value: object) -> str:
    """Return the type of a JSON value in words, for example `a list`."""
    names: dict[type, str] = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "no JSON value")


def is_count(value: object) -> TypeGuard[int]:
    """Say whether a value is a whole number that can be stored, and not negative."""
    return type(value) is int and 0 <= value <= _LARGEST_INTEGER


def is_hex(value: object, length: int) -> bool:
    """Say whether a value is a text of so many hexadecimal digits."""
    return isinstance(value, str) and len(value) == length and bool(_HEX_DIGITS.fullmatch(value))


def _stands_in(filename: str, key: str, value: object) -> bool:
    """Say whether a number is written in the file name as the part that it should be."""
    if type(value) not in (int, float):
        return False
    for extension in (".conda", ".tar.bz2"):
        filename = filename.removesuffix(extension)
    parts = dict(zip(_IN_FILENAME, filename.rsplit("-", 2), strict=False))
    return parts.get(key) == str(value)


def _correction(key: str, value: object) -> str:
    if key == "subdir" and isinstance(value, str):
        return "'subdir' is not the subdir that the record stands in"
    if isinstance(value, list) and None in value:
        return f"'{key}' has null in it"
    empty = "an empty " if value in _EMPTY else ""
    return f"'{key}' is {empty}{json_type(value).split()[-1] if empty else json_type(value)}"


def _read_text(value: Any) -> Any:
    """Read a text that may be absent. A list of one text is that text."""
    if type(value) is str:
        return value
    return _the_only(value, "a string")


def _the_only(value: Any, wanted: str) -> Any:
    if value in _EMPTY:
        return _ABSENT
    if isinstance(value, list):
        texts = [text for text in value if text is not None]
        if not texts:
            return _ABSENT
        if len(texts) == 1 and isinstance(texts[0], str):
            return texts[0]
    raise ValueError(f"is {json_type(value)}, not {wanted}")


def _read_name(value: Any) -> Any:
    if type(value) is str:
        return value
    raise ValueError(f"is {json_type(value)}, not a string")


def _read_version(value: Any) -> Any:
    if type(value) is not str:
        raise ValueError(f"is {json_type(value)}, not a string")
    if problem := _version_problem(value):
        raise ValueError(problem)
    return value


@lru_cache(10_000)
def _version_problem(text: str) -> str | None:
    try:
        Version(text)
    except InvalidVersionError:
        return f"is '{text}', which is no version (CEP 33)"
    return None


def _read_texts(value: Any) -> Any:
    """Read a list of texts."""
    if type(value) is list:
        try:
            "".join(value)
        except TypeError:
            value = [text for text in value if text is not None]
            if all(type(text) is str for text in value):
                return value
        else:
            return value
    elif value in _EMPTY:
        return []
    raise ValueError("is not a list of strings")


def _read_features(value: Any) -> Any:
    """Read names with blanks or commas between them, as clients split them, or a list of names."""
    return value if type(value) is str else _read_texts(value)


def _read_words(value: Any) -> Any:
    """Read names with blanks between them. rattler does not take a list here."""
    if type(value) is str:
        return value
    words = _read_texts(value)
    if any(re.search(r"[\s,]", word) for word in words):
        raise ValueError("is a list, and a text in it is not one word")
    return " ".join(words) if words else _ABSENT


def _read_groups(value: Any) -> Any:
    """Read lists of texts by name (CEP 44)."""
    if value in _EMPTY and value != {}:
        return _ABSENT
    if not isinstance(value, dict):
        raise ValueError("is not an object of lists of strings")
    try:
        groups = {
            name: [] if texts is None else _read_texts(texts) for name, texts in value.items()
        }
    except ValueError:
        raise ValueError("is not an object of lists of strings") from None
    return value if all(groups[name] is value[name] for name in value) else groups


def _read_count(value: Any) -> Any:
    """Read a whole number that is not negative."""
    result = _read_number(value, lambda number: int(number) if number.is_integer() else None)
    if result is None or (result is not _ABSENT and not 0 <= result <= _LARGEST_INTEGER):
        raise ValueError(f"is {_shown(value)}, not a whole number")
    return result


def _read_time(value: Any) -> Any:
    """Read seconds or milliseconds since 1970."""
    result = _read_number(value, _as_whole_time)
    if result is None or (
        result is not _ABSENT and not _FIRST_TIME <= _as_seconds(result) <= _LAST_TIME
    ):
        raise ValueError(f"is {_shown(value)}, not a time in milliseconds since 1970")
    return result


def _read_number(value: Any, read_float: Callable[[float], int | None]) -> Any:
    """Return the whole number that a value means, `_ABSENT` for an empty one, or None for others.

    Args:
        read_float: What a number with a point means, if that is a whole number.
    """
    if type(value) is int:
        return value
    if type(value) is float:
        return read_float(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return _ABSENT if value in _EMPTY else None


def _as_whole_time(value: float) -> int | None:
    if not abs(value) < _LARGEST_INTEGER:  # too large, or not a number
        return None
    # `time.time()` of Python has the milliseconds behind the point.
    milliseconds = round(value * 1000)
    has_seconds = not value.is_integer() and value <= LAST_SECOND < milliseconds
    return milliseconds if has_seconds else int(value)


def _as_seconds(value: int) -> float:
    return value if value <= LAST_SECOND else value / 1000


def _read_indexed(value: Any) -> Any:
    """Read the milliseconds since 1970 (CEP 47)."""
    result = _read_count(value)
    if result is not _ABSENT and result > _LAST_TIME * 1000:
        raise ValueError(f"is {_shown(value)}, not a time in milliseconds since 1970")
    return result


def _read_hex(length: int) -> _Reader:
    def read(value: Any) -> Any:
        if is_hex(value, length):
            return value
        if value in _EMPTY:
            return _ABSENT
        raise ValueError(f"is {_shown(value)}, not {length} hexadecimal digits")

    return read


_read_sha256 = _read_hex(64)


def _read_lower_sha256(value: Any) -> Any:
    """Read a digest that has to be in lower case (CEP 50)."""
    result = _read_sha256(value)
    if result is value and value != value.lower():
        raise ValueError(f"is {_shown(value)}, not 64 hexadecimal digits in lower case")
    return result


def _read_noarch(value: Any) -> Any:
    if type(value) is bool or value in ("python", "generic", ""):
        return value
    if isinstance(value, str) and value.lower() in ("python", "generic"):
        return value.lower()
    if value in _EMPTY:
        return _ABSENT
    raise ValueError(f"is {_shown(value)}, neither 'python' nor 'generic'")


def _read_purls(value: Any) -> Any:
    """Read a list of package URLs."""
    purls = _read_texts(value)
    index = {"name": "x", "version": "0", "build": "0", "build_number": 0, "purls": purls}
    try:
        IndexJson.from_str(orjson.dumps(index).decode())
    except (orjson.JSONEncodeError, IoError):
        raise ValueError("has a text that is no package URL") from None
    return purls


def _shown(value: object) -> str:
    return shown(repr(value), longest=80)


class _Field(NamedTuple):
    """What is known of a field.

    Attributes:
        read: Reads its value, if this is not null.
        pattern: Matches most of the values, as canonical JSON, that need no change. Without one,
            the value is always read.
        nullable: Whether all clients read null.
    """

    read: _Reader
    pattern: str | None = None
    nullable: bool = False


_STRING = r'"[^"\\]*+"'
_STRINGS = rf"\[(?:{_STRING},?)*+\]"
_TEXT = _Field(_read_text, rf"(?:{_STRING}|null)", nullable=True)

_FIELDS = {
    "arch": _TEXT,
    "attestations_sha256": _Field(_read_lower_sha256, '"[0-9a-f]{64}"', nullable=True),
    "build": _Field(_read_name, _STRING),
    "build_number": _Field(_read_count, "[0-9]{1,18}"),
    "constrains": _Field(_read_texts, _STRINGS),
    "date": _Field(_read_text, _STRING),
    "depends": _Field(_read_texts, _STRINGS),
    "extra_depends": _Field(_read_groups),
    "features": _Field(_read_words, _STRING),
    "flags": _Field(_read_texts, _STRINGS),
    "indexed_timestamp": _Field(_read_indexed, "[0-9]{1,14}"),
    "legacy_bz2_md5": _Field(_read_hex(32), '"[0-9a-f]{32}"', nullable=True),
    "legacy_bz2_size": _Field(_read_count, "[0-9]{1,18}", nullable=True),
    "license": _TEXT,
    "license_family": _TEXT,
    "md5": _Field(_read_hex(32), '"[0-9a-f]{32}"', nullable=True),
    "name": _Field(_read_name, _STRING),
    "noarch": _Field(_read_noarch, '(?:"python"|"generic"|true|false|null)', nullable=True),
    "package_type": _Field(_read_text, nullable=True),
    "platform": _TEXT,
    "preferred_env": _TEXT,
    "purls": _Field(_read_purls, nullable=True),
    "python_site_packages_path": _TEXT,
    "record_version": _Field(_read_count),
    "sha256": _Field(_read_sha256, '"[0-9a-f]{64}"', nullable=True),
    "size": _Field(_read_count, "[0-9]{1,18}"),
    "timestamp": _Field(_read_time, "(?:[0-9]{13}|[0-9]{1,11})"),
    "track_features": _Field(_read_features, _STRING),
    "version": _Field(_read_version, r'"(?:[0-9]{1,9}!)?[0-9]{1,9}(?:\.[0-9a-z]{1,9})*+"'),
}
_READERS = {key: field.read for key, field in _FIELDS.items()}
_NULLABLE = frozenset(key for key, field in _FIELDS.items() if field.nullable)

# What null becomes, if it is not left out: all tools write `depends`.
_NULLS: dict[str, Any] = {"depends": []}


@lru_cache(100)
def _plain(subdir: str) -> Callable[[bytes], object]:
    """Return what matches a record in canonical JSON that surely has the form that clients read."""
    patterns = {key: field.pattern for key, field in _FIELDS.items() if field.pattern}
    patterns["subdir"] = f'"{re.escape(subdir)}"'
    parts = [
        f'"{key}":{pattern},?' if key in REQUIRED else f'(?:"{key}":{pattern},?)?+'
        for key, pattern in sorted(patterns.items())
    ]
    # The publisher adds this key in front of the others.
    indexed = f'(?:"indexed_timestamp":{patterns["indexed_timestamp"]},)?+'
    return re.compile("".join((r"\{", indexed, *parts, r"\}")).encode()).fullmatch
