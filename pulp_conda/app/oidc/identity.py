"""An ID token, and what its provider says in it of a workflow."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from gettext import gettext as _
from typing import Any

import jwt

from pulp_conda.app.errors import BadIdentityToken
from pulp_conda.app.oidc.claims import with_files
from pulp_conda.app.oidc.keys import find_key
from pulp_conda.app.oidc.providers import Provider, providers_of
from pulp_conda.channel.storable import find_unstorable

# Those of GitHub and GitLab have about 2 kB.
_MOST_BYTES = 16_384

# The clocks of this server and of a provider differ a little.
_LEEWAY_SECONDS = 30

# What reading a token may raise: claims may be numbers that no date has, or be nested deeply.
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Identity:
    """What a provider says of a workflow.

    Attributes:
        provider: The name of the provider.
        issuer: As the token has it.
        claims: Those of the token, and the files of `with_files`.
        key: By which the token is known again, to be used once.
        expires: Until when the token could be used again, with the difference of clocks.
    """

    provider: str
    issuer: str
    claims: Mapping[str, Any]
    key: str
    expires: datetime


async def identify(token: str) -> Identity:
    """Return what a provider says in an ID token.

    Args:
        token: Untrusted input.

    Raises:
        BadIdentityToken: no provider of this site said this, or it is not meant for this server, or
            not for this time.
        KeysUnavailable: nobody can say that now.
    """
    header, claims = _unverified(token)
    provider = _provider_of(claims)
    algorithm = header.get("alg")
    if algorithm not in provider.algorithms:
        reason = _("it is signed by an algorithm that provider '{}' does not use")
        raise BadIdentityToken(reason=reason.format(provider.name))
    key = await find_key(provider, header.get("kid"))
    if key is None:
        reason = _("provider '{}' has no key of the name in the token")
        raise BadIdentityToken(reason=reason.format(provider.name))
    try:
        verified = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=provider.audience,
            issuer=provider.issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
        expires = datetime.fromtimestamp(int(verified["exp"]) + _LEEWAY_SECONDS, UTC)
    except _UNREADABLE as error:
        raise BadIdentityToken(reason=_reason(error)) from None
    if find_unstorable(verified):
        raise BadIdentityToken(reason=_("its claims hold texts that cannot be stored"))
    return Identity(
        provider=provider.name,
        issuer=provider.issuer,
        claims=with_files(verified),
        key=_key_of(token, verified.get("jti")),
        expires=expires,
    )


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a token, of which nothing is proved yet."""
    if len(token) > _MOST_BYTES:
        reason = _("it has more than {} bytes").format(_MOST_BYTES)
        raise BadIdentityToken(reason=reason)
    try:
        found = jwt.decode_complete(token, options={"verify_signature": False})
    except _UNREADABLE:
        raise BadIdentityToken(reason=_("it is no JSON Web Token")) from None
    return found["header"], found["payload"]


def _provider_of(claims: Mapping[str, Any]) -> Provider:
    """Return the provider that a token claims to be from."""
    issuer = claims.get("iss")
    found = providers_of(issuer) if isinstance(issuer, str) else []
    if not found:
        raise BadIdentityToken(reason=_("this server does not trust its issuer"))
    audience = claims.get("aud")
    wanted = {audience} if isinstance(audience, str) else set()
    if isinstance(audience, list):
        wanted = {each for each in audience if isinstance(each, str)}
    for provider in found:
        if provider.audience & wanted:
            return provider
    raise BadIdentityToken(reason=_reason(jwt.InvalidAudienceError()))


def _reason(error: Exception) -> str:
    """Return what is wrong with a token. The texts of the library may change, and have quotes."""
    match error:
        case jwt.ExpiredSignatureError():
            return _("it is expired")
        case jwt.ImmatureSignatureError():
            return _("it is not valid yet: the clocks of this server and of its issuer differ")
        case jwt.InvalidAudienceError():
            return _("it is not for this server: its audience is another one")
        case jwt.MissingRequiredClaimError():
            return _("it has no claim '{}'").format(error.claim)
        case jwt.InvalidSignatureError():
            return _("its signature is wrong")
    return _("it is no ID token as OpenID Connect has it")


def _key_of(token: str, token_id: str | None) -> str:
    """Return a digest by which a token is known again: of its ID, or else of what was signed.

    Not of all of the token, because one signature can be written in more than one way.
    """
    name = f"jti {token_id}" if token_id else token.rpartition(".")[0]
    return hashlib.sha256(name.encode()).hexdigest()
