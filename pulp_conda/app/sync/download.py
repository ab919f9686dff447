"""Download what belongs to the packages of a sync: their files, and their attestations."""

import asyncio
import logging
import os

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import IntegrityError, transaction

from pulpcore.plugin.models import Artifact, ContentArtifact, ProgressReport
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.attestations import checked_sidecars, store_sidecars
from pulp_conda.app.models import CondaPackageInfo
from pulp_conda.app.sync.upstream import cancel, run, upstream_errors
from pulp_conda.channel.errors import BadSidecar, ChannelError, mask
from pulp_conda.channel.package.attestations import MAX_SIDECAR_SIZE
from pulp_conda.channel.package.info import read_info
from pulp_conda.channel.package.package import Limits

log = logging.getLogger(__name__)

# Downloads that are in memory, waiting for their turn; how many run side by side, the remote says.
_BATCH = 100


def download_packages(remote, absent):
    """Download package files, and read what is in them.

    Args:
        absent: What `Ingest.absent_files` lists.

    Raises:
        ChannelError: the first file that cannot be had, or has other bytes than its record says.
    """
    with ProgressReport(
        message="Downloading packages", code="sync.downloading.artifacts", total=len(absent)
    ) as progress:
        for start in range(0, len(absent), _BATCH):
            batch = absent[start : start + _BATCH]
            run(_download_all(remote, batch))
            progress.increase_by(len(batch))


def download_sidecars(upstream, absent):
    """Download and check the attestations of packages, and keep them.

    Args:
        absent: What `Ingest.absent_sidecars` lists.

    Raises:
        BadSidecar: the first that is not what its record says.
    """
    if not absent:
        return
    with ProgressReport(
        message="Downloading attestations", code="sync.downloading.sidecars", total=len(absent)
    ) as progress:
        for start in range(0, len(absent), _BATCH):
            batch = absent[start : start + _BATCH]
            store_sidecars(checked_sidecars(_fetch_sidecars(upstream, batch)))
            progress.increase_by(len(batch))


def _fetch_sidecars(upstream, packages):
    """Return (record, URL, bytes) of each, by the name that never changes, or else by the other one (CEP 50)."""
    urls = [_beside(url, f".sigs.{record.attestations_sha256}") for record, url in packages]
    answers = list(upstream.fetch_all(urls, MAX_SIDECAR_SIZE))
    for place, (_, url) in enumerate(packages):
        if isinstance(answers[place], str):
            urls[place] = _beside(url, ".sigs")
            (answers[place],) = upstream.fetch_all([urls[place]], MAX_SIDECAR_SIZE)
            if isinstance(answers[place], str):
                raise BadSidecar(url=mask(urls[place]), reason=answers[place])
    return [
        (record, url, data) for (record, _), url, data in zip(packages, urls, answers, strict=True)
    ]


def _beside(url, suffix):
    path, question_mark, query = url.partition("?")
    return f"{path}{suffix}{question_mark}{query}"


async def _download_all(remote, absent):
    tasks = [asyncio.ensure_future(_download(remote, *package)) for package in absent]
    try:
        await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)


async def _download(remote, content_artifact, url, filename, sha256, size):
    # No md5: Pulp would refuse to download by it. The record's sha256 says it all.
    downloader = remote.get_downloader(
        url=url, expected_digests={"sha256": sha256}, expected_size=size
    )
    with upstream_errors(url):
        result = await downloader.run()
    try:
        info = await asyncio.to_thread(_read_info, result.path, filename)
        await sync_to_async(_save)(content_artifact, result, info)
    finally:
        if os.path.exists(result.path):
            os.unlink(result.path)


def _read_info(path, filename):
    with open(path, "rb") as file:
        try:
            return read_info(
                file,
                filename=filename,
                size=os.stat(path).st_size,
                limits=Limits(**settings.CONDA_PACKAGE_LIMITS),
            )
        except ChannelError as error:
            # It is the file that the upstream's record promises, so clients of the mirror get it as well.
            log.warning("Nothing is known of the contents of '%s': %s", filename, error)
            return None


def _save(content_artifact, result, info):
    sha256 = result.artifact_attributes["sha256"]
    same_bytes = Artifact.objects.filter(sha256=sha256, pulp_domain=get_domain_pk())
    artifact = same_bytes.first()
    if artifact is None:
        artifact = Artifact(file=result.path, **result.artifact_attributes)
        try:
            with transaction.atomic():
                artifact.save()
        except IntegrityError:  # somebody else downloaded it at this moment
            artifact = same_bytes.get()
    ContentArtifact.objects.filter(pk=content_artifact).update(artifact=artifact)
    if info:
        CondaPackageInfo.remember(sha256, info)
