"""Package records: what repodata says of one package file.

A record is the package's `info/index.json` (CEP 34) with the file's checksums and size (CEP 36).
Channels change records later, and add keys that are unknown here. So a record is kept whole, and in
one canonical form: JSON with sorted keys and no spaces. Its digest tells two records of one file
apart.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeGuard

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadPackageName
from pulp_conda.channel.metadata.run_exports import check_run_exports
from pulp_conda.channel.metadata.v3 import declares_v3
from pulp_conda.channel.storable import find_unstorable, has_nul, text_problem

# A `timestamp` up to this counts seconds (this is the year 9999), and a larger one counts
# milliseconds. rattler reads it in the same way.
_LAST_SECOND = 253_402_300_799
_LARGEST_INTEGER = 2**63 - 1
_HEX_DIGITS = re.compile(r"[0-9a-fA-F]*")

# The date of CEP 47, 30 June 2026. Files that are older than that may have the date of their build
# as their `indexed_timestamp`.
FIRST_INDEXED = 1_782_777_600_000

# The most milliseconds that the upstream's clock may be ahead of the clock here.
_CLOCK_SKEW = 24 * 60 * 60 * 1000


class RecordError(ValueError):
    """Says in words what is wrong with a record.

    The caller knows where the record comes from, and raises a `ChannelError` instead.
    """


class RecordTextError(RecordError):
    """A text of a record, or a key, cannot be stored."""


@dataclass(frozen=True, eq=False)
class PackageRecord:
    """One entry of a subdir's repodata.

    Attributes:
        subdir: The subdir that the file is served from. `fields` has the same subdir or none.
        filename: The key of the entry.
        fields: The entry as it stands in JSON, with its unknown keys.
        run_exports: The run_exports of the package: `{}` if it has none, None if they are not
            known. They are not in `fields`. Shards have them in the entry (CEP 21), and other
            repodata has them in a file of their own (CEP 12).
        in_v3: Whether the entry belongs in the `v3` section (CEP 48).
    """

    subdir: str
    filename: str
    fields: dict[str, Any]
    run_exports: dict[str, Any] | None = None
    in_v3: bool = False

    @cached_property
    def canonical(self) -> bytes:
        """The fields as JSON with sorted keys and no spaces: equal fields give equal bytes."""
        return orjson.dumps(self.fields, option=orjson.OPT_SORT_KEYS)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the canonical bytes in hex. With `in_v3` it is another one than without."""
        return sha256(b"v3 " * self.in_v3 + self.canonical).hexdigest()

    @property
    def name(self) -> str:
        name: str = self.fields["name"]
        return name

    @property
    def version(self) -> str:
        version: str = self.fields["version"]
        return version

    @property
    def build(self) -> str:
        build: str = self.fields["build"]
        return build

    @property
    def build_number(self) -> int:
        build_number: int = self.fields["build_number"]
        return build_number

    @property
    def sha256(self) -> str:
        """The digest of the file, in hex and lower case."""
        digest: str = self.fields["sha256"]
        return digest.lower()

    @property
    def md5(self) -> str:
        """The md5 of the file in hex and lower case, or empty if it is not known."""
        digest: str = self.fields.get("md5") or ""
        return digest.lower()

    @property
    def size(self) -> int | None:
        """The bytes of the file, or None if they are not known."""
        return self.fields.get("size")

    @property
    def depends(self) -> list[str]:
        """The match specs of what the package needs."""
        return self.fields.get("depends") or []

    @property
    def license(self) -> str:
        """The license as the package states it, or empty."""
        return _text(self.fields.get("license"))

    @property
    def noarch(self) -> str:
        """`python`, `generic`, or empty. Very old packages have `true`, which means `generic`."""
        noarch = self.fields.get("noarch")
        return "generic" if noarch is True else _text(noarch)

    @property
    def timestamp(self) -> int | None:
        """When the package was built, in milliseconds since 1970, or None."""
        timestamp = self.fields.get("timestamp")
        if not _is_count(timestamp):
            return None
        return timestamp * 1000 if timestamp <= _LAST_SECOND else timestamp

    @property
    def indexed_timestamp(self) -> int | None:
        """When a channel first had the file, in milliseconds since 1970, or None (CEP 47)."""
        timestamp = self.fields.get("indexed_timestamp")
        return timestamp if _is_count(timestamp) else None

    @property
    def attestations_sha256(self) -> str:
        """The digest of the package's attestations in hex, or empty (CEP 50)."""
        return _text(self.fields.get("attestations_sha256"))

    @classmethod
    def from_canonical(
        cls, subdir: str, filename: str, canonical: bytes | str, in_v3: bool = False
    ) -> "PackageRecord":
        """Return the record that has this `canonical`, given as bytes or text."""
        return cls(subdir, filename, orjson.loads(canonical), in_v3=in_v3)


def check_record(
    subdir: str,
    filename: str,
    fields: object,
    *,
    in_v3: bool = False,
    run_exports: dict[str, Any] | None = None,
    now_ms: int | None = None,
) -> PackageRecord:
    """Return the record of an entry of repodata, which is untrusted input.

    The fields of the record have no `url`, and no `run_exports`: these become its `run_exports`.

    Args:
        subdir: The subdir of the repodata.
        filename: The key of the entry.
        fields: The entry.
        in_v3: Whether the entry stood in the `v3` section. The record is also `in_v3` if its fields
            declare that.
        run_exports: The run_exports, if `fields` has none.
        now_ms: The time now in milliseconds since 1970. An entry that was indexed more than a day
            later is refused.

    Raises:
        RecordTextError: the entry has a text that cannot be stored.
        RecordError: the entry cannot be served for other reasons. The text has all of them.
    """
    entry = fields
    if not isinstance(fields, dict):
        raise RecordError(f"it is a {_json_type(fields)}, not an object")
    # rattler-index writes "unknown" if a package does not say its subdir.
    stated = {**fields, "subdir": None} if fields.get("subdir") == "unknown" else fields
    problems = _index_problems(subdir, filename, stated)
    problems += _file_problems(fields)
    problems += _channel_problems(fields, now_ms)
    if "url" in fields:
        # CEP 36 has no such key, but some clients would download the package from there.
        fields = {key: value for key, value in fields.items() if key != "url"}
    if "run_exports" in fields:
        fields = dict(fields)
        run_exports, problems_of_exports = _checked_run_exports(fields.pop("run_exports"))
        problems += problems_of_exports
    if problems:
        _check_texts(filename, entry)
        raise RecordError("; ".join(problems))
    in_v3 = in_v3 or declares_v3(fields)
    record = PackageRecord(subdir, filename, fields, run_exports, in_v3)
    try:
        # To look into each text would cost more than all other checks of a good record.
        if has_nul(record.canonical):
            _check_texts(filename, entry)
    except orjson.JSONEncodeError as error:
        _check_texts(filename, entry)
        raise RecordError(f"it cannot be written as JSON ({error})") from None
    return record


def _check_texts(filename: str, fields: object) -> None:
    if problem := text_problem(filename):
        raise RecordTextError(f"its file name {problem}")
    if bad := find_unstorable(fields):
        raise RecordTextError(f"'{bad.place}' {bad.reason}")


def index_problems(fields: dict[str, Any]) -> list[str]:
    """Return in words what is wrong with the fields that come from `info/index.json` (CEP 34)."""
    problems = []
    for key in ("name", "version", "build"):
        if key not in fields:
            problems.append(f"'{key}' is missing")
        elif not isinstance(fields[key], str):
            problems.append(f"'{key}' is a {_json_type(fields[key])}, not a string")
    if "build_number" not in fields:
        problems.append("'build_number' is missing")
    elif not _is_count(fields["build_number"]):
        problems.append(f"'build_number' is {fields['build_number']!r}, not a whole number")
    for key in ("depends", "constrains"):
        values = fields.get(key)
        if values is not None and not _is_list_of_strings(values):
            problems.append(f"'{key}' is not a list of strings")
    groups = fields.get("extra_depends")
    if groups is not None and not (
        isinstance(groups, dict) and all(map(_is_list_of_strings, groups.values()))
    ):
        problems.append("'extra_depends' is not an object of lists of strings")
    subdir = fields.get("subdir")
    if subdir is not None and not (isinstance(subdir, str) and layout.is_subdir(subdir)):
        problems.append(f"'{subdir}' is not a subdir")
    return problems


def filename_problems(fields: dict[str, Any], parts: layout.PackageName) -> list[str]:
    """Return in words where a record and the parts of a file name differ."""
    return [
        f"its {key} is '{fields[key]}', and '{stated}' in the file name"
        for key, stated in (
            ("name", parts.name),
            ("version", parts.version),
            ("build", parts.build),
        )
        if fields[key] != stated
    ]


def _index_problems(subdir: str, filename: str, fields: dict[str, Any]) -> list[str]:
    if problems := index_problems(fields):
        return problems
    try:
        parts = layout.parse_filename(filename)
    except BadPackageName as error:
        return [error.facts["reason"]]
    problems = filename_problems(fields, parts)
    if fields.get("subdir", subdir) not in (subdir, None):
        problems.append(f"its subdir is '{fields['subdir']}', not '{subdir}'")
    return problems


def _file_problems(fields: dict[str, Any]) -> list[str]:
    """Return what is wrong with the fields about the file (CEP 36)."""
    problems = []
    digest = fields.get("sha256")
    if digest is None:
        problems.append("it has no sha256, so the file cannot be verified")
    elif not _is_hex(digest, 64):
        problems.append(f"its sha256 '{digest}' is not 64 hexadecimal digits")
    if fields.get("md5") is not None and not _is_hex(fields["md5"], 32):
        problems.append(f"its md5 '{fields['md5']}' is not 32 hexadecimal digits")
    if fields.get("size") is not None and not _is_count(fields["size"]):
        problems.append(f"its size {fields['size']!r} is not a number of bytes")
    return problems


def _channel_problems(fields: dict[str, Any], now_ms: int | None) -> list[str]:
    """Return what is wrong with the fields that a channel adds (CEP 47, CEP 50)."""
    problems = []
    timestamp = fields.get("indexed_timestamp")
    if timestamp is not None:
        if not _is_count(timestamp):
            problems.append(f"its indexed_timestamp {timestamp!r} is not a whole number")
        elif now_ms is not None and timestamp > now_ms + _CLOCK_SKEW:
            problems.append(f"its indexed_timestamp {timestamp} lies in the future")
    digest = fields.get("attestations_sha256")
    if digest is not None and not (_is_hex(digest, 64) and digest == digest.lower()):
        problems.append(
            f"its attestations_sha256 '{digest}' is not 64 hexadecimal digits in lower case"
        )
    return problems


def _checked_run_exports(value: object) -> tuple[dict[str, Any] | None, list[str]]:
    """Return run_exports and what is wrong with them. None or null says that they are not known."""
    if value is None:
        return None, []
    try:
        return check_run_exports(value), []
    except ValueError as error:
        return None, [f"its run_exports are wrong: {error}"]


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _LARGEST_INTEGER


def _is_hex(value: object, length: int) -> bool:
    return isinstance(value, str) and len(value) == length and bool(_HEX_DIGITS.fullmatch(value))


def _is_list_of_strings(values: object) -> bool:
    try:
        return isinstance(values, list) and "".join(values) is not None
    except TypeError:
        return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _json_type(value: object) -> str:
    names: dict[type, str] = {
        dict: "object",
        list: "list",
        str: "string",
        bool: "boolean",
        type(None): "null",
    }
    return names.get(type(value), "number")
