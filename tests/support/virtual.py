"""A virtual channel of two channels, for tests."""

import msgpack
import zstandard

from tests.support.builders import make_package


class Virtual:
    """A virtual channel of two channels, with what tests ask of it."""

    def __init__(self, pulp, make_repository, *, owns=(), **options):
        self.pulp = pulp
        self.repositories = [make_repository(autopublish=True) for _ in range(2)]
        self.channels = [pulp.distribution(repository=each) for each in self.repositories]
        self.merged = [
            {"distribution": self.channels[0]["pulp_href"], "owns": list(owns)},
            {"distribution": self.channels[1]["pulp_href"]},
        ]
        self.repository = make_repository(merged_channels=self.merged, **options)
        self.channel = pulp.distribution(repository=self.repository)
        self.url = self.channel["base_url"]

    def add(self, place, *packages):
        hrefs = [self.pulp.upload(package)["pulp_href"] for package in packages]
        self.pulp.modify(self.repositories[place], add=hrefs)
        return hrefs

    def fetch(self, path, url=None):
        return self.pulp.fetch(url or self.url, path)

    def records(self, subdir="noarch", url=None):
        document = self.fetch(f"{subdir}/repodata.json", url).json()
        return {**document["packages"], **document["packages.conda"]}

    def digests(self, subdir="noarch", url=None):
        answer = self.fetch(f"{subdir}/repodata_shards.msgpack.zst", url)
        shards = msgpack.unpackb(zstandard.decompress(answer.content))["shards"]
        return {name: digest.hex() for name, digest in shards.items()}

    def shard(self, digest, subdir="noarch", url=None):
        return self.fetch(f"{subdir}/shards/{digest}.msgpack.zst", url)

    def version(self):
        return self.pulp.get(self.repository)["latest_version_href"].rstrip("/").split("/")[-1]


def package_of(name, version="1.0", **options):
    """Return a package whose file has other bytes than that of any other package here."""
    return make_package(
        name, version, files={"share/x": f"{name}{version}{options}".encode()}, **options
    )
