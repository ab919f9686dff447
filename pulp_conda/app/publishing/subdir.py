"""Write the metadata files of one subdir."""

import bz2
import shutil
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping
from contextlib import ExitStack
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import orjson
from django.conf import settings
from django.core.files.base import ContentFile, File
from django.db import transaction

from pulpcore.plugin.models import (
    Artifact,
    ContentArtifact,
    PublishedArtifact,
    PublishedMetadata,
)

from pulp_conda.app.findings import Findings
from pulp_conda.app.models import CondaPublication, CondaRepository
from pulp_conda.app.publishing.shards import ShardStore
from pulp_conda.app.versions.records import PackageRow
from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadRecord
from pulp_conda.channel.fields import served_form
from pulp_conda.channel.metadata.channeldata import Channeldata
from pulp_conda.channel.metadata.current_repodata import CurrentCandidate, select_current
from pulp_conda.channel.metadata.patches import Patches
from pulp_conda.channel.metadata.repodata import RepodataWriter, compress
from pulp_conda.channel.metadata.run_exports import RunExportsWriter, canonical
from pulp_conda.channel.metadata.shards import ShardEntry, encode_index
from pulp_conda.channel.metadata.v3 import as_v3, declares_v3


class SubdirWriter:
    """Writes and stores the files of one subdir.

    It goes through the records once for all files, so that the files cannot contradict each other.

    Args:
        folder: An empty folder for the files of the subdir.
        patches: The instructions that hold for the subdir.
        blocked: The sha256 of packages that are blocked. Of these, the files have nothing but their
            names among the removed packages.
        channeldata: Gathers what the packages add to the summaries of the channel.
        left_out: Gathers the packages whose records no client could read.

    Attributes:
        count: How many packages were read, including those that are removed.
    """

    def __init__(
        self,
        publication: CondaPublication,
        repository: CondaRepository,
        subdir: str,
        folder: Path,
        patches: Patches,
        blocked: Container[str],
        channeldata: Channeldata,
        left_out: Findings,
    ) -> None:
        self._publication = publication
        self._repository = repository
        self._subdir = subdir
        self._folder = folder
        self._patches = patches
        self._blocked = blocked
        self._channeldata = channeldata
        self._left_out = left_out
        self._shards = ShardStore(publication)
        # By package name, the names of files that the channel had once.
        self._removed_by_name = defaultdict[str, set[str]](set)
        self._removed = set(patches.removed)
        for filename in self._removed:
            self._removed_by_name[filename.rsplit("-", 2)[0]].add(filename)
        self._is_patched = bool(patches)
        # By file name, the records that `current_repodata.json` chooses from.
        self._for_current: dict[str, bytes] = {}
        self.count = 0

    def write(self, rows: Iterable[PackageRow]) -> int:
        """Write the files.

        Args:
            rows: The packages, sorted by name and then by file name.

        Returns:
            How many packages the index has, without those that are removed.
        """
        visible = 0
        with ExitStack() as files:
            self._repodata = self._new_repodata(files, layout.REPODATA)
            self._run_exports = RunExportsWriter(
                self._open(files, layout.RUN_EXPORTS), self._subdir
            )
            self._unpatched: RepodataWriter | None = None
            if self._patches.has_instructions:
                self._unpatched = self._new_repodata(files, layout.REPODATA_FROM_PACKAGES)
            for name, of_name in groupby(rows, key=attrgetter("name")):
                entries = [entry for row in of_name if (entry := self._write_package(row))]
                self._add_shard(name, entries, self._removed_by_name.pop(name, ()))
                visible += len(entries)
            # These names have no packages any more, only files that were removed.
            for name, removed in self._removed_by_name.items():
                self._add_shard(name, [], removed)
            self._repodata.close(sorted(self._removed))
            self._run_exports.close()
            if self._unpatched:
                self._unpatched.close()
                self._write_instructions()
        if self._repository.shards:
            self._write_index()
        if self._repository.legacy_metadata:
            self._write_legacy()
        return visible

    def store(self) -> None:
        """Store the files with the publication, and their compressed forms."""
        self._compress(layout.REPODATA, layout.REPODATA_ZST)
        self._compress(layout.RUN_EXPORTS, layout.RUN_EXPORTS_ZST)
        for path in sorted(self._folder.iterdir()):
            store_file(self._publication, path, layout.metadata_path(self._subdir, path.name))

    def _write_package(self, row: PackageRow) -> ShardEntry | None:
        """Write a package into all files, and return its entry in its shard.

        None if a patch removes the package, if it is blocked, or if no client could read it.
        """
        self.count += 1
        if row.sha256 in self._blocked:
            self._removed.add(row.filename)
            self._removed_by_name[row.name].add(row.filename)
            return None
        stored, run_exports, license = row.canonical, row.run_exports, row.license
        if self._unpatched and (unpatched := self._served(row, stored)):
            self._unpatched.add(row.filename, *unpatched)
        patched, is_removed = stored, False
        served: tuple[bytes, bool] | None = (stored, False)
        if self._is_patched:
            patched = self._patches.apply(row.filename, stored)
            is_removed = self._patches.is_removed(row.filename)
            served = self._served(row, patched, patched is not stored, note=not is_removed)
            if (exports := self._patches.run_exports(row.filename)) is not None:
                run_exports = canonical(exports).decode()
        elif row.in_v3 or not row.is_plain:
            served = self._served(row, stored, note=True)
        if served is None:
            return None
        if run_exports is not None:
            # Packages whose run_exports are not known have no entry. An empty entry would say that
            # they have none, and then no client would look into the package.
            self._run_exports.add(row.filename, run_exports.encode())
        if is_removed:
            return None
        record, in_v3 = served
        if patched is not stored:
            license = orjson.loads(record).get("license") or ""
        self._repodata.add(row.filename, record, in_v3)
        self._channeldata.add(
            row.subdir,
            row.name,
            row.version,
            row.build_number,
            row.timestamp,
            row.sha256,
            run_exports,
            license=license,
            traits=row.traits,
        )
        if self._repository.legacy_metadata and not in_v3:
            self._for_current[row.filename] = record
        return row.filename, record, run_exports, in_v3

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
                self._left_out.add(f"{error} [{BadRecord.code}]", path)
            return None
        if row.in_v3 or (is_patched and declares_v3(orjson.loads(record))):
            return _in_v3_form(record), True
        return record, False

    def _write_index(self) -> None:
        index = encode_index(
            self._subdir,
            self._shards.finish(),
            self._publication.repository_version.pulp_created,
            settings.CONDA_ZSTD_LEVEL,
            relations=self._repository.channel_relations,
            revisions=self._repodata.revisions,
        )
        (self._folder / layout.SHARD_INDEX).write_bytes(index)

    def _write_instructions(self) -> None:
        instructions = orjson.dumps(self._patches.document(), option=orjson.OPT_SORT_KEYS)
        (self._folder / layout.PATCH_INSTRUCTIONS).write_bytes(instructions + b"\n")

    def _write_legacy(self) -> None:
        """Write the files for old clients."""
        plain = self._folder / layout.REPODATA
        with (
            plain.open("rb") as source,
            bz2.open(self._folder / layout.REPODATA_BZ2, "wb") as target,
        ):
            shutil.copyfileobj(source, target)
        with ExitStack() as files:
            current = self._new_repodata(files, layout.CURRENT_REPODATA)
            candidates = (_as_candidate(*item) for item in self._for_current.items())
            for filename in sorted(select_current(candidates)):
                current.add(filename, self._for_current[filename])
            current.close()
        self._for_current = {}

    def _new_repodata(self, files: ExitStack, filename: str) -> RepodataWriter:
        relations = self._repository.channel_relations
        return RepodataWriter(self._open(files, filename), self._subdir, relations)

    def _open(self, files: ExitStack, filename: str) -> BinaryIO:
        return files.enter_context((self._folder / filename).open("wb"))

    def _compress(self, filename: str, compressed: str) -> None:
        plain = self._folder / filename
        with plain.open("rb") as source, (self._folder / compressed).open("wb") as target:
            compress(source, target, plain.stat().st_size, settings.CONDA_ZSTD_LEVEL)


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


def store_file(publication: CondaPublication, path: Path, relative_path: str) -> None:
    """Store a metadata file with its publication.

    Args:
        relative_path: Where it stands below the URL of the channel.
    """
    with path.open("rb") as file:
        PublishedMetadata.create_from_file(File(file), publication, relative_path=relative_path)


def store_constants(publication: CondaPublication, files: Mapping[str, bytes]) -> None:
    """Store small files that most publications have. That is faster than `store_file`, which looks
    at the storage for each of them.

    Args:
        files: By the path below the URL of the channel.
    """
    digests = {path: sha256(data).hexdigest() for path, data in files.items()}
    with transaction.atomic():
        found = Artifact.objects.filter(
            pulp_domain=publication.pulp_domain_id, sha256__in=digests.values()
        )
        # From now on, no cleanup removes them before they are used.
        found.touch()
        artifacts = {artifact.sha256: artifact for artifact in found}
        contents = []
        for path, data in files.items():
            if artifact := artifacts.get(digests[path]):
                metadata = PublishedMetadata(publication=publication, relative_path=path)
                metadata.save()
                contents.append(
                    ContentArtifact(artifact=artifact, content=metadata, relative_path=path)
                )
            else:
                PublishedMetadata.create_from_file(
                    ContentFile(data, path), publication, relative_path=path
                )
        ContentArtifact.objects.bulk_create(contents)
        PublishedArtifact.objects.bulk_create(
            PublishedArtifact(
                publication=publication, content_artifact=each, relative_path=each.relative_path
            )
            for each in contents
        )
