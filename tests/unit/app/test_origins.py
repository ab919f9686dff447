import pytest

from pulp_conda.app.errors import BadOrigin
from pulp_conda.app.serializers.distribution import check_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://example.org", "https://example.org"),
        ("HTTPS://Example.ORG", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:0080", "http://example.org"),
        ("http://localhost:8888", "http://localhost:8888"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        # Not only pages have scripts.
        ("moz-extension://9c7f-1", "moz-extension://9c7f-1"),
        ("tauri://localhost", "tauri://localhost"),
        ("*", "*"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text, origin):
    assert check_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "",
        "example.org",
        "https://example.org/",
        "https://example.org/app",
        "https://example.org?a",
        "https://user@example.org",
        "https://*.example.org",
        "https://example.org:70000",
        "https://example.org:",
        "https://bücher.example",
        "https://example.org\n",
        "https://a.example, https://b.example",
        "//example.org",
    ],
)
def test_what_no_browser_sends_is_refused(text):
    with pytest.raises(BadOrigin):
        check_origin(text)
