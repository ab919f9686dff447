"""Messages about a channel for other programs, signed as Standard Webhooks are (https://www.standardwebhooks.com)."""

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


def check_url(url):
    """Return the URL of a webhook.

    Raises:
        BadWebhook: nobody could POST to it, or it holds a password, which everybody who may look would see.
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


def check_secret(secret):
    """Return the secret of a webhook.

    Raises:
        BadWebhook: receivers could not make a key of it. The message does not hold it.
    """
    try:
        size = len(_key(secret)) if _SECRET.fullmatch(secret) else 0
    except ValueError:
        size = 0
    if size not in _KEY_BYTES:
        reason = "it is not 'whsec_' and the base64 of {} to {} bytes, as 'openssl rand -base64 32' makes it"
        raise BadWebhook(what="secret", reason=reason.format(_KEY_BYTES.start, _KEY_BYTES.stop - 1))
    return secret


def webhook_headers(message_id, timestamp, body, secret=None):
    """Return the headers by which a receiver tells messages apart, and knows who sent them.

    Args:
        message_id: The same whenever the message is sent again.
        timestamp: When it is sent, in whole seconds.
        secret: What `check_secret` gave; without one there is no signature.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secret:
        signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
        digest = hmac.digest(_key(secret), signed, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _key(secret):
    # Padding is optional, and too much of it does not matter.
    return base64.b64decode(secret.removeprefix(_PREFIX) + "==")


def _bad_url(reason):
    return BadWebhook(what="URL", reason=reason)
