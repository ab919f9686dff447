"""A web server between a client and the content app, which hands on everything and remembers what
was asked.
"""

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.web import WebHandler, WebServer

# Of one connection, not of the answer (RFC 9110, section 7.6.1).
_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Request:
    """A request and the status that answered it; the path is below the channel, as the client wrote
    it.
    """

    method: str
    path: str
    status: int
    headers: dict


class Proxy:
    """Serves a channel under another URL.

    Attributes:
        url: The channel's URL here.
        requests: All that was asked, in the order of the answers.
    """

    def __init__(self, channel_url):
        self._origin = urlsplit(channel_url)
        self.requests = []
        proxy = self

        class Handler(_Handler):
            server_proxy = proxy

        self._server = WebServer(Handler)
        self.url = f"{self._server.url}{self._origin.path}"

    def __enter__(self):
        self._server.__enter__()
        return self

    def __exit__(self, *exception):
        self._server.__exit__()

    def take(self):
        """Return the requests since the last call as sorted (method, path, status)."""
        requests, self.requests = self.requests, []
        return sorted((request.method, request.path, request.status) for request in requests)

    def _forward(self, method, path, headers):
        connection = http.client.HTTPConnection(self._origin.netloc, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _note(self, method, path, status, headers):
        path = path.removeprefix(self._origin.path)
        self.requests.append(Request(method, path, status, headers))


class _Handler(WebHandler):
    server_proxy = None

    def do_GET(self):
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _HOP_BY_HOP | {"host"}
        }
        proxy = self.server_proxy
        status, answer_headers, body = proxy._forward(self.command, self.path, headers)
        proxy._note(self.command, self.path, status, headers)
        self.send_response_only(status)
        for name, value in answer_headers:
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        # Of a HEAD the body is empty, and its length is that of the GET.
        length = dict(answer_headers).get("Content-Length", len(body))
        if status != 304:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET
