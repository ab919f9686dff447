"""Sharded repodata: one small file per package name, and an index of their hashes.

Format: CEP 16; run_exports inside of the records: CEP 21; the section `v3`: CEP 48. What clients demand beyond it: both
maps in every shard, hashes as bytes, the size of the content in the zstd frame (so each is compressed in one go), and
URLs in the index that no mirror can misread.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter

import msgpack
import orjson
import zstandard

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadChannelRelations,
    BadRecord,
    BadShard,
    BadShardIndex,
    RepodataTooLarge,
    WrongSubdir,
    shown,
)
from pulp_conda.channel.metadata.relations import KEYS as RELATIONS
from pulp_conda.channel.metadata.relations import check_relations
from pulp_conda.channel.metadata.repodata import (
    OTHER_FORMAT,
    V3_EXTENSIONS,
    named_by,
    resolve_url,
    section_of,
    split_v3,
)
from pulp_conda.channel.metadata.stream import open_zstd
from pulp_conda.channel.records import RecordError, check_record

# Counts up when the same records shall give other bytes.
FORMAT = 2

# Bytes of an index or a shard, packed or not, whatever the settings allow: they are held in memory. Ten times the
# largest of 2026 (vim in conda-forge: 2.6 MB), and half of what conda takes.
MAX_SIZE = 32 * 2**20

# Entries of one list: msgpack makes space for them before it reads them.
_MAX_LIST = 100_000

_BINARY_KEYS = ("md5", "sha256")

# Some indexers write these as bytes as well; conda wants texts.
_MAYBE_BINARY_KEYS = (*_BINARY_KEYS, "legacy_bz2_md5", "attestations_sha256")


@dataclass(frozen=True)
class ShardIndex:
    """The shards of an upstream's subdir.

    Attributes:
        packages_url: The URL that the packages stand below.
        shards_url: The URL that the shards stand below.
        digests: The sha256 of each shard's bytes, in binary, by package name.
        relations: What `check_relations` gives of the channel's relations.
    """

    subdir: str
    packages_url: str
    shards_url: str
    digests: dict
    relations: dict

    def shard_url(self, name):
        """Return where the shard of a package name is."""
        return layout.join_url(self.shards_url, f"{self.digests[name].hex()}.msgpack.zst")


@dataclass(frozen=True)
class Shard:
    """The records of one package name.

    Attributes:
        records: (record, why it is left out or None) for every package; what is no conda package has None for a record.
        removed: The names of packages that the channel had once, sorted.
    """

    records: list
    removed: list


def read_index(data, *, url, subdir, channel_url, max_size=MAX_SIZE):
    """Check an upstream's index of shards, and return it.

    Args:
        data: The file.
        url: Where it came from, without secrets.
        subdir: The subdir that it should be of.
        channel_url: The URL of the channel, against which relative ones hold.
        max_size: The most bytes that it may unpack to.

    Raises:
        BadShardIndex: it is not of the shape of CEP 16.
        WrongSubdir: it is of another subdir.
        RepodataTooLarge: it is larger than the limit.
    """

    def fail(reason):
        return BadShardIndex(url=url, reason=reason)

    index = _unpack(data, url, max_size, fail)
    if (version := index.get("version", 1)) != 1:
        raise fail(f"its 'version' is {version!r}, not 1")
    info = index.get("info", {})
    if not isinstance(info, dict):
        raise fail("its 'info' is not a map")
    if (found := info.get("subdir", subdir)) != subdir:
        raise WrongSubdir(url=url, found=found, subdir=subdir)
    return ShardIndex(
        subdir=subdir,
        packages_url=_index_url(info, "base_url", channel_url, subdir, fail),
        shards_url=_index_url(info, "shards_base_url", channel_url, subdir, fail),
        digests=_checked_digests(index.get("shards"), fail),
        relations=_checked_relations(info.get("channel_relations"), fail),
    )


def read_shard(data, *, url, name, digest, subdir, package_filter, max_size=MAX_SIZE, now_ms=None):
    """Check a shard, and return what is in it.

    Args:
        data: The file.
        url: Where it came from, without secrets.
        name: The package name that the index has it for.
        digest: The sha256 that the index gives, in binary.
        package_filter: Says which packages to take.
        max_size: The most bytes that it may unpack to.
        now_ms: The time in milliseconds since 1970, to refuse records from the future.

    Raises:
        BadShard: it is not what the index says, or not of the shape of CEP 16.
        BadRecord: for a record that cannot be served, unless the filter leaves the package out.
        RepodataTooLarge: it is larger than the limit.
    """

    def fail(reason):
        return BadShard(url=url, name=name, reason=reason)

    if (found := sha256(data).digest()) != digest:
        raise fail(f"its sha256 is {found.hex()}, and {digest.hex()} in the index")
    shard = _unpack(data, url, max_size, fail)
    records = []
    taken = set()
    for filename, fields, in_v3 in _entries(shard, fail):
        if filename is None:
            records.append((None, OTHER_FORMAT))
            continue
        try:
            record = check_record(subdir, filename, _as_text(fields), in_v3=in_v3, now_ms=now_ms)
            if record.name != name:
                raise RecordError(f"it is in the shard of '{name}'")
        except RecordError as error:
            record = named_by(subdir, filename)
            if record is None or package_filter.reason_against(record) is None:
                raise BadRecord(filename=filename, url=url, reason=str(error)) from None
        reason = package_filter.reason_against(record)
        if reason is None:
            if filename in taken:
                raise fail(f"it lists '{filename}' twice")
            taken.add(filename)
        records.append((record, reason))
    return Shard(records, _checked_removed(shard.get("removed", []), taken, fail))


def shard_key(entries, removed=()):
    """Return what identifies the content of a shard, without encoding it.

    Args:
        entries, removed: As for `encode_shard`.
    """
    entries = _sorted(entries)
    # In lines: canonical JSON has no line break in it, and no file name has one.
    lines = [b"%d %d" % (FORMAT, len(entries))]
    for filename, record, run_exports, in_v3 in entries:
        lines += filename.encode(), b"v3" if in_v3 else b"", _as_bytes(record)
        lines.append(b"" if run_exports is None else _as_bytes(run_exports))
    lines += map(str.encode, sorted(removed))
    return sha256(b"\n".join(lines)).digest()


def encode_shard(entries, removed, level):
    """Return the shard of one package name. The same content gives the same bytes, in whatever order it comes.

    Args:
        entries: (file name, record as it shall stand there, canonical run_exports or None if not known, whether it
            belongs into `v3`) of each package; the middle two as canonical JSON.
        removed: The names of packages that the channel had once.
        level: The zstd level.
    """
    shard = {"packages": {}, "packages.conda": {}, "removed": sorted(removed)}
    v3 = {extension: {} for extension in V3_EXTENSIONS}
    for filename, canonical, run_exports, in_v3 in _sorted(entries):
        record = orjson.loads(canonical)
        for key in _BINARY_KEYS:
            if record.get(key):
                record[key] = bytes.fromhex(record[key])
        if run_exports is not None:
            record["run_exports"] = orjson.loads(run_exports)
        if in_v3:
            stem, extension = split_v3(filename)
            v3[extension][stem] = record
        else:
            shard[section_of(filename)][filename] = record
    if any(v3.values()):
        shard["v3"] = v3
    return _pack(shard, level)


def encode_index(subdir, digests, created_at, level, relations=None, revisions=None):
    """Return the index of a subdir's shards.

    Args:
        digests: The sha256 of each shard's bytes, in binary, by package name.
        created_at: When the records became what they are, with a time zone.
        relations: What `check_relations` gave (CEP 42).
        revisions: What `RepodataWriter.revisions` says after the same records.
    """
    info = {
        "subdir": subdir,
        # mamba joins an absolute URL of the same host twice, conda wants the key: empty suits all.
        "base_url": "",
        "shards_base_url": "./shards/",
        "created_at": created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if relations:
        info["channel_relations"] = dict(sorted(relations.items()))
    if revisions:
        info["repodata_revisions"] = revisions
    return _pack({"version": 1, "info": info, "shards": dict(sorted(digests.items()))}, level)


def _pack(content, level):
    return _compressor(level).compress(msgpack.packb(content))


@lru_cache(maxsize=1)
def _compressor(level):
    # To make one takes three times as long as to compress a shard.
    return zstandard.ZstdCompressor(level=level)


def _sorted(entries):
    return sorted(entries, key=itemgetter(0, 3))


def _as_bytes(text):
    return text.encode() if isinstance(text, str) else text


def _unpack(data, url, max_size, fail):
    """Return the map that a file holds, without trusting any size that it states."""
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
        )
    except msgpack.exceptions.StackError:
        raise fail("it is nested too deeply") from None
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise fail(f"it is cut short or no msgpack ({error})") from None
    if not isinstance(unpacked, dict):
        raise fail("it is not a map")
    return unpacked


class _Budget:
    """Stops a file that would become a hundred times as large in memory: empty lists, each of them one byte."""

    def __init__(self, size):
        self._left = 1000 + size // 8

    def spend(self, container):
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many maps and lists")
        return container


def _index_url(info, key, channel_url, subdir, fail):
    url = info.get(key) or ""
    try:
        return resolve_url(channel_url, subdir, url)
    except ValueError:
        raise fail(f"its '{key}' is {shown(repr(url))}, not an HTTP URL") from None


def _checked_digests(digests, fail):
    if not isinstance(digests, dict):
        raise fail("it has no map of 'shards'")
    for name, digest in digests.items():
        if not layout.is_name(name):
            raise fail(f"{shown(repr(name))} is not a package name")
        if not isinstance(digest, bytes):
            raise fail(f"the hash of '{name}' is not in binary")
        if len(digest) != 32:
            raise fail(f"the hash of '{name}' has {len(digest)} bytes, not 32")
    return digests


def _checked_relations(relations, fail):
    if relations is None:
        return {}
    if isinstance(relations, dict):
        # CEP 42: others are for clients of the future.
        relations = {key: relations[key] for key in RELATIONS if key in relations}
    try:
        return check_relations(relations)
    except BadChannelRelations as error:
        raise fail(f"its 'channel_relations': {error.facts['reason']}") from None


def _entries(shard, fail):
    """Yield (file name or None, fields, in_v3) of all records."""
    for section in ("packages", "packages.conda"):
        for filename, fields in _map(shard.get(section, {}), section, fail):
            yield filename, fields, False
    for extension, by_stem in _map(shard.get("v3", {}), "v3", fail):
        for stem, fields in _map(by_stem, f"v3.{extension}", fail):
            yield f"{stem}.{extension}" if extension in V3_EXTENSIONS else None, fields, True


def _map(value, key, fail):
    if not isinstance(value, dict):
        raise fail(f"its '{shown(key)}' is not a map")
    for name in value:
        if not isinstance(name, str):
            raise fail(f"its '{shown(key)}' has a key that is no text")
    return value.items()


def _as_text(fields):
    """Return a record with its checksums as JSON has them."""
    if not isinstance(fields, dict):
        return fields
    for key in _MAYBE_BINARY_KEYS:
        if isinstance(fields.get(key), bytes):
            fields[key] = fields[key].hex()
    return fields


def _checked_removed(removed, taken, fail):
    if not isinstance(removed, list):
        raise fail("its 'removed' is not a list")
    names = {name for name in removed if layout.is_filename(name)}
    if listed := names & taken:
        raise fail(f"it lists '{min(listed)}' and says that it is removed")
    return sorted(names)
