"""How many requests a server answers in a second, to a few connections that ask without a pause.

The client reads no more of an answer than it has to, so that it takes a small part of the time that
a server takes.
"""

import asyncio
import time
from urllib.parse import urlsplit

CONNECTIONS = 8

# Fewer answers than that say nothing.
_FEWEST = 100


def rate(url, paths, *, method="GET", headers=None, seconds=1.0, connections=CONNECTIONS):
    """Return the number of requests per second.

    Args:
        url: With what each URL begins.
        paths: What to ask for, again and again in this order.
    """
    parts = urlsplit(url)
    lines = [
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    tail = "\r\n".join(["", *lines, "", ""])
    requests = [f"{method} {parts.path}{path} HTTP/1.1{tail}".encode() for path in paths]
    return asyncio.run(_rate(parts.hostname, parts.port, requests, method, seconds, connections))


async def _rate(host, port, requests, method, seconds, connections):
    loop = asyncio.get_running_loop()
    run = _Run(requests, method == "HEAD")
    opened = [
        await loop.create_connection(lambda: _Client(run), host, port) for _ in range(connections)
    ]
    start = time.perf_counter()
    for transport, client in opened:
        client.ask()
    await asyncio.sleep(seconds)
    while run.answered < _FEWEST and not run.error:
        await asyncio.sleep(seconds / 10)
    taken, answered = time.perf_counter() - start, run.answered
    for transport, _ in opened:
        transport.abort()
    if run.error:
        raise AssertionError(run.error)
    return answered / taken


class _Run:
    """What the connections of a run share."""

    def __init__(self, requests, is_head):
        self.requests = requests
        self.is_head = is_head
        self.asked = self.answered = 0
        self.status = self.error = None


class _Client(asyncio.Protocol):
    def __init__(self, run):
        self._run = run

    def connection_made(self, transport):
        self._transport = transport
        self._missing, self._head = 0, b""

    def ask(self):
        run = self._run
        self._transport.write(run.requests[run.asked % len(run.requests)])
        run.asked += 1

    def data_received(self, data):
        if not self._missing:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data, head = self._head[end + 4 :], self._head[:end].lower()
            self._head = b""
            self._note(head[9:12])
            _, found, length = head.partition(b"\r\ncontent-length: ")
            if found and not self._run.is_head and head[9:12] != b"304":
                self._missing = int(length.partition(b"\r\n")[0])
        self._missing -= len(data)
        if not self._missing:
            self._run.answered += 1
            self.ask()

    def _note(self, status):
        run = self._run
        run.status = run.status or status
        if status != run.status:
            run.error = f"{run.status.decode()}, and then {status.decode()}"

    def connection_lost(self, error):
        # A server ends connections that had many requests.
        if error:
            self._run.error = repr(error)
