"""Fixtures for what kills workers, races, or needs domains: it has a Pulp for itself, in which
domains are enabled.

A task is killed by `kill_worker_of`, so that the worker that dies is the one that runs it. Whatever
a test does, the next one finds both workers running.
"""

import time
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import pytest

from tests.support.builders import make_package
from tests.support.client import TASK_DEADLINE, UNFINISHED
from tests.support.conda import CondaPulp
from tests.support.invariants import check_invariants
from tests.support.moves import key


@pytest.fixture(scope="session")
def stack(domains):
    return domains


class _DomainPulp(CondaPulp):
    """The API of a domain. Whether a task has ended is asked of the database, which costs less than
    a request.
    """

    database = None

    def wait(self, answer):
        href = answer if isinstance(answer, str) else answer["task"]
        unfinished = "SELECT 1 FROM core_task WHERE pulp_id = %s AND state = ANY(%s)"
        values = [key(href), list(UNFINISHED)]
        deadline = time.monotonic() + TASK_DEADLINE
        while self.database.execute(unfinished, values).fetchone():
            if time.monotonic() > deadline:
                raise TimeoutError(f"'{href}' has not ended after {TASK_DEADLINE} s")
            time.sleep(0.02)
        return super().wait(href)


@pytest.fixture(scope="session")
def api(stack):
    """Make the API of a domain, as the administrator or another user."""
    with stack.connect() as database:
        database.autocommit = True

        _DomainPulp.database = database

        def api(domain, user="admin", password=stack.password):
            return _DomainPulp(stack.api_url, user, password, api=f"/pulp/{domain}/api/v3/")

        yield api


@pytest.fixture(scope="session")
def pulp(api):
    """The API of the default domain."""
    return api("default")


@pytest.fixture(scope="session")
def make_domain(stack, api):
    """Make a domain, and return its API."""

    def make(name):
        api("default").post(
            "domains/",
            name=name,
            storage_class="pulpcore.app.models.storage.FileSystem",
            storage_settings={"MEDIA_ROOT": str(stack.state.media / name)},
        )
        return api(name)

    return make


@pytest.fixture
def kill_worker_of(stack):
    """Kill the worker that runs a task; what it returns starts that worker again."""
    dead = []

    def kill(task):
        name = _worker_of(stack, task)
        stack.kill_worker(name)
        dead.append(name)

        def start():
            dead.remove(name)
            stack.start_worker(name)

        return start

    yield kill
    for name in dead:
        stack.start_worker(name)


def _worker_of(stack, task):
    """Return the name of the worker that runs a task."""
    href = task if isinstance(task, str) else task["task"]
    query = (
        "SELECT split_part(app.name, '@', 1)::int FROM core_appstatus AS app "
        "JOIN core_task AS task ON task.app_lock_id = app.pulp_id WHERE task.pulp_id = %s"
    )
    with stack.connect() as database:
        ((pid,),) = database.execute(query, [key(href)]).fetchall()
    (name,) = (name for name, process in stack.state.processes.items() if process.pid == pid)
    return name


@pytest.fixture
def held(stack):
    """Let tasks wait where they need what a statement locks; what is yielded returns when one waits
    there.
    """

    @contextmanager
    def hold(statement, *values):
        with stack.connect() as holder, stack.connect() as observer:
            holder.autocommit = False
            holder.execute(statement, values)

            def somebody_waits():
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                deadline = time.monotonic() + 60
                while observer.execute(waiting).fetchone() == (0,):
                    assert time.monotonic() < deadline, "no task came there"
                    time.sleep(0.02)

            yield somebody_waits
            holder.rollback()

    return hold


@pytest.fixture
def paused_publish(held):
    """Let a publish task come to the point where it stores its first file, and stay there."""
    return lambda: held("LOCK TABLE core_publishedmetadata IN EXCLUSIVE MODE")


@pytest.fixture
def check(stack):
    """Demand that the tables of the Pulp are whole."""
    return partial(check_invariants, stack)


@pytest.fixture(scope="module")
def packages(pulp):
    """What the versions of each channel are made of."""
    word = uuid4().hex[:8]
    names = ("one", "two", "three", "four")
    return [pulp.upload(make_package(f"{name}-{word}"))["pulp_href"] for name in names]


@pytest.fixture
def team(pulp, make_repository, packages):
    """A lifecycle whose unstable stage served v1 to v3, each with a package more, and whose testing
    stage serves v2.
    """
    repository = make_repository(autopublish=True)
    team = pulp.lifecycle(repository)
    for package in packages[:3]:
        pulp.modify(repository, add=[package])
    team.promote("testing", state="v1")
    team.promote("testing", state="v2")
    return team
