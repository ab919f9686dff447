"""Package records: what repodata says of one package file.

A record is the package's `info/index.json` (CEP 34) with the file's checksums and size (CEP 36). Upstream
channels rewrite records after the fact and add keys that we don't know, so a record is kept whole and in
one canonical form: JSON with sorted keys and no spaces. Its digest tells two records of one file apart.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadPackageName
from pulp_conda.channel.metadata.run_exports import check_run_exports
from pulp_conda.channel.metadata.v3 import declares_v3

# Before this, a `timestamp` counts seconds and not milliseconds (the year 9999 in seconds; as rattler reads it).
_LAST_SECOND = 253_402_300_799
_LARGEST_INTEGER = 2**63 - 1
_HEX_DIGITS = re.compile(r"[0-9a-fA-F]*")

# Milliseconds that the upstream's clock may be ahead of ours.
_CLOCK_SKEW = 24 * 60 * 60 * 1000


class RecordError(ValueError):
    """What is wrong with a record, in words; the caller knows the place and raises a `ChannelError`."""


@dataclass(frozen=True, eq=False)
class PackageRecord:
    """One entry of a subdir's repodata.

    Attributes:
        subdir: The folder that the file is served from; the record's own `subdir` is the same or absent.
        filename: The key of the entry.
        fields: The entry itself, as it stands in JSON, unknown keys included.
        run_exports: What the package adds to those built with it, `{}` if nothing, None if not known. No part of
            the record: shards have it inside (CEP 21), other repodata in a file of its own (CEP 12).
        in_v3: The entry stood in the `v3` section (CEP 48).
    """

    subdir: str
    filename: str
    fields: dict
    run_exports: dict | None = None
    in_v3: bool = False

    @cached_property
    def canonical(self):
        """The record as bytes: the same record gives the same bytes, whatever the order of its keys."""
        return orjson.dumps(self.fields, option=orjson.OPT_SORT_KEYS)

    @cached_property
    def digest(self):
        """The sha256 of the canonical bytes, in hex; an entry of `v3` is another than the same one outside."""
        return sha256(b"v3 " * self.in_v3 + self.canonical).hexdigest()

    @property
    def name(self):
        return self.fields["name"]

    @property
    def version(self):
        return self.fields["version"]

    @property
    def build(self):
        return self.fields["build"]

    @property
    def build_number(self):
        return self.fields["build_number"]

    @property
    def sha256(self):
        return self.fields["sha256"].lower()

    @property
    def md5(self):
        return (self.fields.get("md5") or "").lower()

    @property
    def size(self):
        """Bytes of the file, or None where the upstream does not say."""
        return self.fields.get("size")

    @property
    def depends(self):
        return self.fields.get("depends") or []

    @property
    def license(self):
        return _text(self.fields.get("license"))

    @property
    def noarch(self):
        """`python`, `generic`, or empty; the `true` of early packages means `generic`."""
        noarch = self.fields.get("noarch")
        return "generic" if noarch is True else _text(noarch)

    @property
    def timestamp(self):
        """When the package was built, in milliseconds since 1970, or None."""
        timestamp = self.fields.get("timestamp")
        if not _is_count(timestamp):
            return None
        return timestamp * 1000 if timestamp <= _LAST_SECOND else timestamp

    @property
    def indexed_timestamp(self):
        """When the upstream first offered the file, in milliseconds since 1970, or None (CEP 47)."""
        timestamp = self.fields.get("indexed_timestamp")
        return timestamp if _is_count(timestamp) else None

    @property
    def attestations_sha256(self):
        """The digest of the package's sidecar, or empty (CEP 50)."""
        return _text(self.fields.get("attestations_sha256"))

    @classmethod
    def from_canonical(cls, subdir, filename, canonical, in_v3=False):
        """Build a record from the bytes or text that `canonical` gave."""
        return cls(subdir, filename, orjson.loads(canonical), in_v3=in_v3)


def check_record(subdir, filename, fields, *, in_v3=False, run_exports=None, now_ms=None):
    """Return the record if it can be served, with everything that the columns of a package need.

    Run_exports that stand inside of the fields, as in shards, come out beside them.

    Args:
        in_v3: The record stood in the `v3` section. One that declares it comes out so, wherever it stood.
        now_ms: The time in milliseconds since 1970, to refuse a record that was indexed after it.

    Raises:
        RecordError: with all that is wrong in one text.
    """
    if not isinstance(fields, dict):
        raise RecordError(f"it is a {_json_type(fields)}, not an object")
    # rattler-index says so of packages that do not know it.
    stated = {**fields, "subdir": None} if fields.get("subdir") == "unknown" else fields
    problems = _index_problems(subdir, filename, stated)
    problems += _file_problems(fields)
    problems += _channel_problems(fields, now_ms)
    if "url" in fields:
        # CEP 36 does not know it, but some clients would follow it past this server.
        fields = {key: value for key, value in fields.items() if key != "url"}
    if "run_exports" in fields:
        fields = dict(fields)
        run_exports, found = _checked_run_exports(fields.pop("run_exports"))
        problems += found
    if problems:
        raise RecordError("; ".join(problems))
    in_v3 = in_v3 or declares_v3(fields)
    record = PackageRecord(subdir, filename, fields, run_exports, in_v3)
    try:
        record.canonical
    except orjson.JSONEncodeError as error:
        raise RecordError(f"it cannot be written as JSON ({error})") from None
    return record


def index_problems(fields):
    """List in words what is wrong with the fields that come from `info/index.json` (CEP 34)."""
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


def filename_problems(fields, parts):
    """List in words where a record and the parts of a file name (`layout.PackageName`) differ."""
    return [
        f"its {key} is '{fields[key]}', and '{stated}' in the file name"
        for key, stated in (
            ("name", parts.name),
            ("version", parts.version),
            ("build", parts.build),
        )
        if fields[key] != stated
    ]


def _index_problems(subdir, filename, fields):
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


def _file_problems(fields):
    problems = []
    digest = fields.get("sha256")
    if digest is None:
        problems.append("it has no sha256, so nobody could check the file")
    elif not _is_hex(digest, 64):
        problems.append(f"its sha256 '{digest}' is not 64 hexadecimal digits")
    if fields.get("md5") is not None and not _is_hex(fields["md5"], 32):
        problems.append(f"its md5 '{fields['md5']}' is not 32 hexadecimal digits")
    if fields.get("size") is not None and not _is_count(fields["size"]):
        problems.append(f"its size {fields['size']!r} is not a number of bytes")
    return problems


def _channel_problems(fields, now_ms):
    """List what is wrong with the fields that the channel adds (CEP 47, CEP 50)."""
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


def _checked_run_exports(value):
    """Return them, and what is wrong with them; null says that they are not known."""
    if value is None:
        return None, []
    try:
        return check_run_exports(value), []
    except ValueError as error:
        return None, [f"its run_exports are wrong: {error}"]


def _is_count(value):
    return type(value) is int and 0 <= value <= _LARGEST_INTEGER


def _is_hex(value, length):
    return isinstance(value, str) and len(value) == length and bool(_HEX_DIGITS.fullmatch(value))


def _is_list_of_strings(values):
    try:
        return isinstance(values, list) and "\0" not in "".join(values)
    except TypeError:
        return False


def _text(value):
    # A NUL is legal in JSON and not in a PostgreSQL text.
    return value.replace("\0", "") if isinstance(value, str) else ""


def _json_type(value):
    names = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
