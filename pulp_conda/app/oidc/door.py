"""Where clients exchange an ID token for a token to upload.

    POST /api/oidc/mint_token
    Content-Type: application/json

    {"token": "<ID token>"}

The body of a 200 is the token, and nothing else. The body of another answer is a text that clients
show. They ask at the root of the host, whatever URL their user gave, so the root is for the
publishers of all domains. Below the prefix of the doors, the URL may have a domain.
"""

import json

from aiohttp.web import Request, Response, StreamResponse
from asgiref.sync import sync_to_async

from pulpcore.plugin.util import get_domain

from pulp_conda.app.errors import BadIdentityToken, KeysUnavailable, NoPublisher
from pulp_conda.app.oidc.identity import identify
from pulp_conda.app.oidc.minting import mint

# More than an ID token may have, and the names around it.
_MOST_BYTES = 32_768

_STATUSES = {BadIdentityToken: 401, NoPublisher: 403, KeysUnavailable: 503}


async def mint_token(request: Request) -> StreamResponse:
    """Answer a client that has an ID token."""
    try:
        identity = await identify(await _token_in(request))
        domain = get_domain() if "pulp_domain" in request.match_info else None
        secret = await sync_to_async(mint)(identity, domain)
    except (BadIdentityToken, NoPublisher, KeysUnavailable) as error:
        return Response(status=_STATUSES[type(error)], text=str(error))
    # Nobody on the way keeps it.
    return Response(text=secret, headers={"Cache-Control": "no-store"})


async def _token_in(request: Request) -> str:
    """Return the ID token that a client sends.

    Raises:
        BadIdentityToken: there is none.
    """
    body = b""
    async for block in request.content.iter_any():
        body += block
        if len(body) > _MOST_BYTES:
            raise BadIdentityToken(reason=f"the request has more than {_MOST_BYTES:,} bytes")
    try:
        token = json.loads(body)["token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token.isascii():
        raise BadIdentityToken(reason="the request has no text 'token' in a JSON object")
    return token
