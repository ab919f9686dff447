"""Turn an upstream channel into a new repository version."""

import asyncio
import logging
from collections import Counter

from asgiref.sync import sync_to_async
from django.conf import settings

from pulpcore.plugin.models import Artifact, ContentArtifact, ProgressReport
from pulpcore.plugin.serializers import RepositoryVersionSerializer
from pulpcore.plugin.stages import (
    DeclarativeArtifact,
    DeclarativeContent,
    DeclarativeVersion,
    Stage,
)

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPackage, CondaPublication, CondaRemote, CondaRepository
from pulp_conda.app.tasks.ingest import Ingest
from pulp_conda.app.tasks.publish import publish
from pulp_conda.app.tasks.upstream import Upstream, upstream_errors
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError, mask
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.repodata import Repodata

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
        version = _synchronize(remote, repository, mirror, optimize)
    except ChannelError as error:
        raise CondaError(error.at(f"Remote '{remote.name}'")) from None
    _publish_if_missing(repository)
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

    upstream = Upstream(remote, known=repository.last_sync.get("subdirs", {}))
    fetched = _run(_fetch(upstream, last.get("subdirs", {})))
    seen = {repodata.subdir: repodata.seen for repodata in fetched}
    changed = [repodata for repodata in fetched if repodata.path]
    gone = last.get("subdirs", {}).keys() - seen.keys()
    version = None
    if changed or (mirror and gone):
        if remote.policy == remote.IMMEDIATE:
            if mirror and len(changed) < len(fetched):
                # A pipeline that mirrors keeps only what it sees: show it the unchanged subdirs as well.
                changed = _run(_fetch(upstream, {}))
            version = _download(repository, remote, changed, mirror)
        else:
            unchanged = [repodata.subdir for repodata in fetched if not repodata.path]
            version = _ingest(repository, remote, changed, mirror, unchanged)
    number = version.number if version else latest.number
    CondaRepository.objects.filter(pk=repository.pk).update(
        last_sync={"how": how, "version": number, "subdirs": seen}
    )
    return version


def _ingest(repository, remote, changed, mirror, unchanged):
    """Take the records in bulk; their files are downloaded when somebody asks for them."""
    reader = _Reader(remote, changed)
    with (
        Ingest(repository, remote) as ingest,
        ProgressReport(message="Reading package records", code="sync.parsing.records") as progress,
    ):
        for count in ingest.add(reader.packages()):
            progress.increase_by(count)
        reader.report()
        return ingest.new_version(mirror, unchanged)


def _download(repository, remote, changed, mirror):
    """Take the records through pulpcore's pipeline, which downloads their files."""
    declared = DeclarativeVersion(
        _PackageStage(_Reader(remote, changed)),
        repository,
        mirror=mirror,
        deferred_fields={CondaPackage: ["record", "depends"]},
    )
    with upstream_errors(remote.url):
        return declared.create()


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


def _run(coroutine):
    return asyncio.get_event_loop().run_until_complete(coroutine)


def _publish_if_missing(repository):
    """Publish the latest version if a crash came between the two."""
    latest = repository.latest_version()
    published = CondaPublication.objects.filter(repository_version=latest, complete=True)
    if repository.autopublish and latest.number > 0 and not published.exists():
        publish(str(latest.pk))


class _Reader:
    """The packages in the repodata of an upstream that a remote takes."""

    def __init__(self, remote, fetched):
        self.remote = remote
        self._fetched = fetched
        self._filter = PackageFilter(remote.includes, remote.excludes)
        self._left_out = Counter()

    def packages(self):
        """Yield (record, URL of the file)."""
        for fetched in self._fetched:
            with open(fetched.path, "rb") as file:
                repodata = Repodata(
                    file, mask(fetched.url), fetched.subdir, settings.CONDA_MAX_REPODATA_SIZE
                )
                base_url = repodata.packages_url(self.remote.url)
                for record, reason in repodata.records(self._filter):
                    if reason:
                        self._left_out[reason] += 1
                    else:
                        yield record, layout.join_url(base_url, record.filename)

    def report(self):
        """Tell how many packages were left out, and why."""
        for reason, count in self._left_out.most_common():
            with ProgressReport(
                message=f"Left out: {reason}", code="sync.left_out", total=count, done=count
            ):
                pass


class _PackageStage(Stage):
    """Feeds packages into pulpcore's pipeline, one at a time."""

    def __init__(self, reader):
        super().__init__()
        self._reader = reader

    async def run(self):
        async with ProgressReport(
            message="Reading package records", code="sync.parsing.records"
        ) as progress:
            for record, url in self._reader.packages():
                # No md5: Pulp would refuse to download by it. The record's sha256 says it all.
                artifact = DeclarativeArtifact(
                    artifact=Artifact(sha256=record.sha256, size=record.size),
                    url=url,
                    relative_path=layout.package_path(record.subdir, record.filename),
                    remote=self._reader.remote,
                )
                await self.put(DeclarativeContent(CondaPackage.from_record(record), [artifact]))
                await progress.aincrement()
        await sync_to_async(self._reader.report)()
