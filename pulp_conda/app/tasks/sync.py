"""Turn an upstream channel into a new repository version."""

import logging

from django.conf import settings
from django.db import transaction

from pulpcore.plugin.models import ContentArtifact, ProgressReport
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
from pulp_conda.app.sync.upstream import Upstream, run
from pulp_conda.channel.errors import BadShard, ChannelError, mask
from pulp_conda.channel.metadata.channeldata import read_channeldata

log = logging.getLogger(__name__)


def synchronize(remote_pk, repository_pk, mirror=False, optimize=True):
    """Make a new version from what the upstream has now, and none if nothing changed.

    Args:
        mirror: Also remove what the upstream does not have any more.
        optimize: Ask only for what changed since the last sync.

    Returns:
        The new version as JSON, or None.

    Raises:
        CondaError: with the version that was served before still in place.
    """
    remote = CondaRemote.objects.get(pk=remote_pk)
    repository = CondaRepository.objects.get(pk=repository_pk)
    try:
        try:
            version = _synchronize(remote, repository, mirror, optimize)
        except BadShard as error:
            # Upstreams replace shards while we read: once more, from the index on.
            log.info("Sync of '%s' begins again: %s", repository.name, error)
            version = _synchronize(remote, repository, mirror, optimize)
    except ChannelError as error:
        raise CondaError(error.at(f"Remote '{remote.name}'")) from None
    except CondaError as refused:  # by the new version
        raise CondaError(refused.error.at(f"Remote '{remote.name}'")) from None
    _publish_if_missing(repository)
    remove_unused_sidecars()
    if version is None:
        log.info("Synced '%s' from '%s': nothing changed", repository.name, remote.name)
        return None
    log.info("Synced '%s' from '%s': version %s", repository.name, remote.name, version.number)
    return RepositoryVersionSerializer(version, context={"request": None}).data


def _synchronize(remote, repository, mirror, optimize):
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


def _read(ingest, reader):
    with ProgressReport(message="Reading package records", code="sync.parsing.records") as progress:
        for count in ingest.add(reader.packages()):
            progress.increase_by(count)
    for subdir, run_exports in reader.run_exports():
        ingest.add_run_exports(subdir, run_exports)
    for subdir, names in reader.names.items():
        ingest.look_at_names(subdir, names)
    reader.report()


def _read_in_part(fetched, reader):
    """The subdirs of which the last sync knows more than this one."""
    return {subdir.subdir for subdir in fetched if not subdir.path} | reader.names.keys()


def _summaries(upstream, remote):
    """Return what keeps the upstream's channeldata.json with a new version, for packages that nobody has read."""

    def keep(version):
        if file := run(upstream.fetch_channeldata()):
            _keep_summaries(version, file)

    return None if remote.policy == remote.IMMEDIATE else keep


def _keep_summaries(version, file):
    """Keep the entries of the version's packages that are not what the version before had."""
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


def _how(remote, mirror):
    """All that decides, besides the upstream, what a sync makes of it."""
    return {
        "remote": str(remote.pk),
        "url": remote.url,
        "policy": remote.policy,
        "subdirs": remote.subdirs,
        "includes": remote.includes,
        "excludes": remote.excludes,
        "mirror": mirror,
    }


def _lacks_bytes(remote, version):
    """Say whether an immediate remote has to download files that were reclaimed since."""
    return (
        remote.policy == remote.IMMEDIATE
        and ContentArtifact.objects.filter(content__in=version.content, artifact=None).exists()
    )


async def _fetch(upstream, seen_before):
    async with ProgressReport(
        message="Downloading repodata", code="sync.downloading.metadata"
    ) as progress:
        fetched = await upstream.fetch(seen_before)
        progress.total = len(fetched)
        await progress.aincrease_by(len(fetched))
        return fetched


def _publish_if_missing(repository):
    """Publish the latest version if a crash came between the two."""
    latest = repository.latest_version()
    published = CondaPublication.objects.filter(repository_version=latest, complete=True).last()
    if published:
        # A task that was killed may have left a stage behind.
        follow(published)
    elif repository.autopublish and latest.number > 0:
        publish_version(latest)
