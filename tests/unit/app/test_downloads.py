import pytest

from pulp_conda.app.downloads import is_at_home


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
