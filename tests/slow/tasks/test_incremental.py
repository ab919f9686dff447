"""What one change costs in a large channel: one shard, for the server that mirrors it and for the
client that knows it.
"""

import json
from datetime import datetime

from tests.support import gateway
from tests.support.builders import TIMESTAMP, add_shards, make_channel, make_package, make_record
from tests.support.proxy import Proxy

SUBDIRS = ("linux-64", "noarch")
NAMES = [f"package-{number:04}" for number in range(2500)]
INDEX = "repodata_shards.msgpack.zst"

LOADED = NAMES[:20]
CHANGED = NAMES[7]


def _write(folder, records):
    """Write a channel without package files: nobody asks for them."""
    for subdir, by_filename in records.items():
        (folder / subdir).mkdir(exist_ok=True)
        repodata = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": by_filename}
        (folder / subdir / "repodata.json").write_text(json.dumps(repodata))
    add_shards(folder)


def _digests(pulp, url):
    """Return the digest of each shard, in hex by its subdir and name."""
    return {
        (subdir, name): digest.hex()
        for subdir in SUBDIRS
        for name, digest in pulp.fetch_shard_index(url, subdir)["shards"].items()
    }


def _shards(digests):
    """Return the requests of a client that fetches these shards."""
    return [
        ("GET", f"{subdir}/shards/{digest}.msgpack.zst", 200)
        for (subdir, _), digest in digests.items()
    ]


def _rows(stack):
    with stack.connect() as database:
        rows = database.execute("SELECT pulp_id, encode(sha256, 'hex') FROM conda_condashard")
        return set(rows.fetchall())


def test_one_change_in_ten_thousand_packages_costs_one_shard(
    pulp, stack, upstream, make_mirror, tmp_path, unique
):
    records = {
        subdir: {
            record.filename: record.fields
            for name in NAMES
            for version in ("1.0", "2.0")
            for record in [make_record(name, version, subdir=subdir)]
        }
        for subdir in SUBDIRS
    }
    _write(upstream.folder, records)
    mirror = make_mirror(subdirs=list(SUBDIRS))
    pulp.sync(mirror.repository)
    publication = pulp.get(pulp.newest_publication(mirror.repository))
    assert publication["package_counts"] == {"linux-64": 5000, "noarch": 5000}

    with Proxy(mirror.url) as proxy:

        def load():
            """Load some names as a client with a cache, and return what it knows and what it
            asked.
            """
            arguments = {"cache": tmp_path, "names": LOADED, "subdirs": SUBDIRS}
            return gateway.call("load", url=proxy.url, **arguments)["records"], proxy.take()

        indexes = [("GET", f"{subdir}/{INDEX}", 200) for subdir in SUBDIRS]
        indexes += [("GET", "notices.json", 200)]
        digests, rows = _digests(pulp, mirror.url), _rows(stack)
        known, requests = load()
        wanted = {key: digest for key, digest in digests.items() if key[1] in LOADED}
        assert (len(known), len(wanted)) == (80, 40)
        assert requests == sorted(indexes + _shards(wanted))

        hotfix = [f"hotfix-{unique}"]
        records["noarch"][f"{CHANGED}-1.0-0.conda"]["depends"] = hotfix
        upstream_shards = set(upstream.folder.glob("*/shards/*"))
        _write(upstream.folder, records)
        (upstream_shard,) = set(upstream.folder.glob("*/shards/*")) - upstream_shards
        upstream.requests.clear()
        assert pulp.sync(mirror.repository) == 2
        # It also looks for files that this upstream does not have.
        assert sorted(request for request in upstream.requests if request[2] != 404) == [
            ("GET", f"linux-64/{INDEX}", 304),
            ("GET", f"noarch/{INDEX}", 200),
            ("GET", f"noarch/shards/{upstream_shard.name}", 200),
        ]

        digests_after, rows_after = _digests(pulp, mirror.url), _rows(stack)
        assert digests_after.keys() == digests.keys()
        changed = dict(digests_after.items() - digests.items())
        assert changed.keys() == {("noarch", CHANGED)}
        # Nothing else was encoded, and what the version before needs is kept.
        assert rows <= rows_after
        assert [digest for _, digest in rows_after - rows] == list(changed.values())

        known_after, requests = load()
        (record,) = (record for url, record in known_after.items() if record != known[url])
        assert (record["name"], record["depends"]) == (CHANGED, hotfix)
        assert requests == sorted(indexes + _shards(changed))


def _moments(pulp, url):
    """Return since when a channel has each package, by name; shards say the same as
    repodata.json.
    """
    flat = pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"]
    shards = pulp.fetch_shards(url)["packages.conda"]
    moments = {record["name"]: record["indexed_timestamp"] for record in flat.values()}
    assert moments == {record["name"]: record["indexed_timestamp"] for record in shards.values()}
    return moments


def test_since_when_a_channel_has_a_package_never_changes(pulp, upstream, make_mirror, unique):
    said = TIMESTAMP + 1000
    packages = {
        "old": make_package("old", files={"share/old": unique.encode()}),
        "said": make_package("said", index={"attested": unique}),
    }
    packages["said"].record.fields["indexed_timestamp"] = said
    make_channel(upstream.folder, packages.values())
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    first = pulp.newest_publication(mirror.repository)
    # The first sync of an old channel brings old packages.
    assert _moments(pulp, mirror.url) == {"old": TIMESTAMP, "said": said}

    packages["new"] = make_package("new", files={"share/new": unique.encode()})
    make_channel(upstream.folder, packages.values())
    pulp.sync(mirror.repository)
    second = pulp.newest_publication(mirror.repository)
    expected = _moments(pulp, mirror.url)
    made = datetime.fromisoformat(pulp.get(f"{mirror.repository}versions/2/")["pulp_created"])
    assert expected == {"old": TIMESTAMP, "said": said, "new": int(made.timestamp() * 1000)}

    # A later version, and a hotfix of all three.
    packages["later"] = make_package("later", files={"share/later": unique.encode()})
    for package in packages.values():
        package.record.fields["depends"] = ["hotfix"]
    make_channel(upstream.folder, packages.values())
    pulp.sync(mirror.repository)
    assert pulp.get(f"{mirror.repository}versions/3/diff/")["counts"] == {"added": 1, "updated": 3}
    expected["later"] = _moments(pulp, mirror.url)["later"]
    assert expected["later"] > expected["new"]
    assert _moments(pulp, mirror.url) == expected

    # Promotion and rollback.
    stable = pulp.distribution(publication=first)
    for publication, names in ((first, 2), (second, 3), (first, 2)):
        pulp.patch(stable["pulp_href"], publication=publication)
        moments = _moments(pulp, stable["base_url"])
        assert (len(moments), moments.items() - expected.items()) == (names, set())

    # Removed, and added again.
    units = pulp.get(
        "content/conda/packages/", repository_version=f"{mirror.repository}versions/3/"
    )["results"]
    hrefs = [unit["pulp_href"] for unit in units]
    pulp.modify(mirror.repository, remove=hrefs)
    assert _moments(pulp, mirror.url) == {}
    pulp.modify(mirror.repository, add=hrefs)
    assert _moments(pulp, mirror.url) == expected
