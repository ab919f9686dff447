"""From which address a request comes, also behind proxies and in the content app."""

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar

from aiohttp.web import Request, StreamResponse, middleware
from django.conf import settings

# The other end of the connection of a request of the content app, whose requests to REST framework
# do not have it.
_peer: ContextVar[str] = ContextVar("peer", default="")

# Who has an IPv6 address has as many as fit into this.
_IPV6_PREFIX = 64


@middleware
async def note_peer(
    request: Request, handler: Callable[[Request], Awaitable[StreamResponse]]
) -> StreamResponse:
    """Keep the other end of the connection for `client_address`."""
    _peer.set(request.remote or "")
    return await handler(request)


def client_address(meta: Mapping[str, str]) -> str:
    """Return the address of a client: of IPv6, its network. Empty if it is not known.

    A proxy adds the address of who asked it to the end of `X-Forwarded-For`. What stands there
    counts only if a proxy of the setting `CONDA_TRUSTED_PROXIES` added it; a client may write
    anything before that.

    Args:
        meta: Django's facts about a request. They lack `REMOTE_ADDR` in the content app.
    """
    address = _parsed(meta.get("REMOTE_ADDR", _peer.get()))
    added = meta.get("HTTP_X_FORWARDED_FOR") or meta.get("HTTP_X-FORWARDED-FOR") or ""
    hops = added.split(",") if added else []
    while hops and _is_trusted(address):
        address = _parsed(hops.pop().strip())
    if address is None:
        return ""
    if address.version == 6:
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address, or None for the other end of a Unix socket, and for other texts."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    """Say whether a connection comes from a proxy. A Unix socket is one to a program here."""
    networks = map(ipaddress.ip_network, settings.CONDA_TRUSTED_PROXIES)
    return address is None or any(address in network for network in networks)
