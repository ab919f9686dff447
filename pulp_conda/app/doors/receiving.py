"""Take the bytes of a package from a client, and keep them on the disk until they are stored."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import BodyPartReader, HttpVersion11, StreamReader, hdrs
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web import HTTPRequestEntityTooLarge, Request
from aiohttp.web_protocol import RequestPayloadError
from django.conf import settings

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.doors.refusal import Refusal
from pulp_conda.app.errors import BadUpload
from pulp_conda.app.limits import package_limits
from pulp_conda.channel.errors import PackageTooLarge

# How much is hashed and written at a time, in a thread.
_BLOCK = 2**20

# How many bytes of a refused upload are read, and for how many seconds. A client that still sends
# while the connection is closed often loses the answer.
_MOST_DRAINED = 256 * 2**20
_DRAIN_SECONDS = 60

# What a body that cannot be read raises. `ValueError` and `AssertionError` come from `multipart`.
_UNREADABLE = (RequestPayloadError, BadHttpMessage, ValueError, AssertionError)


@dataclass(frozen=True)
class ReceivedFile:
    """A whole file as it arrived. `sha256` and `md5` are in hex."""

    path: Path
    size: int
    sha256: str
    md5: str


async def wait_with_the_body(request: Request) -> None:
    """Do not answer `Expect: 100-continue` yet: first it is asked who sends the request."""


async def let_send(request: Request) -> None:
    """Tell a client that waits for it to send its body (RFC 9110, section 10.1.1)."""
    expects = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if expects and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


@asynccontextmanager
async def received(blocks: AsyncIterator[bytes], filename: str) -> AsyncIterator[ReceivedFile]:
    """Write a file to the disk, and give it until the end of the `with` block.

    Args:
        filename: The name of the package, for errors.

    Raises:
        Refusal: the file is larger than a package may be.
        CondaError: `DiskFull`.
    """
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)

    def take(block: bytes) -> None:
        sha256.update(block)
        md5.update(block)
        file.write(block)

    place = settings.FILE_UPLOAD_TEMP_DIR
    with (
        disk_errors(),
        # Whoever stores the file may move it away.
        TemporaryDirectory(prefix="upload-", dir=place, ignore_cleanup_errors=True) as folder,
    ):
        path, size = Path(folder, "package"), 0
        with path.open("wb") as file:
            async for block in blocks:
                size += len(block)
                check_size(size, filename)
                await asyncio.to_thread(take, block)
            await asyncio.to_thread(file.flush)
        yield ReceivedFile(path, size, sha256.hexdigest(), md5.hexdigest())


def check_size(size: int, filename: str) -> None:
    """Refuse a file that has more bytes than a package may have when it is unpacked.

    Raises:
        Refusal
    """
    limit = package_limits().total_size
    if size > limit:
        error = PackageTooLarge(
            filename=filename,
            reason=f"it has more than {limit} bytes",
            setting="CONDA_PACKAGE_LIMITS['total_size']",
        )
        raise Refusal(413, str(error))


async def blocks_of_body(request: Request) -> AsyncIterator[bytes]:
    """Yield the body of a request in large blocks, whether or not its length is known.

    Raises:
        BadUpload: the body is not what its headers say.
    """
    try:
        async for block in _joined(_pieces(request.content)):
            yield block
    except _UNREADABLE as error:
        raise _unreadable(error) from None


async def parts_of(request: Request) -> AsyncIterator[BodyPartReader]:
    """Yield the parts of a form, each of which has to be read before the next one.

    Raises:
        BadUpload: the body is no form, or has no end.
    """
    try:
        form = await request.multipart()
        _keep_whole_body(request.content)
        while (part := await form.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise BadUpload(reason="a part of the form is a form itself")
            yield part
            _keep_whole_body(request.content)
    except _UNREADABLE as error:
        raise _unreadable(error) from None


async def blocks_of_part(request: Request, part: BodyPartReader) -> AsyncIterator[bytes]:
    """Yield a part of a form in large blocks.

    Raises:
        BadUpload: the part has no end.
    """
    try:
        while block := await part.read_chunk(_BLOCK):
            yield block
            _keep_whole_body(request.content)
    except _UNREADABLE as error:
        raise _unreadable(error) from None


async def text_of_part(part: BodyPartReader) -> str:
    """Return a small part of a form.

    Raises:
        BadUpload: the part has no end, is too large for a text, or is not UTF-8.
    """
    try:
        return await part.text(encoding="utf-8")
    except HTTPRequestEntityTooLarge:
        raise BadUpload(reason=f"the part '{part.name}' is too large") from None
    except _UNREADABLE as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> BadUpload:
    """Return the error for a body that aiohttp cannot read."""
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return BadUpload(reason=reason)


async def drain(request: Request) -> None:
    """Read what a refused client still sends, up to a limit, so that it reads the answer."""
    if not request.can_read_body or hdrs.EXPECT in request.headers:
        return
    left = _MOST_DRAINED
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0 and (block := await request.content.readany()):
                left -= len(block)
    except (*_UNREADABLE, ConnectionError, TimeoutError):
        pass  # The answer says what is wrong, if there is somebody to read it.


async def _pieces(content: StreamReader) -> AsyncIterator[bytes]:
    _keep_whole_body(content)
    while piece := await content.readany():
        yield piece
        _keep_whole_body(content)


def _keep_whole_body(content: StreamReader) -> None:
    """Let a body be read that arrived whole, also if its client has gone away since then."""
    if content.is_eof() and content.exception() is not None:
        content.set_exception(None)  # type: ignore[arg-type]  # aiohttp has no other way


async def _joined(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield blocks of about the same size, however small the pieces are that arrive."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if len(waiting) >= _BLOCK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
