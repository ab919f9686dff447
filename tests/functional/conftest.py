"""One running Pulp for all functional tests of a run, and a channel or two for each of them."""

import time
from contextlib import contextmanager

import pytest

from tests.functional.fixtures import *  # noqa: F403  fixtures are found by name
from tests.support.conda import CondaPulp
from tests.support.stack import running_stack


@pytest.fixture(scope="session")
def stack():
    """The processes, for tests that stop a worker or read from the content app."""
    with running_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def pulp(stack):
    """The API, as the administrator."""
    with CondaPulp(stack.api_url, "admin", stack.password) as pulp:
        yield pulp


@pytest.fixture
def paused_publish(stack):
    """Let a publish task come to the point where it stores its first file, and stay there."""

    @contextmanager
    def pause():
        with stack.connect() as holder, stack.connect() as observer:
            holder.autocommit = False
            holder.execute("LOCK TABLE core_publishedmetadata IN EXCLUSIVE MODE")

            def in_the_middle():
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                deadline = time.monotonic() + 60
                while observer.execute(waiting).fetchone() == (0,):
                    assert time.monotonic() < deadline, "no task came to publish"
                    time.sleep(0.05)

            yield in_the_middle

    return pause
