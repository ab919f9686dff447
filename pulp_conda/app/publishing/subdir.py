"""Write the metadata files of one subdir."""

import bz2
from collections import defaultdict
from collections.abc import Collection, Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import orjson

from pulpcore.plugin.models import Artifact

from pulp_conda.app.compression import levels
from pulp_conda.app.models import CondaPublication, CondaRepository
from pulp_conda.app.publishing.base import Base, Change
from pulp_conda.app.publishing.files import (
    WrittenFile,
    write_both,
    write_bytes,
    write_document,
)
from pulp_conda.app.publishing.left_out import LeftOut
from pulp_conda.app.publishing.shards import ShardStore
from pulp_conda.app.versions.blocked import BlockedPackage
from pulp_conda.app.versions.records import PackageRow
from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadRecord
from pulp_conda.channel.fields import served_form
from pulp_conda.channel.metadata.channeldata import Channeldata, Summarized
from pulp_conda.channel.metadata.compression import Level
from pulp_conda.channel.metadata.current_repodata import CurrentCandidate, select_current
from pulp_conda.channel.metadata.names import Names, SubdirFacts
from pulp_conda.channel.metadata.patches import Patches
from pulp_conda.channel.metadata.repodata import RepodataWriter
from pulp_conda.channel.metadata.run_exports import RunExportsWriter, canonical
from pulp_conda.channel.metadata.shards import ShardEntry, encode_index
from pulp_conda.channel.metadata.splice import Document, Earlier, Layout
from pulp_conda.channel.metadata.v3 import as_v3, declares_v3

_PIECE = 2**20


class SubdirWriter:
    """Writes the files of one subdir.

    It goes through the records once for all files, so that the files cannot contradict each other.

    Args:
        folder: An empty folder for the files of the subdir.
        patches: The instructions that hold for the subdir.
        blocked: The packages of the subdir that are blocked. Of these, the files have nothing but
            their names among the removed packages.
        channeldata: Gathers what the packages add to the summaries of the channel.
        names: Gathers what people ask about names.
        left_out: Gathers the packages whose records no client could read.
        earlier: The files before, from which the entries of all names are taken that are not
            written. None means that there are none.

    Attributes:
        count: How many packages were read, including those that are removed.
        counts: By name, how many packages the index has, without those that are removed.
        files: What was written, by path below the URL of the channel.
        layouts: By path, where the entries of names stand in these files.
        digests: The sha256 of all shards of the subdir, in binary, by name.
    """

    def __init__(
        self,
        publication: CondaPublication,
        repository: CondaRepository,
        subdir: str,
        folder: Path,
        patches: Patches,
        blocked: Collection[BlockedPackage],
        channeldata: Channeldata,
        names: Names,
        left_out: LeftOut,
        earlier: "EarlierSubdir | None" = None,
    ) -> None:
        self._publication = publication
        self._repository = repository
        self._subdir = subdir
        self._folder = folder
        self._patches = patches
        self._blocked = {package.sha256 for package in blocked}
        self._channeldata = channeldata
        self._names = names
        self._left_out = left_out
        self._earlier = earlier
        self._levels = levels()
        self._shards = ShardStore(publication)
        # By package name, the names of files that the channel had once.
        self._removed_by_name = defaultdict[str, set[str]](set)
        self._removed = {*patches.removed, *(package.filename for package in blocked)}
        for filename in patches.removed:
            name = filename.rsplit("-", 2)[0]
            if earlier is None or earlier.has_changed(name):
                self._removed_by_name[name].add(filename)
        self._patched = patches.targets()
        # By file name, the records that `current_repodata.json` chooses from.
        self._for_current: dict[str, bytes] = {}
        self.count = 0
        self.counts = {} if earlier is None else earlier.counts
        self.files: dict[str, WrittenFile | Artifact] = {}
        self.layouts: dict[str, Layout] = {}
        self.digests = {} if earlier is None else earlier.digests

    def write(self, rows: Iterable[PackageRow]) -> None:
        """Write the files.

        Args:
            rows: The packages, sorted by name and then by file name. With earlier files, those of
                the changed names.
        """
        self._repodata = self._new_repodata(layout.REPODATA)
        self._run_exports = RunExportsWriter(self._subdir, self._source(layout.RUN_EXPORTS))
        self._unpatched: RepodataWriter | None = None
        if self._patches.has_instructions:
            self._unpatched = self._new_repodata(layout.REPODATA_FROM_PACKAGES)
        for name, of_name in groupby(rows, key=attrgetter("name")):
            self._write_name(name, of_name)
        # These names have no packages any more, only files that were removed.
        for name, removed in self._removed_by_name.items():
            self._add_shard(name, [], removed)
        self._finish()

    def _write_name(self, name: str, rows: Iterable[PackageRow]) -> None:
        """Write the packages of a name into all files."""
        gathered = _Gathered()
        has_legacy = self._repository.legacy_metadata
        for row in rows:
            self.count += 1
            if row.sha256 in self._blocked:
                self._removed_by_name[name].add(row.filename)
            elif not row.is_plain or row.in_v3 or has_legacy or row.filename in self._patched:
                self._gather(row, gathered)
            else:
                record = row.canonical
                if self._unpatched:
                    gathered.unpatched.append((row.filename, record, False))
                gathered.add(row, record, row.run_exports, row.license)
        self._repodata.add_name(name, ((e[0], e[1], e[3]) for e in gathered.served))
        self._run_exports.add_name(name, gathered.run_exports)
        if self._unpatched:
            self._unpatched.add_name(name, gathered.unpatched)
        self._add_shard(name, gathered.served, self._removed_by_name.pop(name, ()))
        if gathered.served:
            self.counts[name] = len(gathered.served)
            newest = self._channeldata.add_name(self._subdir, name, gathered.summarized)
            facts = gathered.as_facts(newest)
            self._names.add(self._subdir, name, facts, gathered.served[newest][1])

    def _finish(self) -> None:
        """Write the files after all names are there."""
        is_same = self._earlier is not None and self._earlier.is_same
        repodata, run_exports = self._repodata.finish(self._removed), self._run_exports.finish()
        if self._earlier and is_same:
            self._take_all(self._earlier)
        else:
            self._write_both(layout.REPODATA, layout.REPODATA_ZST, repodata, self._levels.repodata)
            self._write_both(
                layout.RUN_EXPORTS, layout.RUN_EXPORTS_ZST, run_exports, self._levels.run_exports
            )
            if self._unpatched:
                self._write(layout.REPODATA_FROM_PACKAGES, self._unpatched.finish())
                self._write_instructions()
        if self._repository.shards:
            self.digests |= self._shards.finish()
            if not is_same or not self._is_of_the_same_version:
                self._write_index()
        if self._repository.legacy_metadata:
            self._write_legacy()

    def _gather(self, row: PackageRow, gathered: "_Gathered") -> None:
        """Gather what a package has in each file, if it may be patched or may need another form.

        A package that a patch removes, or that no client could read, is not served.
        """
        stored, run_exports, license = row.canonical.encode(), row.run_exports, row.license
        if self._unpatched and (unpatched := self._served(row, stored)):
            record, in_v3 = unpatched
            gathered.unpatched.append((row.filename, record.decode(), in_v3))
        patched = self._patches.apply(row.filename, stored)
        is_removed = self._patches.is_removed(row.filename)
        served = self._served(row, patched, patched is not stored, note=not is_removed)
        if (exports := self._patches.run_exports(row.filename)) is not None:
            run_exports = canonical(exports).decode()
        if served is None:
            return
        if is_removed:
            gathered.add_run_exports(row.filename, run_exports)
            return
        record, in_v3 = served
        if patched is not stored:
            license = orjson.loads(record).get("license") or ""
        gathered.add(row, record.decode(), run_exports, license, in_v3)
        if self._repository.legacy_metadata and not in_v3:
            self._for_current[row.filename] = record

    def _add_shard(self, name: str, entries: list[ShardEntry], removed: Collection[str]) -> None:
        if self._repository.shards and (entries or removed):
            self._shards.add(name, entries, removed)

    def _served(
        self, row: PackageRow, record: bytes, is_patched: bool = False, note: bool = False
    ) -> tuple[bytes, bool] | None:
        """Return a record as it is served, and whether it belongs in `v3`.

        None if no client could read it. With `note`, that is reported.
        """
        try:
            if is_patched or not row.is_plain:
                record = served_form(self._subdir, row.filename, record)
        except ValueError as error:
            if note:
                path = layout.package_path(self._subdir, row.filename)
                self._left_out.add(self._subdir, row.name, f"{error} [{BadRecord.code}]", path)
            return None
        if row.in_v3 or (is_patched and declares_v3(orjson.loads(record))):
            return _in_v3_form(record), True
        return record, False

    @property
    def _is_of_the_same_version(self) -> bool:
        earlier = self._earlier
        return earlier is not None and earlier.version == self._publication.repository_version_id

    def _take_all(self, earlier: "EarlierSubdir") -> None:
        """Take the files before as they are, and leave out the index of shards if it has to name
        another version.
        """
        for path, artifact in earlier.artifacts.items():
            if path != self._path(layout.SHARD_INDEX) or self._is_of_the_same_version:
                self.files[path] = artifact
        self.layouts |= earlier.layouts

    def _write_index(self) -> None:
        index = encode_index(
            self._subdir,
            self.digests,
            self._publication.repository_version.pulp_created,
            self._levels.shards,
            relations=self._repository.channel_relations,
            revisions=self._repodata.revisions,
        )
        self._write_bytes(layout.SHARD_INDEX, index)

    def _write_instructions(self) -> None:
        instructions = orjson.dumps(self._patches.document(), option=orjson.OPT_SORT_KEYS)
        self._write_bytes(layout.PATCH_INSTRUCTIONS, instructions + b"\n")

    def _write_legacy(self) -> None:
        """Write the files for old clients."""
        compressor = bz2.BZ2Compressor()
        packed = WrittenFile(self._folder / layout.REPODATA_BZ2)
        with (self._folder / layout.REPODATA).open("rb") as source:
            while piece := source.read(_PIECE):
                packed.write(compressor.compress(piece))
        packed.write(compressor.flush())
        packed.close()
        self.files[self._path(layout.REPODATA_BZ2)] = packed
        current = self._new_repodata(layout.CURRENT_REPODATA)
        candidates = (_as_candidate(*item) for item in self._for_current.items())
        for filename in sorted(select_current(candidates)):
            current.add(filename, self._for_current[filename])
        self._write(layout.CURRENT_REPODATA, current.finish())
        self._for_current = {}

    def _new_repodata(self, filename: str) -> RepodataWriter:
        relations = self._repository.channel_relations
        return RepodataWriter(self._subdir, relations, self._source(filename))

    def _source(self, filename: str) -> Earlier | None:
        return self._earlier.open(self._path(filename)) if self._earlier else None

    def _write(self, filename: str, document: Document) -> None:
        path = self._path(filename)
        self.files[path] = write_document(document, self._folder / filename)
        self.layouts[path] = document.layout

    def _write_both(self, filename: str, packed: str, document: Document, level: Level) -> None:
        path = self._path(filename)
        self.files[path], self.files[self._path(packed)] = write_both(
            document, self._folder / filename, self._folder / packed, level
        )
        self.layouts[path] = document.layout

    def _write_bytes(self, filename: str, data: bytes) -> None:
        self.files[self._path(filename)] = write_bytes(self._folder / filename, data)

    def _path(self, filename: str) -> str:
        return layout.metadata_path(self._subdir, filename)


class _Gathered:
    """What the packages of a name have in each file.

    Attributes:
        unpatched: The records in `repodata_from_packages.json`: file name, JSON, and whether in
            `v3`.
        run_exports: By file name, as JSON.
        served: The entries of the shard.
        summarized: What the packages add to the summary of the name.
        size: The bytes of the packages that are served.
    """

    def __init__(self) -> None:
        self.size = 0
        self.unpatched: list[tuple[str, str, bool]] = []
        self.run_exports: list[tuple[str, str]] = []
        self.served: list[ShardEntry] = []
        self.summarized: list[Summarized] = []

    def add(
        self,
        row: PackageRow,
        record: str,
        run_exports: str | None,
        license: str,
        in_v3: bool = False,
    ) -> None:
        """Add a package that is served."""
        self.size += row.size or 0
        self.served.append((row.filename, record, run_exports, in_v3))
        self.add_run_exports(row.filename, run_exports)
        self.summarized.append(
            (
                row.version,
                row.build_number,
                row.timestamp,
                row.sha256,
                run_exports,
                license,
                row.traits,
            )
        )

    def as_facts(self, newest: int) -> SubdirFacts:
        """Return what people ask about them.

        Args:
            newest: The place of the newest of those that are served.
        """
        version, build_number, *_ = self.summarized[newest]
        timestamp = max(package[2] or 0 for package in self.summarized)
        return SubdirFacts(version, build_number, len(self.served), self.size, timestamp)

    def add_run_exports(self, filename: str, run_exports: str | None) -> None:
        """Add the run_exports of a package.

        Packages whose run_exports are not known have no entry. An empty entry would say that they
        have none, and then no client would look into the package.
        """
        if run_exports is not None:
            self.run_exports.append((filename, run_exports))


class EarlierSubdir:
    """What the publication before has in a subdir.

    Attributes:
        is_same: Whether all its files stay as they are, but for the index of shards.
        version: The key of its repository version.
        artifacts: Its files, by path.
        layouts: Where the entries of names stand in them, by path.
        counts: By name, how many packages its index has, without the names that change.
        digests: The sha256 of its shards in binary, by name, without the names that change.
    """

    def __init__(self, base: Base, change: Change, subdir: str, has_shards: bool) -> None:
        self._base = base
        self._changed = change.names
        self._changed_set = frozenset(change.names)
        self.is_same = subdir not in change.subdirs
        self.version = base.publication.repository_version_id
        self.artifacts = {
            path: artifact
            for path, artifact in base.artifacts.items()
            if path.startswith(f"{subdir}/")
        }
        self.layouts = {
            path: places for path, places in base.places.layouts.items() if path in self.artifacts
        }
        self.counts = dict(base.places.counts[subdir])
        self.digests = dict(base.shard_digests(subdir)) if has_shards else {}
        for name in change.names:
            self.counts.pop(name, None)
            self.digests.pop(name, None)

    def open(self, path: str) -> Earlier:
        """Open a file to copy from.

        Raises:
            Doubt: it is not there, or not whole.
        """
        return self._base.open(path, self._changed)

    def has_changed(self, name: str) -> bool:
        """Say whether the entries of a name are not taken from here."""
        return name in self._changed_set


def _as_candidate(filename: str, record: bytes) -> CurrentCandidate:
    """Return a package as `select_current` takes it."""
    fields = orjson.loads(record)
    return (
        fields["name"],
        fields["version"],
        fields["build"],
        fields["build_number"],
        filename,
        fields.get("depends") or [],
    )


def _in_v3_form(record: bytes) -> bytes:
    """Return a record in the form that it has in the section `v3` (CEP 48)."""
    return orjson.dumps(as_v3(orjson.loads(record)), option=orjson.OPT_SORT_KEYS)
