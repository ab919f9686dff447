"""Write the metadata files of a channel: a publication of a repository version."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar

import orjson
from django.db import connection
from django.utils import timezone

from pulpcore.plugin.models import ProgressReport, RepositoryVersion

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.findings import Findings
from pulp_conda.app.heap import frozen_heap
from pulp_conda.app.models import (
    CondaPackageInfo,
    CondaPatch,
    CondaPublication,
    CondaRepository,
)
from pulp_conda.app.publishing.shards import remove_unused_shards
from pulp_conda.app.publishing.subdir import SubdirWriter, store_constants, store_file
from pulp_conda.app.signals import publication_made
from pulp_conda.app.versions.blocked import blocked_packages
from pulp_conda.app.versions.records import PackageRow, package_rows
from pulp_conda.app.versions.state import State, VersionState
from pulp_conda.channel import layout
from pulp_conda.channel.metadata.channeldata import Channeldata
from pulp_conda.channel.metadata.patches import Patches

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
        progress.total = version.count(content_type="conda.package")
        patched_at = replaces and replaces.pulp_created
        write_files(publication, VersionState(version), Path(folder), progress, patched_at)
        if check:
            check(publication)
    publication_made.send(CondaPublication, publication=publication)
    remove_unused_shards()
    log.info("Published version %s of '%s'", version.number, version.repository.name)
    return publication


def write_files(
    publication: CondaPublication,
    state: State,
    folder: Path,
    progress: ProgressReport,
    patched_at: datetime | None = None,
) -> None:
    """Write the channel files of a state, and store them with a publication.

    Args:
        folder: An empty folder for the files.
        progress: Counts the packages.
        patched_at: Patches that had expired at this moment are left out. None means now.
    """
    channel = _ChannelWriter(publication, state, folder, patched_at or timezone.now())
    with package_rows(state) as rows:
        for subdir, of_subdir in groupby(rows, key=attrgetter("subdir")):
            channel.write_subdir(subdir, of_subdir)
    channel.finish(progress)


class _ChannelWriter:
    """Writes and stores the files of a channel.

    Args:
        state: What the channel serves.
        folder: An empty folder for the files.
        patched_at: Patches that had expired at this moment are left out.
    """

    def __init__(
        self, publication: CondaPublication, state: State, folder: Path, patched_at: datetime
    ) -> None:
        self._publication = publication
        self._state = state
        self._version = publication.repository_version
        self._repository = CondaRepository.objects.get(pk=self._version.repository_id)
        self._folder = folder
        self._patches = CondaPatch.active(state, patched_at)
        self._blocked = {package.sha256 for package in blocked_packages(state)}
        publication.withheld = sorted(self._blocked)
        self._channeldata = Channeldata()
        self._left_out = Findings("Left out", "publish.left_out")
        self._counts: dict[str, int] = {}
        publication.package_counts = self._counts
        self._written: list[SubdirWriter] = []

    def write_subdir(self, subdir: str, rows: Iterable[PackageRow]) -> None:
        """Write the files of a subdir. `finish` stores them, after all packages are read."""
        folder = self._folder / subdir
        folder.mkdir()
        patches = self._patches.get(subdir, Patches())
        writer = SubdirWriter(
            self._publication,
            self._repository,
            subdir,
            folder,
            patches,
            self._blocked,
            self._channeldata,
            self._left_out,
        )
        self._counts[subdir] = writer.write(rows)
        self._written.append(writer)

    def finish(self, progress: ProgressReport) -> None:
        """Write the subdirs without packages and the file of the whole channel; store all files."""
        for subdir in sorted(self._known_subdirs() - self._counts.keys()):
            self.write_subdir(subdir, ())
        for writer in self._written:
            writer.store()
            progress.increase_by(writer.count)
        path = self._folder / layout.CHANNELDATA
        newest_files = self._channeldata.files()
        names = sorted(newest_files)
        with path.open("wb") as file:
            self._channeldata.write(
                file,
                _Lookup([newest_files[name] for name in names], self._infos),
                _Lookup(names, self._summaries),
            )
        store_file(self._publication, path, layout.CHANNELDATA)
        self._store_empty_subdirs()
        self._left_out.report()

    def _store_empty_subdirs(self) -> None:
        """Store what subdirs have that never had packages.

        The content app gives these files by itself. Whoever exports the publication gets them too.
        """
        empty = self._repository.as_empty()
        store_constants(
            self._publication,
            {
                layout.metadata_path(subdir, filename): data
                for subdir in sorted(empty.subdirs - self._counts.keys())
                for filename, data in empty.files(subdir).items()
            },
        )

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
