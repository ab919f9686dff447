"""Find out the sha256 of packages whose records have none (CEP 36): by their bytes."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from pulpcore.plugin.download import DownloadResult
from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.models import CondaPackage, CondaRemote
from pulp_conda.app.sync.packages import UpstreamPackage
from pulp_conda.app.sync.upstream_files import cancel, run, upstream_errors
from pulp_conda.app.vocabulary import OnError
from pulp_conda.channel.errors import (
    DigestMismatch,
    UnknownSha256,
    UpstreamError,
    UpstreamStatus,
)
from pulp_conda.channel.records import PackageRecord

# Downloads that are started together. The remote limits how many of them run at the same time.
_BATCH = 100

_CHUNK = 2**20

# The subdir and the file name.
_Path = tuple[str, str]


class Checksums:
    """Gives records their sha256.

    Args:
        remote: With the policy `immediate`, files are downloaded. Otherwise only files of the
            repository are known.
        latest: The version of the repository before the sync.

    Attributes:
        downloaded: The files that were downloaded, by URL. They are in the working directory of the
            task.
    """

    def __init__(self, remote: CondaRemote, latest: RepositoryVersion) -> None:
        self._remote = remote
        self._latest = latest
        self.downloaded: dict[str, DownloadResult] = {}

    def add_to(
        self, packages: Iterable[UpstreamPackage]
    ) -> Iterator[tuple[UpstreamPackage, UpstreamPackage | UpstreamError]]:
        """Yield (package, the same with the sha256) for packages whose records have an md5 only.

        The second is an error if the sha256 is not known, or if the remote skips files that cannot
        be downloaded, and this is one of them.

        Raises:
            UpstreamError: for the first file that cannot be downloaded, or whose md5 or size is not
                what its record says, if the remote does not skip it.
        """
        packages = iter(packages)
        while batch := list(islice(packages, _BATCH)):
            known: dict[_Path, str | UpstreamError] = {**self._known(batch)}
            missing = [package for package in batch if _path(package.record) not in known]
            if self._remote.policy == self._remote.IMMEDIATE:
                known |= run(self._download_all(missing))
            for package in batch:
                sha256 = known.get(_path(package.record)) or UnknownSha256()
                if isinstance(sha256, UpstreamError):
                    yield package, sha256
                else:
                    yield package, package._replace(record=_with(package.record, sha256))

    def _known(self, packages: Iterable[UpstreamPackage]) -> dict[_Path, str]:
        """Return the sha256 of files that the repository has, by path.

        A file is the same if its md5 and its size are.
        """
        records = {_path(package.record): package.record for package in packages}
        of_names = CondaPackage.objects.filter(
            filename__in=[filename for _, filename in records],
            subdir__in={subdir for subdir, _ in records},
        )
        known = {}
        for package in self._latest.get_content(of_names):
            record = records.get((package.subdir, package.filename))
            if record and (record.md5, record.size) == (package.md5, package.size):
                known[_path(record)] = package.sha256
        return known

    async def _download_all(
        self, packages: Iterable[UpstreamPackage]
    ) -> dict[_Path, str | UpstreamError]:
        tasks = [asyncio.ensure_future(self._try_download(package)) for package in packages]
        try:
            return dict(await asyncio.gather(*tasks))
        finally:
            await cancel(tasks)

    async def _try_download(self, package: UpstreamPackage) -> tuple[_Path, str | UpstreamError]:
        try:
            return _path(package.record), await self._download(package)
        except UpstreamError as error:
            if self._remote.on_error == OnError.FAIL:
                raise error.of_package() from None
            return _path(package.record), error.of_package()

    async def _download(self, package: UpstreamPackage) -> str:
        record, url = package
        downloader = self._remote.get_downloader(url=url, expected_size=record.size)
        with upstream_errors(url):
            try:
                result = await downloader.run()
            except FileNotFoundError:  # a file:// URL
                raise UpstreamStatus(url, 404) from None
        md5 = await asyncio.to_thread(_md5, result.path)
        if md5 != record.md5:
            raise DigestMismatch(url=url, reason=f"md5 {md5}, not {record.md5}")
        self.downloaded[url] = result
        sha256: str = result.artifact_attributes["sha256"]
        return sha256


def _path(record: PackageRecord) -> _Path:
    return record.subdir, record.filename


def _with(record: PackageRecord, sha256: str) -> PackageRecord:
    return replace(record, fields={**record.fields, "sha256": sha256})


def _md5(path: str) -> str:
    # Upstreams have nothing better for these files.
    md5 = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            md5.update(chunk)
    return md5.hexdigest()
