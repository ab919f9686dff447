"""Write the metadata files of one subdir."""

import bz2
import shutil
from collections import defaultdict
from contextlib import ExitStack
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import orjson
from django.conf import settings
from django.core.files import File

from pulpcore.plugin.models import PublishedMetadata

from pulp_conda.app.publishing.shards import ShardStore
from pulp_conda.channel import layout
from pulp_conda.channel.metadata.current_repodata import select_current
from pulp_conda.channel.metadata.repodata import RepodataWriter, compress
from pulp_conda.channel.metadata.run_exports import RunExportsWriter, canonical
from pulp_conda.channel.metadata.shards import encode_index
from pulp_conda.channel.metadata.v3 import as_v3, declares_v3


class Row(NamedTuple):
    """A package of the version, with what is known of it besides its record."""

    subdir: str
    name: str
    filename: str
    record: str
    in_v3: bool
    version: str
    build_number: int
    timestamp: int
    sha256: str
    run_exports: str
    indexed_timestamp: int

    @property
    def canonical(self):
        """The record as this channel offers it, with the moment since when (CEP 47)."""
        record = self.record.encode()
        if self.indexed_timestamp is None:
            return record
        return b'{"indexed_timestamp":%d,%b' % (self.indexed_timestamp, record[1:])


class SubdirWriter:
    """Writes and stores the files of one subdir in one pass over its records, so that they cannot disagree."""

    def __init__(self, publication, repository, subdir, folder, patches, channeldata):
        self._publication = publication
        self._repository = repository
        self._subdir = subdir
        self._folder = folder
        self._patches = patches
        self._channeldata = channeldata
        self._shards = ShardStore(publication)
        self._removed = defaultdict(list)
        for filename in patches.removed:
            self._removed[filename.rsplit("-", 2)[0]].append(filename)
        self._is_patched = bool(patches)
        self._for_current = {}
        self.count = 0

    def write(self, rows):
        """Return how many packages the index has; `count` has those as well that a patch removes."""
        visible = 0
        with ExitStack() as files:
            self._repodata = self._new_repodata(files, layout.REPODATA)
            self._run_exports = RunExportsWriter(
                self._open(files, layout.RUN_EXPORTS), self._subdir
            )
            self._unpatched = None
            if self._patches.has_instructions:
                self._unpatched = self._new_repodata(files, layout.REPODATA_FROM_PACKAGES)
            for name, of_name in groupby(rows, key=attrgetter("name")):
                entries = [entry for row in of_name if (entry := self._entry(row))]
                removed = self._removed.pop(name, ())
                if entries or removed:
                    self._shards.add(name, entries, removed)
                visible += len(entries)
            # Names whose last package was removed are known from their removed packages alone.
            for name, removed in self._removed.items():
                self._shards.add(name, [], removed)
            self._repodata.close(self._patches.removed)
            self._run_exports.close()
            if self._unpatched:
                self._unpatched.close()
                self._write_instructions()
        self._write_index()
        if self._repository.legacy_metadata:
            self._write_legacy()
        return visible

    def _entry(self, row):
        """Write a package, and return what its shard says of it; None if a patch removes it."""
        self.count += 1
        record, in_v3, run_exports = row.canonical, row.in_v3, row.run_exports
        if self._unpatched:
            self._unpatched.add(row.filename, _form(record) if in_v3 else record, in_v3)
        if self._is_patched and (patched := self._patches.run_exports(row.filename)) is not None:
            run_exports = canonical(patched).decode()
        if run_exports is not None:
            # An entry without them would say that there are none, and nobody would look into the package.
            self._run_exports.add(row.filename, run_exports.encode())
        if self._is_patched:
            if self._patches.is_removed(row.filename):
                return None
            patched = self._patches.apply(row.filename, record)
            if patched is not record:
                record = patched
                in_v3 = in_v3 or declares_v3(orjson.loads(record))
        if in_v3:
            record = _form(record)
        self._repodata.add(row.filename, record, in_v3)
        self._channeldata.add(
            row.subdir,
            row.name,
            row.version,
            row.build_number,
            row.timestamp,
            row.sha256,
            run_exports,
        )
        if self._repository.legacy_metadata and not in_v3:
            self._for_current[row.filename] = record
        return row.filename, record, run_exports, in_v3

    def store(self):
        """Store what was written, and the compressed forms of it."""
        self._compress(layout.REPODATA, layout.REPODATA_ZST)
        self._compress(layout.RUN_EXPORTS, layout.RUN_EXPORTS_ZST)
        for path in sorted(self._folder.iterdir()):
            store(self._publication, path, layout.metadata_path(self._subdir, path.name))

    def _write_index(self):
        index = encode_index(
            self._subdir,
            self._shards.finish(),
            self._publication.repository_version.pulp_created,
            settings.CONDA_ZSTD_LEVEL,
            relations=self._repository.channel_relations,
            revisions=self._repodata.revisions,
        )
        (self._folder / layout.SHARD_INDEX).write_bytes(index)

    def _write_instructions(self):
        instructions = orjson.dumps(self._patches.document(), option=orjson.OPT_SORT_KEYS)
        (self._folder / layout.PATCH_INSTRUCTIONS).write_bytes(instructions + b"\n")

    def _write_legacy(self):
        plain = self._folder / layout.REPODATA
        with (
            plain.open("rb") as source,
            bz2.open(self._folder / layout.REPODATA_BZ2, "wb") as target,
        ):
            shutil.copyfileobj(source, target)
        with ExitStack() as files:
            current = self._new_repodata(files, layout.CURRENT_REPODATA)
            for filename in sorted(select_current(map(_as_candidate, self._for_current.items()))):
                current.add(filename, self._for_current[filename])
            current.close()
        self._for_current = {}

    def _new_repodata(self, files, filename):
        relations = self._repository.channel_relations
        return RepodataWriter(self._open(files, filename), self._subdir, relations)

    def _open(self, files, filename):
        return files.enter_context((self._folder / filename).open("wb"))

    def _compress(self, filename, compressed):
        plain = self._folder / filename
        with plain.open("rb") as source, (self._folder / compressed).open("wb") as target:
            compress(source, target, plain.stat().st_size, settings.CONDA_ZSTD_LEVEL)


def _as_candidate(item):
    """Return a package as `select_current` wants it, given by file name and record."""
    filename, record = item
    fields = orjson.loads(record)
    known = [fields[key] for key in ("name", "version", "build", "build_number")]
    return (*known, filename, fields.get("depends") or [])


def _form(record):
    """Return a record of `v3` in the form that it has there."""
    return orjson.dumps(as_v3(orjson.loads(record)), option=orjson.OPT_SORT_KEYS)


def store(publication, path, relative_path):
    """Keep a metadata file with its publication."""
    with path.open("rb") as file:
        PublishedMetadata.create_from_file(File(file), publication, relative_path=relative_path)
