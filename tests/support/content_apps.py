"""More content apps beside that of a stack: other processes, with other settings."""

import subprocess
import time
from contextlib import contextmanager
from tempfile import TemporaryFile
from urllib.error import HTTPError
from urllib.request import urlopen

from pulp_conda.quickstart.ports import free_port
from pulp_conda.quickstart.settings import environment, program


@contextmanager
def content_app(state, *, workers=1, **settings):
    """Start a content app with so many processes, and yield its URL without a path."""
    port = free_port()
    command = [program("pulpcore-content"), "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", str(workers), "--graceful-timeout", "1", "--no-control-socket"]
    wanted = {f"PULP_{name}": str(value) for name, value in settings.items()}
    with TemporaryFile() as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=state.tmp, env=environment(state) | wanted
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/pulp/content/", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(url, process):
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None and time.monotonic() < deadline, "the content app ended"
        try:
            urlopen(url, timeout=5).close()
            return
        except HTTPError:
            return
        except OSError:
            time.sleep(0.1)
