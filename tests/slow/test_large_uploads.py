"""Packages that unpack to gigabytes, or to a crowd of files, are sent to an API with one process:
all others are still answered.
"""

import bz2
import os
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pulp_conda.app.settings import CONDA_SYNCHRONOUS_UPLOAD_SECONDS as SECONDS
from tests.support.builders import make_package
from tests.support.conda import CondaPulp
from tests.support.stack import running_stack

UPLOAD = "content/conda/packages/upload/"
MIB = 2**20


@pytest.fixture(scope="module")
def stack():
    """Not the one that others use, whose requests would come in between."""
    with running_stack() as stack:
        yield stack


def _gigabytes():
    """7 MiB that unpack to 6.7 GiB. A thousand times as much would be refused at once."""
    noise = 7 * MIB
    member = tarfile.TarInfo("share/large")
    member.size = noise + 67 * 100 * MIB
    zeros = bz2.compress(bytes(100 * MIB))
    return bz2.compress(member.tobuf() + os.urandom(noise)) + zeros * 67


def _crowd():
    """Half a megabyte that unpacks to 200,000 files."""
    members = (tarfile.TarInfo(f"share/{number}").tobuf() for number in range(200_000))
    return bz2.compress(b"".join(members))


class _Watch:
    """Asks for the status each second, and keeps how long each answer took."""

    def __init__(self, pulp):
        self.seconds = []
        self._pulp = pulp
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *reason):
        self._end.set()
        self._thread.join()

    def _ask(self):
        while not self._end.wait(1):
            start = time.monotonic()
            self._pulp.get("status/")
            self.seconds.append(time.monotonic() - start)


def test_ten_large_packages_of_two_clients_stop_nobody(stack):
    def client():
        return CondaPulp(stack.api_url, "admin", stack.password)

    api = stack.state.processes["api"]
    bombs = [_gigabytes(), _crowd()] * 5
    small = make_package("small")
    with client() as first, client() as second, client() as third, client() as watching:
        with _Watch(watching) as watch, ThreadPoolExecutor(2) as threads:

            def send(number):
                pulp = (first, second)[number % 2]
                return pulp.post_bytes(UPLOAD, f"bomb-1.0-{number}.tar.bz2", bombs[number])

            ones = threads.submit(lambda: [send(number) for number in range(0, 10, 2)])
            others = threads.submit(lambda: [send(number) for number in range(1, 10, 2)])
            time.sleep(2)
            taken = third.post_bytes(UPLOAD, small.filename, small.data)
            assert not (ones.done() and others.done()), "the small one came between them"
            refused = ones.result() + others.result()
        workers = stack.state.log("api").read_text()
    print("seconds of each answer:", [round(seconds, 1) for seconds in watch.seconds])
    assert [answer.status_code for answer in refused] == [400] * 10
    assert all("[CND0065]" in answer.text for answer in refused)
    assert taken.status_code == 201, taken.text
    assert len(watch.seconds) > 3
    # Each client keeps the process for one budget. The rest is for the other tests, which share
    # the cores with it.
    assert max(watch.seconds) < 2 * SECONDS + 2
    assert "WORKER TIMEOUT" not in workers
    assert workers.count("Booting worker") == 1
    assert stack.state.processes["api"] == api
