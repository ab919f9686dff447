"""Download the metadata of an upstream channel."""

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
from django.conf import settings

from pulpcore.plugin.download import DownloaderFactory, HttpDownloader
from pulpcore.plugin.exceptions import DigestValidationError, SizeValidationError, TimeoutException

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    DigestMismatch,
    EmptyUpstream,
    RepodataTooLarge,
    UpstreamStatus,
    UpstreamUnreachable,
    mask,
)
from pulp_conda.channel.repodata import is_zstd

# How upstreams say that they do not have a file; some mirrors forbid what they do not have.
_ABSENT = {403, 404, 410, 501}


@dataclass(frozen=True)
class FetchedRepodata:
    """A repodata file of an upstream in the task's working directory.

    Attributes:
        path: Where it is, or None if it is what the last sync saw.
        seen: What tells next time whether it changed: `url`, `sha256`, and the validators of the answer.
    """

    subdir: str
    path: str | None
    seen: dict

    @property
    def url(self):
        return self.seen["url"]


class _NotModified(Exception):
    """The upstream answered 304."""


class _MetadataDownloader(HttpDownloader):
    """A downloader that notices 304, and stops at the limit instead of filling the disk.

    What will not change by asking again does not become an error in the log: upstreams lack files all the time.
    """

    def raise_for_status(self, response):
        if response.status == 304:
            raise _NotModified
        if 400 <= response.status < 500 and response.status != 429:
            raise UpstreamStatus(self.url, response.status)
        super().raise_for_status(response)

    async def handle_data(self, data):
        await super().handle_data(data)
        if self._size > settings.CONDA_MAX_REPODATA_SIZE:
            raise RepodataTooLarge(
                url=mask(self.url),
                limit=settings.CONDA_MAX_REPODATA_SIZE,
                setting="CONDA_MAX_REPODATA_SIZE",
            )


class Upstream:
    """The metadata of the channel that a remote points to.

    Args:
        known: The subdirs that it had at the last sync.
    """

    def __init__(self, remote, known=()):
        self._remote = remote
        self._known = known
        self._factory = DownloaderFactory(
            remote, {"http": _MetadataDownloader, "https": _MetadataDownloader}
        )

    async def fetch(self, seen_before):
        """Download the repodata of all subdirs that the remote takes.

        Args:
            seen_before: By subdir, the `seen` of the last sync; asks only for what changed since.

        Raises:
            ChannelError: when one of them cannot be had.
        """
        subdirs = self._remote.subdirs or layout.KNOWN_SUBDIRS
        answers = await asyncio.gather(
            *(self._fetch_subdir(subdir, seen_before.get(subdir)) for subdir in subdirs),
            return_exceptions=True,
        )
        fetched = [answer for answer in answers if not isinstance(answer, BaseException)]
        for subdir, error in zip(subdirs, answers, strict=True):
            if isinstance(error, BaseException) and not self._may_be_absent(subdir, error, fetched):
                raise error
        if not fetched:
            raise EmptyUpstream(url=mask(self._remote.url))
        return fetched

    def _may_be_absent(self, subdir, error, fetched):
        """Nobody asked for this subdir by name, and the upstream says that it does not have it.

        What is forbidden today and was there before is not absent: a mirror would lose all of it.
        """
        if self._remote.subdirs or not isinstance(error, UpstreamStatus):
            return False
        status = error.facts["status"]
        return status == 404 or (status in _ABSENT and fetched and subdir not in self._known)

    async def _fetch_subdir(self, subdir, seen):
        for filename in (layout.REPODATA_ZST, layout.REPODATA):
            url = layout.join_url(self._remote.url, subdir, filename)
            try:
                fetched = await self._fetch_file(subdir, url, seen)
            except UpstreamStatus as error:
                if filename == layout.REPODATA or error.facts["status"] not in _ABSENT:
                    raise
                continue
            if filename == layout.REPODATA or fetched.path is None or _is_zstd(fetched.path):
                return fetched

    async def _fetch_file(self, subdir, url, seen):
        if not seen or seen["url"] != url:
            seen = {}
        downloader = self._remote.get_downloader(url=url, download_factory=self._factory)
        headers = {
            header: seen[key]
            for header, key in (("If-None-Match", "etag"), ("If-Modified-Since", "last_modified"))
            if seen.get(key)
        }
        with upstream_errors(url):
            try:
                result = await downloader.run(extra_data={"request_kwargs": {"headers": headers}})
            except _NotModified:
                return FetchedRepodata(subdir, None, seen)
            except FileNotFoundError:  # a file:// URL
                raise UpstreamStatus(url, 404) from None
        sha256 = result.artifact_attributes["sha256"]
        answer = {key.lower(): value for key, value in (result.headers or {}).items()}
        return FetchedRepodata(
            subdir,
            None if sha256 == seen.get("sha256") else result.path,
            {
                "url": url,
                "sha256": sha256,
                "etag": answer.get("etag"),
                "last_modified": answer.get("last-modified"),
            },
        )


@contextmanager
def upstream_errors(url):
    """Turn what pulpcore's downloaders raise into channel errors.

    Args:
        url: What was asked for, where the exception does not say it.
    """
    try:
        yield
    except aiohttp.ClientResponseError as error:
        raise UpstreamStatus(str(error.request_info.real_url), error.status) from None
    except (DigestValidationError, SizeValidationError) as error:
        what = "sha256" if isinstance(error, DigestValidationError) else "size"
        reason = f"{what} {error.actual}, not {error.expected}"
        raise DigestMismatch(url=mask(error.url or url), reason=reason) from None
    except (aiohttp.ClientError, TimeoutException) as error:
        reason = "it did not answer in time" if isinstance(error, TimeoutException) else error
        raise UpstreamUnreachable(url=mask(url), reason=mask(str(reason))) from None


def _is_zstd(path):
    with open(path, "rb") as file:
        return is_zstd(file)
