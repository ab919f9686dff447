"""The cache of pulpcore's content app, with a server of Redis in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from django.test import override_settings
from fakeredis import TcpFakeServer
from redis import Redis

from pulpcore.app import redis_connection  # noqa: TID251  it is made once for a process
from pulpcore.cache import AsyncContentCache
from pulpcore.content import Handler


@contextmanager
def cached_content() -> Iterator[Redis]:
    """Let the content app of this process keep answers, as with `CACHE_ENABLED`.

    Yields:
        A client that sees what is kept.
    """
    TcpFakeServer.allow_reuse_address = TcpFakeServer.daemon_threads = True
    server = TcpFakeServer(("127.0.0.1", 0))
    port = server.server_address[1]
    Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    with override_settings(CACHE_ENABLED=True, REDIS_PORT=port), pytest.MonkeyPatch.context() as m:
        m.setattr(redis_connection, "_conn", None)
        m.setattr(redis_connection, "_a_conn", None)
        # As pulpcore decorates it when it is imported with that setting.
        cache = AsyncContentCache(base_key=Handler.find_base_path_cached, auth=Handler.auth_cached)
        m.setattr(Handler, "stream_content", cache(Handler.stream_content))
        yield Redis(port=port, decode_responses=True)
    server.shutdown()
    server.server_close()
