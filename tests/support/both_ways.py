"""Ask for the same by the fast and by the slow way, and compare everything that comes back.

A cookie leads to the slow way, where pulpcore reads it, and changes nothing else. So both ways of
any server can be asked, whatever its settings are.
"""

from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import product
from urllib.parse import urlsplit

import msgpack
import zstandard

SLOW = {"Cookie": "way=slow"}

DIGEST = "0" * 64


@dataclass(frozen=True)
class Given:
    """An answer, as it was on the wire, without the time of day."""

    status: int
    reason: str
    headers: list
    body: bytes


class Asker:
    """Asks for paths of one server, over one connection.

    Attributes:
        comparisons: How many answers were compared.
    """

    def __init__(self, url):
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.netloc, timeout=60)
        self.comparisons = 0

    def ask(self, method, path, headers={}):
        """Return what comes back for a path of the server."""
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        answer = self._connection.getresponse()
        sent = sorted(pair for pair in answer.getheaders() if pair[0] not in ("Date", "Server"))
        return Given(answer.status, answer.reason, sent, answer.read())

    def compare(self, paths, headers=({},), methods=("GET",)):
        """Ask for each of these by both ways, and return how often each status came."""
        statuses = {}
        for path, sent, method in product(paths, headers, methods):
            fast = self.ask(method, path, sent)
            slow = self.ask(method, path, sent | SLOW)
            assert fast == slow, f"{method} {path} {sent}: {fast}, and the slow way: {slow}"
            self.comparisons += 1
            statuses[fast.status] = statuses.get(fast.status, 0) + 1
        return statuses

    def conditions(self, path, credentials={}):
        """Return headers of requests about a file: conditions and ranges that hold or do not, and
        what browsers and wrong users send.

        Args:
            credentials: Headers with which the file can be read.
        """
        known = dict(self.ask("HEAD", path, credentials).headers)
        tag, date = known.get("ETag", f'"{DIGEST}"'), known.get("Last-Modified")
        old, new = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
        date = date or old
        return [
            {},
            {"If-None-Match": tag},
            {"If-None-Match": f'W/{tag}, "x"'},
            {"If-None-Match": '"x"', "If-Modified-Since": date},
            {"If-None-Match": "*"},
            {"If-Modified-Since": date},
            {"If-Modified-Since": old},
            {"If-Modified-Since": "nonsense"},
            {"If-Match": tag},
            {"If-Match": f'"{DIGEST}"'},
            {"If-Unmodified-Since": old},
            {"If-Unmodified-Since": new},
            {"Range": "bytes=0-9"},
            {"range": "BYTES=5-"},
            {"Range": "bytes=-7"},
            {"Range": "bytes=9-3"},
            {"Range": "bytes=99999999-"},
            {"Range": "bytes=0-1,3-4"},
            {"Range": "bytes=0-9", "If-Range": tag},
            {"Range": "bytes=0-9", "If-Range": date},
            {"Range": "bytes=0-9", "If-Range": '"x"'},
            {"Origin": "https://site.example"},
            {"Origin": "https://other.example", "Range": "bytes=1-1"},
            {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
            {"Authorization": "Bearer wrong", "Accept-Encoding": "gzip, br"},
            {"Content-Type": "text/plain; charset=x", "X-Forwarded-For": "192.0.2.1"},
        ]


def fast_paths(asker, base, filenames, credentials={}):
    """Return paths of a channel that the fast way answers.

    Args:
        base: The path of the channel's URL, with its slash.
        filenames: Of packages in noarch, also those that it had before.
        credentials: Headers with which the channel can be read.
    """
    paths = [f"noarch/{filename}" for filename in filenames]
    # The packages and the shards of an earlier state stay for a while.
    digests = {
        *shards_of(asker, base, credentials),
        *shards_of(asker, f"{base}at/v1/", credentials),
    }
    paths += [f"noarch/shards/{digest}.msgpack.zst" for digest in sorted(digests)]
    names = (
        "repodata.json",
        "repodata.json.zst",
        "repodata_shards.msgpack.zst",
        "run_exports.json",
        "run_exports.json.zst",
        "absent-1.0-0.conda",
        f"shards/{DIGEST}.msgpack.zst",
        "shards/short.msgpack.zst",
        "index.json",
    )
    return [base + path for path in [*paths, *(f"noarch/{name}" for name in names)]]


def odd_paths(base):
    """Return paths of a channel that the fast way leaves alone, or that are written oddly."""
    paths = [
        "",
        "noarch",
        "noarch/",
        "notices.json",
        "channeldata.json",
        "linux-64/repodata.json",
        "linux-64/repodata_shards.msgpack.zst",
        "linux-64/absent-1.0-0.conda",
        f"linux-64/shards/{DIGEST}.msgpack.zst",
        "no-such/repodata.json",
        "no-such/no_name.tar.bz2",
        "NOARCH/repodata.json",
        "noarch/current_repodata.json",
        "noarch/repodata.json.bz2",
        "noarch/patch_instructions.json",
        "noarch/absent-1.0-0.conda.sigs",
        "noarch/absent-1.0-0.conda/repodata.json",
        "noarch/shards/absent-1.0-0.conda",
        f"noarch/shards/{DIGEST.replace('0', 'A')}.msgpack.zst",
        "/noarch/repodata.json",
        "noarch//repodata.json",
        "./noarch/repodata.json",
        "noarch/%72epodata.json",
        "noarch%2Frepodata.json",
        "noarch/repodata.json?query=1",
        "noarch/%00.json",
        "noarch/%FF.conda",
        "at/v1/noarch/repodata.json",
        "at/v999/noarch/repodata.json",
        "@v1/noarch/repodata.json",
        "other/noarch/repodata.json",
    ]
    return [base + path for path in paths]


def shards_of(asker, base, credentials={}):
    """Return the digests of the shards that the index of noarch names."""
    index = asker.ask("GET", f"{base}noarch/repodata_shards.msgpack.zst", credentials)
    if index.status != 200:
        return []
    shards = msgpack.unpackb(zstandard.decompress(index.body))["shards"]
    return [digest.hex() for digest in shards.values()]
