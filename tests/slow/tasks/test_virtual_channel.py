"""What a client asks a virtual channel for."""

from tests.support import gateway
from tests.support.proxy import Proxy
from tests.support.virtual import Virtual, package_of


def test_a_client_with_a_warm_cache_fetches_one_index_and_the_changed_shard(
    pulp, make_repository, tmp_path
):
    both = Virtual(pulp, make_repository)
    both.add(0, package_of("alpha"), package_of("gamma", subdir="linux-64"), package_of("shared"))
    both.add(1, package_of("shared", "9.0"), package_of("zeta"))
    names = ["alpha", "gamma", "shared", "zeta"]

    def load(proxy):
        """Return the versions that py-rattler finds, and what it asked for."""
        found = gateway.call(
            "load",
            url=proxy.url,
            cache=tmp_path,
            names=names,
            subdirs=["linux-64", "noarch"],
        )
        records = found["records"].values()
        versions = sorted(f"{record['name']} {record['version']}" for record in records)
        return versions, [asked for asked in proxy.take() if asked[1] != "notices.json"]

    with Proxy(both.url) as proxy:
        versions, asked = load(proxy)
        assert versions == ["alpha 1.0", "gamma 1.0", "shared 1.0", "zeta 1.0"]
        assert len([path for _, path, _ in asked if "/shards/" in path]) == len(names)
        before = both.digests()
        both.add(0, package_of("alpha", "2.0"))
        after = both.digests()
        assert before["zeta"] == after["zeta"]
        versions, asked = load(proxy)
        assert "alpha 2.0" in versions
        assert asked == [
            ("GET", "linux-64/repodata_shards.msgpack.zst", 304),
            ("GET", "noarch/repodata_shards.msgpack.zst", 200),
            ("GET", f"noarch/shards/{after['alpha']}.msgpack.zst", 200),
        ]
