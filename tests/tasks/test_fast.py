"""Files of channels that are found by one statement: the same answers as by the slow way, and none
that is older than its request.
"""

import hashlib
import os
from threading import Event, Thread
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.test import override_settings

from pulpcore.plugin.models import Artifact

from pulp_conda.app.content import finder
from tests.support import databases
from tests.support.both_ways import SLOW, Asker, fast_paths
from tests.support.builders import make_package
from tests.support.moves import key


@pytest.fixture
def found(monkeypatch):
    """The paths that were found by the fast way."""
    original, paths = finder.find, []

    async def find(domain, path):
        facts = await original(domain, path)
        if facts is not None:
            paths.append(path)
        return facts

    monkeypatch.setattr(finder, "find", find)
    return paths


@pytest.fixture(scope="module")
def stage(pulp, make_repository, word):
    """A lifecycle, the URL of its stage `testing`, and its packages: it served a and b, and serves
    a and c.
    """
    repository = make_repository(autopublish=True)
    packages = [
        make_package(f"{name}-{word}", files={"share/x": os.urandom(3000)}) for name in "abc"
    ]
    a, b, c = (pulp.upload(package)["pulp_href"] for package in packages)
    pulp.modify(repository, add=[a, b])
    lifecycle = pulp.lifecycle(repository)
    lifecycle.promote("testing")
    pulp.modify(repository, add=[c], remove=[b])
    lifecycle.promote("testing")
    return lifecycle, lifecycle.urls["testing"], packages


@pytest.fixture
def asker(stage):
    return Asker(stage[1])


def _path(url, path=""):
    return f"{urlsplit(url).path.rstrip('/')}/{path}"


def test_both_ways_give_the_same(stage, asker, found):
    _, url, packages = stage
    paths = fast_paths(asker, _path(url), [package.filename for package in packages])
    assert asker.compare(paths, methods=("GET", "HEAD")) == {200: 22, 404: 8}
    assert set(found) == {path.removeprefix("/pulp/content/") for path in paths}
    found.clear()
    package, index = paths[0], _path(url, "noarch/repodata.json.zst")
    for path in (package, index):
        statuses = asker.compare([path], asker.conditions(path))
        assert statuses.keys() == {200, 206, 304, 412, 416}
    assert set(found) == {path.removeprefix("/pulp/content/") for path in (package, index)}


def test_a_setting_leaves_the_slow_way_alone(stage, asker, found):
    path = _path(stage[1], "noarch/repodata.json.zst")
    with override_settings(CONDA_FAST_ANSWERS=False):
        assert asker.ask("GET", path).status == 200
    assert found == []
    assert asker.ask("GET", path).status == 200
    assert len(found) == 1


def test_a_cookie_leads_to_the_slow_way(stage, asker, found):
    # Without that, no test here compares anything.
    assert asker.ask("GET", _path(stage[1], "noarch/repodata.json.zst"), SLOW).status == 200
    assert found == []


def test_what_was_committed_before_a_request_is_seen_by_it(pulp, stage, asker, word, copied):
    lifecycle, url, (built, *_) = stage
    digest = hashlib.sha256(built.data).hexdigest()
    href = lifecycle.stage("testing")["distribution"]
    base_path = pulp.get(href)["base_path"]
    guard = pulp.post(
        "contentguards/core/header/", name=word, header_name="X-Key", header_value="open"
    )["pulp_href"]
    index = _path(url, "noarch/repodata.json")
    package = _path(url, f"noarch/{built.filename}")

    def change(**fields):
        return lambda: pulp.patch(href, **fields)

    def block():
        pulp.post("conda/blocks/", sha256=digest, public_reason="bad")

    def lift():
        pulp.delete(pulp.get("conda/blocks/")["results"][0]["pulp_href"])

    def lose():
        default_storage.delete(Artifact.objects.get(sha256=digest).file.name)

    def delete():
        pulp.delete(lifecycle.href)
        pulp.delete(href)

    changes = [
        ("rollback", index, lambda: lifecycle.roll_back("testing"), 200),
        ("promotion", index, lambda: lifecycle.promote("testing"), 200),
        ("guard", package, change(content_guard=guard), 403),
        ("no guard", package, change(content_guard=None), 200),
        ("sites", package, change(cors_origins=["https://site.example"]), 200),
        ("moved", package, change(base_path=f"{base_path}-moved"), 404),
        ("moved back", package, change(base_path=base_path), 200),
        ("block", package, block, 451),
        ("lifted", package, lift, 200),
        ("lost", package, lose, 503),
        ("deletion", package, delete, 404),
    ]
    for what, path, carry_out, status in changes:
        before = asker.ask("GET", path)
        carry_out()
        after = asker.ask("GET", path)
        assert after != before and after.status == status, what
        assert after == asker.ask("GET", path, SLOW), what


def test_no_answer_is_old_while_others_ask_for_the_same(pulp, stage, asker, stack, word, copied):
    lifecycle, url, _ = stage
    guard = pulp.post(
        "contentguards/core/header/", name=word, header_name="X-Key", header_value="open"
    )["pulp_href"]
    channel = key(lifecycle.stage("testing")["distribution"])
    path, done = _path(url, "noarch/repodata.json.zst"), Event()

    def keep_asking():
        other = Asker(url)
        while not done.is_set():
            other.ask("HEAD", path)

    others = [Thread(target=keep_asking) for _ in range(3)]
    for other in others:
        other.start()
    try:
        with stack.connect() as database:
            for value, status in [(key(guard), 403), (None, 200)] * 20:
                database.execute(
                    "UPDATE core_distribution SET content_guard_id = %s WHERE pulp_id = %s",
                    (value, channel),
                )
                assert asker.ask("HEAD", path).status == status
    finally:
        done.set()
        for other in others:
            other.join()


def test_lost_connections_are_opened_again(stage, asker, found, stack):
    path = _path(stage[1], "noarch/repodata.json.zst")
    before = asker.ask("GET", path)
    with stack.connect() as database:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    found.clear()
    assert asker.ask("GET", path) == before
    assert len(found) == 1


def test_without_a_database_the_slow_way_answers_until_it_is_there_again(
    stage, asker, found, monkeypatch
):
    path = _path(stage[1], "noarch/repodata.json.zst")
    before = asker.ask("GET", path)

    async def fetch(*arguments):
        raise psycopg.OperationalError("the server is not there")

    found.clear()
    with monkeypatch.context() as patch:
        patch.setattr(finder.connections, "fetch", fetch)
        assert asker.ask("GET", path) == before
    # It is not asked again at once.
    assert asker.ask("GET", path) == before
    assert found == []
    monkeypatch.setattr(finder, "_rests_until", 0)
    assert asker.ask("GET", path) == before
    assert len(found) == 1


def test_without_a_database_clients_are_told_to_come_again(stage, asker, monkeypatch):
    path = _path(stage[1], "noarch/repodata.json.zst")
    before = asker.ask("GET", path)
    with databases.used("absent"):
        answer = asker.ask("GET", path)
        assert answer.status == 503
        assert ("Retry-After", "5") in answer.headers
        assert asker.ask("GET", path, SLOW).status == 503
    monkeypatch.setattr(finder, "_rests_until", 0)
    assert asker.ask("GET", path) == asker.ask("GET", path, SLOW) == before
