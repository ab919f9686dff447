"""Write the metadata files of a channel: a publication of a repository version."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
from django.db import connection
from django.utils import timezone

from pulpcore.plugin.models import Artifact, ProgressReport, RepositoryVersion

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.heap import frozen_heap
from pulp_conda.app.models import (
    CondaPackageInfo,
    CondaPatch,
    CondaPublication,
    CondaRepository,
    PublicationLayout,
)
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.models.virtual import state_of
from pulp_conda.app.publishing.base import Base, Change, Doubt, Places, writer_of
from pulp_conda.app.publishing.files import WrittenFile, store_files, write_document
from pulp_conda.app.publishing.left_out import LeftOut
from pulp_conda.app.publishing.merged import publish_merged
from pulp_conda.app.publishing.names import NamesWriter
from pulp_conda.app.publishing.shards import remove_shards
from pulp_conda.app.publishing.subdir import EarlierSubdir, SubdirWriter
from pulp_conda.app.signals import publication_made
from pulp_conda.app.versions.blocked import BlockedPackage, blocked_packages
from pulp_conda.app.versions.changes import known_at
from pulp_conda.app.versions.records import PackageRow, package_rows
from pulp_conda.app.versions.state import MergedState, State, VersionState
from pulp_conda.channel import layout
from pulp_conda.channel.metadata.channeldata import Channeldata
from pulp_conda.channel.metadata.patches import Patches
from pulp_conda.channel.metadata.splice import Layout

log = logging.getLogger(__name__)

# Names that are looked up at once.
_LOOKUP = 500

_V = TypeVar("_V")

# Looks up each key by itself, whatever the statistics of the tables say. Otherwise PostgreSQL may
# compare hundreds of keys with each of a million rows.
_INFOS = """
SELECT info.* FROM unnest(%(digests)s::text[]) AS digest CROSS JOIN LATERAL (
    SELECT pulp_id, sha256, about, source_urls, read_at FROM conda_condapackageinfo
    WHERE pulp_domain_id = %(domain)s AND sha256 = digest OFFSET 0
) AS info
WHERE info.read_at <= %(made)s
"""
_SUMMARIES = """
SELECT summary.* FROM unnest(%(names)s::text[]) AS wanted CROSS JOIN LATERAL (
    SELECT name, summary FROM conda_upstreamsummary
    WHERE repository_id = %(repository)s AND name = wanted AND since <= %(number)s
    ORDER BY since DESC LIMIT 1
) AS summary
"""


@disk_errors()
def publish_version(
    version: RepositoryVersion,
    checkpoint: bool = False,
    check: Callable[[CondaPublication], object] | None = None,
    replaces: CondaPublication | None = None,
) -> CondaPublication:
    """Write the channel files of a repository version into a new publication, and return it.

    The same packages give the same bytes, so that an old version can be published again. Packages
    that are blocked now are listed as removed.

    Args:
        checkpoint: Whether the publication is a checkpoint, as pulpcore means it.
        check: Called with the publication before it is complete. If it raises, there is none.
        replaces: A publication of the version that this one replaces because of a block. Patches
            that have expired since then still hold.
    """
    with (
        frozen_heap(),
        # As an absolute path: Pulp sees by it that it may move the files into its storage.
        TemporaryDirectory(dir=Path.cwd()) as folder,
        CondaPublication.create(version, pass_through=True, checkpoint=checkpoint) as publication,
        ProgressReport(message="Publishing packages", code="publish.packages") as progress,
    ):
        if replaces:
            publication.replaces_id = replaces.replaces_id or replaces.pk
        state = state_of(version)
        if isinstance(state, MergedState):
            publish_merged(publication, state, Path(folder), progress, _publish_again)
        else:
            progress.total = version.count(content_type="conda.package")
            patched_at = replaces and replaces.pulp_created
            write_files(publication, state, Path(folder), progress, patched_at)
        if check:
            check(publication)
    publication_made.send(CondaPublication, publication=publication)
    log.info("Published version %s of '%s'", version.number, version.repository.name)
    return publication


def _publish_again(old: CondaPublication) -> None:
    publish_version(version_of(old), replaces=old)


def write_files(
    publication: CondaPublication,
    state: State,
    folder: Path,
    progress: ProgressReport,
    patched_at: datetime | None = None,
    in_full: bool = False,
) -> None:
    """Write the channel files of a state, and store them with a publication.

    What did not change is taken from the publication before. The bytes are the same as if all were
    written anew.

    Args:
        folder: An empty folder for the files.
        progress: Counts the packages.
        patched_at: Patches that had expired at this moment are left out. None means now.
        in_full: Write everything anew.
    """
    version = publication.repository_version
    repository = CondaRepository.objects.get(pk=version.repository_id)
    base = None
    if isinstance(state, VersionState) and not in_full:
        base = Base.of(publication, repository)
    facts = _Facts.of(publication, state, patched_at or timezone.now(), base)
    if base:
        try:
            with TemporaryDirectory(dir=folder) as attempt:
                channel = _ChannelWriter(publication, repository, facts, Path(attempt), base)
                channel.write(progress)
            log.info(
                "What did not change in version %s of '%s' was taken over from version %s",
                version.number,
                repository.name,
                version_of(base.publication).number,
            )
            return
        except Doubt as doubt:
            log.info(
                "Version %s of '%s' is published in full: %s",
                version.number,
                repository.name,
                doubt,
            )
            remove_shards(publication)
        finally:
            base.close()
    channel = _ChannelWriter(publication, repository, facts, folder)
    channel.write(progress)


class _Facts(NamedTuple):
    """What the files of a publication depend on besides the packages of its state.

    Attributes:
        known, known_before: Checksums of what is known of the packages, and of what was known when
            the version of the base was made, see `known_at`. Both are equal without a base.
    """

    state: State
    patch_keys: list[str]
    patches: dict[str, Patches]
    blocked: list[BlockedPackage]
    known: list[int]
    known_before: list[int]

    @classmethod
    def of(
        cls, publication: CondaPublication, state: State, patched_at: datetime, base: Base | None
    ) -> "_Facts":
        keys = CondaPatch.active_keys(state, patched_at)
        # Before the packages are read: what is noted meanwhile makes the checksum wrong, and not
        # the files.
        versions = [publication.repository_version]
        if base and base.publication.repository_version_id != versions[0].pk:
            versions.append(version_of(base.publication))
        known, *before = known_at(*versions)
        known_before = before[0] if before else known
        patches, blocked = CondaPatch.merged(keys), blocked_packages(state)
        return cls(state, keys, patches, blocked, known, known_before)


class _ChannelWriter:
    """Writes and stores the files of a channel.

    Args:
        folder: An empty folder for the files.
        base: The publication to take what did not change from. None means to write all.
    """

    def __init__(
        self,
        publication: CondaPublication,
        repository: CondaRepository,
        facts: _Facts,
        folder: Path,
        base: Base | None = None,
    ) -> None:
        self._publication = publication
        self._repository = repository
        self._version = publication.repository_version
        self._facts = facts
        self._state = facts.state
        self._folder = folder
        self._base = base
        publication.withheld = sorted({package.sha256 for package in facts.blocked})
        self._change: Change | None = None
        if base:
            self._change = base.change(
                publication, facts.known, facts.known_before, facts.patch_keys, facts.patches
            )
        self._channeldata = Channeldata()
        self._names = NamesWriter(publication)
        self._left_out = LeftOut()
        self._written: dict[str, SubdirWriter] = {}

    def write(self, progress: ProgressReport) -> None:
        """Write the files, and store them.

        Raises:
            Doubt: the files have to be written in full.
        """
        names = self._change and self._change.names
        if names is None or names:
            with package_rows(self._state, names) as rows:
                for subdir, of_subdir in groupby(rows, key=attrgetter("subdir")):
                    self._write_subdir(subdir, of_subdir)
        known = self._known_subdirs()
        for subdir in sorted((known | self._subdirs_before()) - self._written.keys()):
            self._write_subdir(subdir, ())
        counts = {subdir: sum(w.counts.values()) for subdir, w in self._written.items()}
        if self._base and (old := self._subdirs_before() - known):
            # They are there as long as they have packages, be they listed or not.
            if any(not counts[subdir] for subdir in old):
                raise Doubt("a subdir may have lost its last package")
        files, layouts = self._channeldata_files(counts)
        for writer in self._written.values():
            files |= writer.files
            layouts |= writer.layouts
        if self._base:
            self._base.check_copied()
            self._take_shards(self._base)
        if self._base and self._change:
            self._names.store_changed(self._base, self._change.names)
        else:
            self._names.store()
        store_files(self._publication, files | self._empty_subdirs())
        self._store_layout(layouts)
        self._publication.package_counts = counts
        self._left_out.report()
        progress.increase_by(progress.total or sum(w.count for w in self._written.values()))

    def _write_subdir(self, subdir: str, rows: Iterable[PackageRow]) -> None:
        folder = self._folder / subdir
        folder.mkdir()
        earlier = None
        if self._base and self._change and subdir in self._subdirs_before():
            earlier = EarlierSubdir(self._base, self._change, subdir, self._repository.shards)
        writer = SubdirWriter(
            self._publication,
            self._repository,
            subdir,
            folder,
            self._facts.patches.get(subdir, Patches()),
            [package for package in self._facts.blocked if package.subdir == subdir],
            self._channeldata,
            self._names.gathered,
            self._left_out,
            earlier,
        )
        writer.write(rows)
        self._written[subdir] = writer

    def _channeldata_files(
        self, counts: Mapping[str, int]
    ) -> tuple[dict[str, WrittenFile | Artifact | bytes], dict[str, Layout]]:
        """Return the file of the whole channel, and where the entries of names stand in it."""
        path = layout.CHANNELDATA
        earlier = None
        if self._base and self._change:
            listed = {subdir for subdir, count in counts.items() if count}
            if not self._change.names and listed == self._base.listed_subdirs:
                return {path: self._base.artifact(path)}, {path: self._base.places.layouts[path]}
            for subdir in listed:
                self._channeldata.add_subdir(subdir)
            earlier = self._base.open(path, self._change.names)
        newest_files = self._channeldata.files()
        names = sorted(newest_files)
        document = self._channeldata.finish(
            _Lookup([newest_files[name] for name in names], self._infos),
            _Lookup(names, self._summaries),
            earlier,
            self._names.describe,
        )
        return {path: write_document(document, self._folder / path)}, {path: document.layout}

    def _take_shards(self, base: Base) -> None:
        """Take over all shards of the base that are in an index."""
        if self._repository.shards:
            before = {
                digest
                for subdir in self._subdirs_before()
                for digest in base.shard_digests(subdir).values()
            }
            now = {digest for w in self._written.values() for digest in w.digests.values()}
            base.take_shards(self._publication, before - now)

    def _store_layout(self, layouts: dict[str, Layout]) -> None:
        """Note what the next publication has to know."""
        if not isinstance(self._state, VersionState):
            return
        if self._base and self._change:
            self._left_out.copy(self._base.places.left_out, set(self._change.names))
        if self._left_out.is_complete:
            counts = {subdir: writer.counts for subdir, writer in self._written.items()}
            places = Places(layouts, counts, self._left_out.by_name)
            PublicationLayout.objects.create(
                publication=self._publication,
                writer=writer_of(self._repository),
                facts={"patches": self._facts.patch_keys, "known": self._facts.known},
                data=places.encode(),
            )

    def _empty_subdirs(self) -> dict[str, WrittenFile | Artifact | bytes]:
        """Return what subdirs have that never had packages.

        The content app gives these files by itself. Whoever exports the publication gets them too.
        """
        empty = self._repository.as_empty()
        return {
            layout.metadata_path(subdir, filename): data
            for subdir in sorted(empty.subdirs - self._written.keys())
            for filename, data in empty.files(subdir).items()
        }

    def _subdirs_before(self) -> set[str]:
        return set(self._base.places.counts) if self._base else set()

    def _known_subdirs(self) -> set[str]:
        """Return the subdirs that must be there even if they have no packages.

        These are noarch, without which a URL is no channel (CEP 26), and the subdirs of the
        publication before: a client that once finds no shards does not look for them again.
        """
        before = CondaPublication.objects.filter(
            repository_version__repository=self._repository,
            repository_version__number__lt=self._version.number,
            complete=True,
        )
        newest = before.order_by("-repository_version__number", "-pulp_created").first()
        return {layout.NOARCH, *(newest.package_counts if newest else ())}

    def _infos(self, digests: Collection[str]) -> dict[str, CondaPackageInfo]:
        """Return what is known of files, by sha256."""
        facts = {
            "digests": list(digests),
            "domain": self._publication.pulp_domain_id,
            "made": self._state.made,
        }
        return {info.sha256: info for info in CondaPackageInfo.objects.raw(_INFOS, facts)}

    def _summaries(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return what the upstream's channeldata.json said, by package name."""
        facts = {
            "names": list(names),
            "repository": self._repository.pk,
            "number": self._version.number,
        }
        with connection.cursor() as cursor:
            cursor.execute(_SUMMARIES, facts)
            return {name: orjson.loads(summary) for name, summary in cursor}


class _Lookup(Generic[_V]):
    """Values by key, loaded some hundred at a time.

    Args:
        keys: The keys in the order in which they are asked for.
        load: Returns the values of some keys; it leaves out keys that have none.
    """

    def __init__(
        self, keys: Iterable[str], load: Callable[[Collection[str]], Mapping[str, _V]]
    ) -> None:
        self._keys = iter(keys)
        self._load = load
        self._asked: set[str] = set()
        self._values: Mapping[str, _V] = {}

    def get(self, key: str) -> _V | None:
        """Return the value of a key, or None if it has none."""
        if key not in self._asked:
            self._asked = set(islice(self._keys, _LOOKUP))
            self._values = self._load(self._asked)
        return self._values.get(key)
