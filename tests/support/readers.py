"""Clients of all kinds that read the stages of a channel while these move."""

import asyncio
import hashlib
import json
from urllib.parse import quote

import aiohttp
import msgpack
import zstandard

from tests.support.builders import make_package


def make_moving(pulp, repository, word):
    """Give a channel a lifecycle and three states; return the lifecycle, and the checksums of each
    path that has two.

    Each state has a package that no other has, one is common, and one has other bytes in the
    second.
    """
    common = make_package(f"common-{word}")
    swapped = [make_package(f"swapped-{word}", files={"a": text}) for text in (b"1", b"2")]
    alone = [make_package(f"alone-{word}", version) for version in ("1.0", "2.0", "3.0")]
    before = []
    for packages in (
        [common, swapped[0], alone[0]],
        [common, swapped[1], alone[1]],
        [common, alone[2]],
    ):
        hrefs = [pulp.upload(package)["pulp_href"] for package in packages]
        gone = [href for href in before if href not in hrefs]
        pulp.modify(repository, add=hrefs, remove=gone, overwrite=True)
        if not before:
            lifecycle = pulp.lifecycle(repository)
            lifecycle.promote("testing")
            lifecycle.promote("stable")
        before = hrefs
    return lifecycle, {swapped[0].filename: {package.record.sha256 for package in swapped}}


def read_while_moving(lifecycle, swapped, *, moves, clients_per_move):
    """Move the stages so often, and check what so many clients find during each move."""
    asyncio.run(_read_while_moving(lifecycle, swapped, moves, clients_per_move))


async def _read_while_moving(lifecycle, swapped, moves, clients_per_move):
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
        clients = Clients(session, lifecycle.urls, swapped)
        for number, move in zip(range(moves), _moves(lifecycle)):
            report, *_ = await asyncio.gather(
                asyncio.to_thread(move),
                *(clients.run(number + client) for client in range(clients_per_move)),
            )
            assert report["outcome"] == "moved"
        assert clients.done == moves * clients_per_move
        # Both stages were seen in all three states.
        assert len(clients.seen["testing"]) == len(clients.seen["stable"]) == 3
        await clients.check_dates()


def _moves(lifecycle):
    """Yield moves without an end: up to another state and back again, each stage in its turn."""
    while True:
        for state in ("v2", "v3"):
            yield lambda: lifecycle.promote("testing", state=state)
            yield lambda: lifecycle.promote("stable")
            yield lambda: lifecycle.roll_back("testing")
            yield lambda: lifecycle.roll_back("stable")


class Clients:
    """Clients of all kinds, which read an index and then every package that it names.

    Attributes:
        done: How many of them got all that they wanted.
        seen: The bytes of `repodata.json` that each stage gave.
        dates: The dates that each stage gave, with the bytes that came with them.
    """

    def __init__(self, session, urls, swapped):
        self.session = session
        self.urls = urls
        self.swapped = swapped
        self.done = 0
        self.seen = {"testing": set(), "stable": set()}
        self.dates = []

    async def run(self, number):
        stage = ("testing", "stable")[number % 2]
        read = (self._flat, self._known, self._compressed, self._shards, self._past)[
            number // 2 % 5
        ]
        url, records = await read(stage)
        assert len(records) >= 2
        for filename, sha256 in records.items():
            data = await self._get(url, f"noarch/{filename}")
            # A path can lead to one file only: the plain URL gives that of the state that it is in,
            # and a client with an older index sees another checksum. The URL of a state gives the
            # file of its index.
            expected = {sha256} if "/at/" in url else self.swapped.get(filename, {sha256})
            assert hashlib.sha256(data).hexdigest() in expected
        self.done += 1

    async def check_dates(self):
        """No date that was given while the stages moved may stand for other bytes than those that
        came with it.
        """
        for stage, date, body in self.dates:
            async with self.session.get(
                self._url(stage, "noarch/repodata.json"), headers={"If-Modified-Since": date}
            ) as answer:
                now = await answer.read()
                if answer.status == 304:
                    now = await self._get(self.urls[stage], "noarch/repodata.json")
                    assert now == body

    async def _flat(self, stage):
        body = await self._get(self.urls[stage], "noarch/repodata.json")
        self.seen[stage].add(body)
        return self.urls[stage], _records(json.loads(body))

    async def _known(self, stage):
        """As clients with a cache: ask whether what they have is still right."""
        known = [(date, body) for where, date, body in self.dates if where == stage][-1:]
        headers = {"If-Modified-Since": known[0][0]} if known else {}
        async with self.session.get(
            self._url(stage, "noarch/repodata.json"), headers=headers
        ) as answer:
            body = await answer.read()
            assert answer.status in (200, 304)
            if answer.status == 304:
                body = known[0][1]
            else:
                self.dates.append((stage, answer.headers["Last-Modified"], body))
        return self.urls[stage], _records(json.loads(body))

    async def _compressed(self, stage):
        body = await self._get(self.urls[stage], "noarch/repodata.json.zst")
        return self.urls[stage], _records(json.loads(_unzstd(body)))

    async def _shards(self, stage):
        index = await self._get(self.urls[stage], "noarch/repodata_shards.msgpack.zst")
        records = {}
        for digest in msgpack.unpackb(_unzstd(index))["shards"].values():
            path = f"noarch/shards/{digest.hex()}.msgpack.zst"
            shard = await self._get(self.urls[stage], path)
            assert hashlib.sha256(shard).digest() == digest
            for filename, record in msgpack.unpackb(_unzstd(shard))["packages.conda"].items():
                records[filename] = record["sha256"].hex()
        return self.urls[stage], records

    async def _past(self, stage):
        url = f"{self.urls[stage]}at/v1/"
        return url, _records(json.loads(await self._get(url, "noarch/repodata.json")))

    async def _get(self, url, path):
        async with self.session.get(url + quote(path)) as answer:
            body = await answer.read()
            assert answer.status == 200, (answer.status, path, body[:200])
            return body

    def _url(self, stage, path):
        return self.urls[stage] + path


def _records(repodata):
    return {name: record["sha256"] for name, record in repodata["packages.conda"].items()}


def _unzstd(data):
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)
