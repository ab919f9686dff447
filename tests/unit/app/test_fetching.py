"""What an error of a download means for the client that waits for it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import (
    ClientConnectorError,
    ClientHttpProxyError,
    ClientOSError,
    ClientPayloadError,
    ClientResponseError,
    InvalidURL,
    ServerDisconnectedError,
    ServerTimeoutError,
    TooManyRedirects,
)

from pulp_conda.app.serving.fetching import Cause, ClientLeft, Failure, combined, failure_of


def _status(status, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return ClientResponseError(None, (), status=status, headers=headers)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ServerTimeoutError(), Cause.PASSING),
        (ServerDisconnectedError(), Cause.PASSING),
        (ClientOSError(104, "Connection reset by peer"), Cause.PASSING),
        (ClientConnectorError(None, OSError(111, "Connection refused")), Cause.PASSING),
        (ClientPayloadError(), Cause.PASSING),
        (TooManyRedirects(None, (), status=302), Cause.REFUSED),
        (InvalidURL("http://["), Cause.REFUSED),
        # It is not the upstream that says so.
        (ClientHttpProxyError(None, (), status=404), Cause.REFUSED),
        (ClientHttpProxyError(None, (), status=502), Cause.PASSING),
        # A remote of this machine.
        (FileNotFoundError(), Cause.GONE),
        (PermissionError(), Cause.REFUSED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_what_may_pass_is_told_apart(error, cause):
    assert failure_of(error).cause is cause


@pytest.mark.parametrize("error", [ClientLeft(), ZeroDivisionError()])
def test_what_the_client_or_this_server_does_is_no_failure_of_the_upstream(error):
    with pytest.raises(type(error)):
        failure_of(error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("999999999999999999999", 600),
        ("-5", 10),
        ("soon", 10),
        ("", 10),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 600),
    ],
)
def test_the_upstream_says_when_to_ask_again(text, seconds):
    assert failure_of(_status(503, Retry_After=text)).retry_after == seconds


def test_the_upstream_may_name_a_time():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 20 <= failure_of(_status(429, Retry_After=soon)).retry_after <= 30


def test_the_upstream_that_is_back_first_is_waited_for():
    gone, late, soon = (
        Failure(Cause.GONE, "a", 1),
        Failure(Cause.PASSING, "b", 300),
        Failure(Cause.PASSING, "c", 20),
    )
    assert combined([gone, late, soon]) is soon
    assert combined([]).cause is Cause.REFUSED
