"""A static file server with sendfile and validators, in a process of its own.

python -m tests.bench.server FOLDER
"""

import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

CHECKOUT = Path(__file__).parents[2]


@contextmanager
def serving(folder):
    """Serve a folder, and yield its URL."""
    command = [sys.executable, "-m", "tests.bench.server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as server:
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def main(folder):
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    app = web.Application()
    app.router.add_static("/", folder)
    web.run_app(app, sock=listener, print=None, access_log=None)


if __name__ == "__main__":
    main(sys.argv[1])
