"""Messages about a channel for other programs.

They are signed as Standard Webhooks describes it (https://www.standardwebhooks.com).
"""

import base64
import hashlib
import hmac
import re
from urllib.parse import urlsplit

from pulp_conda.channel.errors import BadWebhook

_LONGEST_URL = 2000
_PREFIX = "whsec_"
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]+={0,2}")
_KEY_BYTES = range(24, 65)


def check_url(url: str) -> str:
    """Return the URL of a webhook as it was given.

    Raises:
        BadWebhook: it is no HTTP URL, or it holds a user name or a password. Everybody who may see
            the webhook would see the password.
    """
    if len(url) > _LONGEST_URL:
        raise _bad_url(f"it has {len(url)} characters, and {_LONGEST_URL} are allowed")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise _bad_url("it has characters that are not allowed in a URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad_url("its host or port cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise _bad_url("it does not begin with 'https://' or 'http://'")
    if "@" in parts.netloc:
        raise _bad_url("it holds a user name or a password, which others would see")
    if not parts.hostname or port == 0:
        raise _bad_url("it names no host and port")
    return url


def check_secret(secret: str) -> str:
    """Return the secret of a webhook as it was given.

    Raises:
        BadWebhook: it is not of the form of Standard Webhooks. The message does not show it.
    """
    try:
        size = len(_key(secret)) if _SECRET.fullmatch(secret) else 0
    except ValueError:
        size = 0
    if size not in _KEY_BYTES:
        reason = (
            f"it is not 'whsec_' and the base64 of {_KEY_BYTES.start} to {_KEY_BYTES.stop - 1} "
            "bytes, as 'openssl rand -base64 32' makes it"
        )
        raise BadWebhook(what="secret", reason=reason)
    return secret


def webhook_headers(
    message_id: str, timestamp: int, body: bytes, secret: str | None = None
) -> dict[str, str]:
    """Return the headers by which a receiver tells messages apart, and checks who sent them.

    Args:
        message_id: Identifies the message. It stays the same when the message is sent again.
        timestamp: When the message is sent, in whole seconds since 1970.
        secret: What `check_secret` returned. Without it the message is not signed.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secret:
        signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
        digest = hmac.digest(_key(secret), signed, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _key(secret: str) -> bytes:
    # The padding at the end may be missing, and Python ignores padding that is too much.
    return base64.b64decode(secret.removeprefix(_PREFIX) + "==")


def _bad_url(reason: str) -> BadWebhook:
    return BadWebhook(what="URL", reason=reason)
