import pytest

from pulp_conda.channel.errors import BadWebhook
from pulp_conda.channel.webhooks import check_secret, check_url, webhook_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_signature_is_that_of_the_reference_implementation():
    # Made with Webhook.sign() of https://pypi.org/project/standardwebhooks/ 1.1.0.
    headers = webhook_headers("msg_1", 1614265330, '{"name":"π"}'.encode(), SECRET)
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,ssbL20LWeJmWowbpOggT7Dak7xabUSObsNdTEq+X5w0=",
    }


def test_without_a_secret_nothing_is_signed():
    assert webhook_headers("msg_1", 1614265330, b"{}") == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1614265330",
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://ci.example.com/hook?job=7#x",
        "http://jenkins:8080/hook",
        "http://[::1]:8080/",
        "http://10.0.0.7",
        "https://ci.example.com/a@b",
        "HTTPS://CI.example.com/",
    ],
)
def test_a_url_that_a_receiver_may_have_is_taken(url):
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url, reason",
    [
        pytest.param("ftp://ci.example.com/", "does not begin", id="another scheme"),
        pytest.param("file:///etc/passwd", "does not begin", id="a file"),
        pytest.param("ci.example.com/hook", "does not begin", id="no scheme"),
        pytest.param("", "does not begin", id="empty"),
        pytest.param("https://me:hunter2@ci.example.com/", "user name", id="a password"),
        pytest.param("https://me@ci.example.com/", "user name", id="a user"),
        pytest.param("https:///hook", "names no host", id="no host"),
        pytest.param("https://:443/hook", "names no host", id="a port alone"),
        pytest.param("https://ci.example.com:0/", "names no host", id="port 0"),
        pytest.param("https://ci.example.com:99999/", "cannot be read", id="port too high"),
        pytest.param("https://[::1/", "cannot be read", id="half an address"),
        pytest.param("https://ci.example.com/\r\nX: y", "characters", id="line breaks"),
        pytest.param("https://ci.example.com/a b", "characters", id="a blank"),
        pytest.param("https://bücher.example/", "characters", id="not ASCII"),
        pytest.param("https://ci.example.com/" + "x" * 2000, "2000 are allowed", id="too long"),
    ],
)
def test_another_url_is_refused(url, reason):
    with pytest.raises(BadWebhook, match=reason) as refused:
        check_url(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(SECRET, id="24 bytes"),
        pytest.param("whsec_" + "A" * 42 + "E=", id="32 bytes"),
        pytest.param("whsec_" + "A" * 42 + "E", id="without padding"),
        pytest.param("whsec_" + "+/" * 42 + "AA==", id="64 bytes"),
    ],
)
def test_a_secret_as_libraries_make_it_is_taken(secret):
    assert check_secret(secret) == secret


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("", id="empty"),
        pytest.param("a good long password with words", id="a password"),
        pytest.param(SECRET.removeprefix("whsec_"), id="no prefix"),
        pytest.param("whsec_" + "A" * 30, id="too short"),
        pytest.param("whsec_" + "A" * 88, id="too long"),
        pytest.param("whsec_" + "A" * 33, id="no base64"),
        pytest.param("whsec_" + "-_" * 16, id="base64 for URLs"),
        pytest.param(SECRET + "\n", id="a line break"),
    ],
)
def test_another_secret_is_refused_and_not_repeated(secret):
    with pytest.raises(BadWebhook) as refused:
        check_secret(secret)
    assert len(secret) < 30 or secret[6:] not in str(refused.value)
