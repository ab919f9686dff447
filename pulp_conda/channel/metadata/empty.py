"""The metadata files of a channel and of subdirs without packages.

A channel needs `noarch/repodata.json` (CEP 26). And a client that once found no shards in a subdir
does not look for them again for a week or for ever, also when the subdir has packages (CEP 16). So
these files are there before the first package is.

The same channel gives the same bytes each time, so clients download them once.
"""

import bz2
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType

from pulp_conda.channel import layout
from pulp_conda.channel.metadata.channeldata import Channeldata
from pulp_conda.channel.metadata.compression import Levels, compress_file
from pulp_conda.channel.metadata.repodata import RepodataWriter
from pulp_conda.channel.metadata.run_exports import RunExportsWriter
from pulp_conda.channel.metadata.shards import encode_index

# When the records changed last, which an index of shards has to say (CEP 16).
_CREATED_AT = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class EmptyChannel:
    """What a channel has where it has no packages.

    Attributes:
        subdirs: The subdirs that have an index of shards, and `noarch`, which has all files.
        has_shards: Whether there are indexes of shards at all.
        relations: The references to other channels, as pairs (CEP 42).
        has_legacy_files: Whether `noarch` also has the files for old clients.
        levels: The zstd levels.
    """

    subdirs: frozenset[str]
    relations: tuple[tuple[str, str], ...]
    has_shards: bool
    has_legacy_files: bool
    levels: Levels

    @classmethod
    def of(
        cls,
        subdirs: Iterable[str],
        relations: Mapping[str, str] = MappingProxyType({}),
        *,
        has_shards: bool = True,
        has_legacy_files: bool = False,
        levels: Levels,
    ) -> "EmptyChannel":
        """Return a channel without packages.

        Args:
            subdirs: Those that have an index of shards.
            relations: What `check_relations` returned.
            has_shards: Whether to have indexes of shards.
            has_legacy_files: Whether to have the files for old clients.
            levels: The zstd levels.
        """
        return cls(
            subdirs=frozenset({layout.NOARCH, *subdirs}),
            relations=tuple(sorted(relations.items())),
            has_shards=has_shards,
            has_legacy_files=has_legacy_files,
            levels=levels,
        )

    def files(self, subdir: str | None) -> Mapping[str, bytes]:
        """Return the files of a subdir, or of the root of the channel, by name.

        There are none in a subdir that the channel does not have.
        """
        if subdir is None:
            return {layout.CHANNELDATA: _channeldata()}
        if subdir not in self.subdirs:
            return {}
        files = _files(subdir, self.relations, self.has_legacy_files, self.levels)
        if self.has_shards:
            return files
        return {name: data for name, data in files.items() if name != layout.SHARD_INDEX}


@lru_cache(maxsize=1000)
def _files(
    subdir: str, relations: tuple[tuple[str, str], ...], has_legacy_files: bool, levels: Levels
) -> Mapping[str, bytes]:
    index = encode_index(subdir, {}, _CREATED_AT, levels.shards, relations=dict(relations))
    if subdir != layout.NOARCH:
        return {layout.SHARD_INDEX: index}
    repodata = RepodataWriter(subdir, dict(relations)).finish().read()
    run_exports = RunExportsWriter(subdir).finish().read()
    files = {
        layout.REPODATA: repodata,
        layout.REPODATA_ZST: compress_file(repodata, levels.repodata),
        layout.RUN_EXPORTS: run_exports,
        layout.RUN_EXPORTS_ZST: compress_file(run_exports, levels.run_exports),
        layout.SHARD_INDEX: index,
    }
    if has_legacy_files:
        files[layout.REPODATA_BZ2] = bz2.compress(repodata)
        files[layout.CURRENT_REPODATA] = repodata
    return files


@lru_cache(maxsize=1)
def _channeldata() -> bytes:
    return Channeldata().finish({}, {}).read()
