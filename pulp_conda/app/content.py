"""Answers of the content app for packages whose bytes are still upstream. Imported by the content app only."""

import hashlib
import logging

from aiohttp.web import HTTPException, StreamResponse

from pulpcore.plugin.content import Handler

log = logging.getLogger(__name__)


class OnDemandPackage(StreamResponse):
    """A package that is fetched while the client waits, answered as if the file were here.

    pulpcore streams well, but hands on the upstream's headers (its Cache-Control and validators are not ours),
    downloads the whole file for a HEAD, misreads suffix ranges, with which rattler looks into packages, and does
    not check what it streams without keeping. Here the last piece is held back until the checksum is known to be
    right, so that no client ever gets a whole file with wrong bytes.
    """

    def __init__(self, content_artifact, package, headers):
        super().__init__()
        self._content_artifact = content_artifact
        self._size = package.size
        self._sha256 = package.sha256
        self._hash = hashlib.sha256()
        self._held_back = b""
        self._pinned = {
            **headers,
            "ETag": f'"{package.sha256}"',
            "Accept-Ranges": "bytes",
        }
        self._streaming = False

    async def prepare(self, request):
        """Called by aiohttp to send the answer, and from within by pulpcore when the upstream answers."""
        if self._streaming:
            return await self._send_headers(request)
        self._streaming = True
        if request.method == "HEAD":
            return await self._send_headers(request)
        try:
            await Handler()._stream_content_artifact(
                self._with_plain_range(request), self, self._content_artifact
            )
        except HTTPException as error:
            # None of the package's headers: nobody shall keep an error for a year.
            self.set_status(error.status)
            self.headers.clear()
            if "Content-Range" in error.headers:
                self.headers["Content-Range"] = error.headers["Content-Range"]
            self.content_length = 0
            return await super().prepare(request)

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

    async def _send_headers(self, request):
        own = ("Content-Length", "Content-Range", "X-PULP-ARTIFACT-SIZE")
        kept = {name: self.headers[name] for name in own if name in self.headers}
        self.headers.clear()
        self.headers.update(self._pinned)
        self.headers.update(kept)
        if self.status == 200:
            self.content_length = self._size
        return await super().prepare(request)

    def _with_plain_range(self, request):
        """Write `bytes=-65536` as `bytes=<size - 65536>-`."""
        try:
            start = request.http_range.start
        except ValueError:
            return request
        if start is None or start >= 0 or not self._size:
            return request
        headers = request.headers.copy()
        headers["Range"] = f"bytes={max(self._size + start, 0)}-"
        return request.clone(headers=headers)
