"""Several channels that are served as one, and what an attacker of it gets."""

import hashlib
import json
from urllib.parse import urlsplit

import pytest
import zstandard

from pulp_conda.app.content import finder
from pulp_conda.app.models import PublishedShard
from pulp_conda.app.versions.names import name as name_facts
from pulp_conda.app.versions.names import names_of
from tests.support.both_ways import Asker, fast_paths
from tests.support.builders import make_package
from tests.support.conda import TaskFailed
from tests.support.virtual import Virtual, package_of

FLAT = ("repodata.json", "repodata.json.zst", "run_exports.json", "run_exports.json.zst")


@pytest.fixture
def virtual(pulp, make_repository):
    def make(**options):
        return Virtual(pulp, make_repository, **options)

    return make


def test_all_forms_have_the_packages_of_both_channels(pulp, virtual):
    both = virtual(legacy_metadata=True)
    both.add(0, package_of("alpha"), package_of("shared", "1.0"))
    both.add(
        1, package_of("beta", subdir="linux-64"), package_of("shared", "9.0"), package_of("zeta")
    )
    assert both.records().keys() == {
        "alpha-1.0-0.conda",
        "shared-1.0-0.conda",
        "zeta-1.0-0.conda",
    }
    assert both.records("linux-64").keys() == {"beta-1.0-0.conda"}
    assert both.fetch("noarch/current_repodata.json").json()["packages.conda"].keys() == set(
        both.records()
    )
    exports = both.fetch("noarch/run_exports.json").json()
    assert exports["packages.conda"].keys() == both.records().keys()
    summary = both.fetch("channeldata.json").json()
    assert summary["packages"].keys() == {"alpha", "beta", "shared", "zeta"}
    assert summary["packages"]["shared"]["version"] == "1.0"
    assert summary["subdirs"] == ["linux-64", "noarch"]
    for name in FLAT[::2]:
        packed = both.fetch(f"noarch/{name}.zst").content
        assert zstandard.decompress(packed) == both.fetch(f"noarch/{name}").content
    publication = pulp.newest_publication(both.repository).rstrip("/").split("/")[-1]
    assert names_of(publication) == ["alpha", "beta", "shared", "zeta"]
    assert name_facts(publication, "shared").version == "1.0"
    # Each package comes from its owner, bytes and all.
    for subdir, filename in (("noarch", "shared-1.0-0.conda"), ("linux-64", "beta-1.0-0.conda")):
        answer = both.fetch(f"{subdir}/{filename}")
        digest = both.records(subdir)[filename]["sha256"]
        assert hashlib.sha256(answer.content).hexdigest() == digest
    assert both.fetch("noarch/shared-9.0-0.conda").status_code == 404


def test_shards_are_those_of_the_channels(pulp, virtual):
    both = virtual()
    both.add(0, package_of("alpha"), package_of("shared", "1.0"))
    both.add(1, package_of("zeta"), package_of("shared", "9.0"))
    first, second = (both.digests(url=each["base_url"]) for each in both.channels)
    digests = both.digests()
    assert digests == {**second, **first}
    for name, digest in digests.items():
        url = both.channels[name == "zeta"]["base_url"]
        given = both.shard(digest).content
        assert given == both.shard(digest, url=url).content
        assert hashlib.sha256(given).hexdigest() == digest
    assert both.shard(second["shared"]).status_code == 404
    # Nothing was encoded again, and no package has a row of the virtual channel.
    newest = pulp.newest_publication(both.repository).rstrip("/").split("/")[-1]
    assert PublishedShard.objects.filter(publication=newest).count() == len(digests)
    assert (
        pulp.get(pulp.get(both.repository)["latest_version_href"])["content_summary"]["present"]
        == {}
    )


def test_a_change_of_a_channel_changes_one_index_and_one_shard(pulp, virtual):
    both = virtual()
    both.add(0, package_of("alpha"), package_of("gamma", subdir="linux-64"))
    both.add(1, package_of("zeta"))
    before, untouched = both.digests(), both.fetch("linux-64/repodata_shards.msgpack.zst")
    tag = both.fetch("noarch/repodata.json").headers["ETag"]
    both.add(0, package_of("alpha", "2.0"))
    after = both.digests()
    assert {name for name in after if after[name] != before[name]} == {"alpha"}
    assert both.fetch("linux-64/repodata_shards.msgpack.zst").content == untouched.content
    assert both.fetch("noarch/repodata.json").headers["ETag"] != tag
    assert set(both.records()) == {"alpha-1.0-0.conda", "alpha-2.0-0.conda", "zeta-1.0-0.conda"}
    # What clients with the index before ask for is still there.
    assert both.shard(before["alpha"]).status_code == 200


# Each is what an attacker may try.
ATTACKS = [
    package_of("acme-core", "99.0"),
    package_of("acme-core", "99.0", subdir="linux-64"),
    package_of("acme-core", build="9", build_number=9),
    package_of("acme-core", extension=".tar.bz2"),
    # The name of the owner's file.
    make_package("acme-core", "1.0", files={"share/x": b"evil"}),
    # What people take for the same name.
    package_of("acme_core", "99.0"),
    package_of("acme.core", "99.0"),
    # A name that the owner never had.
    package_of("acme-new", "99.0"),
]


def test_a_stranger_gets_no_package_under_a_name_that_is_owned(pulp, virtual):
    both = virtual(owns=["acme-*"])
    both.add(1, package_of("honest"), package_of("honest", subdir="linux-64"), *ATTACKS)
    upstream = both.channels[1]["base_url"]
    evil_shards = {
        (subdir, digest)
        for subdir in ("noarch", "linux-64")
        for name, digest in both.digests(subdir, upstream).items()
        if name != "honest"
    }
    assert len(evil_shards) == 5

    def check(*own):
        """Check that the channel has only these files, as forms list them and as they are."""
        for subdir in ("noarch", "linux-64"):
            expected = {"honest-1.0-0.conda", *(own if subdir == "noarch" else ())}
            for name in FLAT:
                data = both.fetch(f"{subdir}/{name}").content
                data = zstandard.decompress(data) if name.endswith(".zst") else data
                document = json.loads(data)
                assert {*document["packages"], *document["packages.conda"]} == expected
            names = {filename.rsplit("-", 2)[0] for filename in expected}
            # The shard of the owner says which files are removed.
            assert both.digests(subdir).keys() - {"acme-core"} <= names
        packages = both.fetch("channeldata.json").json()["packages"]
        assert packages.keys() == {"honest", *(filename.rsplit("-", 2)[0] for filename in own)}
        for evil in ATTACKS:
            answer = both.fetch(f"{evil.subdir}/{evil.filename}")
            assert answer.status_code == 404 or answer.content == own_package.data != evil.data
        for subdir, digest in evil_shards:
            assert both.shard(digest, subdir).status_code == 404

    own_package = package_of("acme-core")
    # The owner has nothing of that name yet.
    check()
    (href,) = both.add(0, own_package)
    check("acme-core-1.0-0.conda")
    # Right after the last build is gone.
    pulp.modify(both.repositories[0], remove=[href])
    check()


def test_without_a_rule_the_first_channel_that_has_a_name_owns_it_in_all_subdirs(pulp, virtual):
    both = virtual()
    both.add(0, package_of("tool", subdir="linux-64"))
    both.add(1, package_of("tool", "9.0"), package_of("tool", "9.0", subdir="osx-64"))
    assert both.records("linux-64").keys() == {"tool-1.0-0.conda"}
    assert both.records() == both.records("osx-64") == {}
    assert both.fetch("osx-64/tool-9.0-0.conda").status_code == 404


def test_a_blocked_package_does_not_give_its_name_away(pulp, virtual, copied):
    both = virtual()
    own = package_of("tool")
    both.add(0, own)
    both.add(1, package_of("tool", "9.0"))
    sha256 = hashlib.sha256(own.data).hexdigest()
    pulp.post("conda/blocks/", sha256=sha256, public_reason="bad")
    assert both.records() == {}
    assert both.fetch("noarch/tool-9.0-0.conda").status_code == 404
    assert both.fetch("noarch/tool-1.0-0.conda").status_code not in (200, 404)


def test_a_virtual_channel_takes_no_content(pulp, virtual, make_packages):
    both = virtual()
    answer = pulp.try_post(f"{both.repository}modify/", add_content_units=make_packages("x"))
    assert answer.status_code == 400 and "CND0134" in answer.text
    with pytest.raises(TaskFailed, match="CND0134"):
        pulp.upload(package_of("x"), repository=both.repository)


def test_a_channel_that_is_merged_is_not_deleted(pulp, virtual):
    both = virtual()
    both.add(0, package_of("alpha"))
    name = pulp.get(both.repository)["name"]
    version = pulp.get(both.repositories[0])["latest_version_href"]
    for href in (both.channels[0]["pulp_href"], both.repositories[0]):
        with pytest.raises(TaskFailed, match="CND0135") as failed:
            pulp.delete(href)
        assert name in str(failed.value)
    assert pulp.try_delete(version).status_code == 400
    # The version that is merged stays, however few a repository keeps.
    pulp.patch(both.repositories[0], retain_repo_versions=1)
    pulp.patch(both.repository, merged_channels=both.merged[1:])
    pulp.modify(both.repositories[0], remove=["*"])
    assert pulp.get(version)["number"]


@pytest.mark.parametrize("shards", [True, False])
def test_exporters_of_pulp_refuse_it_and_name_the_way(pulp, stack, virtual, unique, shards):
    both = virtual(shards=shards)
    both.add(0, package_of("alpha"))
    body = {"name": unique, "path": str(stack.state.exports / unique)}
    ways = [
        ("filesystem", body, {"publication": pulp.newest_publication(both.repository)}),
        (
            "filesystem",
            body | {"name": f"{unique}-version"},
            {"repository_version": pulp.get(both.repository)["latest_version_href"]},
        ),
        ("pulp", body | {"name": f"{unique}-pulp", "repositories": [both.repository]}, {}),
    ]
    for kind, exporter, what in ways:
        where = f"{pulp.url}{pulp.api}exporters/core/{kind}/"
        exporter = pulp.session.post(where, json=exporter).json()
        export = pulp.try_post(f"{exporter['pulp_href']}exports/", **what)
        with pytest.raises(TaskFailed, match="CND0083.*pulp conda export to"):
            pulp.wait(export.json())


def test_earlier_states_are_served_again(pulp, virtual):
    both = virtual()
    both.add(0, package_of("alpha"))
    earlier, bytes_before = pulp.newest_publication(both.repository), both.records()
    both.add(0, package_of("alpha", "2.0"))
    pulp.patch(both.channel["pulp_href"], publication=earlier)
    assert both.records() == bytes_before
    assert both.fetch("noarch/alpha-1.0-0.conda").status_code == 200


def test_its_stages_move_and_its_past_is_served(pulp, virtual):
    both = virtual()
    both.add(0, package_of("alpha"))
    lifecycle = pulp.lifecycle(both.repository)
    lifecycle.promote("testing")
    number = both.version()
    both.add(1, package_of("alpha", "9.0"), package_of("beta"))
    lifecycle.promote("testing")
    url = lifecycle.urls["testing"]
    assert both.records(url=url).keys() == {"alpha-1.0-0.conda", "beta-1.0-0.conda"}
    past = f"{url}at/v{number}/"
    assert both.records(url=past).keys() == {"alpha-1.0-0.conda"}
    assert both.fetch("noarch/alpha-1.0-0.conda", past).status_code == 200
    assert both.fetch("noarch/alpha-9.0-0.conda", url).status_code == 404
    with pytest.raises(TaskFailed, match="CND0134"):
        lifecycle.promote_packages("testing", "beta")
    lifecycle.roll_back("testing")
    assert both.records(url=url).keys() == {"alpha-1.0-0.conda"}


def test_a_private_channel_is_not_served_without_a_guard(pulp, virtual):
    both = virtual()
    both.add(0, package_of("secret"))
    paths = ("noarch/secret-1.0-0.conda", "noarch/repodata.json", "channeldata.json", "")
    digest = both.digests()["secret"]
    assert [both.fetch(path).status_code for path in paths] == [200] * len(paths)
    pulp.patch(both.channels[0]["pulp_href"], private=True)
    assert [both.fetch(path).status_code for path in paths] == [404] * len(paths)
    assert both.shard(digest).status_code == 404
    pulp.patch(both.channel["pulp_href"], private=True)
    assert both.fetch("noarch/repodata.json").status_code == 401


@pytest.fixture
def found(monkeypatch):
    """What the fast way finds, by path: None if it leaves the answer to the slow way."""
    found, find = {}, finder.find

    async def noted(domain, path, *arguments):
        facts = found[f"/pulp/content/{path}"] = await find(domain, path, *arguments)
        return facts

    monkeypatch.setattr(finder, "find", noted)
    return found


def test_both_ways_give_the_same(pulp, virtual, found):
    both = virtual(owns=["acme-*"])
    both.add(0, package_of("alpha"))
    both.add(1, package_of("alpha", "9.0"), package_of("acme-core", "9.0"), package_of("zeta"))
    asker, base = Asker(both.url), urlsplit(both.url).path
    names = ("alpha-1.0-0.conda", "zeta-1.0-0.conda", "alpha-9.0-0.conda", "acme-core-9.0-0.conda")
    paths = fast_paths(asker, base, names)
    foreign = both.digests(url=both.channels[1]["base_url"])["acme-core"]
    paths.append(f"{base}noarch/shards/{foreign}.msgpack.zst")
    assert asker.compare(paths, methods=("GET", "HEAD")).keys() == {200, 404}
    # What it has is found by the fast way, and what it may have had is left to the slow one.
    assert [path for path in paths if found[path] is None] == [
        path for path in paths if path.endswith("9.0-0.conda")
    ]
    for path in paths[:2]:
        assert asker.compare([path], asker.conditions(path)).keys() == {200, 206, 304, 412, 416}
    # What the URL served as a virtual channel stays for a while when it is none any more.
    pulp.patch(both.channel["pulp_href"], repository=both.repositories[1])
    asker.compare(paths)
    assert both.fetch("noarch/alpha-1.0-0.conda").status_code == 200
    pulp.patch(both.channel["pulp_href"], repository=both.repository)
    pulp.patch(both.channels[0]["pulp_href"], private=True)
    assert asker.compare(paths).keys() == {404}


def test_both_ways_give_the_newest_of_the_files_that_a_url_had(pulp, virtual, make_repository):
    file = "noarch/alpha-1.0-0.conda"
    older, newer = (make_package("alpha", files={"share/x": data}) for data in (b"a", b"b"))
    plain, empty = (make_repository(autopublish=True) for _ in range(2))
    pulp.modify(plain, add=[pulp.upload(older)["pulp_href"]])
    pulp.modify(empty, add=[pulp.upload(package_of("other"))["pulp_href"]])
    both = virtual()
    both.add(0, newer)
    channel = pulp.distribution(repository=plain)
    # As a client does: pulpcore notes what a URL serves when it is asked.
    for repository in (plain, both.repository, empty):
        pulp.patch(channel["pulp_href"], repository=repository)
        assert pulp.fetch(channel["base_url"], "noarch/repodata.json").status_code == 200
    assert pulp.fetch(channel["base_url"], file).content == newer.data
    Asker(channel["base_url"]).compare([urlsplit(channel["base_url"]).path + file])


def test_the_next_request_sees_what_happens_to_a_channel(pulp, virtual):
    both = virtual()
    first, _ = both.add(0, package_of("blocked"), package_of("beta"))
    asker, base = Asker(both.url), urlsplit(both.url).path
    paths = [f"{base}noarch/{name}-1.0-0.conda" for name in ("blocked", "beta")]
    earlier = pulp.newest_publication(both.repositories[0])
    both.add(0, package_of("beta", "2.0"))
    paths.append(f"{base}noarch/beta-2.0-0.conda")
    assert asker.compare(paths) == {200: 3}
    # A rollback.
    pulp.patch(both.channels[0]["pulp_href"], publication=earlier)
    assert both.records().keys() == {"blocked-1.0-0.conda", "beta-1.0-0.conda"}
    assert asker.compare(paths[:2]) == {200: 2}
    # A block.
    pulp.post("conda/blocks/", sha256=pulp.get(first)["sha256"], public_reason="bad")
    assert asker.compare(paths[:1]) == {451: 1}
    # A guard.
    pulp.patch(both.channels[0]["pulp_href"], private=True)
    assert asker.compare(paths) == {404: 3}


def test_notices_are_those_of_all_channels(pulp, virtual):
    both = virtual()
    both.add(0, package_of("alpha"))
    for channel in (both.channel, both.channels[0]):
        notice = {
            "message": channel["name"],
            "level": "info",
            "expires_at": "2100-01-01T00:00:00Z",
        }
        pulp.patch(channel["pulp_href"], notices=[notice])
    shown = [each["message"] for each in both.fetch("notices.json").json()["notices"]]
    assert shown == [both.channel["name"], both.channels[0]["name"]]


@pytest.mark.parametrize(
    "change, text",
    [
        pytest.param(lambda merged: [*merged, merged[0]], "named twice", id="twice"),
        pytest.param(
            lambda merged: [{**each, "owns": ["acme-*"]} for each in merged],
            "both own 'acme-*'",
            id="one rule of two",
        ),
        pytest.param(
            lambda merged: [{**merged[0], "owns": ["acme/*", "[a]"]}], "CND0132", id="bad rule"
        ),
        pytest.param(lambda merged: [{**merged[0], "owner": "x"}], "Unexpected field", id="typo"),
        pytest.param(lambda merged: [], "nothing to serve", id="nothing"),
        pytest.param(lambda merged: [{"owns": ["a*"]}], "required", id="no channel"),
    ],
)
def test_channels_that_make_no_sense_are_refused(pulp, virtual, change, text):
    both = virtual()
    answer = pulp.try_patch(both.repository, merged_channels=change(both.merged))
    assert answer.status_code == 400
    assert text in answer.text


def test_a_virtual_channel_merges_no_virtual_channel(pulp, virtual, make_repository):
    both = virtual()
    merged = [{"distribution": both.channel["pulp_href"]}]
    answer = pulp.try_post("repositories/conda/conda/", name="nested", merged_channels=merged)
    assert answer.status_code == 400 and "CND0133" in answer.text
    # Not even if a channel becomes one later.
    both.add(0, package_of("alpha"))
    other = virtual()
    pulp.patch(both.channels[1]["pulp_href"], repository=other.repository)
    assert both.records().keys() == {"alpha-1.0-0.conda"}


def test_a_repository_with_packages_does_not_become_a_virtual_channel(pulp, virtual):
    both = virtual()
    answer = pulp.try_patch(both.repositories[0], merged_channels=both.merged[1:])
    assert answer.status_code == 400 and "CND0133" in answer.text
