"""Sharded repodata: one small file for each package name, and an index with their hashes.

Format: CEP 16. run_exports in the records: CEP 21. The section `v3`: CEP 48. Some clients need more
than the CEPs say: both maps in every shard, hashes as bytes, URLs in the index that have only one
meaning, and the size of the content in the zstd frame. For that size, a file is compressed in one
call.
"""

import io
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any

import msgpack
import orjson
import zstandard

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadChannelRelations,
    BadShard,
    BadShardIndex,
    ChannelError,
    RepodataTooLarge,
    WrongSubdir,
    shown,
)
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.compression import Level, compressor
from pulp_conda.channel.metadata.relations import KEYS as RELATIONS
from pulp_conda.channel.metadata.relations import check_relations
from pulp_conda.channel.metadata.repodata import (
    OTHER_FORMAT,
    V3_EXTENSIONS,
    Entry,
    left_out,
    resolve_url,
    section_of,
    split_v3,
    without_nulls,
)
from pulp_conda.channel.metadata.stream import open_zstd
from pulp_conda.channel.records import RecordError, check_record

# A part of `shard_key`. It has to be increased whenever the same records give other bytes than
# before.
FORMAT = 2

# Bytes of an index or a shard, packed or not, even if the settings allow more, because they are
# held in memory. This is ten times the largest of 2026 (vim in conda-forge: 2.6 MB), and half of
# conda's limit.
MAX_SIZE = 32 * 2**20

# Entries of one list. msgpack allocates memory for all of them before it reads them.
_MAX_LIST = 100_000

_BINARY_KEYS = ("md5", "sha256")

# Some indexers write all of these as bytes.
_MAYBE_BINARY_KEYS = (*_BINARY_KEYS, "legacy_bz2_md5", "attestations_sha256")

# A package in a shard: its file name, its record as canonical JSON, its run_exports as canonical
# JSON or None if they are not known, and whether it belongs in `v3`.
ShardEntry = tuple[str, str, str | None, bool]

# Returns the error for a reason.
_Fail = Callable[[str], ChannelError]


@dataclass(frozen=True)
class ShardIndex:
    """The shards of an upstream's subdir.

    Attributes:
        subdir: The subdir.
        packages_url: The URL of the folder with the packages.
        shards_url: The URL of the folder with the shards.
        digests: The sha256 of each shard's bytes, in binary, by package name.
        relations: The references to other channels, as `check_relations` returns them.
    """

    subdir: str
    packages_url: str
    shards_url: str
    digests: dict[str, bytes]
    relations: dict[str, str]

    def shard_url(self, name: str) -> str:
        """Return the URL of the shard of a package name."""
        return layout.join_url(self.shards_url, f"{self.digests[name].hex()}.msgpack.zst")


@dataclass(frozen=True)
class Shard:
    """The records of one package name.

    Attributes:
        records: An entry for every package.
        removed: The file names of packages that were removed from the channel, sorted.
        listed_and_removed: Those of packages that are listed and also said to be removed, sorted.
            For clients such a package is there.
    """

    records: list[Entry]
    removed: list[str]
    listed_and_removed: list[str]


def read_index(
    data: bytes, *, url: str, subdir: str, channel_url: str, max_size: int = MAX_SIZE
) -> ShardIndex:
    """Check an upstream's index of shards, and return it.

    Args:
        data: The file.
        url: Where it came from. Errors name it.
        subdir: The subdir that it should be of.
        channel_url: The URL of the channel, to which URLs in the index may be relative.
        max_size: The most bytes that it may unpack to.

    Raises:
        BadShardIndex: it does not have the form of CEP 16.
        WrongSubdir: it is of another subdir.
        RepodataTooLarge: it is larger than the limit.
    """

    def fail(reason: str) -> BadShardIndex:
        return BadShardIndex(url=url, reason=reason)

    index = without_nulls(_unpack(data, url, max_size, fail))
    if (version := index.get("version", 1)) != 1:
        raise fail(f"its 'version' is {version!r}, not 1")
    info = index.get("info", {})
    if not isinstance(info, dict):
        raise fail("its 'info' is not a map")
    info = without_nulls(info)
    if (found := info.get("subdir", subdir)) != subdir:
        raise WrongSubdir(url=url, found=found, subdir=subdir)
    return ShardIndex(
        subdir=subdir,
        packages_url=_index_url(info, "base_url", channel_url, subdir, fail),
        shards_url=_index_url(info, "shards_base_url", channel_url, subdir, fail),
        digests=_checked_digests(index.get("shards"), fail),
        relations=_checked_relations(info.get("channel_relations"), fail),
    )


def read_shard(
    data: bytes,
    *,
    url: str,
    name: str,
    digest: bytes,
    subdir: str,
    package_filter: PackageFilter,
    max_size: int = MAX_SIZE,
    now_ms: int | None = None,
) -> Shard:
    """Check a shard, and return its content.

    Args:
        data: The file.
        url: Where it came from. Errors name it.
        name: Its package name in the index.
        digest: Its sha256 in the index, in binary.
        subdir: The subdir of the index.
        package_filter: Says which packages to take.
        max_size: The most bytes that it may unpack to.
        now_ms: The time now in milliseconds since 1970, to refuse records from the future.

    Raises:
        BadShard: it has another digest than the index says, or not the form of CEP 16.
        RepodataTooLarge: it is larger than the limit.
    """

    def fail(reason: str) -> BadShard:
        return BadShard(url=url, name=name, reason=reason)

    if (found := sha256(data).digest()) != digest:
        raise fail(f"its sha256 is {found.hex()}, and {digest.hex()} in the index")
    shard = without_nulls(_unpack(data, url, max_size, fail))
    records: list[Entry] = []
    taken: set[str] = set()
    for filename, fields, in_v3 in _entries(shard, fail):
        if filename is None:
            records.append((None, OTHER_FORMAT))
            continue
        try:
            record = check_record(subdir, filename, _as_text(fields), in_v3=in_v3, now_ms=now_ms)
            if record.name != name:
                raise RecordError(f"it is in the shard of '{name}'")
        except RecordError as error:
            records.append(left_out(subdir, filename, fields, error, package_filter))
            continue
        reason = package_filter.reason_against(record)
        if reason is None:
            if filename in taken:
                raise fail(f"it lists '{filename}' twice")
            taken.add(filename)
        records.append((record, reason))
    removed = shard.get("removed", [])
    if not isinstance(removed, list):
        raise fail("its 'removed' is not a list")
    names = {name for name in removed if layout.is_filename(name)}
    return Shard(records, sorted(names - taken), sorted(names & taken))


def shard_key(entries: Iterable[ShardEntry], removed: Iterable[str] = ()) -> bytes:
    """Return a digest that identifies the content of a shard. The shard is not encoded for it.

    Args:
        entries, removed: As for `encode_shard`.
    """
    in_order = _sorted(entries)
    # Neither canonical JSON nor a file name has a line break, so the lines have only one meaning.
    lines = [f"{FORMAT} {len(in_order)}"]
    for filename, record, run_exports, in_v3 in in_order:
        lines += filename, "v3" if in_v3 else "", record, run_exports or ""
    lines += sorted(removed)
    return sha256("\n".join(lines).encode()).digest()


def encode_shard(entries: Iterable[ShardEntry], removed: Iterable[str], level: Level) -> bytes:
    """Return the shard of one package name. The order of the packages makes no difference.

    Args:
        entries: The packages.
        removed: The file names of packages that were removed from the channel.
        level: The zstd level, or one of `compression.NAMED`.
    """
    sections: dict[str, dict[str, Any]] = {"packages": {}, "packages.conda": {}}
    v3: dict[str, dict[str, Any]] = {extension: {} for extension in V3_EXTENSIONS}
    in_order = _sorted(entries)
    # One call for all records takes half of the time.
    records: list[dict[str, Any]] = orjson.loads(f"[{','.join(entry[1] for entry in in_order)}]")
    known: dict[str, Any] = {}
    for (filename, _, run_exports, in_v3), record in zip(in_order, records, strict=True):
        for key in _BINARY_KEYS:
            if record.get(key):
                record[key] = bytes.fromhex(record[key])
        if run_exports is not None:
            # Most packages of a name have the same.
            if run_exports not in known:
                known[run_exports] = orjson.loads(run_exports)
            record["run_exports"] = known[run_exports]
        if in_v3:
            stem, extension = split_v3(filename)
            v3[extension][stem] = record
        else:
            sections[section_of(filename)][filename] = record
    shard: dict[str, Any] = {**sections, "removed": sorted(removed)}
    if any(v3.values()):
        shard["v3"] = v3
    return _pack(shard, level)


def encode_index(
    subdir: str,
    digests: Mapping[str, bytes],
    created_at: datetime,
    level: Level,
    relations: Mapping[str, str] | None = None,
    revisions: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the index of a subdir's shards.

    Args:
        subdir: The subdir.
        digests: The sha256 of each shard's bytes, in binary, by package name.
        created_at: When the records changed last, with a time zone.
        level: The zstd level, or one of `compression.NAMED`.
        relations: What `check_relations` returned (CEP 42).
        revisions: The `RepodataWriter.revisions` of the same records.
    """
    info: dict[str, Any] = {
        "subdir": subdir,
        # conda needs the key, and mamba misreads an absolute URL of the same host. Empty works for
        # all.
        "base_url": "",
        "shards_base_url": "./shards/",
        "created_at": created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if relations:
        info["channel_relations"] = dict(sorted(relations.items()))
    if revisions:
        info["repodata_revisions"] = revisions
    return _pack({"version": 1, "info": info, "shards": dict(sorted(digests.items()))}, level)


def _pack(content: object, level: Level) -> bytes:
    return compressor(level).compress(msgpack.packb(content))


def _sorted(entries: Iterable[ShardEntry]) -> list[ShardEntry]:
    return sorted(entries, key=itemgetter(0, 3))


def _unpack(data: bytes, url: str, max_size: int, fail: _Fail) -> dict[Any, Any]:
    """Return the map in a file. The sizes that the file states may be wrong, and are not used."""
    limit = min(max_size, MAX_SIZE)
    try:
        content = open_zstd(io.BytesIO(data)).read(limit + 1)
    except zstandard.ZstdError as error:
        raise fail(f"its compression is broken ({error})") from None
    if len(content) > max_size:
        raise RepodataTooLarge(url=url, limit=max_size, setting="CONDA_MAX_REPODATA_SIZE")
    if len(content) > limit:
        raise fail(f"it unpacks to more than {limit} bytes, which clients do not take")
    budget = _Budget(len(content))
    try:
        unpacked = msgpack.unpackb(
            content,
            object_hook=budget.spend,
            list_hook=budget.spend,
            max_array_len=_MAX_LIST,
            # A text that is not UTF-8 makes the record bad that has it, and not the whole file.
            unicode_errors="surrogateescape",
        )
    except msgpack.exceptions.StackError:
        raise fail("it is nested too deeply") from None
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise fail(f"it is cut short or no msgpack ({error})") from None
    if not isinstance(unpacked, dict):
        raise fail("it is not a map")
    return unpacked


class _Budget:
    """Limits the number of maps and lists in a file.

    A file of empty lists, each of which has one byte, would take a hundred times as much memory.
    """

    def __init__(self, size: int) -> None:
        self._left = 1000 + size // 8

    def spend(self, container: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many maps and lists")
        return container


def _index_url(
    info: Mapping[str, Any], key: str, channel_url: str, subdir: str, fail: _Fail
) -> str:
    url = info.get(key) or ""
    try:
        return resolve_url(channel_url, subdir, url)
    except ValueError:
        raise fail(f"its '{key}' is {shown(repr(url))}, not an HTTP URL") from None


def _checked_digests(digests: object, fail: _Fail) -> dict[str, bytes]:
    if not isinstance(digests, dict):
        raise fail("it has no map of 'shards'")
    for name, digest in digests.items():
        # A name need not be valid. Then no record of its shard is.
        if not isinstance(name, str):
            raise fail(f"{shown(repr(name))} is not a package name")
        if not isinstance(digest, bytes):
            raise fail(f"the hash of '{shown(name)}' is not in binary")
        if len(digest) != 32:
            raise fail(f"the hash of '{shown(name)}' has {len(digest)} bytes, not 32")
    return digests


def _checked_relations(relations: object, fail: _Fail) -> dict[str, str]:
    if relations is None:
        return {}
    if isinstance(relations, dict):
        # Unknown keys are for later clients (CEP 42).
        relations = {key: relations[key] for key in RELATIONS if key in relations}
    try:
        return check_relations(relations)
    except BadChannelRelations as error:
        raise fail(f"its 'channel_relations': {error.facts['reason']}") from None


def _entries(shard: Mapping[Any, Any], fail: _Fail) -> Iterator[tuple[str | None, Any, bool]]:
    """Yield (file name, fields, in_v3) of all records. Other packages have None as file name."""
    for section in ("packages", "packages.conda"):
        for filename, fields in _map(shard.get(section, {}), section, fail):
            yield filename, fields, False
    for extension, by_stem in _map(shard.get("v3", {}), "v3", fail):
        for stem, fields in _map(by_stem, f"v3.{extension}", fail):
            yield f"{stem}.{extension}" if extension in V3_EXTENSIONS else None, fields, True


def _map(value: object, key: str, fail: _Fail) -> ItemsView[str, Any]:
    if value is None:
        return {}.items()
    if not isinstance(value, dict):
        raise fail(f"its '{shown(key)}' is not a map")
    for name in value:
        if not isinstance(name, str):
            raise fail(f"its '{shown(key)}' has a key that is no text")
    return value.items()


def _as_text(fields: object) -> object:
    """Return the fields of a record with the checksums as texts."""
    if not isinstance(fields, dict):
        return fields
    for key in _MAYBE_BINARY_KEYS:
        if isinstance(fields.get(key), bytes):
            fields[key] = fields[key].hex()
    return fields
