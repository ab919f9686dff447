"""Connections to PostgreSQL that the event loop waits for, without a thread.

All that Django asks in a process is asked on one thread, one statement after the other, and each is
planned anew. Here statements are prepared, and a few of them can run at a time.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from django.db import connections
from psycopg import AsyncConnection, OperationalError

# The most connections of a process. Each is opened when all others are busy, and stays open.
MOST = 4

# Seconds after which a connection that gives no answer counts as lost.
_PATIENCE = 10

# A plan that holds for all values: to plan takes five times as long as to run most statements.
_OPTIONS = "-c plan_cache_mode=force_generic_plan"


class BehindPooler(Exception):
    """A pooler gives one connection to several clients, so the prepared statements of another one
    may have the same names.
    """


class Connections:
    """The connections of an event loop, each of them for one statement at a time."""

    def __init__(self) -> None:
        # None stands for one that is not open. The last one that was used comes first, so that no
        # more are opened than are needed.
        self._idle: asyncio.LifoQueue[AsyncConnection | None] = asyncio.LifoQueue()
        for _ in range(MOST):
            self._idle.put_nowait(None)

    async def fetch(self, statement: str, facts: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows that a statement gives. They show all that was committed before the call.

        Raises:
            psycopg.Error, OSError, TimeoutError: the database cannot be asked.
            BehindPooler: it can only be asked through a pooler.
        """
        connection = await self._idle.get()
        try:
            async with asyncio.timeout(_PATIENCE):
                if connection is not None:
                    try:
                        return await _rows(connection, statement, facts)
                    except OperationalError:
                        # PostgreSQL was started again, or somebody ended the connection.
                        if not connection.broken:
                            raise
                connection = await _connect()
                return await _rows(connection, statement, facts)
        except BaseException:
            # Nobody knows what it would answer next.
            if connection is not None:
                await connection.close()
                connection = None
            raise
        finally:
            self._idle.put_nowait(connection)

    async def close(self) -> None:
        """Close all connections, each as soon as nobody uses it. They are opened again when they
        are needed.
        """
        for _ in range(MOST):
            if connection := await self._idle.get():
                await connection.close()
        for _ in range(MOST):
            self._idle.put_nowait(None)


async def _connect() -> AsyncConnection:
    """Open a connection with the settings of Django's."""
    settings = connections["default"].get_connection_params()
    for of_django in ("context", "cursor_factory"):
        del settings[of_django]
    settings["options"] = f"{settings.get('options', '')} {_OPTIONS}".strip()
    settings |= {"prepare_threshold": 0, "autocommit": True}
    connection = await AsyncConnection.connect(**settings)
    ((process,),) = await _rows(connection, "SELECT pg_backend_pid()", {})
    if process != connection.info.backend_pid:
        await connection.close()
        raise BehindPooler
    return connection


async def _rows(
    connection: AsyncConnection, statement: str, facts: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    cursor = connection.cursor(binary=True)
    await cursor.execute(statement, facts)
    return await cursor.fetchall()
