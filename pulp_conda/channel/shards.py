"""Sharded repodata: one small file per package name, and an index of their hashes.

Format: CEP 16. What clients demand beyond it: both maps in every shard, hashes as bytes, the size of the content in the
zstd frame (so each is compressed in one go), and URLs in the index that no mirror can misread.
"""

from hashlib import sha256

import msgpack
import orjson
import zstandard

# Counts up when the same records shall give other bytes.
FORMAT = 1

_BINARY_KEYS = ("md5", "sha256")


def shard_key(entries):
    """Return what identifies the content of a shard, without encoding it.

    Args:
        entries: (file name, record digest) of every record, in the order in which they are encoded.
    """
    key = sha256(b"%d" % FORMAT)
    for filename, digest in entries:
        key.update(f"\n{filename} {digest}".encode())
    return key.digest()


def encode_shard(records, level):
    """Return the shard of one package name.

    Args:
        records: (file name, canonical record) of each package, bytes or text.
        level: The zstd level.
    """
    shard = {"packages": {}, "packages.conda": {}, "removed": []}
    for filename, canonical in sorted(records):
        record = orjson.loads(canonical)
        for key in _BINARY_KEYS:
            if record.get(key):
                record[key] = bytes.fromhex(record[key])
        section = "packages.conda" if filename.endswith(".conda") else "packages"
        shard[section][filename] = record
    return _pack(shard, level)


def encode_index(subdir, digests, created_at, level):
    """Return the index of a subdir's shards.

    Args:
        digests: The sha256 of each shard's bytes, in binary, by package name.
        created_at: When the records became what they are, with a time zone.
    """
    index = {
        "version": 1,
        "info": {
            "subdir": subdir,
            # mamba joins an absolute URL of the same host twice, conda wants the key: empty suits all.
            "base_url": "",
            "shards_base_url": "./shards/",
            "created_at": created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "shards": dict(sorted(digests.items())),
    }
    return _pack(index, level)


def _pack(content, level):
    return zstandard.ZstdCompressor(level=level).compress(msgpack.packb(content))
