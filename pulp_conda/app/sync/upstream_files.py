"""Download single files of the metadata of an upstream channel."""

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple, TypedDict, TypeVar

import aiohttp
from django.conf import settings

from pulpcore.plugin.download import DownloaderFactory
from pulpcore.plugin.exceptions import DigestValidationError, SizeValidationError, TimeoutException

from pulp_conda.app.downloads import READ_TIMEOUT, BrokenOff, HomeDownloader
from pulp_conda.app.models import CondaRemote
from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadShardIndex,
    DigestMismatch,
    DownloadBrokeOff,
    RepodataTooLarge,
    UpstreamError,
    UpstreamStatus,
    UpstreamUnreachable,
)
from pulp_conda.channel.metadata import shards

# The statuses by which upstreams say that they do not have a file. Some mirrors answer 403 then.
ABSENT = {403, 404, 410, 501}

# What an upstream answers for some time only, besides 5xx.
_FOR_NOW = {408, 425, 429}

_IF_NONE_MATCH = "If-None-Match"
_IF_MODIFIED_SINCE = "If-Modified-Since"

# Small files that are downloaded at the same time, or are in memory and wait to be read.
_WINDOW = 20

_T = TypeVar("_T")


# What helps when a download breaks off.
_CLOSED = (
    "Sync again. If it happens often, the upstream may limit its clients: "
    "set the remote's 'rate_limit', or lower its 'download_concurrency'."
)
_TOO_SLOW = (
    "Sync again later, or raise the remote's 'sock_read_timeout' "
    f"({READ_TIMEOUT} seconds if it is not set)."
)
_TOO_LONG = (
    "Raise the remote's 'total_timeout', or remove it: "
    "without it, a download may take as long as bytes come."
)


class Seen(TypedDict):
    """What a sync saw of the records of a subdir. The next sync finds out by it what changed.

    It is stored as JSON with the repository.

    Attributes:
        url: The repodata or the shard index.
        sha256: The digest of this file, in hex.
        etag, last_modified: The headers of the answer, or None.
    """

    url: str
    sha256: str
    etag: str | None
    last_modified: str | None


class Download(NamedTuple):
    """One download.

    Attributes:
        path: The file, or None if it is what the last sync saw.
    """

    path: str | None
    seen: Seen


class _NotModified(Exception):
    """The upstream answered 304."""


class _FileTooLarge(Exception):
    """A file of the upstream is larger than such files may be."""


class _MetadataDownloader(HomeDownloader):
    """A downloader that notices the status 304, and stops at a limit before it fills the disk.

    An error that would come again at a second try does not become an error in the log: upstreams
    often lack files.
    """

    def raise_for_status(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 304:
            headers = response.request_info.headers
            if _IF_NONE_MATCH in headers or _IF_MODIFIED_SINCE in headers:
                raise _NotModified
            raise UpstreamStatus(self.url, response.status)
        if 400 <= response.status < 500 and response.status not in (416, 429):
            raise UpstreamStatus(self.url, response.status)
        super().raise_for_status(response)

    async def handle_data(self, data: bytes) -> None:
        await super().handle_data(data)
        self.check_size(self._size)

    def check_size(self, size: int) -> None:
        """Raise a `ChannelError` if a file of this size is too large."""
        if size > settings.CONDA_MAX_REPODATA_SIZE:
            raise RepodataTooLarge(
                url=self.url,
                limit=settings.CONDA_MAX_REPODATA_SIZE,
                setting="CONDA_MAX_REPODATA_SIZE",
            )


class _ShardIndexDownloader(_MetadataDownloader):
    """The same for a shard index, which is read into memory as a whole."""

    def check_size(self, size: int) -> None:
        _check_index_size(self.url, size)


class _BytesDownloader(_MetadataDownloader):
    """A downloader that returns the bytes of a small file. A channel has thousands of them."""

    def __init__(self, *args: Any, max_size: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._max_size = max_size

    async def _handle_response(self, response: aiohttp.ClientResponse) -> bytes:
        data = bytearray()
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > self._max_size:
                raise _FileTooLarge
        return bytes(data)


class UpstreamFiles:
    """Downloads files of the channel that a remote points to, and of hosts that this names."""

    def __init__(self, remote: CondaRemote) -> None:
        self._remote = remote
        self._factory = _factory(remote, _MetadataDownloader)
        self._index_factory = _factory(remote, _ShardIndexDownloader)
        # One for the upstream's own host, and one for all others.
        self._bytes_factories: dict[bool, DownloaderFactory] = {}

    async def fetch(self, url: str, seen: Seen | None) -> Download:
        """Download a file, unless it is what the last sync saw.

        Raises:
            ChannelError: it cannot be downloaded.
        """
        if seen and seen["url"] != url:
            seen = None
        factory = self._index_factory if _is_shard_index(url) else self._factory
        downloader = self._remote.get_downloader(url=url, download_factory=factory)
        request = {"headers": _conditions_of(seen) if seen else {}}
        with upstream_errors(url):
            try:
                result = await downloader.run(extra_data={"request_kwargs": request})
            except _NotModified:
                assert seen is not None, "only a request with conditions has this answer"
                return Download(None, seen)
            except FileNotFoundError:  # a file:// URL
                raise UpstreamStatus(url, 404) from None
        if factory is self._index_factory:
            # The downloader of a file:// URL does not check it.
            _check_index_size(url, result.artifact_attributes["size"])
        sha256 = result.artifact_attributes["sha256"]
        headers = {key.lower(): value for key, value in (result.headers or {}).items()}
        now_seen: Seen = {
            "url": url,
            "sha256": sha256,
            "etag": headers.get("etag"),
            "last_modified": headers.get("last-modified"),
        }
        is_unchanged = seen is not None and seen["sha256"] == sha256
        return Download(None if is_unchanged else result.path, now_seen)

    def fetch_all(
        self, urls: Iterable[str], max_size: int, *, are_optional: bool = False
    ) -> Generator[bytes | str, None, None]:
        """Download small files, a limited number of them at the same time.

        Args:
            are_optional: Yield a text for every file that cannot be had, and not only for those
                that the upstream does not have.

        Yields:
            For each URL, in this order: the bytes of the file. If the upstream does not have the
            file, or if it has more than `max_size` bytes: a text that says so.
        """
        urls = iter(urls)
        loop = asyncio.get_event_loop()
        tasks: deque[asyncio.Task[bytes | str]] = deque()
        try:
            while True:
                for url in islice(urls, _WINDOW - len(tasks)):
                    fetch = self._fetch_bytes(url, max_size, are_optional)
                    tasks.append(loop.create_task(fetch))
                if not tasks:
                    return
                yield run(tasks.popleft())
        finally:
            run(cancel(tasks))

    async def _fetch_bytes(self, url: str, max_size: int, is_optional: bool) -> bytes | str:
        """Return the bytes of a file, or a text that says why there are none; see `fetch_all`."""
        remote = self._remote.for_url(url)
        is_own_host = remote is self._remote
        if is_own_host not in self._bytes_factories:
            self._bytes_factories[is_own_host] = _factory(remote, _BytesDownloader)
        downloader = remote.get_downloader(
            url=url, download_factory=self._bytes_factories[is_own_host], max_size=max_size
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
            if error.facts["status"] not in ABSENT and not is_optional:
                raise
            return f"the upstream answered {error.facts['status']}"
        except UpstreamUnreachable as error:
            if not is_optional:
                raise
            return f"it cannot be downloaded: {error.facts['reason']}"


def run(awaitable: Awaitable[_T]) -> _T:
    """Wait for a download. Tasks are synchronous, and pulpcore's downloaders are not."""
    return asyncio.get_event_loop().run_until_complete(awaitable)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Stop downloads that nobody needs any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def upstream_errors(url: str) -> Iterator[None]:
    """Turn the errors of pulpcore's downloaders into channel errors.

    Args:
        url: What was asked for, for errors that do not say it.
    """
    try:
        yield
    except aiohttp.ClientResponseError as error:
        raise UpstreamStatus(str(error.request_info.real_url), error.status) from None
    except (DigestValidationError, SizeValidationError) as error:
        what = "sha256" if isinstance(error, DigestValidationError) else "size"
        reason = f"{what} {error.actual}, not {error.expected}"
        raise DigestMismatch(url=error.url or url, reason=reason) from None
    except TimeoutException as error:
        raise _timeout_error(url, error.__context__) from None
    except aiohttp.ClientConnectorError as error:
        raise UpstreamUnreachable(url=url, reason=str(error)) from None
    except (
        aiohttp.ClientPayloadError,
        aiohttp.ClientOSError,
        aiohttp.ServerDisconnectedError,
    ) as error:
        reason = str(error) if isinstance(error, BrokenOff) else "the connection was closed"
        raise DownloadBrokeOff(url=url, reason=reason, advice=_CLOSED) from None
    except (aiohttp.ClientError, UnicodeError) as error:
        # A URL like 'http://a..b/' is a UnicodeError.
        raise UpstreamUnreachable(url=url, reason=str(error)) from None


def status_of(error: UpstreamError) -> int | None:
    """Return the HTTP status that an upstream answered, if it answered one."""
    return error.facts["status"] if isinstance(error, UpstreamStatus) else None


def may_pass(error: UpstreamError) -> bool:
    """Say whether another answer can be expected later."""
    status = status_of(error)
    if status is None:
        return isinstance(error, UpstreamUnreachable | DownloadBrokeOff)
    return status in _FOR_NOW or (status >= 500 and status not in ABSENT)


def _timeout_error(url: str, error: BaseException | None) -> UpstreamError:
    """Return the error for a timeout, which names the field of the remote that decides about it."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        reason = "no connection within the remote's 'sock_connect_timeout' or 'connect_timeout'"
        return UpstreamUnreachable(url=url, reason=reason)
    if isinstance(error, aiohttp.ServerTimeoutError):
        reason, advice = "nothing came for longer than 'sock_read_timeout' allows", _TOO_SLOW
    else:
        reason, advice = "it took longer than 'total_timeout' allows", _TOO_LONG
    return DownloadBrokeOff(url=url, reason=reason, advice=advice)


def _is_shard_index(url: str) -> bool:
    return url.partition("?")[0].endswith(f"/{layout.SHARD_INDEX}")


def _factory(remote: CondaRemote, downloader: type[HomeDownloader]) -> DownloaderFactory:
    return DownloaderFactory(remote, {"http": downloader, "https": downloader})


def _conditions_of(seen: Seen) -> dict[str, str]:
    """Return request headers by which the upstream answers 304 if the file did not change."""
    values = {_IF_NONE_MATCH: seen["etag"], _IF_MODIFIED_SINCE: seen["last_modified"]}
    return {header: value for header, value in values.items() if value}


def _check_index_size(url: str, size: int) -> None:
    if size > shards.MAX_SIZE:
        reason = f"it is larger than {shards.MAX_SIZE} bytes"
        raise BadShardIndex(url=url, reason=reason)


def _read_once(path: str, max_size: int) -> bytes:
    """Return the bytes of a downloaded file, and delete it.

    Raises:
        _FileTooLarge: it has more than `max_size` bytes.
    """
    with open(path, "rb") as file:
        data = file.read(max_size + 1)
    os.unlink(path)
    if len(data) > max_size:
        raise _FileTooLarge
    return data
