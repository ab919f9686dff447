"""Where the doors are.

Below the prefix of the doors, URLs carry the domain, if there are domains. `pixi publish` keeps
only the host of a URL and the last part of the channel, so the doors are at the root of the host as
well, for a channel whose name or alias has one part, in whatever domain it is.
"""

from collections.abc import Iterator

from aiohttp.web import RouteDef, delete, get, head, patch, post, put
from django.conf import settings

from pulp_conda.app.doors import anaconda, artifactory, prefix, quetz
from pulp_conda.app.doors.entrance import Handler
from pulp_conda.app.doors.receiving import wait_with_the_body
from pulp_conda.app.models.distribution import doors_prefix
from pulp_conda.app.oidc.door import mint_token

# What a pattern leaves out is answered without a reason, so they leave out little.
_ANY = "(?s:.+)"
_ONE_PART = "[^/]+"

# A file of a channel whose name has one part. At the root of a host, nothing else may match.
_PACKAGE = r"[^/]+/(?:noarch|[a-z0-9]+-[a-z0-9]+)/[^/]+\.(?:conda|tar\.bz2)"


def routes() -> list[RouteDef]:
    """Return the routes of all doors, in the order in which they are tried."""
    return [route for server, channel in _servers() for route in _routes(server, channel)]


def _servers() -> Iterator[tuple[str, str]]:
    """Yield the URLs that tools may take for that of a server, with the pattern of a channel."""
    doors = doors_prefix()
    if settings.DOMAIN_ENABLED:
        yield doors, _ONE_PART
        yield f"{doors}{{pulp_domain}}/", _ANY
    else:
        yield doors, _ANY
    yield "/", _ONE_PART


def _routes(server: str, channel: str) -> Iterator[RouteDef]:
    yield post(f"{server}api/oidc/mint_token", mint_token)
    yield _post(f"{server}api/v1/upload/{{channel:{channel}}}", prefix.upload)
    yield _post(f"{server}api/channels/{{channel:{channel}}}/upload/{{file:[^/]+}}", quetz.upload)
    if channel == _ANY:
        yield from _anaconda_routes(f"{server}anaconda")
    path = f"{{path:{_ANY if channel == _ANY else _PACKAGE}}}"
    yield put(f"{server}{path}", artifactory.put, expect_handler=wait_with_the_body)
    yield delete(f"{server}{path}", artifactory.delete)


def _anaconda_routes(server: str) -> Iterator[RouteDef]:
    package = f"{server}/package/{{owner:{_ANY}}}/{{name:[^/]+}}"
    release = f"{server}/release/{{owner:{_ANY}}}/{{name:[^/]+}}/{{version:[^/]+}}"
    file = f"{{owner:{_ANY}}}/{{name:[^/]+}}/{{version:[^/]+}}/{{subdir:[^/]+}}/{{file:[^/]+}}"
    for root in (server, f"{server}/"):
        yield head(root, anaconda.greet)
        yield get(root, anaconda.greet, allow_head=False)
    yield get(f"{server}/user", anaconda.show_user)
    yield get(f"{server}/user/{{owner:{_ANY}}}", anaconda.show_owner)
    for url, show in ((package, anaconda.show_package), (release, anaconda.show_release)):
        yield get(url, show)
        yield _post(url, anaconda.register)
        yield patch(url, anaconda.register)
        yield delete(url, anaconda.unregister)
    yield get(f"{server}/dist/{file}", anaconda.show_file)
    yield delete(f"{server}/dist/{file}", anaconda.remove_file)
    yield _post(f"{server}/stage/{file}", anaconda.stage)
    yield _post(f"{server}/bytes", anaconda.take)
    yield _post(f"{server}/commit/{file}", anaconda.commit)


def _post(path: str, handler: Handler) -> RouteDef:
    return post(path, handler, expect_handler=wait_with_the_body)
