"""Downloads that take the secrets of a remote only to its own server."""

from typing import Any
from urllib.parse import SplitResult, urlsplit

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from pulpcore.plugin.download import HttpDownloader

from pulp_conda.channel.secrets import may_be_secret

_PORTS = {"http": 80, "https": 443}


class HomeDownloader(HttpDownloader):
    """A downloader that drops the secrets when it is redirected to another server.

    aiohttp itself drops the user and the password, and sends the headers of a remote, which may be
    API keys, to every server.
    """

    async def _run(self, extra_data: dict[str, Any] | None = None) -> Any:
        extra_data = dict(extra_data or {})
        options = extra_data.get("request_kwargs") or {}
        middlewares = (*options.get("middlewares", ()), self._drop_secrets)
        extra_data["request_kwargs"] = {**options, "middlewares": middlewares}
        return await super()._run(extra_data)

    async def _drop_secrets(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> ClientResponse:
        """Called by aiohttp before each request, also before those that follow redirects."""
        if not is_at_home(str(request.url), self.url):
            for name in {"Authorization", *filter(may_be_secret, self.session.headers)}:
                request.headers.popall(name, None)
        return await handler(request)


def is_at_home(url: str, home: str) -> bool:
    """Say whether a URL may be asked with the secrets for another one: both have the same scheme,
    host and port, or it is the same host over https instead of http.
    """
    try:
        server, own = _server(urlsplit(url)), _server(urlsplit(home))
    except ValueError:  # a port that is no number
        return False
    host = own[1]
    return server == own or (own, server) == (("http", host, 80), ("https", host, 443))


def _server(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
