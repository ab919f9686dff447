"""Downloads from upstreams that are slow, strict or far away.

The secrets of a remote go only to its own server. A download may take as long as it makes progress,
goes on where it broke off, and waits as long as the upstream asks for.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, Protocol
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout
from django.conf import settings

from pulpcore.plugin.download import DownloadResult, HttpDownloader

from pulp_conda.app.errors import Offline
from pulp_conda.channel.errors import UpstreamStatus
from pulp_conda.channel.secrets import mask, may_be_secret

log = logging.getLogger(__name__)

# Seconds that a download waits for the next bytes, and for a connection, if the remote does not say
# it. Before there was a limit for each part, there was one of 300 seconds for all of a download.
READ_TIMEOUT = 300
CONNECT_TIMEOUT = 30

# The longest `Retry-After` in seconds that a task waits for.
LONGEST_WAIT = 300

_CHUNK_SIZE = 2**20

# An attempt that brings fewer bytes is no progress for which another attempt is free.
_STEP = 2**20

_PORTS = {"http": 80, "https": 443}

_CONTENT_RANGE = re.compile(r"bytes (\d+)-")


class BrokenOff(aiohttp.ClientPayloadError):
    """The connection was closed in the middle of a file."""


class _OtherPart(Exception):
    """The upstream sent another part of the file than the one that was asked for."""


class _HasTimeouts(Protocol):
    """A remote: seconds, or None where it does not say it."""

    total_timeout: float | None
    connect_timeout: float | None
    sock_connect_timeout: float | None
    sock_read_timeout: float | None


class _MakesDownloaders(Protocol):
    """A remote."""

    def get_downloader(self, *, url: str) -> HttpDownloader: ...


class HomeDownloader(HttpDownloader):
    """A downloader that drops the secrets when it is redirected to another server, goes on where it
    broke off, and waits for `Retry-After`.

    aiohttp itself drops the user and the password, and sends the headers of a remote, which may be
    API keys, to every server.

    It goes on if the file has a strong entity tag, or a digest that is checked at the end. Else, or
    if the upstream can only send the whole file, it begins again.

    Attributes:
        timeout: The timeouts of each request. None means those of the session.
        abroad: For a remote with a client certificate: a copy of it without secrets, which asks
            the servers that redirects lead to. A session shows its certificate to each server
            that wants one.
    """

    timeout: ClientTimeout | None = None
    abroad: "_MakesDownloaders | None" = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tries = 0
        # The bytes of the file that came so far, and the headers before the first of them.
        self._received = 0
        self._headers: Mapping[str, str] | None = None
        self._takes_ranges = True

    async def _run(self, extra_data: dict[str, Any] | None = None) -> Any:
        self._tries += 1
        small_steps = 0
        while True:
            before = self._received
            try:
                return await super()._run(self._with_options(extra_data))
            except _OtherPart:
                self._ask_for_all()
            except aiohttp.ClientResponseError as error:
                if error.status != 416 or not self._received:
                    await self._wait_as_told(error)
                    raise
                self._ask_for_all()
            except (
                aiohttp.ClientPayloadError,
                aiohttp.ClientConnectionError,
                TimeoutError,
            ) as error:
                gained = self._received - before
                small_steps += gained < _STEP
                is_progress = gained > 0 and small_steps <= self.max_retries
                if not (is_progress and self._can_go_on) or _is_out_of_time(error):
                    self._raise_broken_off(error)

    async def _handle_response(self, response: ClientResponse) -> DownloadResult:
        if self._received and not self._is_next_part(response):
            self._begin_again()
        if self._headers is None:
            self._headers = response.headers
            if self.headers_ready_callback:
                await self.headers_ready_callback(response.headers)
        while chunk := await response.content.read(_CHUNK_SIZE):
            await self.handle_data(chunk)
            self._received += len(chunk)
        headers = self._headers
        # If the file turns out to be wrong, another try is about all of it.
        self._received, self._headers = 0, None
        await self.finalize()
        return DownloadResult(
            path=self.path,
            artifact_attributes=self.artifact_attributes,
            url=self.url,
            headers=headers,
        )

    def _ensure_no_broken_file(self) -> None:
        """Called by pulpcore before each try."""
        if not self._can_go_on:
            self._begin_again()

    def _begin_again(self) -> None:
        super()._ensure_no_broken_file()
        self._received, self._headers = 0, None

    def _ask_for_all(self) -> None:
        """Give up asking for the rest of the file."""
        self._takes_ranges = False
        self._begin_again()

    @property
    def _can_go_on(self) -> bool:
        """Whether the rest of the file can be asked for."""
        if not self._received or not self._takes_ranges or self._headers is None:
            return False
        is_encoded = self._headers.get("Content-Encoding", "identity") != "identity"
        return not is_encoded and bool(self.expected_digests or self._entity_tag)

    @property
    def _entity_tag(self) -> str | None:
        """The strong entity tag of the file, if it has one."""
        tag = (self._headers or {}).get("ETag", "")
        return tag if tag.startswith('"') else None

    def _is_next_part(self, response: ClientResponse) -> bool:
        """Say whether an answer begins where the last one broke off.

        Raises:
            _OtherPart: it is another part of the file, or a part of another file.
        """
        if response.status != 206:
            return False
        start = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        tag = response.headers.get("ETag", self._entity_tag)
        if start is None or int(start[1]) != self._received or tag != self._entity_tag:
            raise _OtherPart
        return True

    def _with_options(self, extra_data: dict[str, Any] | None) -> dict[str, Any]:
        """Return what pulpcore hands on to aiohttp for the next request."""
        extra_data = dict(extra_data or {})
        options = dict(extra_data.get("request_kwargs") or {})
        options["middlewares"] = (*options.get("middlewares", ()), self._drop_secrets)
        if self.timeout:
            options["timeout"] = self.timeout
        if self._can_go_on:
            rest = {"Range": f"bytes={self._received}-", "Accept-Encoding": "identity"}
            if self._entity_tag:
                rest["If-Range"] = self._entity_tag
            options["headers"] = {**options.get("headers", {}), **rest}
        extra_data["request_kwargs"] = options
        return extra_data

    def _raise_broken_off(self, error: Exception) -> NoReturn:
        """Raise an error again, and say how far the download came, if it had begun."""
        if isinstance(error, TimeoutError) or not self._received:
            raise error
        length = (self._headers or {}).get("Content-Length", "")
        total = f" of {int(length):,}" if length.isdigit() else ""
        reason = f"the connection was closed after {self._received:,}{total} bytes"
        raise BrokenOff(reason) from error

    async def _wait_as_told(self, error: aiohttp.ClientResponseError) -> None:
        """Wait as long as an answer asks for, if another try comes after it.

        Raises:
            UpstreamStatus: that is longer than a task waits.
        """
        is_last = self._tries > self.max_retries
        # A client that waits for the file is told to come later.
        if error.status not in (429, 503) or is_last or self.headers_ready_callback:
            return
        answered = error.headers.get("Retry-After") if error.headers else None
        seconds = seconds_to_wait(answered, datetime.now(UTC))
        if seconds is None:
            return
        if seconds > LONGEST_WAIT:
            raise UpstreamStatus(self.url, error.status, wait=seconds)
        log.info("'%s' answered %d: waiting %d seconds", mask(self.url), error.status, seconds)
        await asyncio.sleep(seconds)

    async def _drop_secrets(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> ClientResponse:
        """Called by aiohttp before each request, also before those that follow redirects."""
        if is_at_home(str(request.url), self.url):
            return await handler(request)
        for name in {"Authorization", *filter(may_be_secret, self.session.headers)}:
            request.headers.popall(name, None)
        if self.abroad is None:
            return await handler(request)
        session = self.abroad.get_downloader(url=str(request.url)).session
        return await session.request(
            request.method,
            request.url,
            headers=request.headers,
            proxy=request.proxy,
            proxy_auth=request.proxy_auth,
            timeout=self.timeout or session.timeout,
            allow_redirects=False,
        )


def _is_out_of_time(error: Exception) -> bool:
    """Say whether an error is the total timeout of the remote. Others are `ServerTimeoutError`."""
    return isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ServerTimeoutError)


def timeout_of(remote: _HasTimeouts) -> ClientTimeout:
    """Return the timeouts of a remote. Only a remote that sets one has a limit for the whole."""
    return ClientTimeout(
        total=remote.total_timeout or None,
        connect=remote.connect_timeout or None,
        sock_connect=remote.sock_connect_timeout or CONNECT_TIMEOUT,
        sock_read=remote.sock_read_timeout or READ_TIMEOUT,
    )


def seconds_to_wait(retry_after: str | None, now: datetime) -> int | None:
    """Return how many seconds a `Retry-After` header asks to wait, or None if it does not say it.

    Args:
        retry_after: A number of seconds, or a date of HTTP (RFC 9110, 10.2.3).
        now: The time, with a time zone.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, round((moment - now).total_seconds()))


def is_at_home(url: str, home: str) -> bool:
    """Say whether a URL may be asked with the secrets for another one: both have the same scheme,
    host and port, or it is the same host over https instead of http.
    """
    try:
        server, own = _server(urlsplit(url)), _server(urlsplit(home))
    except ValueError:  # a port that is no number
        return False
    host = own[1]
    return server == own or (own, server) == (("http", host, 80), ("https", host, 443))


def _server(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def check_online() -> None:
    """Check that upstreams may be asked.

    Raises:
        Offline: the site does not want it.
    """
    if settings.CONDA_OFFLINE:
        raise Offline
