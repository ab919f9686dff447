"""The routes of channels in the content app. Imported by the content app only."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote

from aiohttp import hdrs
from aiohttp.web import (
    HTTPForbidden,
    HTTPMethodNotAllowed,
    HTTPNotFound,
    HTTPServiceUnavailable,
    Request,
    Response,
    StreamResponse,
    delete,
    get,
    middleware,
    options,
    put,
)
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError
from yarl import URL

from pulpcore.content.authentication import authenticate
from pulpcore.plugin.content import Handler, app

from pulp_conda.app.addresses import note_peer
from pulp_conda.app.authentication import challenges_for, let_in
from pulp_conda.app.database import NEWEST, RETRY_AFTER, is_away, is_migrated
from pulp_conda.app.doors import artifactory
from pulp_conda.app.doors.entrance import door, identify, note_channel
from pulp_conda.app.doors.receiving import wait_with_the_body
from pulp_conda.app.doors.routes import routes
from pulp_conda.app.errors import DatabaseAway, NotMigrated, NotSyncedYet, Offline, UnknownChannel
from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.models.distribution import channel_at, find_channel, paths_above
from pulp_conda.app.refreshing.schedules import ask
from pulp_conda.app.serving.answers import Refusal, headers_for_pulpcore
from pulp_conda.app.serving.browsing.listing import channels_page
from pulp_conda.app.serving.browsing.visitor import Visitor, up
from pulp_conda.app.serving.channel import Unserved, served_at, served_checkpoint, served_now
from pulp_conda.app.serving.credentials import credentials_of
from pulp_conda.app.serving.fast import Finder
from pulp_conda.app.serving.files import ChannelFile, respond
from pulp_conda.app.serving.freshness import freshness_of
from pulp_conda.app.serving.refusals import refuse
from pulp_conda.app.serving.resolve import NOTHING, Facts, Kind, facts_of, resolve
from pulp_conda.app.serving.url_tokens import follow_route, route_of, take_token, without_token
from pulp_conda.app.vocabulary import TokenScope
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError

log = logging.getLogger(__name__)

Handle = Callable[[Request], Awaitable[StreamResponse]]

_PREFIX = settings.CONTENT_PATH_PREFIX + ("{pulp_domain}/" if settings.DOMAIN_ENABLED else "")

# `<base_path>@<moment>/`, another spelling of `<base_path>/at/<moment>/`. This route comes before
# that of pulpcore, which matches every path, but only finds a distribution by whole parts of a
# path.
_OLD_PAST_ROUTE = _PREFIX + "{path:.+@.*}"

# What people open: folders, and pages below `-/`. It comes before the files, since the path of a
# page can end like that of a file.
_PAGE_ROUTE = _PREFIX + r"{path:.+/(?:-/.+)?}"

# The list of channels. `-` is no part of a channel's name.
_LISTING_ROUTE = _PREFIX + f"{layout.PAGES}/"

# What a load balancer asks. It stands beside the domains, so a domain `-` cannot be asked for it.
_HEALTH_ROUTE = f"{settings.CONTENT_PATH_PREFIX}{layout.PAGES}/health"

# The most frequent requests: the files in a subdir.
_FILE_ROUTE = (
    _PREFIX
    + r"{path:.+/(?:noarch|[a-z0-9]+-[a-z0-9]+)/(?:shards/)?[^/]+\.(?:conda|tar\.bz2|json|zst)}"
)

# Seconds after which the first sync of a channel may be done, and between two looks for that.
_COLD_RETRY_AFTER = "30"
_COLD_PAUSE = 0.5

_COME_AGAIN = {hdrs.RETRY_AFTER: str(RETRY_AFTER)}
_NOT_KEPT = {hdrs.CACHE_CONTROL: "no-store"}

# The statuses with which files are sent.
_FILES = (200, 206, 304)

# No path of anything has a NUL. PostgreSQL, which would be asked, cannot even look for one.
_NUL_ROUTE = _PREFIX + r"{path:(?s:.*\x00.*)}"


class ChannelHandler(Handler):
    """Serves the files in subdirs, and the channel as it was under `<base_path>@<moment>/<path>`.

    This way is shorter than pulpcore's, which joins nine tables to find the distribution and
    changes threads three times. Paths that belong to no channel are left to pulpcore.
    """

    async def refuse(self, request: Request) -> StreamResponse:
        raise HTTPNotFound

    async def stream_past(self, request: Request) -> StreamResponse:
        return await self._stream(request, self._find_past)

    async def stream_page(self, request: Request) -> StreamResponse:
        return await self._stream(request, self._find_page)

    async def list_channels(self, request: Request) -> StreamResponse:
        """Answer with the list of the channels that the client may read."""
        facts, refusal = await sync_to_async(self._list_channels)(request)
        return respond(facts, refusal)

    def _list_channels(self, request: Request) -> tuple[Facts, Refusal | None]:
        visitor = self._visitor(request, None)
        auth, user = request.get("auth"), request.get("user")
        is_known = (user is not None and user.is_authenticated) or auth is not None
        if not is_known and "login" in request.query:
            refusal = Refusal(challenges_for(request.headers))
            return replace(NOTHING, ways=("", visitor.site)), refusal
        made = channels_page(visitor, is_known)
        return facts_of(made, settings.CONDA_METADATA_MAX_AGE), None

    async def tell_health(self, request: Request) -> StreamResponse:
        """Answer 200 if this process can answer for channels now, and 503 if it cannot.

        Raises:
            OperationalError, InterfaceError: the database cannot be asked.
        """
        if not await sync_to_async(is_migrated)():
            text = f"503: {NotMigrated(migration=NEWEST)}\n"
            return Response(status=503, text=text, headers=_NOT_KEPT | _COME_AGAIN)
        return Response(text="ok\n", headers=_NOT_KEPT)

    async def stream_file(self, request: Request) -> StreamResponse:
        until = time.monotonic() + settings.CONDA_FIRST_SYNC_SECONDS
        while True:
            found = await self._stream(request, self._find_file)
            facts = getattr(found, "facts", NOTHING)
            await _sync_behind(facts)
            if not facts.is_cold or facts.freshness is None:
                return found
            if settings.CONDA_OFFLINE or facts.freshness.has_failed or time.monotonic() > until:
                raise _not_synced_yet(request)
            # Nobody waits in a thread.
            await asyncio.sleep(_COLD_PAUSE)

    async def name_methods(self, request: Request) -> StreamResponse:
        """Answer OPTIONS, with which browsers ask what a script may do."""
        channel = await sync_to_async(self._find_known)(request)
        if channel is None:
            raise HTTPMethodNotAllowed(request.method, [hdrs.METH_GET, hdrs.METH_HEAD])
        return _respond(channel, NOTHING)

    async def take(self, request: Request) -> StreamResponse:
        """Take a package that a client puts where it will be."""
        visitor = await identify(request)
        channel, path = await self._channel_and_path(request)
        return await artifactory.put_into(request, visitor, channel, path)

    async def remove(self, request: Request) -> StreamResponse:
        """Remove a package."""
        visitor = await identify(request)
        channel, path = await self._channel_and_path(request)
        return await artifactory.delete_from(visitor, channel, path)

    async def _channel_and_path(self, request: Request) -> tuple[CondaDistribution, str]:
        """Return the channel of a URL, and the path below the channel.

        Raises:
            UnknownChannel: it is the URL of none.
        """
        path = request.match_info["path"]
        channel = await sync_to_async(find_channel)(paths_above(path))
        if channel is None:
            raise UnknownChannel(channel=path)
        note_channel(request, channel, path)
        return channel, path.removeprefix(channel.base_path).strip("/")

    async def _stream(
        self, request: Request, find: Callable[[Request], StreamResponse | None]
    ) -> StreamResponse:
        found = await sync_to_async(find)(request)
        return await self.stream_content(request) if found is None else found

    def _find_past(self, request: Request) -> ChannelFile | None:
        base_path, _, past = request.match_info["path"].partition("@")
        channel = find_channel([base_path])
        if channel is None:
            return None
        visitor = self._visitor(request, channel)
        if refusal := self.refusal(request, channel):
            return _respond(channel, NOTHING, refusal, _ways(visitor, None))
        # A relative path, so that a token in the URL stays; `./`, because a colon ends a scheme.
        start = request.path.removesuffix(past).rpartition("/")[2]
        return _respond_past(channel, past, f"./{start}", visitor)

    def _find_page(self, request: Request) -> ChannelFile | None:
        path = request.match_info["path"]
        channel = find_channel(paths_above(path))
        if channel is None:
            return None
        visitor = self._visitor(request, channel)
        if refusal := self.refusal(request, channel):
            return _respond(channel, NOTHING, refusal, _ways(visitor, None))
        return respond_now(channel, path.removeprefix(channel.base_path).lstrip("/"), visitor)

    def _find_file(self, request: Request) -> ChannelFile | None:
        path = request.match_info["path"]
        channel = find_channel(self._base_paths(path))
        if channel is None:
            return None
        if refusal := self.refusal(request, channel):
            return _respond(channel, NOTHING, refusal)
        return respond_now(channel, path.removeprefix(channel.base_path).lstrip("/"))

    def _find_known(self, request: Request) -> CondaDistribution | None:
        """Return the channel of a path, unless the client may not know that it is there."""
        channel = channel_at(request.match_info["path"])
        if channel and settings.CONDA_HIDE_PRIVATE_CHANNELS:
            refusal = self.refusal(request, channel)
            return None if refusal and refusal.is_hidden else channel
        return channel

    def _visitor(self, request: Request, channel: CondaDistribution | None) -> Visitor:
        """Return who asks for a page, of a channel or of none."""

        def may_read(other: CondaDistribution) -> bool:
            if other.content_guard_id is None:
                return True
            # As if the request were for the other channel: guards may look at its path.
            path = f"{request.path.removesuffix(page)}{other.base_path}/"
            asked = request.clone(rel_url=URL.build(path=path))
            is_let_in = self.refusal(asked, other) is None
            if channel is not None:
                # The user of a token is the one of this channel again.
                let_in(request, TokenScope.READ, channel)
            return is_let_in

        page = request.match_info.get("path", f"{layout.PAGES}/")
        return Visitor(page, request.query, may_read)

    def refusal(self, request: Request, channel: CondaDistribution) -> Refusal | None:
        """Return why the client may not read a channel, or None if it may."""
        request["conda_channel"] = channel
        let_in(request, TokenScope.READ, channel)
        try:
            self._permit(request, channel)
        except HTTPForbidden as refused:
            # A guard may give no reason.
            return refuse(request, channel, refused.reason or "")
        return None


async def _sync_behind(facts: Facts) -> None:
    """Start a sync of a channel whose metadata is too old. The answer does not wait for it."""
    if facts.freshness and facts.freshness.due and not settings.CONDA_OFFLINE:
        try:
            for repository in facts.freshness.due:
                await sync_to_async(ask)(str(repository))
        except DatabaseError:
            log.warning("A channel is not synced because of a request", exc_info=True)


def _not_synced_yet(request: Request) -> HTTPServiceUnavailable:
    path = request.match_info["path"]
    error = Offline() if settings.CONDA_OFFLINE else NotSyncedYet(path=path)
    text = f"503: {error}"
    return HTTPServiceUnavailable(headers={"Retry-After": _COLD_RETRY_AFTER}, text=text)


def respond_now(
    channel: CondaDistribution, path: str, visitor: Visitor | None = None
) -> ChannelFile | None:
    """Return the answer for a path below a channel's URL, or None to leave it to pulpcore.

    The guard of the channel has let the client in before. The channel is found before this, by its
    whole base path: so a channel may have a part `at` in its name, and no other channel can be
    where its past is, since pulpcore lets no base path lie in another one.

    Args:
        visitor: Who asks, if it is for a page.
    """
    if (past := layout.split_past(path)) is not None:
        return _respond_past(channel, past, path.removesuffix(past).rpartition("/")[2], visitor)
    if not channel.checkpoint:
        return _respond(channel, _facts_now(channel, path, visitor), ways=_ways(visitor, path))
    state, path = served_checkpoint(channel, path)
    # pulpcore lists the checkpoints, and redirects to the one before a date.
    if state is None:
        return None
    return _respond(channel, resolve(state, path, visitor), ways=_ways(visitor, path))


def _facts_now(channel: CondaDistribution, path: str, visitor: Visitor | None) -> Facts:
    """Return the facts about a path in the state that a channel serves now."""
    state = served_now(channel) or Unserved(channel)
    facts = resolve(state, path, visitor)
    if isinstance(layout.parse_path(path), layout.Metadata):
        if freshness := freshness_of(channel):
            return replace(facts, freshness=freshness, is_cold=state.is_cold)
    return facts


def _respond_past(
    channel: CondaDistribution, past: str, start: str, visitor: Visitor | None
) -> ChannelFile:
    """Return the answer for a path of the past.

    Args:
        past: The path, from its moment on.
        start: What stands before the moment in the URL, to which clients are sent for a slash.
    """
    moment, slash, path = past.partition("/")
    try:
        state = served_at(channel, moment)
    except ChannelError as error:
        facts = Facts(Kind.NOTHING, reason=str(error))
        ways = _ways(visitor, path)
        if ways:
            # To the channel as it is now.
            ways = f"{ways[1]}{quote(channel.base_path)}/", ways[1]
        return _respond(channel, facts, ways=ways)
    if not slash:
        return _respond(channel, Facts(Kind.MOVED, location=f"{start}{state.moment}/"))
    return _respond(channel, resolve(state, path, visitor), ways=_ways(visitor, path))


def _ways(visitor: Visitor | None, path: str | None) -> tuple[str, str] | None:
    """Return the ways from a page to its channel, and to the list of channels; see `Facts`.

    Args:
        path: Of the page below the channel, or None if the channel cannot be read.
    """
    if visitor is None or not layout.is_page(visitor.path):
        return None
    return up(path) if path is not None else "", visitor.site


def _respond(
    channel: CondaDistribution,
    facts: Facts,
    refusal: Refusal | None = None,
    ways: tuple[str, str] | None = None,
) -> ChannelFile:
    """Return the answer of a channel; see `respond`."""
    answer = respond(replace(_of(channel, facts), ways=ways), refusal)
    answer.base_path = channel.base_path
    return answer


def _of(channel: CondaDistribution, facts: Facts) -> Facts:
    """Return facts with those about the channel, which hold for all of its paths."""
    is_guarded = channel.content_guard_id is not None
    return replace(facts, is_guarded=is_guarded, cors_origins=channel.cors_origins)


@middleware
async def refuse_as_channel(
    request: Request, handler: Callable[[Request], Awaitable[StreamResponse]]
) -> StreamResponse:
    """Answer as a channel does where pulpcore asks the guard of one.

    pulpcore only knows the status 403, and users, but no tokens.
    """
    try:
        return await handler(request)
    except HTTPForbidden:
        channel = None
        if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
            channel = await sync_to_async(channel_at)(request.match_info.get("path", ""))
        if channel is None:
            raise
        if refusal := await sync_to_async(_handler.refusal)(request, channel):
            return _respond(channel, NOTHING, refusal)
        # Now it knows the owner of the token.
        return await handler(request)


async def protect(request: Request, response: StreamResponse) -> None:
    """Add the headers of channels to what pulpcore answers about one.

    Called by aiohttp before it sends an answer. pulpcore itself answers for the root of a channel
    without its slash, for paths that no channel has, and for the list of checkpoints, and it asks
    the guard before.
    """
    request = without_token(request)
    is_file = response.status in _FILES and response.content_type != "text/html"
    path = request.match_info.get("path", "\0")
    if isinstance(response, ChannelFile) or is_file or "\0" in path:
        return
    # Scripts in browsers upload nothing, so they need no headers of uploads.
    if request.get("conda_hidden") or request.method in (hdrs.METH_PUT, hdrs.METH_DELETE):
        return
    try:
        channel = await sync_to_async(find_channel)(paths_above(path))
    except (OperationalError, InterfaceError):
        # The answer says so.
        return
    if channel:
        facts = _of(channel, NOTHING)
        response.headers.update(headers_for_pulpcore(response.status, facts, request))


@middleware
async def answer_fast(request: Request, handler: Handle) -> StreamResponse:
    """Answer for a file of a channel without pulpcore's authentication and threads, if nothing is
    in the way; see `pulp_conda.app.serving.fast`.
    """
    is_file = route_of(request) == _handler.stream_file
    # No client of channels has cookies. pulpcore reads them, and may refuse the request.
    if is_file and settings.CONDA_FAST_ANSWERS and hdrs.COOKIE not in request.headers:
        domain = request.match_info.get("pulp_domain", "default")
        credentials = credentials_of(request.headers)
        facts = await finder.find(domain, request.match_info["path"], credentials)
        if facts is not None:
            await _sync_behind(facts)
            return respond(facts)
    try:
        return await handler(request)
    except (OperationalError, InterfaceError) as error:
        if not is_away(error):
            raise
        log.warning("'%s' cannot be answered without PostgreSQL", request.path, exc_info=True)
        text = f"503: {DatabaseAway(seconds=RETRY_AFTER)}"
        raise HTTPServiceUnavailable(headers=_COME_AGAIN, text=text) from None


CondaDistribution.responder = respond_now

_handler = ChannelHandler()
finder = Finder()
_door = door(artifactory.show)
app.add_routes(
    [
        get(_HEALTH_ROUTE, _handler.tell_health),
        get(_NUL_ROUTE, _handler.refuse),
        options(_NUL_ROUTE, _handler.refuse),
        get(_OLD_PAST_ROUTE, _handler.stream_past),
        get(_LISTING_ROUTE, _handler.list_channels),
        get(_PAGE_ROUTE, _handler.stream_page),
        get(_FILE_ROUTE, _handler.stream_file),
        options(_PREFIX + "{path:.+}", _handler.name_methods),
        put(_NUL_ROUTE, _handler.refuse),
        delete(_NUL_ROUTE, _handler.refuse),
        put(_PREFIX + "{path:(?s:.+)}", _door(_handler.take), expect_handler=wait_with_the_body),
        delete(_PREFIX + "{path:(?s:.+)}", _door(_handler.remove)),
        *routes(),
    ]
)
# In front of pulpcore's authentication. What measures requests, behind it, goes in front as well.
_place = app.middlewares.index(authenticate)
app.middlewares[_place:] = [*app.middlewares[_place + 1 :], answer_fast, authenticate]
app.middlewares.insert(0, note_peer)
app.middlewares.insert(0, take_token)
app.middlewares.extend([refuse_as_channel, follow_route])
app.on_response_prepare.append(protect)
app.on_cleanup.append(lambda app: finder.connections.close())
