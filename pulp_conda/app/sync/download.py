"""Download what belongs to the packages of a sync: their files and their attestations."""

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from gettext import gettext as _
from typing import NamedTuple
from uuid import UUID

from asgiref.sync import sync_to_async

from pulpcore.plugin.download import DownloadResult
from pulpcore.plugin.models import Artifact, ContentArtifact, ProgressReport
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.artifacts import save_artifact
from pulp_conda.app.attestations import (
    MirroredSidecar,
    checked_sidecars,
    sidecar_problem,
    store_sidecars,
)
from pulp_conda.app.limits import package_limits
from pulp_conda.app.models import CondaPackageInfo, CondaRemote, CondaSidecar
from pulp_conda.app.sync.packages import AbsentFile, UpstreamPackage
from pulp_conda.app.sync.reports import warn
from pulp_conda.app.sync.upstream import Upstream
from pulp_conda.app.sync.upstream_files import cancel, may_pass, run, upstream_errors
from pulp_conda.app.vocabulary import OnError
from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadFiles,
    BadSidecar,
    ChannelError,
    UpstreamError,
    UpstreamStatus,
    listed,
)
from pulp_conda.channel.package.attestations import MAX_SIDECAR_SIZE
from pulp_conda.channel.package.info import PackageInfo, read_info
from pulp_conda.channel.package.package import read_package_with_info
from pulp_conda.channel.records import PackageRecord

log = logging.getLogger(__name__)

# Downloads that are started together. The remote limits how many of them run at the same time.
_BATCH = 100


class BadFile(NamedTuple):
    """A package file that was not stored, and what is wrong with it."""

    file: AbsentFile
    error: UpstreamError

    @property
    def path(self) -> str:
        """The path of the file in the channel."""
        return layout.package_path(self.file.subdir, self.file.filename)


def download_packages(
    remote: CondaRemote, absent: Sequence[AbsentFile], downloaded: Mapping[str, DownloadResult]
) -> list[AbsentFile]:
    """Download package files, store them, and store what is in them.

    Args:
        downloaded: Files that were downloaded before, by URL.

    Returns:
        The files that cannot be downloaded, or whose bytes are not those that their record
        promises, if the remote's `on_error` says to skip them.

    Raises:
        UpstreamError: there are such files. All of them are in the progress reports. If the
            upstream answers nothing any more, the rest is not tried, also with `skip`.
    """
    with ProgressReport(
        message="Downloading packages", code="sync.downloading.artifacts", total=len(absent)
    ) as progress:
        refused, tried = 0, 0
        bad: list[BadFile] = []
        is_over = False
        while tried < len(absent) and not is_over:
            batch = absent[tried : tried + _BATCH]
            results = run(_download_all(remote, batch, downloaded))
            wrong = [result for result in results if isinstance(result, BadFile)]
            refused += sum(isinstance(each, _Contents) and not each.is_good for each in results)
            tried += len(batch)
            bad += wrong
            progress.increase_by(len(batch) - len(wrong))
            is_over = len(wrong) == _BATCH and any(may_pass(each.error) for each in wrong)
    if refused:
        with ProgressReport(
            message="Stored, although an upload would refuse it",
            code="sync.refused_as_uploads",
            total=refused,
            done=refused,
        ):
            pass
    for each in bad:
        warn(f"'{each.path}' cannot be downloaded: {each.error}")
    if bad and (is_over or remote.on_error == OnError.FAIL):
        raise _error_of(bad, len(absent), not_tried=len(absent) - tried)
    return [each.file for each in bad]


def _error_of(bad: Sequence[BadFile], total: int, not_tried: int) -> UpstreamError:
    if len(bad) == 1:
        return bad[0].error
    files = listed([f"'{each.path}' ({_reason(each.error)})" for each in bad])
    if not_tried:
        files += f"; {not_tried:,} others were not tried"
    return BadFiles(count=f"{len(bad):,}", total=f"{total:,}", files=files)


def _reason(error: UpstreamError) -> str:
    facts = error.facts
    return f"answered {facts['status']}" if "status" in facts else str(facts.get("reason", error))


def download_sidecars(upstream: Upstream, packages: Sequence[UpstreamPackage]) -> None:
    """Download the attestations of packages, check them, and store them.

    A package whose sidecar cannot be had is mirrored without it, with a warning.

    Raises:
        BadSidecar: for the first sidecar that proves nothing of its package. Or a package names a
            sidecar that cannot be had for it, and that this server has from elsewhere: it would be
            served with the attestations of another package.
    """
    if not packages:
        return
    missing: list[tuple[PackageRecord, BadSidecar]] = []
    with ProgressReport(
        message="Downloading attestations", code="sync.downloading.sidecars", total=len(packages)
    ) as progress:
        for start in range(0, len(packages), _BATCH):
            batch = packages[start : start + _BATCH]
            store_sidecars(checked_sidecars(_fetch_sidecars(upstream, batch, missing)))
            progress.increase_by(len(batch))
    if missing:
        _check_borrowed(missing)
        reasons = listed([error.text for _record, error in missing], most=3)
        warn(_("{} packages without their attestations: {}").format(len(missing), reasons))


def _check_borrowed(missing: Sequence[tuple[PackageRecord, BadSidecar]]) -> None:
    digests = {record.attestations_sha256 for record, _error in missing}
    sidecars = CondaSidecar.objects.filter(pulp_domain=get_domain_pk(), sha256__in=digests)
    present = set(sidecars.values_list("sha256", flat=True))
    for record, error in missing:
        if record.attestations_sha256 in present:
            raise error


def _fetch_sidecars(
    upstream: Upstream,
    packages: Sequence[UpstreamPackage],
    missing: list[tuple[PackageRecord, BadSidecar]],
) -> list[MirroredSidecar]:
    """Return the record, the URL of the sidecar, and the bytes of the sidecar for packages.

    A sidecar has two names (CEP 50): one with its sha256, which always means the same bytes, and
    one without. The second is used where the upstream does not have the first.

    Args:
        missing: Gets the record of each package whose sidecar cannot be had, and why.
    """
    urls = [
        _beside(package.url, f".sigs.{package.record.attestations_sha256}") for package in packages
    ]
    answers = upstream.files.fetch_all(urls, MAX_SIDECAR_SIZE, are_optional=True)
    sidecars = []
    for package, url, answer in zip(packages, urls, list(answers), strict=True):
        if isinstance(answer, str):
            url = _beside(package.url, ".sigs")
            (answer,) = upstream.files.fetch_all([url], MAX_SIDECAR_SIZE, are_optional=True)
        if isinstance(answer, str):
            problem: str | None = answer
        else:
            problem = sidecar_problem(package.record, answer)
        if problem is None:
            assert isinstance(answer, bytes), "a text is a problem"
            sidecars.append((package.record, url, answer))
        else:
            missing.append((package.record, BadSidecar(url=url, reason=problem)))
    return sidecars


def _beside(url: str, suffix: str) -> str:
    """Return a URL with a suffix after its path, before its query."""
    path, question_mark, query = url.partition("?")
    return f"{path}{suffix}{question_mark}{query}"


async def _download_all(
    remote: CondaRemote, files: Iterable[AbsentFile], downloaded: Mapping[str, DownloadResult]
) -> list["_Contents | BadFile"]:
    """Download and store files, and return what is in each of them, or what is wrong with it."""
    tasks = [
        asyncio.ensure_future(_try_download(remote, file, downloaded.get(file.url)))
        for file in files
    ]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)


async def _try_download(
    remote: CondaRemote, file: AbsentFile, downloaded: DownloadResult | None
) -> "_Contents | BadFile":
    try:
        return await _download(remote, file, downloaded)
    except UpstreamError as error:
        return BadFile(file, error.of_package())


class _Contents(NamedTuple):
    """What was found in a package file.

    Attributes:
        info: What it says of itself, or None if it cannot be read.
        is_good: Whether an upload would take it.
    """

    info: PackageInfo | None
    is_good: bool


async def _download(
    remote: CondaRemote, file: AbsentFile, downloaded: DownloadResult | None
) -> _Contents:
    # Without the md5: Pulp refuses to download by it, and the sha256 is enough.
    downloader = remote.get_downloader(
        url=file.url, expected_digests={"sha256": file.sha256}, expected_size=file.size
    )
    with upstream_errors(file.url):
        try:
            result = downloaded or await downloader.run()
        except FileNotFoundError:  # a file:// URL
            raise UpstreamStatus(file.url, 404) from None
    try:
        contents = await asyncio.to_thread(_read_contents, result.path, file)
        await sync_to_async(_save)(file.content_artifact, result, contents.info)
        return contents
    finally:
        if os.path.exists(result.path):
            os.unlink(result.path)


def _read_contents(path: str, absent: AbsentFile) -> _Contents:
    """Check a package file as an upload does.

    A file that an upload would refuse is stored all the same: it is the one that the upstream's
    record promises, and the clients of the upstream have it, too.
    """
    filename, size, limits = absent.filename, os.stat(path).st_size, package_limits()
    with open(path, "rb") as file:
        try:
            _record, info = read_package_with_info(
                file,
                filename=filename,
                subdir=absent.subdir,
                md5=None,
                sha256=absent.sha256,
                size=size,
                limits=limits,
            )
            return _Contents(info, is_good=True)
        except ChannelError as error:
            log.warning("An upload would refuse '%s': %s", filename, error)
        try:
            info = read_info(file, filename=filename, size=size, limits=limits)
            return _Contents(info, is_good=False)
        except ChannelError:
            return _Contents(None, is_good=False)


def _save(content_artifact: UUID, result: DownloadResult, info: PackageInfo | None) -> None:
    """Store a downloaded file as the artifact of its package, with what is in it."""
    artifact = save_artifact(Artifact(file=result.path, **result.artifact_attributes))
    ContentArtifact.objects.filter(pk=content_artifact).update(artifact=artifact)
    if info:
        CondaPackageInfo.remember(artifact.sha256, info)
