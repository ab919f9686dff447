"""Make a repository version from an upstream channel."""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction

from pulpcore.plugin.models import ContentArtifact, ProgressReport, RepositoryVersion
from pulpcore.plugin.serializers import RepositoryVersionSerializer

from pulp_conda.app.attestations import remove_unused_sidecars
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.heap import frozen_heap
from pulp_conda.app.lifecycle.moves import follow
from pulp_conda.app.models import (
    CondaPackage,
    CondaPublication,
    CondaRemote,
    CondaRepository,
    UpstreamSummary,
)
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.sync.download import download_packages, download_sidecars
from pulp_conda.app.sync.ingest import Ingest
from pulp_conda.app.sync.reader import UpstreamReader
from pulp_conda.app.sync.upstream import FetchedFile, FetchedSubdir, Upstream, run
from pulp_conda.channel.errors import BadShard, ChannelError, mask
from pulp_conda.channel.metadata.channeldata import read_channeldata

log = logging.getLogger(__name__)


def synchronize(
    remote_pk: str, repository_pk: str, mirror: bool = False, optimize: bool = True
) -> dict[str, Any] | None:
    """Make a new version from what the upstream has now, and none if nothing changed.

    Args:
        mirror: Also remove what the upstream does not have any more.
        optimize: Ask the upstream only for what changed since the last sync.

    Returns:
        The new version as the API shows it, or None if nothing changed.

    Raises:
        CondaError: with the `ChannelError` that happened. The latest version stays as it was.
    """
    remote = CondaRemote.objects.get(pk=remote_pk)
    repository = CondaRepository.objects.get(pk=repository_pk)
    try:
        try:
            version = _synchronize(remote, repository, mirror, optimize)
        except BadShard as error:
            # An upstream may replace shards while we read. Try once more, beginning with the index.
            log.info("Sync of '%s' begins again: %s", repository.name, error)
            version = _synchronize(remote, repository, mirror, optimize)
    except ChannelError as error:
        raise CondaError(error.at(f"Remote '{remote.name}'")) from None
    except CondaError as refused:  # The new version has content that is not allowed.
        raise CondaError(refused.error.at(f"Remote '{remote.name}'")) from None
    _publish_if_missing(repository)
    remove_unused_sidecars()
    if version is None:
        log.info("Synced '%s' from '%s': nothing changed", repository.name, remote.name)
        return None
    log.info("Synced '%s' from '%s': version %s", repository.name, remote.name, version.number)
    return RepositoryVersionSerializer(version, context={"request": None}).data


def _synchronize(
    remote: CondaRemote, repository: CondaRepository, mirror: bool, optimize: bool
) -> RepositoryVersion | None:
    how = _how(remote, mirror)
    latest = repository.latest_version()
    last = repository.last_sync if optimize else {}
    if (last.get("how"), last.get("version")) != (how, latest.number) or _lacks_bytes(
        remote, latest
    ):
        last = {}

    seen_before = last.get("subdirs", {})
    upstream = Upstream(remote, known=repository.last_sync.get("subdirs", {}))
    fetched = run(_fetch(upstream, seen_before))
    changed = [subdir for subdir in fetched if subdir.path]
    seen = {subdir.subdir: subdir.seen for subdir in fetched}
    sources = repository.last_sync.get("sources", [])
    version = None
    if changed or (mirror and seen_before.keys() - seen.keys()):
        reader = UpstreamReader(upstream, remote, repository, changed, seen_before)
        with frozen_heap(), Ingest(repository, remote) as ingest:
            _read(ingest, reader)
            download_sidecars(upstream, ingest.absent_sidecars())
            if remote.policy == remote.IMMEDIATE:
                download_packages(remote, ingest.absent_files())
            read_in_part = _read_in_part(fetched, reader)
            version = ingest.new_version(
                mirror_except=read_in_part if mirror else None,
                only_names=bool(last) and seen.keys() | seen_before.keys() <= read_in_part,
                first=remote.url not in sources,
                patches=reader.patches(latest),
                prepare=_summaries(upstream, remote),
            )
        reader.remember()
    number = version.number if version else latest.number
    CondaRepository.objects.filter(pk=repository.pk).update(
        last_sync={
            "how": how,
            "version": number,
            "subdirs": seen,
            "sources": sorted({*sources, remote.url}),
        }
    )
    return version


def _read(ingest: Ingest, reader: UpstreamReader) -> None:
    with ProgressReport(message="Reading package records", code="sync.parsing.records") as progress:
        for count in ingest.add(reader.packages()):
            progress.increase_by(count)
    for subdir, run_exports in reader.run_exports():
        ingest.add_run_exports(subdir, run_exports)
    for subdir, names in reader.names.items():
        ingest.look_at_names(subdir, names)
    reader.report()


def _read_in_part(fetched: list[FetchedSubdir], reader: UpstreamReader) -> set[str]:
    """Return the subdirs of which this sync did not read all records."""
    return {subdir.subdir for subdir in fetched if not subdir.path} | reader.names.keys()


def _summaries(
    upstream: Upstream, remote: CondaRemote
) -> Callable[[RepositoryVersion], None] | None:
    """Return a function that stores the upstream's channeldata.json with a new version.

    It describes packages whose files were not read. An immediate remote reads all files, so it
    needs none, and the result is None.
    """

    def keep(version: RepositoryVersion) -> None:
        if file := run(upstream.fetch_channeldata()):
            _keep_summaries(version, file)

    return None if remote.policy == remote.IMMEDIATE else keep


def _keep_summaries(version: RepositoryVersion, file: FetchedFile) -> None:
    """Store the entries for the packages of a version that differ from the version before."""
    summaries = UpstreamSummary.objects.filter(repository=version.repository_id)
    before = dict(
        summaries.order_by("name", "-since").distinct("name").values_list("name", "summary")
    )
    names = set(version.get_content(CondaPackage.objects).values_list("name", flat=True).distinct())
    with open(file.path, "rb") as opened, transaction.atomic():
        entries = read_channeldata(
            opened, url=mask(file.url), max_size=settings.CONDA_MAX_REPODATA_SIZE
        )
        rows = (
            UpstreamSummary(
                repository_id=version.repository_id,
                name=name,
                since=version.number,
                summary=summary,
            )
            for name, summary in entries
            if name in names and before.get(name) != summary
        )
        UpstreamSummary.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)


def _how(remote: CondaRemote, mirror: bool) -> dict[str, Any]:
    """Return all settings that change the result of a sync."""
    return {
        "remote": str(remote.pk),
        "url": remote.url,
        "policy": remote.policy,
        "subdirs": remote.subdirs,
        "includes": remote.includes,
        "excludes": remote.excludes,
        "mirror": mirror,
    }


def _lacks_bytes(remote: CondaRemote, version: RepositoryVersion) -> bool:
    """Say whether an immediate remote has to download files that were reclaimed in the meantime."""
    return (
        remote.policy == remote.IMMEDIATE
        and ContentArtifact.objects.filter(content__in=version.content, artifact=None).exists()
    )


async def _fetch(upstream: Upstream, seen_before: dict[str, Any]) -> list[FetchedSubdir]:
    async with ProgressReport(
        message="Downloading repodata", code="sync.downloading.metadata"
    ) as progress:
        fetched = await upstream.fetch(seen_before)
        progress.total = len(fetched)
        await progress.aincrease_by(len(fetched))
        return fetched


def _publish_if_missing(repository: CondaRepository) -> None:
    """Publish the latest version, if a task was killed between making and publishing it."""
    latest = repository.latest_version()
    published = CondaPublication.objects.filter(repository_version=latest, complete=True).last()
    if published:
        # The killed task may have published the version, but not moved the first stages.
        follow(published)
    elif repository.autopublish and latest.number > 0:
        publish_version(latest)
