"""Servers to compare with, each in a process of its own.

python -m tests.bench.server FOLDER: a static file server with sendfile and validators.
python -m tests.bench.server: aiohttp alone. `/200/<size>` answers with so many bytes, `/404/<size>`
and `/304/0` likewise.
"""

import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from aiohttp import web

CHECKOUT = Path(__file__).parents[2]


@contextmanager
def serving(*folder):
    """Serve a folder, or what aiohttp alone answers, and yield the URL."""
    command = [sys.executable, "-m", "tests.bench.server", *map(str, folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as server:
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def main(folder=None):
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    app = web.Application()
    if folder:
        app.router.add_static("/", folder)
    else:
        app.add_routes([web.get("/{status}/{size}", answer)])
    web.run_app(app, sock=listener, print=None, access_log=None)


async def answer(request):
    facts = request.match_info
    return web.Response(status=int(facts["status"]), body=_body(int(facts["size"])))


@cache
def _body(size):
    return bytes(size) if size else None


if __name__ == "__main__":
    main(*sys.argv[1:])
