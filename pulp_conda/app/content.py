"""The answers of the content app, and its route to the past. Imported by the content app only.

Conditions and ranges: RFC 9110, sections 13 and 14.
"""

import asyncio
import hashlib
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from aiohttp.web import (
    HTTPException,
    HTTPFound,
    HTTPMovedPermanently,
    HTTPNotModified,
    HTTPPreconditionFailed,
    HTTPRequestRangeNotSatisfiable,
    StreamResponse,
    get,
)
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection

from pulpcore.metrics import artifacts_size_counter
from pulpcore.plugin.content import Handler, app
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaDistribution, CondaPackageInfo
from pulp_conda.channel.package.info import read_info
from pulp_conda.channel.package.package import Limits

log = logging.getLogger(__name__)

# Several ranges at once, which no client of channels asks for, are answered with the whole file.
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)

_CHUNK_SIZE = 2**20

_PREFIX = settings.CONTENT_PATH_PREFIX + ("{pulp_domain}/" if settings.DOMAIN_ENABLED else "")

# Before pulpcore's own route, which takes every path and finds no distribution by a part of a name.
_PAST_ROUTE = _PREFIX + "{path:.+@.*}"

# What clients ask for all the time: the files in a subdir.
_FILE_ROUTE = (
    _PREFIX
    + r"{path:.+/(?:noarch|[a-z0-9]+-[a-z0-9]+)/(?:shards/)?[^/]+\.(?:conda|tar\.bz2|json|zst)}"
)

# One thread: reading what a package says of itself must not take the time of those who wait for files.
_info_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="conda-info")


class ChannelHandler(Handler):
    """Serves `<base_path>@<moment>/<path>`, the channel as it was, and the files in subdirs by a short way.

    pulpcore's way to a file joins nine tables to find the distribution, of which a channel needs three, and changes
    threads three times. Paths that are no channel's are left to it.
    """

    async def stream_past(self, request):
        return await self._stream(request, self._find_past)

    async def stream_file(self, request):
        return await self._stream(request, self._find_file)

    async def _stream(self, request, find):
        answer = await sync_to_async(find)(request)
        return await self.stream_content(request) if answer is None else answer

    def _find_past(self, request):
        base_path, _, past = request.match_info["path"].partition("@")
        distribution = self._find_channel(request, [base_path])
        if distribution is None:
            return None
        moment, slash, path = past.partition("/")
        if not slash:
            raise HTTPMovedPermanently(f"{request.path}/")
        return distribution.past_content_handler(moment, path)

    def _find_file(self, request):
        path = request.match_info["path"]
        distribution = self._find_channel(request, self._base_paths(path))
        if distribution is None:
            return None
        return distribution.content_handler(path.removeprefix(distribution.base_path).lstrip("/"))

    def _find_channel(self, request, base_paths):
        """Return the channel at one of these paths, if there is one and the client may read it.

        Raises:
            HTTPForbidden: it may not.
        """
        channels = CondaDistribution.objects.select_related("stage").filter(
            pulp_domain=get_domain_pk(), base_path__in=base_paths
        )
        # One at most, as pulpcore lets no channel lie in another one. `first` would sort, which costs a quarter more.
        channel = next(iter(channels), None)
        if channel:
            self._permit(request, channel)
        return channel


_handler = ChannelHandler()
app.add_routes([get(_PAST_ROUTE, _handler.stream_past), get(_FILE_ROUTE, _handler.stream_file)])


class ChannelFile(StreamResponse):
    """A file of a channel: the same headers, conditions and ranges wherever its bytes are.

    aiohttp's own answer goes by the time of the file on the disk. That is wrong for a URL that serves an older file
    after a rollback, so a file is known by its checksum here, and its date has to be the very one that we gave: it
    may go back as well (RFC 9110, section 13.1.3).

    pulpcore's cache does not keep these answers. It would bring them back as aiohttp's own.
    """

    def __init__(self, headers, *, sha256, size, last_modified=None, is_date_unique=True):
        """Note what there is to answer, before the request is known.

        Args:
            size: In bytes; None if nobody knows, which means no ranges.
            last_modified: When the URL began to give these bytes.
            is_date_unique: False if in the same second it gave other bytes, so that the date proves nothing.
        """
        super().__init__(headers=headers)
        self._sha256 = sha256
        self._size = size
        self._is_date_unique = is_date_unique
        self._is_decided = False
        self.etag = sha256
        # A date of the future is not allowed, so the fraction goes.
        self.last_modified = last_modified and last_modified.replace(microsecond=0)

    async def prepare(self, request):
        """Called by aiohttp to send the answer, and by `_send` when it is time for the headers."""
        if not self._is_decided:
            self._is_decided = True
            try:
                start, stop = self._decide(request)
                if request.method != "HEAD":
                    await self._send(request, start, stop)
            except HTTPException as answer:
                return await self._send_instead(request, answer)
        return await super().prepare(request)

    def _decide(self, request):
        """Set the status and the headers, and return where the bytes to send begin and end.

        Raises:
            HTTPException: as the answer to give instead.
        """
        self._check_conditions(request)
        self.headers["Accept-Ranges"] = "bytes"
        start, stop = 0, self._size
        # Ranges are defined for GET alone.
        if request.method == "GET" and stop is not None and (part := self._find_part(request)):
            start, stop = part
            if start >= self._size:
                unsatisfied = {"Content-Range": f"bytes */{self._size}"}
                raise HTTPRequestRangeNotSatisfiable(headers=unsatisfied)
            self.set_status(206)
            self.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{self._size}"
        self.content_length = stop if stop is None else stop - start
        return start, stop

    async def _send(self, request, start, stop):
        """Send the headers, by `prepare`, and these bytes of the file."""
        raise NotImplementedError

    def _check_conditions(self, request):
        if (tags := request.if_match) is not None:
            if not any(tag.value in ("*", self._sha256) and not tag.is_weak for tag in tags):
                raise HTTPPreconditionFailed
        elif (date := request.if_unmodified_since) and self.last_modified not in (None, date):
            raise HTTPPreconditionFailed
        if (tags := request.if_none_match) is not None:
            is_known = any(tag.value in ("*", self._sha256) for tag in tags)
        else:
            date = request.if_modified_since
            is_known = date and self._is_date_unique and self.last_modified == date
        if is_known:
            validators = ("Cache-Control", "ETag", "Last-Modified")
            raise HTTPNotModified(
                headers={name: self.headers[name] for name in validators if name in self.headers}
            )

    def _find_part(self, request):
        """Return start and stop of the range that is asked for, or None for the whole file."""
        validators = {self.headers["ETag"]}
        if self._is_date_unique:
            validators.add(self.headers.get("Last-Modified"))
        if request.headers.get("If-Range", self.headers["ETag"]) not in validators:
            return None
        match = _RANGE.fullmatch(request.headers.get("Range", ""))
        if not match or match.groups() == ("", ""):
            return None
        first, last = (int(number) if number else None for number in match.groups())
        if first is None:
            return max(self._size - last, 0) if last else self._size, self._size
        if last is None:
            return first, self._size
        return (first, min(last + 1, self._size)) if first <= last else None

    async def _send_instead(self, request, answer):
        # None of our headers: nobody shall keep an error for a year.
        self.set_status(answer.status)
        self.headers.clear()
        self.headers.update(answer.headers)
        if answer.body is None:
            return await super().prepare(request)
        self.content_length = len(answer.body)
        writer = await super().prepare(request)
        if request.method != "HEAD":
            await super().write(answer.body)
        return writer


class BytesInMemory(ChannelFile):
    """A small file that was read from the database, or made for the request."""

    def __init__(self, data, headers, *, sha256=None, **options):
        super().__init__(
            headers, sha256=sha256 or hashlib.sha256(data).hexdigest(), size=len(data), **options
        )
        self._data = data

    async def _send(self, request, start, stop):
        await self.prepare(request)
        await self.write(self._data[start:stop])


class StoredFile(ChannelFile):
    """A file in Pulp's storage; clients are sent to an object storage if the domain wants that."""

    def __init__(self, content_artifact, headers, **options):
        artifact = content_artifact.artifact
        headers = {**headers, "X-PULP-ARTIFACT-SIZE": str(artifact.size)}
        super().__init__(headers, sha256=artifact.sha256, size=artifact.size, **options)
        self._content_artifact = content_artifact

    def _decide(self, request):
        start, stop = super()._decide(request)
        if request.method == "GET":
            artifacts_size_counter.add(stop - start)
        answer = Handler()._build_response_from_content_artifact(
            self._content_artifact, {"Content-Type": self.headers["Content-Type"]}, request
        )
        if isinstance(answer, HTTPFound):
            raise answer
        return start, stop

    async def _send(self, request, start, stop):
        try:
            await self._send_by_kernel(request, start, stop)
        except NotImplementedError:
            # A storage that is not on a disk has no paths, and uvloop no `sendfile`.
            await self._send_chunks(request, start, stop)

    async def _send_by_kernel(self, request, start, stop):
        with open(self._content_artifact.artifact.file.path, "rb") as file:
            await self.prepare(request)
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError
            loop = asyncio.get_running_loop()
            sent = await loop.sendfile(request.transport, file, start, stop - start)
        if sent < stop - start:
            raise self._too_short()

    async def _send_chunks(self, request, start, stop):
        chunks = self._read(start, stop)
        while start < stop:
            # In a thread, with the domain that is in the context: it says where the file is.
            chunk = await asyncio.to_thread(next, chunks)
            await self.prepare(request)
            await self.write(chunk)
            start += len(chunk)

    def _read(self, start, stop):
        """Yield these bytes; opening the file and reading a small one is a single step."""
        stored = self._content_artifact.artifact.file
        # Not `stored.open`, which keeps the file: another request may have the same artifact.
        with stored.storage.open(stored.name) as file:
            file.seek(start)
            while chunk := file.read(min(_CHUNK_SIZE, stop - start)):
                start += len(chunk)
                yield chunk
        raise self._too_short()

    def _too_short(self):
        name = self._content_artifact.artifact.file.name
        return EOFError(f"'{name}' has fewer bytes than when it was stored")


class OnDemandPackage(ChannelFile):
    """A package that is fetched while the client waits, answered as if the file were here.

    pulpcore streams well, but hands on the upstream's headers (its Cache-Control and validators are not ours),
    downloads the whole file for a HEAD, misreads suffix ranges, with which rattler looks into packages, and does
    not check what it streams without keeping. Here the last piece is held back until the checksum is known to be
    right, so that no client ever gets a whole file with wrong bytes.
    """

    def __init__(self, content_artifact, package, headers, **options):
        if package.size is not None:
            headers = {**headers, "X-PULP-ARTIFACT-SIZE": str(package.size)}
        super().__init__(headers, sha256=package.sha256, size=package.size, **options)
        self._content_artifact = content_artifact
        self._hash = hashlib.sha256()
        self._held_back = b""

    async def prepare(self, request):
        if self._is_decided and not self.prepared:
            # pulpcore put the upstream's headers among ours.
            self.headers.clear()
            self.headers.update(self._own_headers)
        return await super().prepare(request)

    async def _send(self, request, start, stop):
        self._own_headers = self.headers.copy()
        headers = request.headers.copy()
        headers.popall("Range", None)
        if self.status == 206:
            headers["Range"] = f"bytes={start}-{stop - 1}"
        await Handler()._stream_content_artifact(
            request.clone(headers=headers), self, self._content_artifact
        )
        if artifact := self._content_artifact.artifact:
            # The domain is in the context.
            _info_reader.submit(
                copy_context().run, _remember_info, artifact, self._content_artifact.relative_path
            )

    async def write(self, data):
        self._hash.update(data)
        ready, self._held_back = self._held_back, data
        if ready:
            await super().write(ready)

    async def write_eof(self, data=b""):
        held_back, self._held_back = self._held_back, b""
        if held_back and self.status == 200 and self._hash.hexdigest() != self._sha256:
            log.warning(
                "The upstream of '%s' sent other bytes than its record says",
                self._content_artifact.relative_path,
            )
            self._req.transport.close()
            return
        await super().write_eof(held_back + data)


def _remember_info(artifact, path):
    """Read what a package says of itself, now that it is here; nobody waits for it, so nobody hears of errors."""
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
                limits=Limits(**settings.CONDA_PACKAGE_LIMITS),
            )
        CondaPackageInfo.remember(artifact.sha256, info)
    except Exception:
        log.debug("'%s' was not read", path, exc_info=True)
    finally:
        connection.close()
