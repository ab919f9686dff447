"""Clients ask all the time while an upstream is down, slow or wrong, and while a worker dies: they
get what is here.

They ask a mirror with a `max_age` and a virtual channel that merges it, in two content apps, by the
fast and the slow way.
"""

import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.both_ways import SLOW
from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed
from tests.support.content_apps import content_app
from tests.support.moves import key
from tests.support.upstream import Upstream

INDEX = "noarch/repodata.json.zst"
NAMES = ("repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst")

# Seconds from one request of a client to its next one: more would be in the way of the workers.
_PAUSE = 0.02


class Crowd:
    """Clients that ask for the same all the time, each in a thread, and count what they get.

    Attributes:
        answers: How often each (status, body) came.
    """

    def __init__(self, urls):
        self.answers, self.errors, self._over = Counter(), [], Event()
        ways = [(url, way) for url in urls for way in ({}, SLOW)]
        self._threads = [Thread(target=self._ask, args=each) for each in ways]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, url, way):
        with requests.Session() as session:
            while not self._over.wait(_PAUSE):
                try:
                    answer = session.get(url, headers=way, timeout=30)
                    assert answer.status_code != 200 or "Age" in answer.headers
                    self.answers[answer.status_code, answer.content] += 1
                except (requests.RequestException, AssertionError) as error:
                    self.errors.append((url, error))


class Pulled:
    """A mirror whose metadata may be a minute old, and a virtual channel of it and a local one."""

    def __init__(self, pulp, database, make_mirror, make_repository, url):
        self.pulp, self._database = pulp, database
        self.mirror = make_mirror(url=url, max_retries=0)
        pulp.sync(self.mirror.repository)
        local = make_repository(autopublish=True)
        channels = (self.mirror.distribution, pulp.distribution(repository=local)["pulp_href"])
        merged = [{"distribution": href} for href in channels]
        virtual = pulp.distribution(repository=make_repository(merged_channels=merged))
        self.urls = [self.mirror.url, virtual["base_url"]]
        self.href = pulp.post("conda/refreshes/", repository=self.mirror.repository, max_age=60)[
            "pulp_href"
        ]
        self.key = key(self.mirror.repository)
        self.outcome(1)

    def ask(self):
        """Return what both channels give."""
        return [requests.get(url + INDEX, timeout=60).content for url in self.urls]

    def grow_old(self):
        """Let the time pass: what is here is older, and the next sync is due since then."""
        self._database.execute(
            "UPDATE conda_condarefresh SET checked_at = now() - interval '100 seconds', "
            "next_run = now() - interval '40 seconds' WHERE repository_id = %s",
            [self.key],
        )
        self._database.execute(
            "UPDATE core_taskschedule SET next_dispatch = NULL WHERE pulp_id = "
            "(SELECT schedule_id FROM conda_condarefresh WHERE repository_id = %s)",
            [self.key],
        )

    def let_be_so_old(self, seconds):
        """Set a `max_age` that is less than anybody may set."""
        self._database.execute(
            "UPDATE conda_condarefresh SET max_age = %s WHERE repository_id = %s",
            [seconds, self.key],
        )

    @property
    def runs(self):
        """The runs, oldest first."""
        runs = self.pulp.list("conda/refresh_runs/", repository=self.mirror.repository)
        return sorted(runs, key=lambda run: run["pulp_created"])

    def outcome(self, count):
        """Wait until there are so many runs and the last one has ended, and return its outcome.

        The first run is asked for.
        """
        if count == 1:
            self.ask()
        until(lambda: len(self.runs) >= count and self.runs[-1]["outcome"] != "running")
        runs = self.runs
        assert len(runs) == count, runs
        return runs[-1]["outcome"]


def until(holds):
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


@contextmanager
def worker_is_dead(database, task):
    """Let Pulp see at once that the worker of a task was killed, and not minutes later."""
    of_task = [key(task)]
    query = "SELECT app_lock_id FROM core_task WHERE pulp_id = %s"
    worker = database.execute(query, of_task).fetchone()
    yield
    database.execute("UPDATE core_task SET app_lock_id = NULL WHERE pulp_id = %s", of_task)
    database.execute("DELETE FROM core_appstatus WHERE pulp_id = %s", worker)


@pytest.fixture
def database(stack):
    with stack.connect() as database:
        database.autocommit = True
        yield database


@pytest.fixture
def make_pulled(pulp, database, make_mirror, make_repository):
    made = []

    def make(url):
        made.append(Pulled(pulp, database, make_mirror, make_repository, url))
        return made[-1]

    yield make
    for pulled in made:
        pulp.delete(pulled.href)


@pytest.fixture
def pulled(upstream, make_pulled):
    make_channel(upstream.folder, [make_package("a")])
    return make_pulled(upstream.url)


@pytest.fixture
def other_app(stack):
    """The URL of a content app in another process. It ends when a worker is started: `Stack` does
    not know it, and takes its row for that of a dead process.
    """
    with content_app(stack.state) as url:
        yield url


@pytest.fixture
def crowd(other_app):
    """Let clients ask while the context lasts. They get only what may come, and no error."""

    @contextmanager
    def ask(pulled, seconds=2):
        before = set(pulled.ask())
        urls = [url + INDEX for url in pulled.urls]
        urls += [other_app + urlsplit(url).path for url in urls]
        with Crowd(urls) as crowd:
            yield crowd
            # For a while after that.
            time.sleep(seconds)
        assert Counter(url for url, _ in crowd.errors) == {}, crowd.errors[:3]
        assert {status for status, _ in crowd.answers} == {200}
        bodies = {body for _, body in crowd.answers}
        assert bodies <= before | set(pulled.ask())
        assert sum(crowd.answers.values()) > 50

    return ask


def _all(upstream, answer):
    """Let the upstream give an answer for all of its metadata."""
    for subdir in ("noarch", "linux-64"):
        for name in NAMES:
            upstream.answers[f"{subdir}/{name}"] = answer


def _refuse(upstream):
    _all(upstream, (503, b"no"))


def _be_wrong(upstream):
    _all(upstream, (200, b"<html>Please log in</html>"))


def _lack(upstream):
    _all(upstream, (404, b""))


def _cut(upstream):
    for name in NAMES:
        upstream.cuts[f"noarch/{name}"] = [20] * 100


@pytest.mark.parametrize("break_it", [_refuse, _be_wrong, _lack, _cut])
def test_an_upstream_that_is_wrong_is_asked_once_and_clients_get_what_is_here(
    upstream, pulled, crowd, break_it
):
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    break_it(upstream)
    before = pulled.ask()
    with crowd(pulled):
        pulled.grow_old()
        assert pulled.outcome(2) == "failed"
    assert pulled.ask() == before
    assert len(pulled.runs) == 2
    upstream.answers.clear()
    upstream.cuts.clear()
    with crowd(pulled):
        pulled.grow_old()
        assert pulled.outcome(3) == "changed"
        until(lambda: all(new != old for new, old in zip(pulled.ask(), before, strict=True)))
    assert len(pulled.runs) == 3


def test_an_upstream_that_is_gone_comes_back(tmp_path, make_pulled, crowd):
    make_channel(tmp_path, [make_package("a")])
    with ExitStack() as here:
        upstream = here.enter_context(Upstream(tmp_path))
        pulled = make_pulled(upstream.url)
    with crowd(pulled):
        pulled.grow_old()
        assert pulled.outcome(2) == "failed"
    assert len(pulled.runs) == 2


def test_nobody_waits_for_a_slow_upstream(upstream, pulled, crowd):
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    before = pulled.ask()
    gates = [upstream.hold(f"noarch/{name}") for name in NAMES]
    with crowd(pulled):
        pulled.grow_old()
        assert upstream.reached.wait(60)
        time.sleep(3)
        started = time.monotonic()
        assert pulled.ask() == before
        assert time.monotonic() - started < 2
        assert [run["outcome"] for run in pulled.runs[1:]] == ["running"]
        for gate in gates:
            gate.set()
        assert pulled.outcome(2) == "changed"
        until(lambda: all(new != old for new, old in zip(pulled.ask(), before, strict=True)))
    assert len(pulled.runs) == 2


def test_a_worker_that_is_killed_in_the_middle_of_a_sync(
    pulp, database, upstream, pulled, crowd, kill_worker_of
):
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    before = pulled.ask()
    gates = [upstream.hold(f"noarch/{name}") for name in NAMES]
    with crowd(pulled):
        pulled.grow_old()
        assert upstream.reached.wait(60)
        task = pulled.runs[-1]["task"]
        with worker_is_dead(database, task):
            kill_worker_of(task)
        assert pulled.ask() == before
        with pytest.raises(TaskFailed):
            pulp.wait(task)
        for gate in gates:
            gate.set()
        # When somebody asks again after the age, it is seen that the run ended.
        pulled.grow_old()
        assert pulled.outcome(2) == "failed"
        assert pulled.runs[-1]["error"]["code"] == "CND0153"
        assert pulled.ask() == before
        pulled.grow_old()
        assert pulled.outcome(3) == "changed"
        until(lambda: all(new != old for new, old in zip(pulled.ask(), before, strict=True)))
    assert len(pulled.runs) == 3


@pytest.mark.parametrize("is_down", [False, True], ids=["up", "down"])
def test_there_is_at_most_one_sync_in_that_time(upstream, pulled, crowd, is_down):
    if is_down:
        _refuse(upstream)
    age, seconds, runs = 3, 15, len(pulled.runs)
    pulled.let_be_so_old(age)
    started = time.monotonic()
    pulled.grow_old()
    with crowd(pulled, seconds=seconds):
        pass
    until(lambda: all(run["outcome"] != "running" for run in pulled.runs))
    passed = time.monotonic() - started
    new = pulled.runs[runs:]
    if is_down:
        # After a failure, the next one is minutes later.
        assert [run["outcome"] for run in new] == ["failed"]
    else:
        assert 2 <= len(new) <= passed / age + 1, new
