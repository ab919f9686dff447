import pytest

from pulp_conda.channel.secrets import find_secret, mask, mask_headers


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
        (f"{'cnd-' + 'a1' * 20}: refused", "cnd-***: refused"),
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


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("channels: [https://u:secret@h/c]", "https://***@"),
        ("channels:\n- https://h/c\n- 'https://token@h/c'", "https://***@"),
        ("- https://h/t/secret/c", "https://h/t/***"),
        ("- pip:\n  - git+https://token@github.com/a/b", "https://***@"),
        ("--index-url=FTP://u:secret@h", "FTP://***@"),
        ("- https://${USER}:secret@h/c", "https://***@"),
        ("- https://u:$secret,x@h/c", "https://***@"),
        ("- https://h/c/t/token", "https://h/c/t/***"),
    ],
)
def test_a_secret_in_a_text_is_found(text, found):
    assert find_secret(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "channels: [https://${USER}:${PASSWORD}@h/c, https://$TOKEN@h, https://%TOKEN%@h]",
        "- https://ada:${PASSWORD}@h/c",
        "- https://h/t/${TOKEN}/c",
        "- https://h/t/$TOKEN/c",
        "- https://{{ environ['USER'] }}@h/c",
        "- https://***@h/t/***/c",
        "- pip: [git+ssh://git@github.com/a/b, 'pkg @ https://h/a.whl#sha256=1']",
        "# see https://h/a?b=c, or mail a@b.c",
        "- conda-forge/t/x",
    ],
)
def test_names_of_variables_and_users_are_no_secrets(text):
    assert find_secret(text) is None
