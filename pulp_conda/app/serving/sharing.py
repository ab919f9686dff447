"""Ask once for all who wait, and give nobody an answer that is older than the question."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class Shared(Generic[Key, Answer]):
    """A question that several ask at the same time, about several keys.

    For each key it is asked once at a time. Who comes while it is asked waits for the next time,
    which begins as soon as this one ends. So an answer shows all that was committed before somebody
    came, as if each asked alone.
    """

    def __init__(self, ask: Callable[[Key], Awaitable[Answer]]) -> None:
        self._ask = ask
        # By key: what those get who wait for the next time.
        self._waiting: dict[Key, asyncio.Future[Answer]] = {}
        # By key: what asks as long as somebody waits.
        self._running: dict[Key, asyncio.Task[None]] = {}

    async def ask(self, key: Key) -> Answer:
        """Return the answer.

        Raises:
            Exception: what the question raised, to all who waited for it.
        """
        answer = self._waiting.get(key)
        if answer is None:
            loop = asyncio.get_running_loop()
            answer = self._waiting[key] = loop.create_future()
            if key not in self._running:
                self._running[key] = loop.create_task(self._run(key))
        # A client that leaves takes the answer from nobody else.
        return await asyncio.shield(answer)

    async def _run(self, key: Key) -> None:
        try:
            while answer := self._waiting.pop(key, None):
                # From here on, nobody joins.
                try:
                    answer.set_result(await self._ask(key))
                except Exception as error:
                    answer.set_exception(error)
                    # All who waited may have left.
                    answer.exception()
        finally:
            del self._running[key]
            # The process ends.
            if answer := self._waiting.pop(key, None):
                answer.cancel()
