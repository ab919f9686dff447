"""What a secret in a URL or a header looks like, and texts without it.

In a URL these are the user info, the token behind `/t/`, and all values in the query and the
fragment: no list has the names of all parameters by which somebody signs a URL. Nobody can see
whether a header is a secret, so all are but a few.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# What stands in the place of a secret.
MASK = "***"

_AFTER_SCHEME = re.compile(r"://\S*")
# In messages, URLs stand in quotes and brackets.
_AFTER_SCHEME_IN_TEXT = re.compile(r"://[^\s'\"<>]*")
_PUNCTUATION = re.compile(r"[.,:;!)}]*$")

# A password may have quotes in it.
_USER = re.compile(r"(?<=://)[^/\s]*@")
_HOST = re.compile(r"([^:]*|\[[0-9a-fA-F:.]+\])(:[0-9]*)?")
_TOKEN = re.compile(r"(?<=/t/)[^/?#\s'\"<>]+")
_TOKEN_AND_NAME = re.compile(r"/t/[^/]+(?=/|$)")
_PARAMETER = re.compile(r"([^=?#&;]*=)?[^?#&;]+")
_OUR_TOKEN = re.compile(r"(?<=\bcnd-)[A-Za-z0-9]{40}")
_WEBHOOK_SECRET = re.compile(r"(?<=whsec_)[A-Za-z0-9+/=]+")

# A login of a web server, or with a password of any server. `git@host` is none.
_LOGIN = re.compile(
    r"https?://([^/\s@'\"]+)@|[a-z][a-z0-9+.-]*://[^/\s:@'\"]*:([^/\s@'\"]+)@", re.IGNORECASE
)
_TOKEN_OF_URL = re.compile(r"https?://[^\s'\"]*?/t/([^/?#\s'\"<>]+)", re.IGNORECASE)
# These stand in the place of secrets; before a password, there may be the name of a user.
_VARIABLE = r"(?:\$\{\w+\}|\$\w+|%\w+%|\{\{[^{}]*\}\})"
_VARIABLES = re.compile(rf"(?:[^:]*:)?{_VARIABLE}+")

# Headers of a request whose values are shown.
_HARMLESS = {"accept", "accept-encoding", "accept-language", "cache-control", "user-agent"}


def mask(text: str) -> str:
    """Return a text with `***` in the place of secrets: ``https://***@host/t/***/channel?sig=***``.

    If the host of a URL may be part of a password, nothing of the URL but its scheme is kept. A
    text that was masked before stays as it is. A token of this server is masked wherever it stands.
    """
    if "://" in text:
        text = _AFTER_SCHEME_IN_TEXT.sub(_masked, _USER.sub(f"{MASK}@", text))
    if "/t/" in text:
        text = _TOKEN.sub(MASK, text)
    if "cnd-" in text:
        text = _OUR_TOKEN.sub(MASK, text)
    return _WEBHOOK_SECRET.sub(MASK, text) if "whsec_" in text else text


def without_secrets(text: str) -> str:
    """Return a text whose URLs have no user, password, token, query and fragment.

    If the host of a URL may be part of a password, nothing of the URL but its scheme is kept.
    """
    return _AFTER_SCHEME.sub(_bare, text)


def find_secret(text: str) -> str | None:
    """Return the first URL in a text that has a login or a token in it, masked, or None.

    Names of variables are no secrets: ``https://${USER}:${PASSWORD}@host``. Neither is the user of
    ``git+ssh://git@host``. A query is taken for what it mostly is: no secret.
    """
    for pattern in (_LOGIN, _TOKEN_OF_URL):
        for found in pattern.finditer(text):
            secret = next(group for group in found.groups() if group)
            if secret != MASK and not _VARIABLES.fullmatch(secret):
                return mask(found.group())
    return None


def mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with `***` in the place of values that may be secrets."""
    return {name: MASK if may_be_secret(name) else value for name, value in headers.items()}


def may_be_secret(header: str) -> bool:
    """Say whether the value of a header of a request may be a secret."""
    return header.lower() not in _HARMLESS


def restore(given: Any, shown: Any, stored: Any) -> Any:
    """Return what is stored where somebody gives back what was shown in its place.

    Args:
        given: What a request has.
        shown: What answers show of what is stored: without its secrets.

    Raises:
        ValueError: something else has `***` in it, so a secret would be lost.
    """
    if stored is not None and given == shown:
        return stored
    if MASK in str(given):
        raise ValueError(f"'{MASK}' stands in the place of a secret: give the secret itself")
    return given


class _Parts(NamedTuple):
    """What follows the scheme of a URL.

    Fields:
        user: With its `@`.
        path: With the first slash, or empty.
        query: With the fragment and the first `?` or `#`, or empty.
    """

    user: str
    host: str
    path: str
    query: str


def _parts(url: str) -> _Parts | None:
    """Split what follows the scheme; None if the host may be part of a password."""
    authority, slash, path = url.removeprefix("://").partition("/")
    user, at, authority = authority.rpartition("@")
    host, *_ = re.split("[?#]", authority, maxsplit=1)
    if not _HOST.fullmatch(host):
        return None
    rest = authority[len(host) :] + slash + path
    path, *_ = re.split("[?#]", rest, maxsplit=1)
    return _Parts(user + at, host, path, rest[len(path) :])


def _masked(match: re.Match[str]) -> str:
    url = _PUNCTUATION.sub("", match.group())
    end = match.group()[len(url) :]
    parts = _parts(url)
    if parts is None:
        return f"://{MASK}{end}"
    query = _PARAMETER.sub(lambda parameter: f"{parameter[1] or ''}{MASK}", parts.query)
    return f"://{parts.user}{parts.host}{parts.path}{query}{end}"


def _bare(match: re.Match[str]) -> str:
    parts = _parts(match.group())
    if parts is None:
        return f"://{MASK}"
    return f"://{parts.host}{_TOKEN_AND_NAME.sub('', parts.path)}"
