"""The fast way to files of channels: equal to the slow one for all kinds of channels, and never
late, in several processes and under load.
"""

import os
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from tests.support.both_ways import SLOW, Asker, fast_paths, odd_paths
from tests.support.builders import make_package
from tests.support.content_apps import content_app
from tests.support.moves import key

_COMMITS = 100


@pytest.fixture(scope="module")
def repository(pulp):
    """A repository whose first version has the packages a and b, and whose latest has a and c; the
    publications of both, and the names of the files.
    """
    name = os.urandom(4).hex()
    repository = pulp.post("repositories/conda/conda/", name=name, autopublish=True)["pulp_href"]
    packages = [make_package(f"{letter}-{name}") for letter in "abc"]
    a, b, c = (pulp.upload(package)["pulp_href"] for package in packages)
    pulp.modify(repository, add=[a, b])
    first = pulp.newest_publication(repository)
    version = pulp.get(repository)["latest_version_href"]
    follows = pulp.distribution(repository=repository)
    pulp.modify(repository, add=[c], remove=[b])
    publications = first, pulp.newest_publication(repository)
    return repository, follows, version, publications, [each.filename for each in packages]


def _base(distribution):
    return urlsplit(distribution["base_url"]).path


def test_both_ways_give_the_same_for_all_kinds_of_channels(pulp, stack, repository, unique):
    repository, follows, version, (first, _), filenames = repository
    guard = pulp.post(
        "contentguards/core/header/", name=unique, header_name="X-Key", header_value="open"
    )["pulp_href"]
    site = ["https://site.example"]
    token = pulp.post("conda/tokens/", name=unique, scopes=["read"])["token"]
    private = pulp.distribution(repository=repository, private=True)
    channels = [
        follows,
        pulp.distribution(publication=first, cors_origins=site),
        pulp.distribution(repository_version=version),
        pulp.distribution(repository=repository, checkpoint=True),
        pulp.distribution(repository=repository, content_guard=guard),
        pulp.distribution(),
    ]
    asker = Asker(stack.content_url)
    for channel in channels:
        base = _base(channel)
        fast = fast_paths(asker, base, filenames)
        asker.compare([*fast, *odd_paths(base)])
        asker.compare(fast, methods=["HEAD"])
    for channel in channels[:2]:
        for path in fast_paths(asker, _base(channel), filenames)[:8:2]:
            asker.compare([path], asker.conditions(path), ("GET", "HEAD"))
    base, sent = _base(private), {"X-API-Key": token}
    fast = fast_paths(asker, base, filenames, sent)
    asker.compare([*fast, *odd_paths(base)], [sent])
    asker.compare(fast[:1], [sent | each for each in asker.conditions(fast[0], sent)])
    assert asker.comparisons > 650


@contextmanager
def _load(urls, path, headers={}):
    """Ask for a path all the time, from four connections."""
    done = Event()

    def ask(url):
        asker = Asker(url)
        while not done.is_set():
            asker.ask("HEAD", path, headers)

    others = [Thread(target=ask, args=[url]) for url, _ in zip(cycle(urls), range(4))]
    for other in others:
        other.start()
    try:
        yield
    finally:
        done.set()
        for other in others:
            other.join()


def test_no_answer_of_two_processes_is_older_than_its_request(pulp, stack, repository, unique):
    _, _, _, publications, filenames = repository
    channel = pulp.distribution(publication=publications[0])
    guard = pulp.post(
        "contentguards/core/header/", name=unique, header_name="X-Key", header_value="open"
    )["pulp_href"]
    index = f"{_base(channel)}noarch/repodata.json.zst"
    package = f"{_base(channel)}noarch/{filenames[0]}"
    with content_app(stack.state) as other, stack.connect() as database:
        database.autocommit = True
        askers = [Asker(url) for url in (stack.content_url, other)]

        def commit(field, value):
            statement = f"UPDATE core_distribution SET {field} = %s WHERE pulp_id = %s"
            database.execute(statement, (value and key(value), key(channel["pulp_href"])))

        def stale(field, values, path):
            """Say how many answers were not those of the last commit."""
            expected = {}
            for value in values:
                commit(field, value)
                expected[value] = askers[0].ask("HEAD", path, SLOW).headers
            assert len({tuple(headers) for headers in expected.values()}) == len(values)
            count = 0
            for value, _ in zip(cycle(values), range(_COMMITS)):
                commit(field, value)
                for asker in askers:
                    count += asker.ask("HEAD", path).headers != expected[value]
            return count

        with _load([stack.content_url, other], index):
            # The date of what is served depends on the row of the distribution, which stays.
            assert stale("publication_id", publications, index) == 0
            assert stale("content_guard_id", [None, guard], package) == 0


def test_no_right_to_read_outlives_its_end_in_two_processes(pulp, stack, repository, unique):
    repository, *_ = repository
    channel = pulp.distribution(repository=repository, private=True)
    owner = pulp.post("conda/robots/", name=unique)["username"]
    token = pulp.post("conda/tokens/", name=unique, owner=owner, scopes=["read"])["token"]
    (robot,) = pulp.get("users/", username=owner)["results"]
    pulp.post(
        f"{robot['pulp_href']}roles/",
        role="conda.condadistribution_reader",
        content_object=channel["pulp_href"],
    )
    sent = {"Authorization": f"Bearer {token}"}
    path = f"{_base(channel)}noarch/repodata.json.zst"
    of_token = "UPDATE conda_condatoken SET {} = {} WHERE name = %s"
    of_user = "UPDATE auth_user SET {} = {} WHERE username = %s"
    # What ends the right and what gives it back, to what it happens, and the status without it.
    changes = [
        (of_token.format("revoked", "now()"), of_token.format("revoked", "NULL"), unique, 401),
        (of_token.format("expires", "now()"), of_token.format("expires", "NULL"), unique, 401),
        (
            of_token.format("scopes", "'{upload}'"),
            of_token.format("scopes", "'{read}'"),
            unique,
            403,
        ),
        (of_user.format("is_active", "false"), of_user.format("is_active", "true"), owner, 401),
        (
            "UPDATE core_userrole SET object_id = object_id || 'x' WHERE user_id = %s",
            "UPDATE core_userrole SET object_id = rtrim(object_id, 'x') WHERE user_id = %s",
            key(robot["pulp_href"]),
            403,
        ),
        (
            of_token.format("is_limited", "true"),
            of_token.format("is_limited", "false"),
            unique,
            403,
        ),
    ]
    hides = {"CONDA_HIDE_PRIVATE_CHANNELS": True}
    with content_app(stack.state, **hides) as other, stack.connect() as database:
        database.autocommit = True
        askers = [Asker(url) for url in (stack.content_url, other)]
        with _load([stack.content_url, other], path, sent):
            for end, begin, what, status in changes:
                for statement, expected in [(end, [status, 404]), (begin, [200, 200])] * 10:
                    database.execute(statement, [what])
                    given = [asker.ask("HEAD", path, sent).status for asker in askers]
                    assert given == expected, statement
        # The last answers were those of the fast way, and the same as those of the slow one.
        for asker in askers:
            asker.compare([path], [sent])
