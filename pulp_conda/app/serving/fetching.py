"""Why a package cannot be fetched from its upstreams, and for how long it is useless to ask again.

A client has to tell two cases apart: the package is not there, and it cannot be had right now.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import IntEnum, auto

from aiohttp import (
    ClientConnectionError,
    ClientConnectorCertificateError,
    ClientError,
    ClientHandlerType,
    ClientHttpProxyError,
    ClientPayloadError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    InvalidURL,
    hdrs,
)
from django.conf import settings
from django.utils import timezone
from rest_framework.serializers import ValidationError

from pulpcore.plugin.exceptions import (
    DigestValidationError,
    PulpException,
    SizeValidationError,
    TimeoutException,
    UnsupportedDigestValidationError,
)
from pulpcore.plugin.models import ContentArtifact, Remote, RemoteArtifact

from pulp_conda.app.errors import NotDownloaded, Offline
from pulp_conda.app.exceptions import CondaError

log = logging.getLogger(__name__)

# Seconds after which a client may ask again if the upstream does not say it.
_RETRY_AFTER = 10

# The longest wait in seconds that an upstream may ask clients for.
_LONGEST_RETRY_AFTER = 600

# Seconds in which an upstream has to begin to answer, all tries together, if the remote has no
# timeouts. conda gives up after 60.
_PATIENCE = 30

_GONE = {404, 410}

# Statuses of the client's side that pass: a timeout, too early, too many requests.
_PASSING = {408, 425, 429}


class Cause(IntEnum):
    """Why a package cannot be fetched. Of several upstreams, the largest counts."""

    GONE = auto()  # the upstream does not have it
    REFUSED = auto()  # somebody has to change something first
    PASSING = auto()


@dataclass(frozen=True)
class Failure:
    """A package cannot be fetched.

    Attributes:
        reason: What the upstream did, without its URL: what is said of "its upstream".
        retry_after: Seconds after which a client may ask again, where that may help.
    """

    cause: Cause
    reason: str
    retry_after: int = _RETRY_AFTER

    def error(self, filename: str) -> NotDownloaded:
        """Return what is said to clients."""
        advice = {
            Cause.GONE: "Sync the channel, so that its index no longer lists the file.",
            Cause.REFUSED: "Ask the administrator of this server to look at the remote.",
            Cause.PASSING: f"Try again in {self.retry_after} seconds.",
        }
        return NotDownloaded(filename=filename, reason=self.reason, advice=advice[self.cause])


class ClientLeft(ConnectionError):
    """The client that waits for a package has closed the connection."""


async def fetch(
    content_artifact: ContentArtifact,
    get: Callable[[RemoteArtifact, asyncio.Timeout], Awaitable[None]],
) -> Failure | None:
    """Get a package from the first upstream that has it. Return why that cannot be, or None.

    An upstream that sent wrong bytes is not asked for a while, as pulpcore does it.

    Args:
        get: Gets the package from an upstream. It is cancelled at the timeout, which it lifts when
            the upstream begins to answer.

    Raises:
        ClientLeft: nobody waits any more.
    """
    failures = []
    upstreams = content_artifact.remoteartifact_set.select_related("remote").order_by_acs()
    async for remote_artifact in upstreams:
        failure = cooldown_of(remote_artifact, timezone.now())
        if failure is None:
            try:
                async with asyncio.timeout(_patience_with(remote_artifact.remote)) as timeout:
                    await get(remote_artifact, timeout)
                return None
            except Exception as error:
                failure = failure_of(error)
                log.warning(
                    "'%s' cannot be fetched from '%s': %s",
                    content_artifact.relative_path,
                    remote_artifact.url,
                    str(error) or type(error).__name__,
                )
        failures.append(failure)
    return combined(failures)


def _patience_with(remote: Remote) -> float | None:
    """Return the seconds in which an upstream has to begin to answer; None: its timeouts say it."""
    return None if remote.sock_read_timeout or remote.total_timeout else _PATIENCE


async def ask(remote_artifact: RemoteArtifact, timeout: asyncio.Timeout) -> None:
    """Ask an upstream whether it would send a package, without having it sent.

    HEAD is what is meant, and some servers, or the storages to which they redirect, answer it in
    another way than GET. What they refuse is asked for by GET, and left when it begins to come.
    """
    try:
        await _ask(remote_artifact, hdrs.METH_HEAD)
    except ClientResponseError as error:
        if failure_of(error).cause is Cause.PASSING and error.status != 501:
            raise
        await _ask(remote_artifact, hdrs.METH_GET)


async def _ask(remote_artifact: RemoteArtifact, method: str) -> None:
    async def begins(_: object) -> None:
        raise _Begins

    async def with_method(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.method = method
        return await handler(request)

    remote = await remote_artifact.remote.acast()
    downloader = remote.get_downloader(
        remote_artifact=remote_artifact, headers_ready_callback=begins
    )
    # A file of this machine has no headers.
    downloader.handle_data = begins
    try:
        await downloader.run(extra_data={"request_kwargs": {"middlewares": (with_method,)}})
    except _Begins:
        pass
    finally:
        if session := getattr(downloader, "session", None):
            await session.close()


class _Begins(Exception):
    """An upstream begins to send a file."""


async def note_wrong_bytes(remote_artifact: RemoteArtifact) -> None:
    """Remember that an upstream sent wrong bytes."""
    remote_artifact.failed_at = timezone.now()
    await remote_artifact.asave(update_fields=["failed_at"])


def failure_of(error: Exception) -> Failure:
    """Return what an error of a download means.

    Raises:
        Exception: the error, if it is none of a download.
    """
    match error:
        case ClientLeft():
            raise error
        case CondaError(error=Offline(code=code)):
            reason = f"upstream is not asked, because this server is offline ({code})"
            return Failure(Cause.PASSING, reason)
        case ClientHttpProxyError():
            return _failure_of_status(error, of="upstream's proxy", gone=set())
        case ClientResponseError():
            return _failure_of_status(error, of="upstream", gone=_GONE)
        case TimeoutException() | TimeoutError():
            return Failure(Cause.PASSING, "upstream did not answer in time")
        case ClientPayloadError():
            return Failure(Cause.PASSING, "upstream broke off in the middle of the file")
        case DigestValidationError() | SizeValidationError():
            return wrong_bytes(settings.REMOTE_CONTENT_FETCH_FAILURE_COOLDOWN)
        case ClientConnectorCertificateError():
            return Failure(Cause.REFUSED, "upstream has a certificate that is not trusted here")
        case UnsupportedDigestValidationError():
            return Failure(Cause.REFUSED, "upstream gives no checksum that this server may use")
        # Before connection errors: a URL that is none is one of them as well.
        case InvalidURL() | PulpException() | ValidationError() | ValueError():
            return Failure(Cause.REFUSED, "upstream has a URL that cannot be used")
        case ClientConnectionError():
            return Failure(Cause.PASSING, "upstream cannot be reached")
        case ClientError():
            return Failure(Cause.PASSING, "upstream gave an answer that cannot be read")
        # A remote of this machine (`file://`).
        case FileNotFoundError():
            return Failure(Cause.GONE, "upstream has no such file")
        case PermissionError():
            return Failure(Cause.REFUSED, "upstream has a file that this server may not read")
        case OSError():
            return Failure(Cause.PASSING, "upstream cannot be read")
    raise error


def cooldown_of(remote_artifact: RemoteArtifact, now: datetime) -> Failure | None:
    """Return the failure for an upstream that sent wrong bytes lately, or None if it may be
    asked.
    """
    if remote_artifact.failed_at is None:
        return None
    cooldown = timedelta(seconds=settings.REMOTE_CONTENT_FETCH_FAILURE_COOLDOWN)
    rest = remote_artifact.failed_at + cooldown - now
    return wrong_bytes(int(rest.total_seconds()) + 1) if rest > timedelta() else None


def wrong_bytes(retry_after: int) -> Failure:
    """Return the failure for an upstream that is not asked for some seconds."""
    return Failure(
        Cause.PASSING, "upstream sent other bytes than the index says", max(retry_after, 1)
    )


def combined(failures: Sequence[Failure]) -> Failure:
    """Return the failure of a package whose upstreams all failed.

    It is gone only if all of them said so, and is asked for again when the first may have it.
    """
    if not failures:
        return Failure(Cause.REFUSED, "upstream is no longer known to this server")
    cause = max(failure.cause for failure in failures)
    return min(
        (failure for failure in failures if failure.cause is cause),
        key=lambda failure: failure.retry_after,
    )


def _failure_of_status(error: ClientResponseError, of: str, gone: set[int]) -> Failure:
    status = error.status
    reason = f"{of} answered {status}"
    if status in gone:
        return Failure(Cause.GONE, reason)
    if status in _PASSING or status >= 500:
        return Failure(Cause.PASSING, reason, _retry_after(error))
    return Failure(Cause.REFUSED, reason)


def _retry_after(error: ClientResponseError) -> int:
    """Return what the upstream says about when to come again (RFC 9110, section 10.2.3)."""
    text = error.headers.get("Retry-After", "").strip() if error.headers else ""
    if text.isascii() and text.isdigit():
        seconds = int(text[:9])
    else:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return _RETRY_AFTER
        if date.tzinfo is None:
            return _RETRY_AFTER
        seconds = int((date - timezone.now()).total_seconds())
    return min(max(seconds, 1), _LONGEST_RETRY_AFTER)
