"""Send the files of a channel, wherever their bytes are: the same headers, conditions and ranges
for all.

pulpcore's cache does not keep these answers. It would bring them back as aiohttp's own.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from types import NoneType
from typing import NoReturn

from aiohttp.abc import AbstractStreamWriter
from aiohttp.web import BaseRequest, HTTPUnavailableForLegalReasons, StreamResponse
from django.conf import settings
from django.db import connection

from pulpcore.metrics import artifacts_size_counter, init_otel_meter
from pulpcore.plugin.content import Handler
from pulpcore.plugin.models import Artifact, Remote, RemoteArtifact
from pulpcore.plugin.util import get_domain, get_domain_pk

from pulp_conda.app.limits import package_limits
from pulp_conda.app.models import CondaPackageInfo
from pulp_conda.app.monitoring.metrics import BlockedRequests
from pulp_conda.app.serving.answers import Answer, Refusal, answer, headers_for_storage
from pulp_conda.app.serving.fetching import ClientLeft, Failure, ask, fetch, note_wrong_bytes
from pulp_conda.app.serving.resolve import Facts, InMemory, Stored, Upstream
from pulp_conda.channel.package.info import read_info

log = logging.getLogger(__name__)

_CHUNK_SIZE = 2**20

# The statuses with which a file is sent, here or by the storage.
_SENT = (200, 206, 302)

# One thread: reading what a package says of itself must not take the time of those who wait for
# files.
_info_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="conda-info")


def respond(facts: Facts, refusal: Refusal | None = None) -> "ChannelFile":
    """Return what sends the answer to a request for a path, once aiohttp has the request.

    Args:
        refusal: Why the client may not read the channel, or None if it may.
    """
    sender = ChannelFile if refusal is not None else _SENDERS[type(facts.where)]
    return sender(facts, refusal)


# None if nobody wants to know: see `pulp_conda.app.monitoring.metrics`.
blocked_requests = (
    BlockedRequests(init_otel_meter("pulp-content")) if settings.OTEL_ENABLED else None
)


class NotSent(Exception):
    """Nothing was sent, because more became known of the file.

    Attributes:
        facts: What is known now.
    """

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self.facts = facts


class ChannelFile(StreamResponse):
    """A file of a channel, or what is said instead. It is decided when aiohttp has the request."""

    def __init__(self, facts: Facts, refusal: Refusal | None = None) -> None:
        super().__init__()
        self.facts = facts
        self.refusal = refusal
        # The base path of the channel, if the file is in one.
        self.base_path = ""
        self._is_decided = False

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Called by aiohttp to send the answer, and by `_send` when it is time for the headers."""
        if self._is_decided:
            return await super().prepare(request)
        self._is_decided = True
        given = answer(self.facts, self.refusal, request)
        if given.status in _SENT and (facts := await self._look(request, given)) is not self.facts:
            self.facts = facts
            given = answer(facts, self.refusal, request)
        self._count(request, given)
        if given.status == HTTPUnavailableForLegalReasons.status_code and blocked_requests:
            blocked_requests.add(get_domain().name, self.base_path)
        if given.status not in (200, 206):
            return await self._send_instead(request, given)
        self.set_status(given.status)
        self.headers.update(given.headers)
        self.content_length = given.stop if given.stop is None else given.stop - given.start
        if request.method != "HEAD":
            try:
                await self._send(request, given.start, given.stop)
            except NotSent as error:
                given = answer(error.facts, self.refusal, request)
                return await self._send_instead(request, given)
        return await super().prepare(request)

    async def _look(self, request: BaseRequest, given: Answer) -> Facts:
        """Return the facts with those for which the bytes have to be looked at."""
        return self.facts

    async def _send(self, request: BaseRequest, start: int, stop: int | None) -> None:
        """Send the headers, by `prepare`, and these bytes of the file.

        Raises:
            NotSent: another answer has to be given.
        """
        raise NotImplementedError

    def _count(self, request: BaseRequest, given: Answer) -> None:
        """Tell the metrics of Pulp."""

    async def _send_instead(
        self, request: BaseRequest, given: Answer
    ) -> AbstractStreamWriter | None:
        self.set_status(given.status, given.phrase)
        self.headers.clear()
        self.headers.update(given.headers)
        for challenge in given.challenges:
            self.headers.add("WWW-Authenticate", challenge)
        if given.status in (204, 304):
            return await super().prepare(request)
        body = (given.text or f"{self.status}: {self.reason}").encode()
        self.content_type = "text/html" if given.html else "text/plain"
        self.charset = "utf-8"
        self.content_length = len(body)
        writer = await super().prepare(request)
        if request.method != "HEAD":
            await super().write(body)
        return writer


class MemoryFile(ChannelFile):
    """A small file that is in memory."""

    # aiohttp sends the headers together with the file then, as it does for its own answers.
    _send_headers_immediately = False

    def __init__(self, facts: Facts, refusal: Refusal | None = None) -> None:
        super().__init__(facts, refusal)
        assert isinstance(facts.where, InMemory)
        self._data = facts.where.data

    async def _send(self, request: BaseRequest, start: int, stop: int | None) -> None:
        await self.prepare(request)
        await self.write(self._data[start:stop])


class StoredFile(ChannelFile):
    """A file in Pulp's storage; clients are sent to an object storage if the domain wants that."""

    def __init__(self, facts: Facts, refusal: Refusal | None = None) -> None:
        super().__init__(facts, refusal)
        assert isinstance(facts.where, Stored)
        self._stored = facts.where
        self._content_artifact = facts.where.content_artifact
        self._artifact = self._content_artifact.artifact

    async def _look(self, request: BaseRequest, given: Answer) -> Facts:
        facts = self.facts
        if given.status == 302:
            facts = await asyncio.to_thread(self._locate, request)
            if facts.location or facts.is_lost:
                return facts
        return facts if await self._has_bytes() else replace(facts, is_lost=True)

    async def _has_bytes(self) -> bool:
        """Say whether the file can be sent."""
        if self._stored.path is not None:
            size = self._stored.stored_size()
        else:
            # In a thread, with the domain that is in the context: it says where the file is.
            size = await asyncio.to_thread(self._stored.stored_size)
        if size != self._artifact.size:
            self._log_loss(size)
        return size == self._artifact.size

    def _locate(self, request: BaseRequest) -> Facts:
        """Return the facts with the signed URL in the object storage, if it makes such URLs."""
        headers = headers_for_storage(self.facts, request)
        try:
            found = Handler()._build_response_from_content_artifact(
                self._content_artifact, headers, request
            )
        except NotImplementedError:
            return replace(self.facts, is_redirected=False)
        except FileNotFoundError:
            self._log_loss(None)
            return replace(self.facts, is_lost=True)
        return replace(self.facts, location=str(found.location))

    def _log_loss(self, size: int | None) -> None:
        log.error(
            "'%s' cannot be served: its file '%s' has %s bytes in the storage, and had %d. "
            "Upload the package again, repair the repository version, or restore the file.",
            self._content_artifact.relative_path,
            self._artifact.file.name,
            "no" if size is None else size,
            self._artifact.size,
        )

    def _count(self, request: BaseRequest, given: Answer) -> None:
        if request.method == "GET" and given.status in (200, 206, 302):
            artifacts_size_counter.add((given.stop or 0) - given.start)

    async def _send(self, request: BaseRequest, start: int, stop: int | None) -> None:
        assert stop is not None
        if self._stored.path is None:
            await self._send_chunks(request, start, stop)
            return
        try:
            await self._send_by_kernel(request, self._stored.path, start, stop)
        except NotImplementedError:
            # uvloop has no `sendfile`.
            await self._send_chunks(request, start, stop)

    async def _send_by_kernel(self, request: BaseRequest, path: str, start: int, stop: int) -> None:
        with open(path, "rb") as file:
            await self.prepare(request)
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError
            loop = asyncio.get_running_loop()
            sent = await loop.sendfile(request.transport, file, start, stop - start)
        if sent < stop - start:
            self._raise_too_short()

    async def _send_chunks(self, request: BaseRequest, start: int, stop: int) -> None:
        chunks = self._read(start, stop)
        while start < stop:
            # In a thread, with the domain that is in the context: it says where the file is.
            chunk = await asyncio.to_thread(next, chunks)
            await self.prepare(request)
            await self.write(chunk)
            start += len(chunk)

    def _read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield these bytes; opening the file and reading a small one is a single step."""
        stored = self._artifact.file
        # Not `stored.open`, which keeps the file: another request may have the same artifact.
        with stored.storage.open(stored.name) as file:
            file.seek(start)
            while chunk := file.read(min(_CHUNK_SIZE, stop - start)):
                start += len(chunk)
                yield chunk
        self._raise_too_short()

    def _raise_too_short(self) -> NoReturn:
        raise EOFError(f"'{self._artifact.file.name}' has fewer bytes than when it was stored")


class OnDemandPackage(ChannelFile):
    """A package that is fetched while the client waits, answered as if the file were here.

    pulpcore streams well, but hands on the upstream's headers (its Cache-Control and validators are
    not ours), downloads the whole file for a HEAD, misreads suffix ranges, with which rattler looks
    into packages, sends a file from the beginning again when a download is tried again, and does
    not check what it streams without keeping. Here the last piece is held back until the checksum
    is known to be right, so that no client ever gets a whole file with wrong bytes.
    """

    def __init__(self, facts: Facts, refusal: Refusal | None = None) -> None:
        super().__init__(facts, refusal)
        assert isinstance(facts.where, Upstream)
        self._content_artifact = facts.where.content_artifact
        self._hash = hashlib.sha256()
        self._held_back = b""
        # Positions in the file: of the bytes that the client gets, of those that came from any
        # upstream so far, and of those that the current download has given.
        self._first, self._end = 0, facts.size
        self._seen = 0
        self._position = 0
        self._is_wrong = False

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        if self._is_decided:
            # Called when an upstream begins to answer, again whenever it is tried again.
            self._position = 0
            self._timeout.reschedule(None)
        if self._is_decided and not self.prepared:
            # pulpcore put the upstream's headers among ours.
            self.headers.clear()
            self.headers.update(self._own_headers)
        with _client_errors():
            return await super().prepare(request)

    async def _look(self, request: BaseRequest, given: Answer) -> Facts:
        if request.method != "HEAD":
            return self.facts
        failure = await fetch(self._content_artifact, ask)
        return self._with(failure) if failure else self.facts

    async def _send(self, request: BaseRequest, start: int, stop: int | None) -> None:
        self._own_headers = self.headers.copy()
        self._first, self._end = start, stop
        headers = request.headers.copy()
        # All bytes come here, whichever the client wants.
        headers.popall("Range", None)
        whole = request.clone(headers=headers)

        async def stream(remote_artifact: RemoteArtifact, timeout: asyncio.Timeout) -> None:
            self._position = 0
            self._timeout = timeout
            is_kept = remote_artifact.remote.policy != Remote.STREAMED
            await Handler()._stream_remote_artifact(
                whole, self, remote_artifact, save_artifact=is_kept
            )
            if self._is_wrong:
                await note_wrong_bytes(remote_artifact)

        failure = await fetch(self._content_artifact, stream)
        if failure and not self.prepared:
            raise NotSent(self._with(failure))
        if failure:
            self._cut()
        elif artifact := self._content_artifact.artifact:
            # The domain is in the context.
            _info_reader.submit(
                copy_context().run, _remember_info, artifact, self._content_artifact.relative_path
            )

    def _with(self, failure: Failure) -> Facts:
        return replace(self.facts, failure=failure, reason=str(failure.error(self.facts.filename)))

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        # A download that was tried again begins with what is known.
        new = bytes(data)[max(self._seen - self._position, 0) :]
        self._position += len(data)
        if not new:
            return
        self._hash.update(new)
        stop = None if self._end is None else max(self._end - self._seen, 0)
        wanted = new[max(self._first - self._seen, 0) : stop]
        self._seen += len(new)
        if wanted:
            ready, self._held_back = self._held_back, wanted
            if ready:
                with _client_errors():
                    await super().write(ready)

    async def write_eof(self, data: bytes = b"") -> None:
        held_back, self._held_back = self._held_back, b""
        if held_back and self._hash.hexdigest() != self.facts.sha256:
            log.warning(
                "The upstream of '%s' sent other bytes than its record says",
                self._content_artifact.relative_path,
            )
            self._is_wrong = True
            self._cut()
            return
        await super().write_eof(held_back + data)

    def _cut(self) -> None:
        """End the connection, so that the client does not take what it has for the whole file."""
        self._held_back = b""
        if self._req is not None and self._req.transport is not None:
            self._req.transport.close()


@contextmanager
def _client_errors() -> Iterator[None]:
    """Tell the errors of the connection to the client from those of a connection to an upstream.

    Raises:
        ClientLeft
    """
    try:
        yield
    except ConnectionError as error:
        raise ClientLeft(str(error)) from error


_SENDERS: dict[type, type[ChannelFile]] = {
    NoneType: ChannelFile,
    InMemory: MemoryFile,
    Stored: StoredFile,
    Upstream: OnDemandPackage,
}


def _remember_info(artifact: Artifact, path: str) -> None:
    """Read and store the metadata of a downloaded package. Errors do not fail the request."""
    try:
        if CondaPackageInfo.objects.filter(
            pulp_domain=get_domain_pk(), sha256=artifact.sha256, read_at__isnull=False
        ).exists():
            return
        with artifact.file.open() as file:
            info = read_info(
                file,
                filename=path.rpartition("/")[2],
                size=artifact.size,
                limits=package_limits(),
            )
        CondaPackageInfo.remember(artifact.sha256, info)
    except Exception:
        log.debug("'%s' was not read", path, exc_info=True)
    finally:
        connection.close()
