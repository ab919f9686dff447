import pytest

from pulp_conda.channel.secrets import mask, mask_headers


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://user:secret@h/x", "https://***@h/x"),
        ("https://secret@h:80/x", "https://***@h:80/x"),
        ("https://se'cret\"@h/x", "https://***@h/x"),
        ("https://u:sec@ret@h", "https://***@h"),
        ("https://u:sec#ret@h", "https://***@h"),
        ("https://user:sec/ret@h/x", "https://***"),
        ("https://h:80/t/secret/c/noarch", "https://h:80/t/***/c/noarch"),
        ("https://h/sub/t/secret/c", "https://h/sub/t/***/c"),
        ("https://h/t/secret", "https://h/t/***"),
        ("https://h/t/secret?x#y", "https://h/t/***?***#***"),
        ("https://h/x?token=secret", "https://h/x?token=***"),
        ("https://h/x?a=1&sig=se/cr%20et&b", "https://h/x?a=***&sig=***&***"),
        ("https://h?secret", "https://h?***"),
        ("https://h/x#token=secret", "https://h/x#token=***"),
        ("GET /t/secret/c 404", "GET /t/***/c 404"),
        ("'https://u:secret@h/t/secret', 404", "'https://***@h/t/***', 404"),
        ('["https://h","https://secret@h"]', '["https://h","https://***@h"]'),
        ("(https://h/x?k=secret). Next", "(https://h/x?k=***). Next"),
        ("Cannot connect to https://h:443: refused", "Cannot connect to https://h:443: refused"),
        ("https://secret@h and postgres://u:secret@d", "https://***@h and postgres://***@d"),
        ("https://[::1]:80/c", "https://[::1]:80/c"),
        ("https://h/stable@2026-03-03/noarch", "https://h/stable@2026-03-03/noarch"),
        ("signed with whsec_c2VjcmV0c2VjcmV0+/==.", "signed with whsec_***."),
        ("no URL: a@b?c=d", "no URL: a@b?c=d"),
    ],
)
def test_secrets_in_texts_are_masked(text, masked):
    assert mask(text) == masked
    assert mask(masked) == masked


def test_of_headers_only_the_harmless_are_shown():
    headers = {"X-Api-Key": "secret", "authorization": "Basic secret", "User-Agent": "mirror/1"}
    assert mask_headers(headers) == {
        "X-Api-Key": "***",
        "authorization": "***",
        "User-Agent": "mirror/1",
    }
