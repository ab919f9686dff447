"""The keys with which a provider signs."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from jwt import PyJWK, PyJWKSet, PyJWTError

from pulp_conda.app.errors import KeysUnavailable
from pulp_conda.app.oidc.providers import Provider

log = logging.getLogger(__name__)

# A key set has a few kilobytes.
_MOST_BYTES = 2**20
_TIMEOUT_SECONDS = 10

# How long fetched keys are used without another look.
_KEEP_SECONDS = 600

# How long it takes until another fetch, after a failure or because of an unknown key. Everybody can
# ask for a key that does not exist.
_PAUSE_SECONDS = 30


@dataclass(frozen=True)
class _Fetched:
    at: float
    keys: list[PyJWK]
    problem: str | None = None


_fetched: dict[str, _Fetched] = {}


async def find_key(provider: Provider, key_id: str | None) -> PyJWK | None:
    """Return the key of a provider with an ID, or None if it has none.

    Args:
        key_id: Untrusted input. Without an ID, the key is found only if it is the only one.

    Raises:
        KeysUnavailable: the keys of the provider cannot be read.
    """
    if provider.jwks is not None:
        return _choose(_configured(provider, provider.jwks), key_id)
    if not provider.jwks_url:
        raise KeysUnavailable(provider=provider.name, reason="has neither 'jwks' nor 'jwks_url'")
    key = _choose(await _keys_at(provider, provider.jwks_url, _KEEP_SECONDS), key_id)
    if key is None:
        # Perhaps the provider has new keys.
        key = _choose(await _keys_at(provider, provider.jwks_url, _PAUSE_SECONDS), key_id)
    return key


def _choose(keys: list[PyJWK], key_id: str | None) -> PyJWK | None:
    if key_id is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.key_id == key_id), None)


def _configured(provider: Provider, jwks: Mapping[str, Any] | str) -> list[PyJWK]:
    try:
        return _read(json.loads(Path(jwks).read_bytes()) if isinstance(jwks, str) else jwks)
    except (OSError, ValueError) as error:
        # The message of the system has the path, which is no business of a client.
        log.error("The setting 'jwks' of provider '%s' cannot be read: %s", provider.name, error)
        reason = "has a setting 'jwks' that cannot be read"
        raise KeysUnavailable(provider=provider.name, reason=reason) from None


async def _keys_at(provider: Provider, url: str, most_seconds: float) -> list[PyJWK]:
    """Return the keys at a URL, which were fetched at most so many seconds ago."""
    now = time.monotonic()
    kept = _fetched.get(url)
    if kept is None or now - kept.at >= (_PAUSE_SECONDS if kept.problem else most_seconds):
        kept = _fetched[url] = await _fetch(provider, url, now)
    if kept.problem:
        raise KeysUnavailable(provider=provider.name, reason=kept.problem)
    return kept.keys


async def _fetch(provider: Provider, url: str, now: float) -> _Fetched:
    try:
        return _Fetched(now, _read(json.loads(await _download(url))))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        log.error("The keys of provider '%s' cannot be fetched: %s", provider.name, error or "time")
        return _Fetched(now, [], "does not give its keys")


async def _download(url: str) -> bytes:
    """Return the body of a URL.

    A redirect is not followed: it could lead to an address inside of the network of this server.

    Raises:
        ClientError, TimeoutError, OSError, ValueError: there is none, or it is too large.
    """
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"it answered {answer.status}")
        body = b""
        async for block in answer.content.iter_any():
            body += block
            if len(body) > _MOST_BYTES:
                raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    return body


def _read(jwks: Any) -> list[PyJWK]:
    """Return the public keys of a JWK set that are for signatures.

    Raises:
        ValueError: it is none, or has no such key.
    """
    try:
        keys = PyJWKSet.from_dict(jwks).keys
    except (PyJWTError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"it is no JWK set: {error}") from None
    return [key for key in keys if key.key_type != "oct" and key.public_key_use in (None, "sig")]
