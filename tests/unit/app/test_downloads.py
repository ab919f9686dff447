import asyncio
from datetime import UTC, datetime

import pytest

from pulp_conda.app.downloads import is_at_home, seconds_to_wait, timeout_of
from pulp_conda.app.models import CondaRemote


@pytest.mark.parametrize(
    ("url", "home", "is_one"),
    [
        ("https://h/x", "https://h/c", True),
        ("https://H:443/x", "https://h/c", True),
        ("https://h/x", "http://h/c", True),
        ("http://h/x", "https://h/c", False),
        ("https://h:8443/x", "https://h/c", False),
        ("https://h:8443/x", "http://h:8080/c", False),
        ("https://other.h/x", "https://h/c", False),
        ("https://h:no/x", "https://h/c", False),
        ("file:///c/x", "file:///c", True),
    ],
)
def test_only_the_same_server_may_have_the_secrets(url, home, is_one):
    assert is_at_home(url, home) == is_one


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("Mon, 30 Nov 2026 12:01:30 GMT", 90),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0),
        ("Monday, 30-Nov-26 12:00:10 GMT", 10),
        ("9" * 5000, 999_999_999),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_an_upstream_says_how_long_to_wait(header, seconds):
    assert seconds_to_wait(header, datetime(2026, 11, 30, 12, tzinfo=UTC)) == seconds


@pytest.mark.django_db
def test_a_download_has_no_total_timeout_unless_the_remote_sets_one():
    url = "https://conda.example.org/x"
    remote = CondaRemote(name="forge", url=url)
    timeout = timeout_of(remote)
    assert (timeout.total, timeout.sock_read) == (None, 300)

    async def timeout_of_download():
        return remote.get_downloader(url=f"{url}/file").timeout

    # aiohttp needs a loop.
    assert asyncio.run(timeout_of_download()) == timeout
    remote = CondaRemote(name="forge", url=url, total_timeout=9, sock_read_timeout=3)
    timeout = timeout_of(remote)
    assert (timeout.total, timeout.sock_read) == (9, 3)
