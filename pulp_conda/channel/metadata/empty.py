"""The metadata files of a channel and of subdirs without packages.

A channel needs `noarch/repodata.json` (CEP 26). And a client that once found no shards in a subdir
does not look for them again for a week or for ever, also when the subdir has packages (CEP 16). So
these files are there before the first package is.

The same channel gives the same bytes each time, so clients download them once.
"""

import bz2
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType

from pulp_conda.channel import layout
from pulp_conda.channel.metadata.channeldata import Channeldata
from pulp_conda.channel.metadata.repodata import RepodataWriter, compress
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
        level: The zstd level.
    """

    subdirs: frozenset[str]
    relations: tuple[tuple[str, str], ...]
    has_shards: bool
    has_legacy_files: bool
    level: int

    @classmethod
    def of(
        cls,
        subdirs: Iterable[str],
        relations: Mapping[str, str] = MappingProxyType({}),
        *,
        has_shards: bool = True,
        has_legacy_files: bool = False,
        level: int,
    ) -> "EmptyChannel":
        """Return a channel without packages.

        Args:
            subdirs: Those that have an index of shards.
            relations: What `check_relations` returned.
            has_shards: Whether to have indexes of shards.
            has_legacy_files: Whether to have the files for old clients.
            level: The zstd level.
        """
        return cls(
            subdirs=frozenset({layout.NOARCH, *subdirs}),
            relations=tuple(sorted(relations.items())),
            has_shards=has_shards,
            has_legacy_files=has_legacy_files,
            level=level,
        )

    def files(self, subdir: str | None) -> Mapping[str, bytes]:
        """Return the files of a subdir, or of the root of the channel, by name.

        There are none in a subdir that the channel does not have.
        """
        if subdir is None:
            return {layout.CHANNELDATA: _channeldata()}
        if subdir not in self.subdirs:
            return {}
        files = _files(subdir, self.relations, self.has_legacy_files, self.level)
        if self.has_shards:
            return files
        return {name: data for name, data in files.items() if name != layout.SHARD_INDEX}


@lru_cache(maxsize=1000)
def _files(
    subdir: str, relations: tuple[tuple[str, str], ...], has_legacy_files: bool, level: int
) -> Mapping[str, bytes]:
    index = encode_index(subdir, {}, _CREATED_AT, level, relations=dict(relations))
    if subdir != layout.NOARCH:
        return {layout.SHARD_INDEX: index}
    repodata, run_exports = io.BytesIO(), io.BytesIO()
    RepodataWriter(repodata, subdir, dict(relations)).close()
    RunExportsWriter(run_exports, subdir).close()
    files = {
        layout.REPODATA: repodata.getvalue(),
        layout.REPODATA_ZST: _compressed(repodata.getvalue(), level),
        layout.RUN_EXPORTS: run_exports.getvalue(),
        layout.RUN_EXPORTS_ZST: _compressed(run_exports.getvalue(), level),
        layout.SHARD_INDEX: index,
    }
    if has_legacy_files:
        files[layout.REPODATA_BZ2] = bz2.compress(repodata.getvalue())
        files[layout.CURRENT_REPODATA] = repodata.getvalue()
    return files


@lru_cache(maxsize=1)
def _channeldata() -> bytes:
    file = io.BytesIO()
    Channeldata().write(file, {}, {})
    return file.getvalue()


def _compressed(data: bytes, level: int) -> bytes:
    target = io.BytesIO()
    compress(io.BytesIO(data), target, len(data), level)
    return target.getvalue()
