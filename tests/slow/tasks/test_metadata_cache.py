"""nginx keeps metadata for the second for which `CONDA_METADATA_MAX_AGE` allows it."""

import time
from urllib.parse import urlsplit

import pytest
import requests
from django.test import override_settings

from tests.support.builders import make_package
from tests.support.nginx import running_nginx

_DEADLINE = 60


@pytest.fixture
def channel(pulp, make_repository, unique, tmp_path):
    """A repository, and the URL of its channel behind nginx."""
    repository = make_repository(autopublish=True)
    pulp.upload(make_package(f"cached-{unique}", "1.0"), repository=repository)
    url = urlsplit(pulp.distribute(repository=repository))
    with running_nginx(tmp_path, f"http://{url.netloc}") as nginx:
        yield repository, f"{nginx}{url.path}noarch/repodata.json"


def _ask(url):
    answer = requests.get(url, timeout=60)
    assert answer.status_code == 200
    return answer.headers["X-Cache-Status"], answer


def _ask_until(is_enough, url):
    """Ask again and again, and return what the cache said each time."""
    said, end = [], time.monotonic() + _DEADLINE
    while True:
        assert time.monotonic() < end, said
        state, answer = _ask(url)
        said.append(state)
        if is_enough(said, answer):
            return said


def test_metadata_is_kept_for_a_second_and_then_only_asked_for(pulp, channel, unique):
    repository, url = channel
    with override_settings(CONDA_METADATA_MAX_AGE=1):
        said = _ask_until(lambda said, _: "REVALIDATED" in said, url)
        assert said[0] == "MISS" and set(said) <= {"MISS", "HIT", "REVALIDATED"}
        _, before = _ask(url)
        pulp.upload(make_package(f"cached-{unique}", "2.0"), repository=repository)
        said = _ask_until(lambda _, answer: answer.content != before.content, url)
        # Only what changed is fetched again.
        assert said[-1] == "EXPIRED" and set(said[:-1]) <= {"HIT", "REVALIDATED"}


def test_by_default_no_cache_keeps_metadata(channel):
    _, url = channel
    assert [_ask(url)[0] for _ in range(3)] == ["MISS"] * 3
