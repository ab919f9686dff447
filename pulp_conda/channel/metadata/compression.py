"""zstd levels for published metadata.

A record has 96 hex digits of checksums, which nothing compresses below 4 bits each. Level 3 finds
chance matches of five digits in them, which cost more than they save. Level 1 looks for matches of
seven bytes, so it is smaller and faster than 3, and all levels up to 12 give larger files than it.
`small` looks for matches of six bytes, but at few places for each.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from zstandard import STRATEGY_LAZY2, ZstdCompressionParameters, ZstdCompressor

# A level of zstd, or a name in `NAMED`.
Level = int | str

FAST = "fast"
SMALL = "small"
NAMED = (FAST, SMALL)

HIGHEST = 22

_FAST = 1
_SMALL = {
    "window_log": 21,
    "hash_log": 17,
    "chain_log": 16,
    "search_log": 1,
    "min_match": 6,
    "target_length": 16,
    "strategy": STRATEGY_LAZY2,
}


class Levels(NamedTuple):
    """The level of each kind of file.

    Attributes:
        repodata: Of `repodata.json.zst`.
        run_exports: Of `run_exports.json.zst`.
        shards: Of shards and their indexes.
    """

    repodata: Level = FAST
    run_exports: Level = FAST
    shards: Level = FAST

    @classmethod
    def of(cls, setting: Level | Mapping[str, Level]) -> "Levels":
        """Return the levels that a setting means: one for all kinds, or some of them by kind.

        Raises:
            ValueError: it is neither. The text says what is wrong.
        """
        if isinstance(setting, Mapping):
            if unknown := sorted(set(map(str, setting)) - set(cls._fields)):
                kinds = ", ".join(f"'{kind}'" for kind in cls._fields)
                raise ValueError(f"'{unknown[0]}' is none of {kinds}")
            levels = cls(**setting)
        else:
            levels = cls(*[setting] * len(cls._fields))
        for level in levels:
            is_number = type(level) is int and 1 <= level <= HIGHEST
            if not is_number and level not in NAMED:
                names = ", ".join(f"'{name}'" for name in NAMED)
                raise ValueError(f"{level!r} is neither {names} nor a number from 1 to {HIGHEST}")
        return levels


@lru_cache
def compressor(level: Level) -> ZstdCompressor:
    """Return a compressor for small files, which is kept: it takes three times as long to make one
    as to compress a shard.
    """
    return _compressor(level, threads=0)


def threaded_compressor(level: Level) -> ZstdCompressor:
    """Return a compressor for large files, which uses all cores.

    The bytes do not depend on the number of cores. They may differ from those of `compressor`.
    """
    return _compressor(level, threads=-1)


def compress_file(data: bytes, level: Level) -> bytes:
    """Return the bytes that `threaded_compressor` gives for a whole file.

    The header of the zstd frame has the size, because some clients refuse a file without it.
    """
    stream = threaded_compressor(level).compressobj(size=len(data))
    return stream.compress(data) + stream.flush()


def _compressor(level: Level, threads: int) -> ZstdCompressor:
    if level == SMALL:
        parameters = ZstdCompressionParameters(**_SMALL, write_content_size=True, threads=threads)
        return ZstdCompressor(compression_params=parameters)
    return ZstdCompressor(level=_FAST if level == FAST else int(level), threads=threads)
