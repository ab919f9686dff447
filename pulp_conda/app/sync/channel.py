"""Make a new repository version from what an upstream channel has."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any, TypedDict, TypeVar

from pulpcore.plugin.models import ContentArtifact, ProgressReport, RepositoryVersion
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.errors import DuplicateFilename
from pulp_conda.app.heap import frozen_heap
from pulp_conda.app.models import CondaBlock, CondaRemote, CondaRepository
from pulp_conda.app.models.block import current_blocklist
from pulp_conda.app.results import checked, named_version
from pulp_conda.app.sync.checksums import Checksums
from pulp_conda.app.sync.curated import CuratedReader, Remembered, Wanted, is_due, whole
from pulp_conda.app.sync.download import download_packages, download_sidecars
from pulp_conda.app.sync.ingest import Ingest
from pulp_conda.app.sync.packages import AbsentFile
from pulp_conda.app.sync.reader import UnusableForm, UpstreamReader
from pulp_conda.app.sync.removals import check_removals
from pulp_conda.app.sync.reports import warn
from pulp_conda.app.sync.summaries import keep_summaries
from pulp_conda.app.sync.upstream import FetchedSubdir, Upstream
from pulp_conda.app.sync.upstream_files import Seen, run
from pulp_conda.channel.errors import BadShard, UpstreamError
from pulp_conda.channel.matchspec import PackageFilter

log = logging.getLogger(__name__)


class _LastSync(TypedDict, total=False):
    """What a repository remembers of its last sync, as JSON. It is empty before the first sync.

    Attributes:
        how: The `_settings_of` that sync.
        version: The number of the latest version after it.
        subdirs: By subdir, what it saw.
        unmatched: What `PackageFilter.warnings` said, in its order.
        sources: The URLs of all upstreams that were ever synced into the repository, sorted.
        blocks: The keys of the blocks that there were. What they held back has to be read again
            once one of them is lifted.
        has_skipped: Whether files were skipped, which the next sync has to try again.
        selected: What it selected, if the repository has a selection.
    """

    how: dict[str, Any]
    version: int
    subdirs: dict[str, Seen]
    unmatched: list[tuple[str, str]]
    sources: list[str]
    blocks: list[str]
    has_skipped: bool
    selected: Remembered | None


_T = TypeVar("_T")


def sync_channel(
    remote: CondaRemote,
    repository: CondaRepository,
    mirror: bool,
    optimize: bool,
    allow_mass_removal: bool,
) -> RepositoryVersion | None:
    """Make a new version from what the upstream has now.

    Args:
        mirror: Also remove the packages that the upstream does not have any more.
        optimize: Download only what changed since the last sync.
        allow_mass_removal: Also remove a large part of the channel at once.

    Returns:
        The new version, or None if nothing changed.

    Raises:
        ChannelError: the upstream is wrong.
        CondaError: the repository does not allow the new version.
    """
    return _in_usable_form(
        repository,
        lambda unusable: _sync(remote, repository, mirror, optimize, allow_mass_removal, unusable),
    )


def plan_selection(
    remote: CondaRemote,
    repository: CondaRepository,
    selection: Mapping[str, Any],
    why: Iterable[str],
) -> dict[str, Any]:
    """Return what a sync of a selection would take from the upstream. Nothing is changed.

    Args:
        why: Names or paths of packages, for each of which the report says what brings it in, or
            keeps it out.

    Raises:
        ChannelError: the upstream or the selection is wrong.
    """

    def select(unusable: Mapping[str, UpstreamError]) -> dict[str, Any]:
        wanted = Wanted.of(repository, selection)
        upstream = Upstream(remote, (), unusable)
        fetched = run(_fetch(upstream, {}))
        package_filter = PackageFilter(remote.includes, remote.excludes, current_blocklist())
        with CuratedReader(
            wanted, upstream, remote, repository, package_filter, fetched, {}
        ) as reader:
            selected = reader.select()
            # To say what keeps a package out, more names may be read.
            return selected.report() | {"why": [selected.why(name) for name in why]}

    return _in_usable_form(repository, select)


def _in_usable_form(
    repository: CondaRepository, read: Callable[[Mapping[str, UpstreamError]], _T]
) -> _T:
    """Read an upstream, and begin again without a form of its repodata that turns out to be wrong.

    Args:
        read: Takes the forms that are wrong, and why.
    """
    unusable: dict[str, UpstreamError] = {}
    is_second_try = False
    while True:
        try:
            return read(unusable)
        except UnusableForm as wrong:
            log.info("Sync of '%s' begins again: %s", repository.name, wrong.error)
            if isinstance(wrong.error, BadShard) and not is_second_try:
                # The upstream may have replaced shards while we read them. Then a new index has
                # others.
                is_second_try = True
            elif wrong.has_other_form:
                unusable[wrong.form] = wrong.error
            else:
                raise next(iter(unusable.values()), wrong.error) from None


def _sync(
    remote: CondaRemote,
    repository: CondaRepository,
    mirror: bool,
    optimize: bool,
    allow_mass_removal: bool,
    unusable: Mapping[str, UpstreamError],
) -> RepositoryVersion | None:
    # A sync whose filter cannot be read would take more than it should, so it ends here.
    PackageFilter(remote.includes, remote.excludes)
    latest = repository.latest_version()
    remembered: _LastSync = repository.last_sync
    wanted = Wanted.of(repository, repository.selection) if repository.selection else None
    settings = _settings_of(remote, mirror, wanted)
    blocks = _keys_of_blocks()
    is_lifted = not blocks.issuperset(remembered.get("blocks", ()))
    selected = remembered.get("selected")
    comparable = optimize and not is_lifted and _is_comparable(remembered, settings, remote, latest)
    if wanted:
        is_blocked = blocks != set(remembered.get("blocks", ()))
        comparable = comparable and not is_blocked and not is_due(selected)
    subdirs_before = remembered.get("subdirs", {})
    seen_before = subdirs_before if comparable else {}
    sources = remembered.get("sources", [])

    upstream = Upstream(remote, subdirs_before, unusable)
    fetched = run(_fetch(upstream, seen_before))
    seen = {subdir.subdir: subdir.seen for subdir in fetched}
    known = dict(remembered.get("unmatched", ())) if comparable else None
    unmatched = known or {}
    changed = [subdir for subdir in fetched if subdir.path]
    version, skipped = None, list[AbsentFile]()
    if changed or (mirror and seen_before.keys() - seen.keys()):
        # What was blocked while the metadata was downloaded is left out as well.
        package_filter = PackageFilter(remote.includes, remote.excludes, current_blocklist())
        checksums = Checksums(remote, latest)
        take = _Taking(
            remote,
            repository,
            upstream,
            checksums,
            fetched,
            subdirs_before=seen_before.keys() if comparable else None,
            is_mirror=mirror,
            may_remove_most=allow_mass_removal,
            is_first_sync=not remembered or (remote.trust_dates and remote.url not in sources),
        )
        if wanted:
            changed = whole(repository, upstream, fetched)
            with CuratedReader(
                wanted, upstream, remote, repository, package_filter, changed, {}, checksums
            ) as curated:
                if selected is None or not comparable or not curated.is_as(selected["walk"]):
                    selected, kept = curated.remember_selected(selected, mirror)
                    version, skipped = take(curated, kept)
                curated.remember()
        else:
            reader = UpstreamReader(
                upstream, remote, repository, package_filter, changed, seen_before, checksums
            )
            version, skipped = take(reader)
            reader.remember()
            unmatched = package_filter.warnings(known)
    for problem in upstream.problems:
        warn(_("Passed over: {}").format(problem))
    for sentence in unmatched.values():
        warn(sentence)
    now_remembered: _LastSync = {
        "how": settings,
        "version": version.number if version else latest.number,
        "subdirs": seen,
        "unmatched": list(unmatched.items()),
        "sources": sorted({*sources, remote.url}),
        "blocks": sorted(blocks),
        "has_skipped": bool(skipped),
        "selected": selected,
    }
    CondaRepository.objects.filter(pk=repository.pk).update(last_sync=now_remembered)
    return version


@dataclass(frozen=True)
class _Taking:
    """Makes a version of what a reader finds.

    Attributes:
        subdirs_before: The subdirs that the last sync saw, if the latest version has packages in no
            others.
        may_remove_most: A large part of the channel may go.
    """

    remote: CondaRemote
    repository: CondaRepository
    upstream: Upstream
    checksums: Checksums
    fetched: Sequence[FetchedSubdir]
    subdirs_before: Collection[str] | None
    is_mirror: bool
    may_remove_most: bool
    is_first_sync: bool

    def __call__(
        self, reader: UpstreamReader, kept: Collection[str] = ()
    ) -> tuple[RepositoryVersion | None, list[AbsentFile]]:
        """Return the version, or None if nothing changed, and the files that were skipped.

        Args:
            kept: The paths of packages that stay, although the reader does not find them.
        """
        remote, skipped = self.remote, list[AbsentFile]()
        with frozen_heap(), Ingest(self.repository, remote) as ingest:
            _read(ingest, reader)
            ingest.keep(kept)
            read_in_part = _read_in_part(self.fetched, reader)
            seen = {subdir.subdir for subdir in self.fetched}
            ingest.compare(
                mirror_except=read_in_part if self.is_mirror else None,
                no_other_subdirs=self.subdirs_before is not None
                and seen | set(self.subdirs_before) <= read_in_part,
                patches=reader.patches(self.repository.latest_version()),
            )
            if not self.may_remove_most:
                check_removals(ingest, self.repository)
            download_sidecars(self.upstream, ingest.absent_sidecars())
            if remote.policy == remote.IMMEDIATE:
                absent = ingest.absent_files()
                skipped = download_packages(remote, absent, self.checksums.downloaded)
                if skipped:
                    ingest.leave_out(skipped)
            version = ingest.new_version(
                is_first_sync=self.is_first_sync,
                trust_dates=remote.trust_dates,
                prepare=_preparer(self.upstream, remote),
            )
        return version, skipped


def _keys_of_blocks() -> set[str]:
    blocks = CondaBlock.objects.filter(pulp_domain=get_domain_pk())
    return {str(key) for key in blocks.values_list("pk", flat=True)}


def _settings_of(remote: CondaRemote, mirror: bool, wanted: Wanted | None) -> dict[str, Any]:
    """Return everything that decides, besides the upstream, what a sync makes of it."""
    return {
        "remote": str(remote.pk),
        "url": remote.url,
        "policy": remote.policy,
        "subdirs": remote.subdirs,
        "includes": remote.includes,
        "excludes": remote.excludes,
        "mirror": mirror,
        **(wanted.settings() if wanted else {}),
    }


def _is_comparable(
    last: _LastSync, settings: dict[str, Any], remote: CondaRemote, latest: RepositoryVersion
) -> bool:
    """Say whether a sync needs only what the upstream changed since the last one.

    This is so if the last sync had the same settings, if nothing has changed the repository since,
    and if no files are missing.
    """
    if last.get("has_skipped") or (last.get("how"), last.get("version")) != (
        settings,
        latest.number,
    ):
        return False
    return not _lacks_files(remote, latest)


def _lacks_files(remote: CondaRemote, version: RepositoryVersion) -> bool:
    """Say whether an immediate remote has to download files again that were reclaimed."""
    return (
        remote.policy == remote.IMMEDIATE
        and ContentArtifact.objects.filter(content__in=version.content, artifact=None).exists()
    )


async def _fetch(upstream: Upstream, seen_before: dict[str, Seen]) -> list[FetchedSubdir]:
    async with ProgressReport(
        message="Downloading repodata", code="sync.downloading.metadata"
    ) as progress:
        fetched = await upstream.fetch(seen_before)
        progress.total = len(fetched)
        await progress.aincrease_by(len(fetched))
        return fetched


def _read(ingest: Ingest, reader: UpstreamReader) -> None:
    """Store all that the reader finds."""
    with ProgressReport(message="Reading package records", code="sync.parsing.records") as progress:
        for count in ingest.add(reader.packages()):
            progress.increase_by(count)
    for subdir, filename in ingest.drop_doubles():
        reader.leave_out(subdir, filename, DuplicateFilename.code, _("it has another record"))
    for subdir, run_exports in reader.run_exports():
        ingest.add_run_exports(subdir, run_exports)
    for subdir, names in reader.looked_at.items():
        ingest.look_at_names(subdir, names)
    reader.report()


def _read_in_part(fetched: Iterable[FetchedSubdir], reader: UpstreamReader) -> set[str]:
    """Return the subdirs whose records were not all read, since some did not change."""
    if isinstance(reader, CuratedReader):
        # It looks at all subdirs, and other packages are not wanted.
        return set()
    return {subdir.subdir for subdir in fetched if not subdir.path} | reader.looked_at.keys()


def _preparer(upstream: Upstream, remote: CondaRemote) -> Callable[[RepositoryVersion], None]:
    """Return what is done with a new version before it is complete.

    The upstream's channeldata.json is stored with it, unless the remote is an immediate one: then
    this server reads the packages itself. And the task checks what it will say of the version.
    """

    def prepare(version: RepositoryVersion) -> None:
        checked(named_version(version))
        if remote.policy != remote.IMMEDIATE and (file := run(upstream.fetch_channeldata())):
            try:
                keep_summaries(version, file)
            except UpstreamError as error:
                upstream.problems.append(error)

    return prepare
