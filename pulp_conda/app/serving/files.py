"""Send the files of a channel, wherever their bytes are: the same headers, conditions and ranges
for all.

pulpcore's cache does not keep these answers. It would bring them back as aiohttp's own.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import NoReturn

from aiohttp.abc import AbstractStreamWriter
from aiohttp.web import (
    BaseRequest,
    HTTPException,
    HTTPForbidden,
    HTTPFound,
    HTTPMovedPermanently,
    HTTPNotFound,
    HTTPNotModified,
    HTTPPreconditionFailed,
    HTTPRequestRangeNotSatisfiable,
    HTTPServiceUnavailable,
    HTTPUnavailableForLegalReasons,
    StreamResponse,
)
from django.db import connection

from pulpcore.metrics import artifacts_size_counter
from pulpcore.plugin.content import Handler
from pulpcore.plugin.models import Artifact
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.artifacts import stored_size
from pulp_conda.app.limits import package_limits
from pulp_conda.app.models import CondaPackageInfo
from pulp_conda.app.serving.answers import Answer, answer, needs_request
from pulp_conda.app.serving.resolve import Facts, InMemory, Stored, Upstream
from pulp_conda.channel.package.info import read_info

log = logging.getLogger(__name__)

_CHUNK_SIZE = 2**20

_INSTEAD = {
    404: HTTPNotFound,
    304: HTTPNotModified,
    412: HTTPPreconditionFailed,
    416: HTTPRequestRangeNotSatisfiable,
    503: HTTPServiceUnavailable,
}

# One thread: reading what a package says of itself must not take the time of those who wait for
# files.
_info_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="conda-info")


def respond(facts: Facts, guard: str | None = None) -> "ChannelFile":
    """Return what sends the answer to a request for a path, once aiohttp has the request.

    Args:
        guard: Why the client may not read the channel, or None if it may.

    Raises:
        HTTPException: as the answer, where it does not depend on the request.
    """
    if not needs_request(facts, guard):
        raise _instead(answer(facts, guard, None), guard)
    return _SENDERS[type(facts.where)](facts)


def _instead(given: Answer, guard: str | None = None) -> HTTPException:
    """Return the answer that sends no file."""
    headers = dict(given.headers)
    match given.status:
        case 403:
            return HTTPForbidden(reason=guard)
        case 301:
            return HTTPMovedPermanently(headers.pop("Location"), headers=headers)
        case 302:
            return HTTPFound(headers.pop("Location"), headers=headers)
        case 451:
            return HTTPUnavailableForLegalReasons(None, headers=headers, text=given.text)
    return _INSTEAD[given.status](headers=headers, text=given.text)


class ChannelFile(StreamResponse):
    """A file of a channel, whose answer is decided when aiohttp has the request."""

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.facts = facts
        self._is_decided = False

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Called by aiohttp to send the answer, and by `_send` when it is time for the headers."""
        if self._is_decided:
            return await super().prepare(request)
        self._is_decided = True
        given = answer(self.facts, None, request)
        if given.status in (200, 206) and not await self._has_bytes():
            given = answer(replace(self.facts, is_lost=True), None, request)
        self._count(request, given)
        if given.status not in (200, 206):
            return await self._send_instead(request, _instead(given))
        self.set_status(given.status)
        self.headers.update(given.headers)
        self.content_length = given.stop if given.stop is None else given.stop - given.start
        if request.method != "HEAD":
            try:
                await self._send(request, given.start, given.stop)
            except HTTPException as error:
                return await self._send_instead(request, error)
        return await super().prepare(request)

    async def _has_bytes(self) -> bool:
        """Say whether the file can be sent."""
        return True

    async def _send(self, request: BaseRequest, start: int, stop: int | None) -> None:
        """Send the headers, by `prepare`, and these bytes of the file."""
        raise NotImplementedError

    def _count(self, request: BaseRequest, given: Answer) -> None:
        """Tell the metrics of Pulp."""

    async def _send_instead(
        self, request: BaseRequest, given: HTTPException
    ) -> AbstractStreamWriter | None:
        self.set_status(given.status)
        self.headers.clear()
        self.headers.update(given.headers)
        if not isinstance(given.body, bytes):
            return await super().prepare(request)
        self.content_length = len(given.body)
        writer = await super().prepare(request)
        if request.method != "HEAD":
            await super().write(given.body)
        return writer


class MemoryFile(ChannelFile):
    """A small file that is in memory."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        assert isinstance(facts.where, InMemory)
        self._data = facts.where.data

    async def _send(self, request: BaseRequest, start: int, stop: int | None) -> None:
        await self.prepare(request)
        await self.write(self._data[start:stop])


class StoredFile(ChannelFile):
    """A file in Pulp's storage; clients are sent to an object storage if the domain wants that."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        assert isinstance(facts.where, Stored)
        self._content_artifact = facts.where.content_artifact
        self._artifact = self._content_artifact.artifact

    async def _has_bytes(self) -> bool:
        # In a thread, with the domain that is in the context: it says where the file is.
        size = await asyncio.to_thread(stored_size, self._artifact)
        if size != self._artifact.size:
            log.error(
                "'%s' cannot be served: its file '%s' has %s bytes in the storage, and had %d. "
                "Upload the package again, repair the repository version, or restore the file.",
                self._content_artifact.relative_path,
                self._artifact.file.name,
                "no" if size is None else size,
                self._artifact.size,
            )
        return size == self._artifact.size

    def _count(self, request: BaseRequest, given: Answer) -> None:
        if request.method == "GET" and given.status in (200, 206, 302):
            artifacts_size_counter.add((given.stop or 0) - given.start)

    async def _send(self, request: BaseRequest, start: int, stop: int | None) -> None:
        assert stop is not None
        try:
            await self._send_by_kernel(request, start, stop)
        except NotImplementedError:
            # A storage that is not on a disk has no paths, and uvloop no `sendfile`.
            await self._send_chunks(request, start, stop)

    async def _send_by_kernel(self, request: BaseRequest, start: int, stop: int) -> None:
        with open(self._artifact.file.path, "rb") as file:
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
    into packages, and does not check what it streams without keeping. Here the last piece is held
    back until the checksum is known to be right, so that no client ever gets a whole file with
    wrong bytes.
    """

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        assert isinstance(facts.where, Upstream)
        self._content_artifact = facts.where.content_artifact
        self._hash = hashlib.sha256()
        self._held_back = b""

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        if self._is_decided and not self.prepared:
            # pulpcore put the upstream's headers among ours.
            self.headers.clear()
            self.headers.update(self._own_headers)
        return await super().prepare(request)

    async def _send(self, request: BaseRequest, start: int, stop: int | None) -> None:
        self._own_headers = self.headers.copy()
        headers = request.headers.copy()
        headers.popall("Range", None)
        if self.status == 206 and stop is not None:
            headers["Range"] = f"bytes={start}-{stop - 1}"
        await Handler()._stream_content_artifact(
            request.clone(headers=headers), self, self._content_artifact
        )
        if artifact := self._content_artifact.artifact:
            # The domain is in the context.
            _info_reader.submit(
                copy_context().run, _remember_info, artifact, self._content_artifact.relative_path
            )

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        self._hash.update(data)
        ready, self._held_back = self._held_back, bytes(data)
        if ready:
            await super().write(ready)

    async def write_eof(self, data: bytes = b"") -> None:
        held_back, self._held_back = self._held_back, b""
        if held_back and self.status == 200 and self._hash.hexdigest() != self.facts.sha256:
            log.warning(
                "The upstream of '%s' sent other bytes than its record says",
                self._content_artifact.relative_path,
            )
            if self._req is not None and self._req.transport is not None:
                self._req.transport.close()
            return
        await super().write_eof(held_back + data)


_SENDERS = {InMemory: MemoryFile, Stored: StoredFile, Upstream: OnDemandPackage}


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
