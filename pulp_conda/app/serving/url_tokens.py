"""Tokens in URLs: `/t/<token>/`, taken out of the path before anything else reads it.

Clients write a token in one of two places. rattler, mamba and conda put it before the whole path:
`/t/<token>/pulp/content/<channel>/…`. conda with `channel_alias` puts it behind the alias, and so
somewhere between the prefix of the content app and the channel:
`/pulp/content/t/<token>/<channel>/…`.

What runs behind this sees the URL without the token, which is in a header. So the token is in no
redirect, key of a cache, page or log.
"""

import posixpath
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp.web import (
    HTTPBadRequest,
    HTTPException,
    HTTPMove,
    Request,
    StreamResponse,
    middleware,
)
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.db.models import Q
from multidict import CIMultiDict
from yarl import URL

from pulpcore.plugin.models import Distribution

from pulp_conda.app.authentication import PATH_TOKEN_HEADER
from pulp_conda.app.models.distribution import paths_above
from pulp_conda.app.models.token import is_secret

Handler = Callable[[Request], Awaitable[StreamResponse]]

# As conda finds one: conda/common/url.py.
_TOKEN = re.compile("/t/([A-Za-z0-9-]*)(?=/)")

# What the request for the path without the token has, and where the request with it has that one.
_ROUTE = "conda_route"
_CLONE = "conda_clone"


# A client may put its own token before one that is in the URL.
_MOST_TOKENS = 2


class _Split(NamedTuple):
    """A path of a URL in two parts."""

    token: str
    path: str


@middleware
async def take_token(request: Request, handler: Handler) -> StreamResponse:
    """Go on without the token in the path. This is the first middleware."""
    raw_path = request.rel_url.raw_path
    if "/t/" not in raw_path:
        return await handler(request)
    split = await _split(raw_path)
    if split is None:
        return await handler(request)
    request[_CLONE] = clone = await _rerouted(request, split)
    try:
        return await handler(clone)
    except HTTPMove as moved:
        _make_relative(moved, split.path)
        raise


@middleware
async def follow_route(request: Request, handler: Handler) -> StreamResponse:
    """Call the handler of the path without the token. This is the last middleware."""
    return await request.get(_ROUTE, handler)(request)


def route_of(request: Request) -> Handler:
    """Return the handler for the path of a request without its token."""
    return request.get(_ROUTE, request.match_info.handler)


def without_token(request: Request) -> Request:
    """Return the request with which handlers answered one that aiohttp got."""
    clone: Request = request.get(_CLONE, request)
    return clone


async def _split(raw_path: str) -> _Split | None:
    """Return the token of a path and the path without it, or None if there is no token.

    A part `t` may belong to the path of a distribution, from before such paths were refused, or to
    that of content of another plugin. It is then no token, unless what follows can be nothing else.
    """
    path, tokens = raw_path, list[str]()
    while len(tokens) < _MOST_TOKENS and (found := _TOKEN.search(path)):
        if not is_secret(found[1]) and await sync_to_async(_is_path)(path):
            break
        tokens.append(found[1])
        path = path[: found.start()] + path[found.end() :]
    return _Split(tokens[0], path) if tokens else None


def _is_path(raw_path: str) -> bool:
    """Say whether a distribution has a path as it stands, or lies below it."""
    path = URL.build(path=raw_path, encoded=True).path
    if not path.startswith(settings.CONTENT_PATH_PREFIX) or "\0" in path:
        return False
    # As for each request of Django: the database may have been restarted.
    connection.close_if_unusable_or_obsolete()
    path, domain = path.removeprefix(settings.CONTENT_PATH_PREFIX), "default"
    if settings.DOMAIN_ENABLED:
        domain, _, path = path.partition("/")
    served = Q(base_path__in=paths_above(path)) | Q(base_path__startswith=f"{path.rstrip('/')}/")
    return Distribution.objects.filter(served, pulp_domain__name=domain).exists()


async def _rerouted(request: Request, split: _Split) -> Request:
    """Return the request for the path without the token.

    Raises:
        HTTPBadRequest: its headers are not UTF-8.
    """
    url = URL.build(path=split.path, query_string=request.rel_url.raw_query_string, encoded=True)
    headers = CIMultiDict(request.headers)
    headers[PATH_TOKEN_HEADER] = split.token
    router, match_info = request.app.router, request.match_info
    try:
        request = request.clone(rel_url=url, headers=headers)
    except UnicodeEncodeError:
        raise HTTPBadRequest(reason="The headers are not UTF-8") from None
    found = await router.resolve(request)
    # The clone has the same one as the request, from which aiohttp answers.
    match_info.clear()
    match_info.update(found)
    request[_ROUTE] = found.handler
    return request


def _make_relative(moved: HTTPException, path: str) -> None:
    """Make the path to which pulpcore sends a client relative, so that the token stays in the URL.

    Args:
        path: Of the URL without the token.
    """
    target = moved.headers["Location"]
    if target.startswith("/") and not target.startswith("//"):
        end = "/" if target.endswith("/") else ""
        relative = posixpath.relpath(target, posixpath.dirname(path))
        # Else a colon would end a scheme.
        moved.headers["Location"] = f"./{relative}{end}"
