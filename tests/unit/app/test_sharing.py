"""A question that is asked once for all who wait, and never joined when it runs."""

import asyncio

import pytest

from pulp_conda.app.serving.memory import Memory
from pulp_conda.app.serving.sharing import Shared


class Source:
    """Answers with how often it was asked before, when it is let."""

    def __init__(self):
        self.asked = []
        self.let = asyncio.Semaphore(0)

    async def ask(self, key):
        self.asked.append(key)
        number = len(self.asked)
        await self.let.acquire()
        if key == "bad":
            raise LookupError(key)
        return number


async def _turns():
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_comes_while_a_question_runs_waits_for_the_next_one():
    async def run():
        source = Source()
        shared = Shared(source.ask)
        first = [asyncio.create_task(shared.ask("a")) for _ in range(3)]
        await _turns()
        later = [asyncio.create_task(shared.ask("a")) for _ in range(3)]
        other = asyncio.create_task(shared.ask("b"))
        await _turns()
        # The other key does not wait.
        assert source.asked == ["a", "b"]
        for _ in range(3):
            source.let.release()
        assert await asyncio.gather(*first, *later, other) == [1, 1, 1, 3, 3, 3, 2]
        assert source.asked == ["a", "b", "a"]

    asyncio.run(run())


def test_a_client_that_leaves_takes_the_answer_from_nobody():
    async def run():
        source = Source()
        shared = Shared(source.ask)
        leaving, staying = (asyncio.create_task(shared.ask("a")) for _ in range(2))
        await _turns()
        leaving.cancel()
        await _turns()
        source.let.release()
        assert await staying == 1
        assert leaving.cancelled()

    asyncio.run(run())


def test_all_who_waited_get_an_error_and_the_next_one_asks_again():
    async def run():
        source = Source()
        shared = Shared(source.ask)
        for number in (1, 2):
            waiting = [asyncio.create_task(shared.ask("bad")) for _ in range(2)]
            await _turns()
            source.let.release()
            for each in waiting:
                with pytest.raises(LookupError):
                    await each
            assert len(source.asked) == number

    asyncio.run(run())


def test_memory_forgets_what_nobody_asked_for_the_longest_time():
    memory = Memory(30_000)
    for key in "abc":
        memory.put(key, key.upper(), 5000)
    assert memory.get("a") == "A"
    memory.put("d", "D", 5000)
    assert [memory.get(key) for key in "abcd"] == ["A", None, "C", "D"]
    memory.put("a", "A2", 1)
    memory.drop("c")
    memory.drop("c")
    memory.put("e", "E", 5000)
    assert [memory.get(key) for key in "acde"] == ["A2", None, "D", "E"]
    memory.put("large", "L", 40_000)
    assert [memory.get(key) for key in ("large", "a", "e")] == [None, "A2", "E"]
