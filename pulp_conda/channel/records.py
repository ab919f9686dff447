"""Package records: what repodata says of one package file.

A record is the package's `info/index.json` (CEP 34) with the file's checksums and size (CEP 36).
Channels change records later, and add keys that are unknown here. So a record is kept whole, and in
one canonical form: JSON with sorted keys and no spaces. Its digest tells two records of one file
apart.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import orjson

from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadPackageName, shown
from pulp_conda.channel.fields import (
    LAST_SECOND,
    is_count,
    is_plain,
    json_type,
    read_field,
    read_fields,
)
from pulp_conda.channel.metadata.run_exports import check_run_exports
from pulp_conda.channel.metadata.v3 import declares_v3
from pulp_conda.channel.storable import find_unstorable, has_nul, text_problem

# The date of CEP 47, 30 June 2026. Files that are older than that may have the date of their build
# as their `indexed_timestamp`.
FIRST_INDEXED = 1_782_777_600_000

# The most milliseconds that the upstream's clock may be ahead of the clock here.
_CLOCK_SKEW = 24 * 60 * 60 * 1000


class RecordError(ValueError):
    """Says in words what is wrong with a record.

    The caller knows where the record comes from, and raises a `ChannelError` instead.
    """


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
        corrections: In words, what has another form in `fields` than in the metadata that is
            written of it, see `fields.read_fields`. The properties have the form that is written.
            None if nobody looked.
    """

    subdir: str
    filename: str
    fields: dict[str, Any]
    run_exports: dict[str, Any] | None = None
    in_v3: bool = False
    corrections: tuple[str, ...] | None = None

    @cached_property
    def canonical(self) -> bytes:
        """The fields as JSON with sorted keys and no spaces: equal fields give equal bytes."""
        return orjson.dumps(self.fields, option=orjson.OPT_SORT_KEYS)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the canonical bytes in hex. With `in_v3` it is another one than without."""
        return sha256(b"v3 " * self.in_v3 + self.canonical).hexdigest()

    @property
    def is_plain(self) -> bool | None:
        """Whether `fields` have the form that is written, or None if nobody looked."""
        return None if self.corrections is None else not self.corrections

    @property
    def name(self) -> str:
        return str(self.fields["name"])

    @property
    def version(self) -> str:
        return str(self.fields["version"])

    @property
    def build(self) -> str:
        return str(self.fields["build"])

    @property
    def build_number(self) -> int:
        build_number: int = self._value("build_number")
        return build_number

    @property
    def sha256(self) -> str:
        """The digest of the file in hex and lower case, or empty if it is not known."""
        return self._text("sha256").lower()

    @property
    def md5(self) -> str:
        """The md5 of the file in hex and lower case, or empty if it is not known."""
        return self._text("md5").lower()

    @property
    def size(self) -> int | None:
        """The bytes of the file, or None if they are not known."""
        return self._count("size")

    @property
    def depends(self) -> list[str]:
        """The match specs of what the package needs."""
        return self._value("depends") or []

    @property
    def license(self) -> str:
        """The license as the package states it, or empty."""
        return self._text("license")

    @property
    def noarch(self) -> str:
        """`python`, `generic`, or empty. Very old packages have `true`, which means `generic`."""
        noarch = self._value("noarch")
        return "generic" if noarch is True else noarch or ""

    @property
    def timestamp(self) -> int | None:
        """When the package was built, in milliseconds since 1970, or None."""
        timestamp = self._count("timestamp")
        if timestamp is None:
            return None
        return timestamp * 1000 if timestamp <= LAST_SECOND else timestamp

    @property
    def indexed_timestamp(self) -> int | None:
        """When a channel first had the file, in milliseconds since 1970, or None (CEP 47)."""
        return self._count("indexed_timestamp")

    @property
    def attestations_sha256(self) -> str:
        """The digest of the package's attestations in hex, or empty (CEP 50)."""
        return self._text("attestations_sha256")

    def _text(self, key: str) -> str:
        return self._value(key) or ""

    def _count(self, key: str) -> int | None:
        value = self._value(key)
        return value if is_count(value) else None

    def _value(self, key: str) -> Any:
        return self.fields.get(key) if self.corrections == () else read_field(self.fields, key)

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
    Otherwise they are those of the entry, also where another form of them is written.

    A record may have an md5 and no sha256 (CEP 36). It can be served when the sha256 is known.

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
        RecordError: the entry cannot be served. The text has all reasons, or the first text of the
            entry that cannot be stored.
    """
    if not isinstance(fields, dict):
        raise RecordError(f"it is {json_type(fields)}, not an object")
    entry = fields
    problems: list[str] = []
    if "url" in fields:
        # CEP 36 has no such key, but some clients would download the package from there.
        fields = {key: value for key, value in fields.items() if key != "url"}
    if "run_exports" in fields:
        fields = dict(fields)
        run_exports, problems = _checked_run_exports(fields.pop("run_exports"))
    record = PackageRecord(subdir, filename, fields, run_exports, in_v3, corrections=())
    try:
        canonical = record.canonical
    except orjson.JSONEncodeError as error:
        _check_texts(filename, entry)
        reading = read_fields(fields, subdir, filename)
        reasons = [*reading.problems, *problems, f"it cannot be written as JSON ({error})"]
        raise RecordError("; ".join(reasons)) from None
    served = fields
    if not is_plain(subdir, canonical):
        served, corrections, problems_of_fields = read_fields(fields, subdir, filename)
        record = replace(record, corrections=corrections)
        problems = [*problems_of_fields, *problems]
    problems = problems or _name_problems(filename, served)
    problems += _problems_of_facts(served, now_ms)
    # To look into each text would cost more than all other checks of a good record.
    if problems or has_nul(canonical):
        _check_texts(filename, entry)
    if problems:
        raise RecordError("; ".join(problems))
    if not in_v3 and declares_v3(served):
        record = replace(record, in_v3=True)
    return record


def _check_texts(filename: str, fields: object) -> None:
    if problem := text_problem(filename):
        raise RecordError(f"its file name {problem}")
    if bad := find_unstorable(fields):
        raise RecordError(f"'{bad.place}' {bad.reason}")


def filename_problems(fields: dict[str, Any], parts: layout.PackageName) -> list[str]:
    """Return in words where a record and the parts of a file name differ.

    What the record does not say as a text is another fault.
    """
    return [
        f"its {key} is '{shown(fields[key])}', and '{stated}' in the file name"
        for key, stated in (
            ("name", parts.name),
            ("version", parts.version),
            ("build", parts.build),
        )
        if isinstance(fields.get(key), str) and fields[key] != stated
    ]


def _name_problems(filename: str, fields: dict[str, Any]) -> list[str]:
    try:
        return filename_problems(fields, layout.parse_filename(filename))
    except BadPackageName as error:
        return [error.facts["reason"]]


def _problems_of_facts(fields: dict[str, Any], now_ms: int | None) -> list[str]:
    """Return in words what is wrong with what a record says of its file (CEP 36, CEP 47)."""
    problems = []
    if not fields.get("sha256") and not fields.get("md5"):
        problems.append("it has neither sha256 nor md5, so the file cannot be verified")
    indexed = fields.get("indexed_timestamp")
    if is_count(indexed) and now_ms is not None and indexed > now_ms + _CLOCK_SKEW:
        problems.append("its indexed_timestamp lies in the future")
    return problems


def _checked_run_exports(value: object) -> tuple[dict[str, Any] | None, list[str]]:
    """Return run_exports and what is wrong with them. None or null says that they are not known."""
    if value is None:
        return None, []
    try:
        return check_run_exports(value), []
    except ValueError as error:
        return None, [f"its run_exports are wrong: {error}"]
