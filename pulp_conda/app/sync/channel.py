"""Make a new repository version from what an upstream channel has."""

import logging
from collections.abc import Callable, Iterable, Mapping
from gettext import gettext as _
from typing import Any, TypedDict

from pulpcore.plugin.models import ContentArtifact, ProgressReport, RepositoryVersion
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.errors import DuplicateFilename
from pulp_conda.app.heap import frozen_heap
from pulp_conda.app.models import CondaBlock, CondaRemote, CondaRepository
from pulp_conda.app.models.block import current_blocklist
from pulp_conda.app.results import checked, named_version
from pulp_conda.app.sync.checksums import Checksums
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
    """

    how: dict[str, Any]
    version: int
    subdirs: dict[str, Seen]
    unmatched: list[tuple[str, str]]
    sources: list[str]
    blocks: list[str]
    has_skipped: bool


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
    unusable: dict[str, UpstreamError] = {}
    is_second_try = False
    while True:
        try:
            return _sync(remote, repository, mirror, optimize, allow_mass_removal, unusable)
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
    settings = _settings_of(remote, mirror)
    blocks = _keys_of_blocks()
    is_lifted = not blocks.issuperset(remembered.get("blocks", ()))
    comparable = optimize and not is_lifted and _is_comparable(remembered, settings, remote, latest)
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
        reader = UpstreamReader(
            upstream, remote, repository, package_filter, changed, seen_before, checksums
        )
        with frozen_heap(), Ingest(repository, remote) as ingest:
            _read(ingest, reader)
            read_in_part = _read_in_part(fetched, reader)
            ingest.compare(
                mirror_except=read_in_part if mirror else None,
                no_other_subdirs=comparable and seen.keys() | seen_before.keys() <= read_in_part,
                patches=reader.patches(latest),
            )
            if not allow_mass_removal:
                check_removals(ingest, repository)
            download_sidecars(upstream, ingest.absent_sidecars())
            if remote.policy == remote.IMMEDIATE:
                absent = ingest.absent_files()
                skipped = download_packages(remote, absent, checksums.downloaded)
                if skipped:
                    ingest.leave_out(skipped)
            version = ingest.new_version(
                is_first_sync=not remembered or (remote.trust_dates and remote.url not in sources),
                trust_dates=remote.trust_dates,
                prepare=_preparer(upstream, remote),
            )
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
    }
    CondaRepository.objects.filter(pk=repository.pk).update(last_sync=now_remembered)
    return version


def _keys_of_blocks() -> set[str]:
    blocks = CondaBlock.objects.filter(pulp_domain=get_domain_pk())
    return {str(key) for key in blocks.values_list("pk", flat=True)}


def _settings_of(remote: CondaRemote, mirror: bool) -> dict[str, Any]:
    """Return everything that decides, besides the upstream, what a sync makes of it."""
    return {
        "remote": str(remote.pk),
        "url": remote.url,
        "policy": remote.policy,
        "subdirs": remote.subdirs,
        "includes": remote.includes,
        "excludes": remote.excludes,
        "mirror": mirror,
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
