"""Who stands before a door, which channel they mean, and what they get to hear.

All of that is asked before any byte of a body is read.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps

from aiohttp import hdrs
from aiohttp.web import Request, Response, StreamResponse
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from rest_framework.authentication import SessionAuthentication

from pulpcore.plugin.util import get_current_user, get_domain_pk, set_current_user, set_domain

from pulp_conda.app.access import has_permission
from pulp_conda.app.authentication import Refused, challenges_for
from pulp_conda.app.doors.receiving import drain
from pulp_conda.app.doors.refusal import Refusal, refusal_of
from pulp_conda.app.errors import (
    FromBrowser,
    MayNotRemove,
    MayNotUpload,
    TakesNoUploads,
    UnknownChannel,
)
from pulp_conda.app.models import CondaDistribution, CondaToken
from pulp_conda.app.uploading import check_rights

log = logging.getLogger(__name__)


# A client is told at once that it may not send: it may have much to send.
_AT_ONCE = {401, 403, 413, 429}

# What tells that there is such a channel.
_ABOUT_CHANNELS = (MayNotRemove, MayNotUpload, TakesNoUploads)

# In a request: who sends it, and the channel with the name by which it was found.
_VISITOR, _CHANNEL = "conda_visitor", "conda_channel"

Handler = Callable[[Request], Awaitable[StreamResponse]]

# Makes the answer of a refusal, in the form that the clients of a door show.
Show = Callable[[Refusal], StreamResponse]


@dataclass(frozen=True)
class Visitor:
    """Who is at a door.

    Fields:
        user: Who it is. With a token, its owner.
        token: The token that was used, or None.
    """

    user: AbstractBaseUser
    token: CondaToken | None

    async def may_upload(self, distribution: CondaDistribution, *, force: bool = False) -> None:
        """Check that the visitor may upload to a channel.

        Raises:
            MayNotUpload, TakesNoUploads
        """
        await sync_to_async(check_rights)(self.user, self.token, distribution, force=force)


def door(show: Show) -> Callable[[Handler], Handler]:
    """Let a handler of aiohttp answer refusals, and hear clients out before."""

    def with_handler(handler: Handler) -> Handler:
        @wraps(handler)
        async def handle(request: Request) -> StreamResponse:
            before = get_current_user()
            try:
                return await handler(request)
            except Exception as error:
                if isinstance(error, ConnectionError) and request.transport is None:
                    log.debug("A client of %s went away", request.rel_url.raw_path)
                    return Response(status=400)  # Nobody reads it.
                is_about_channel = isinstance(error, _ABOUT_CHANNELS)
                hidden = await sync_to_async(_hidden)(request) if is_about_channel else None
                refusal = refusal_of(hidden or error)
                if refusal is None:
                    raise
            finally:
                # The next request of the connection may be of somebody else.
                set_current_user(before)
            if refusal.status not in _AT_ONCE and _VISITOR in request:
                await drain(request)
            # Some clients show nothing but the status.
            path = request.rel_url.raw_path  # a path may have line breaks
            log.info("%s %s: %d %s", request.method, path, refusal.status, refusal.text)
            answer = show(refusal)
            answer.headers.extend(refusal.headers)
            return answer

        return handle

    return with_handler


async def identify(request: Request) -> Visitor:
    """Return who sends a request, from its headers alone.

    A browser sends cookies, and passwords that it knows, for any page that asks it to. So cookies
    do not count, and what a page sends is refused.

    Raises:
        Refusal: nobody, or somebody with a wrong password or token.
        FromBrowser
    """
    if hdrs.ORIGIN in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
        raise FromBrowser()
    auth, drf_request = request["auth"], request["drf_request"]
    if isinstance(auth, Refused):
        if auth.retry_after is not None:
            later = (str(hdrs.RETRY_AFTER), str(auth.retry_after))
            raise Refusal(429, str(auth.error), [later])
        raise Refusal(401, str(auth.error), _challenges(request))
    token = auth if isinstance(auth, CondaToken) else None
    user = token.owner if token else request["user"]
    if isinstance(drf_request.successful_authenticator, SessionAuthentication):
        user = AnonymousUser()
    if not user.is_authenticated:
        text = "401: Unauthorized. Uploads need a token or a password, and it has to be right."
        raise Refusal(401, text, _challenges(request))
    set_current_user(user)
    request[_VISITOR] = visitor = Visitor(user, token)
    return visitor


def _challenges(request: Request) -> list[tuple[str, str]]:
    return [(str(hdrs.WWW_AUTHENTICATE), each) for each in challenges_for(request.headers)]


async def channel_of(
    request: Request, name: str, *, anywhere: bool | None = None
) -> CondaDistribution:
    """Return the channel that a tool means, and go on in its domain.

    Args:
        name: The base path of the channel in the domain of the URL, or its upload alias. An alias
            in a URL without a domain may be that of a channel in any domain.
        anywhere: Whether it may be. The default is what the URL says.

    Raises:
        UnknownChannel
    """
    if anywhere is None:
        anywhere = "pulp_domain" not in request.match_info
    distribution = await sync_to_async(_find)(name, anywhere=anywhere)
    if distribution is None:
        raise UnknownChannel(channel=name)
    note_channel(request, distribution, name)
    set_domain(distribution.pulp_domain)
    return distribution


def note_channel(request: Request, distribution: CondaDistribution, name: str) -> None:
    """Note by which name a channel was found, in case that the visitor may not know it."""
    request[_CHANNEL] = distribution, name


def _hidden(request: Request) -> UnknownChannel | None:
    """Return the error for a channel that is not there, if the channel is to be hidden."""
    if not settings.CONDA_HIDE_PRIVATE_CHANNELS or _CHANNEL not in request:
        return None
    (distribution, name), visitor = request[_CHANNEL], request[_VISITOR]
    is_public = distribution.content_guard_id is None
    if is_public or has_permission(visitor.user, "conda.view_condadistribution", distribution):
        return None
    return UnknownChannel(channel=name)


def is_true(parameter: str | None) -> bool:
    """Say whether a parameter of a URL says yes."""
    return (parameter or "").lower() in ("true", "1", "yes")


def _find(name: str, *, anywhere: bool) -> CondaDistribution | None:
    name = name.strip("/")
    if "\0" in name:
        return None  # PostgreSQL cannot look for it.
    channels = CondaDistribution.objects.select_related("pulp_domain")
    here = Q(pulp_domain=get_domain_pk())
    by_alias = Q(upload_alias=name) if anywhere else Q(upload_alias=name) & here
    found = {each.base_path: each for each in channels.filter(here & Q(base_path=name) | by_alias)}
    # There is one at most, unless an alias and a path were made at the same moment.
    return found.get(name) or next(iter(found.values()), None)
