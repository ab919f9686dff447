"""A static web server with a channel folder, which can be told to misbehave: the only fake of the
tests.
"""

import hashlib
import ssl
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.support.web import WebHandler, WebServer


class Upstream:
    """Serves a folder on loopback, and remembers what it was asked for.

    Attributes:
        requests: (method, path, status) of each answer, in order.
        answers: By path, a (status, body) that is given instead of a file, or a list of them that
            are given once each. A body of several pieces is sent without saying how long it is. A
            third item is a dict of headers.
        cuts: By path, a list of numbers: after so many bytes of a body, the connection is closed.
            Each counts for one answer.
        ranges: What happens to a request for the rest of a file: "yes", "no" (the whole file is
            sent), or "blind" (the rest is sent, whatever `If-Range` says).
        redirects: By path, the URL to which a request is sent.
        gates: By path, an event that a request waits for; `reached` tells that one waits.
        certificates: Over TLS, the client certificate of each request, or None.
    """

    def __init__(self, folder, tls=None):
        self.folder = Path(folder)
        self.requests = []
        self.headers = []
        self.certificates = []
        self.answers = {}
        self.cuts = {}
        self.ranges = "yes"
        self.redirects = {}
        self.gates = {}
        self.reached = threading.Event()
        upstream = self

        class Handler(_Handler):
            server_upstream = upstream

        self._server = WebServer(Handler, tls)
        self.url = self._server.url

    def __enter__(self):
        self._server.__enter__()
        return self

    def __exit__(self, *exception):
        for gate in self.gates.values():
            gate.set()
        self._server.__exit__()

    def hold(self, path):
        """Let requests for a path wait until the returned event is set."""
        self.reached.clear()
        gate = self.gates[path] = threading.Event()
        return gate

    def asked(self, suffix=""):
        """Return the statuses of the requests whose path ends so."""
        return [status for _, path, status in self.requests if path.endswith(suffix)]


class _Handler(WebHandler):
    server_upstream = None

    def do_GET(self):
        upstream = self.server_upstream
        path = unquote(urlsplit(self.path).path).lstrip("/")
        if gate := upstream.gates.get(path):
            upstream.reached.set()
            gate.wait(60)
        location = upstream.redirects.get(path)
        redirect = location and (302, b"")
        found = redirect or self._answer(path) or self._file(upstream.folder / path)
        status, body, headers = (*found, {})[:3]
        if not isinstance(body, bytes):
            self._note(path, status)
            self._send_pieces(status, body)
            return
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if status == 200 and self.headers.get("If-None-Match") == etag:
            status, body = 304, b""
        status, body, headers = self._rest(status, body, etag, headers)
        self._note(path, status)
        self.send_response(status)
        if status in (200, 206, 304):
            self.send_header("ETag", etag)
        for name, value in headers.items():
            self.send_header(name, value)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if cuts := upstream.cuts.get(path):
            body = body[: cuts.pop(0)]
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def _answer(self, path):
        answer = self.server_upstream.answers.get(path)
        if isinstance(answer, list):
            return answer.pop(0) if answer else None
        return answer

    def _rest(self, status, body, etag, headers):
        """Answer a request for the rest of a file with it, if it may be had."""
        ranges = self.server_upstream.ranges
        asked = self.headers.get("Range")
        is_same = self.headers.get("If-Range", etag) == etag or ranges == "blind"
        if status != 200 or not asked or ranges == "no" or not is_same:
            return status, body, headers
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        where = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return 206, body[start:], {**headers, "Content-Range": where}

    def _note(self, path, status):
        self.server_upstream.requests.append((self.command, path, status))
        self.server_upstream.headers.append(dict(self.headers))
        if isinstance(self.connection, ssl.SSLSocket):
            self.server_upstream.certificates.append(self.connection.getpeercert())

    def _send_pieces(self, status, pieces):
        self.send_response(status)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for piece in pieces:
                self.wfile.write(piece)
        except ConnectionError:
            pass  # The client has seen enough.

    def _file(self, path):
        return (200, path.read_bytes()) if path.is_file() else (404, b"Not found")
