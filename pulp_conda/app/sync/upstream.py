"""Download the metadata of an upstream channel."""

import asyncio
import os
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import aiohttp
from django.conf import settings

from pulpcore.plugin.download import DownloaderFactory, HttpDownloader
from pulpcore.plugin.exceptions import DigestValidationError, SizeValidationError, TimeoutException

from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadShardIndex,
    DigestMismatch,
    EmptyUpstream,
    RepodataTooLarge,
    UpstreamStatus,
    UpstreamUnreachable,
    mask,
)
from pulp_conda.channel.metadata import shards
from pulp_conda.channel.metadata.stream import is_zstd

# How upstreams say that they do not have a file; some mirrors forbid what they do not have.
_ABSENT = {403, 404, 410, 501}

# By header, what the last sync saw.
_VALIDATORS = {"If-None-Match": "etag", "If-Modified-Since": "last_modified"}

# Small files that are on their way, or in memory and waiting for their turn.
_WINDOW = 20


@dataclass(frozen=True)
class FetchedSubdir:
    """The records of a subdir, as the upstream has them, in the task's working directory.

    Attributes:
        path: The repodata or the shard index, or None if it is what the last sync saw.
        seen: What tells next time whether it changed: `url`, `sha256`, and the validators of the answer.
        run_exports: The file beside the repodata that shards have inside, or None if there is none.
    """

    subdir: str
    path: str | None
    seen: dict
    run_exports: "FetchedFile | None" = None

    @property
    def url(self):
        return self.seen["url"]

    @property
    def is_sharded(self):
        return _is_shard_index(self.url)


@dataclass(frozen=True)
class FetchedFile:
    """Another file of the upstream."""

    path: str
    url: str


class _NotModified(Exception):
    """The upstream answered 304."""


class _MetadataDownloader(HttpDownloader):
    """A downloader that notices 304, and stops at the limit instead of filling the disk.

    What will not change by asking again does not become an error in the log: upstreams lack files all the time.
    """

    def raise_for_status(self, response):
        if response.status == 304:
            if any(header in response.request_info.headers for header in _VALIDATORS):
                raise _NotModified
            raise UpstreamStatus(self.url, response.status)
        if 400 <= response.status < 500 and response.status != 429:
            raise UpstreamStatus(self.url, response.status)
        super().raise_for_status(response)

    async def handle_data(self, data):
        await super().handle_data(data)
        self.check_size(self._size)

    def check_size(self, size):
        if size > settings.CONDA_MAX_REPODATA_SIZE:
            raise RepodataTooLarge(
                url=mask(self.url),
                limit=settings.CONDA_MAX_REPODATA_SIZE,
                setting="CONDA_MAX_REPODATA_SIZE",
            )


class _ShardIndexDownloader(_MetadataDownloader):
    """A downloader of what is read into memory."""

    def check_size(self, size):
        _check_index_size(self.url, size)


class _BytesDownloader(_MetadataDownloader):
    """A downloader of small files, which gives bytes: a channel has thousands of them."""

    def __init__(self, *args, max_size, **kwargs):
        super().__init__(*args, **kwargs)
        self._max_size = max_size

    async def _handle_response(self, response):
        data = bytearray()
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > self._max_size:
                raise _FileTooLarge
        return bytes(data)


class _FileTooLarge(Exception):
    """A small file of the upstream is none."""


class Upstream:
    """The metadata of the channel that a remote points to.

    Args:
        known: The subdirs that it had at the last sync.
    """

    def __init__(self, remote, known=()):
        self._remote = remote
        self._known = known
        self._factory = _factory(remote, _MetadataDownloader)
        self._index_factory = _factory(remote, _ShardIndexDownloader)
        self._bytes_factories = {}

    async def fetch(self, seen_before):
        """Download the repodata or shard index of all subdirs that the remote takes.

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

    async def fetch_channeldata(self):
        """Download the upstream's channeldata.json, or return None if it has none."""
        return await self._fetch_optional(layout.join_url(self._remote.url, layout.CHANNELDATA))

    def fetch_all(self, urls, max_size):
        """Download small files side by side, as far ahead as memory allows.

        Yields:
            Bytes in the order of the URLs, or why there are none in words: the upstream does not have the file, or
            sends more than `max_size` bytes.
        """
        urls = iter(urls)
        loop = asyncio.get_event_loop()
        tasks = deque()
        try:
            while True:
                for url in islice(urls, _WINDOW - len(tasks)):
                    tasks.append(loop.create_task(self._fetch_bytes(url, max_size)))
                if not tasks:
                    return
                yield run(tasks.popleft())
        finally:
            run(cancel(tasks))

    def _may_be_absent(self, subdir, error, fetched):
        """Nobody asked for this subdir by name, and the upstream says that it does not have it.

        What is forbidden today and was there before is not absent: a mirror would lose all of it.
        """
        if self._remote.subdirs or not isinstance(error, UpstreamStatus):
            return False
        status = error.facts["status"]
        return status == 404 or (status in _ABSENT and fetched and subdir not in self._known)

    async def _fetch_subdir(self, subdir, seen):
        flat = None
        if seen and not FetchedSubdir(subdir, None, seen).is_sharded:
            # If nothing changed since, this is the only request.
            flat = await self._fetch_form(subdir, seen["url"], seen)
            if flat and flat.path is None:
                return flat
        url = layout.join_url(self._remote.url, subdir, layout.SHARD_INDEX)
        if fetched := await self._fetch_form(subdir, url, seen):
            return fetched
        if flat is None:
            url = layout.join_url(self._remote.url, subdir, layout.REPODATA_ZST)
            flat = await self._fetch_form(subdir, url, None)
        if flat is None:
            url = layout.join_url(self._remote.url, subdir, layout.REPODATA)
            flat = await self._fetch_file(subdir, url, None)
        return replace(flat, run_exports=await self._fetch_run_exports(subdir))

    async def _fetch_form(self, subdir, url, seen):
        """Download one of the forms of a subdir, or return None if the upstream does not have it."""
        try:
            fetched = await self._fetch_file(subdir, url, seen)
        except UpstreamStatus as error:
            if error.facts["status"] not in _ABSENT:
                raise
            return None
        compressed = url.partition("?")[0].endswith(".zst")
        if fetched.path and compressed and not _starts_like(fetched.path, is_zstd):
            return None  # a page that says "not found", with status 200
        return fetched

    async def _fetch_run_exports(self, subdir):
        for filename in (layout.RUN_EXPORTS_ZST, layout.RUN_EXPORTS):
            url = layout.join_url(self._remote.url, subdir, filename)
            if fetched := await self._fetch_optional(url):
                return fetched
        return None

    async def _fetch_optional(self, url):
        try:
            fetched = await self._fetch_file(None, url, None)
        except UpstreamStatus as error:
            if error.facts["status"] not in _ABSENT:
                raise
            return None
        if not _starts_like(fetched.path, lambda file: is_zstd(file) or file.read(1) == b"{"):
            return None
        return FetchedFile(fetched.path, url)

    async def _fetch_file(self, subdir, url, seen):
        if not seen or seen["url"] != url:
            seen = {}
        factory = self._index_factory if _is_shard_index(url) else self._factory
        downloader = self._remote.get_downloader(url=url, download_factory=factory)
        headers = {header: seen[key] for header, key in _VALIDATORS.items() if seen.get(key)}
        with upstream_errors(url):
            try:
                result = await downloader.run(extra_data={"request_kwargs": {"headers": headers}})
            except _NotModified:
                return FetchedSubdir(subdir, None, seen)
            except FileNotFoundError:  # a file:// URL
                raise UpstreamStatus(url, 404) from None
        if factory is self._index_factory:
            _check_index_size(url, result.artifact_attributes["size"])  # also of a file:// URL
        sha256 = result.artifact_attributes["sha256"]
        answer = {key.lower(): value for key, value in (result.headers or {}).items()}
        return FetchedSubdir(
            subdir,
            None if sha256 == seen.get("sha256") else result.path,
            {
                "url": url,
                "sha256": sha256,
                "etag": answer.get("etag"),
                "last_modified": answer.get("last-modified"),
            },
        )

    async def _fetch_bytes(self, url, max_size):
        remote = self._remote.for_url(url)
        is_own = remote is self._remote
        if is_own not in self._bytes_factories:
            self._bytes_factories[is_own] = _factory(remote, _BytesDownloader)
        downloader = remote.get_downloader(
            url=url, download_factory=self._bytes_factories[is_own], max_size=max_size
        )
        try:
            with upstream_errors(url):
                result = await downloader.run()
            return result if isinstance(result, bytes) else _read_once(result.path, max_size)
        except FileNotFoundError:  # a file:// URL
            return "there is no such file"
        except _FileTooLarge:
            return f"it is larger than {max_size} bytes"
        except UpstreamStatus as error:
            if error.facts["status"] not in _ABSENT:
                raise
            return f"the upstream answered {error.facts['status']}"


def run(coroutine):
    """Wait for downloads: tasks are synchronous, pulpcore's downloaders are not."""
    return asyncio.get_event_loop().run_until_complete(coroutine)


def _is_shard_index(url):
    return url.partition("?")[0].endswith(f"/{layout.SHARD_INDEX}")


def _factory(remote, downloader):
    return DownloaderFactory(remote, {"http": downloader, "https": downloader})


async def cancel(tasks):
    """End downloads that nobody wants any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
    except (
        aiohttp.ClientError,
        TimeoutException,
        UnicodeError,
    ) as error:  # the last of 'http://a..b/'
        reason = "it did not answer in time" if isinstance(error, TimeoutException) else error
        raise UpstreamUnreachable(url=mask(url), reason=mask(str(reason))) from None


def _check_index_size(url, size):
    if size > shards.MAX_SIZE:
        reason = f"it is larger than {shards.MAX_SIZE} bytes"
        raise BadShardIndex(url=mask(url), reason=reason)


def _starts_like(path, test):
    with open(path, "rb") as file:
        return test(file)


def _read_once(path, max_size):
    """Return a downloaded file, which is not needed any more."""
    with open(path, "rb") as file:
        data = file.read(max_size + 1)
    os.unlink(path)
    if len(data) > max_size:
        raise _FileTooLarge
    return data
