import pytest

from tests.support import gateway
from tests.support.builders import make_package

PUBLISHED = (
    "repodata.json",
    "repodata.json.zst",
    "repodata_shards.msgpack.zst",
    "run_exports.json",
    "run_exports.json.zst",
)


def test_a_version_that_is_published_twice_gives_the_same_bytes(pulp, make_repository, unique):
    repository = make_repository()
    for subdir in ("noarch", "linux-64"):
        package = make_package(
            f"{subdir}-{unique}", subdir=subdir, info={"run_exports.json": b"{}"}
        )
        pulp.upload(package, repository=repository)
    version = pulp.get(repository)["latest_version_href"]
    contents = []
    for _ in range(2):
        url = pulp.distribute(publication=pulp.publish(version))
        paths = ["channeldata.json"]
        for subdir in ("noarch", "linux-64"):
            paths += [f"{subdir}/{name}" for name in PUBLISHED]
            shards = pulp.fetch_shard_index(url, subdir)["shards"].values()
            paths += [f"{subdir}/shards/{digest.hex()}.msgpack.zst" for digest in shards]
        answers = {path: pulp.fetch(url, path) for path in paths}
        assert {answer.status_code for answer in answers.values()} == {200}
        contents.append({path: answer.content for path, answer in answers.items()})
    assert len(contents[0]) == 13
    assert contents[0] == contents[1]


def test_noarch_is_there_also_when_it_is_empty(pulp, unique, make_repository):
    repository = make_repository(autopublish=True)
    package = make_package(f"only-linux-{unique}", subdir="linux-64")
    pulp.upload(package, repository=repository)
    url = pulp.distribute(repository=repository)
    assert pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"] == {}
    assert list(pulp.fetch(url, "linux-64/repodata.json").json()["packages.conda"]) == [
        package.filename
    ]


def test_a_repository_that_never_had_a_package_can_be_published(pulp, make_repository):
    repository = make_repository()
    publication = pulp.publish(pulp.get(repository)["latest_version_href"])
    assert pulp.get(publication)["package_counts"] == {"noarch": 0}
    url = pulp.distribute(publication=publication)
    assert pulp.fetch(url, "noarch/repodata.json").status_code == 200


def test_a_subdir_that_lost_its_last_package_is_there_and_empty(pulp, make_repository, unique):
    # A client that once finds no shard index there never looks again.
    repository = make_repository(autopublish=True)
    package = pulp.upload(make_package(f"gone-{unique}", subdir="linux-64"), repository=repository)
    url = pulp.distribute(repository=repository)
    assert len(pulp.fetch_shards(url, "linux-64")["packages.conda"]) == 1
    pulp.modify(repository, remove=[package["pulp_href"]])
    assert pulp.fetch(url, "linux-64/repodata.json").json()["packages.conda"] == {}
    assert pulp.fetch_shard_index(url, "linux-64")["shards"] == {}
    assert pulp.fetch(url, "osx-64/repodata.json").status_code == 404


def test_a_channel_has_no_shards_if_its_owner_wants_none(
    pulp, make_repository, make_packages, tmp_path
):
    repository = make_repository(autopublish=True, shards=False)
    assert pulp.get(repository)["shards"] is False
    empty = pulp.distribute(repository=repository)
    for subdir in ("noarch", "linux-64"):
        path = f"{subdir}/repodata_shards.msgpack.zst"
        assert pulp.fetch(empty, path).status_code == 404
    assert pulp.fetch(empty, "noarch/repodata.json").ok
    pulp.modify(repository, add=make_packages("flat"))
    team = pulp.lifecycle(repository)
    team.promote("testing")

    def status(stage):
        return pulp.fetch(team.urls[stage], "noarch/repodata_shards.msgpack.zst").status_code

    assert status("testing") == 404
    index = pulp.fetch(team.urls["testing"], "linux-64/repodata_shards.msgpack.zst")
    assert index.status_code == 404
    (name,) = pulp.names(team.urls["testing"])
    # A client reads the other form.
    url = team.urls["testing"]
    (solution,) = gateway.call("solve", url=url, cache=tmp_path, environments=[[name]])
    assert [record["name"] for record in solution] == [name]

    # The next publication has them, and the one that is there stays as it is.
    pulp.patch(repository, shards=True)
    pulp.modify(repository, add=make_packages("sharded"))
    assert (status("unstable"), status("testing")) == (200, 404)
    team.promote("testing")
    assert status("testing") == 200
    assert len(pulp.fetch_shards(url)["packages.conda"]) == 2

    # Single packages on top of a state are published like the rest.
    pulp.patch(repository, shards=False)
    pulp.modify(repository, add=make_packages("single"))
    report = team.promote_packages("testing", "single-*")
    assert report["outcome"] == "moved"
    assert status("testing") == 404


def test_old_versions_go_when_only_some_are_kept(pulp, make_repository, make_packages):
    repository = make_repository(autopublish=True, retain_repo_versions=1)
    for package in make_packages("one", "two"):
        pulp.modify(repository, add=[package])
    versions = pulp.get(f"{repository}versions/")["results"]
    assert [version["number"] for version in versions] == [2]


def test_a_version_that_is_served_is_kept(pulp, make_repository, make_packages):
    repository = make_repository(autopublish=True, retain_repo_versions=1)
    one, two = make_packages("kept-one", "kept-two")
    pulp.modify(repository, add=[one])
    stable = pulp.distribute(publication=pulp.newest_publication(repository))
    before = pulp.fetch(stable, "noarch/repodata.json").content
    pulp.modify(repository, add=[two])
    assert pulp.fetch(stable, "noarch/repodata.json").content == before


def test_checkpoints_are_served_under_their_date(pulp, make_repository, make_packages):
    repository = make_repository()
    (package,) = make_packages("checked")
    pulp.modify(repository, add=[package])
    checkpoint = pulp.get(pulp.publish(repository=repository, checkpoint=True))
    pulp.modify(repository, remove=[package])
    pulp.publish(repository=repository)
    url = pulp.distribute(repository=repository, checkpoint=True)
    created = checkpoint["pulp_created"]
    date = created[:19].replace("-", "").replace(":", "") + "Z"
    assert date in pulp.fetch(url, "").text
    filename = pulp.get(package)["filename"]
    assert list(pulp.fetch(url, f"{date}/noarch/repodata.json").json()["packages.conda"]) == [
        filename
    ]
    assert pulp.fetch(url, f"{date}/noarch/{filename}").status_code == 200
    assert pulp.fetch(url, f"{date}/noarch/absent-1-0.conda").status_code == 404
    assert pulp.fetch(url, "19990101T000000Z/noarch/repodata.json").status_code == 404


@pytest.mark.parametrize(
    "base_path, reason",
    [("Team/Stable", "'Team' is not a channel name"), ("team/linux-64", "is a subdir")],
)
def test_a_base_path_that_clients_would_misread_is_refused(pulp, unique, base_path, reason):
    answer = pulp.try_post("distributions/conda/conda/", name=unique, base_path=base_path)
    assert answer.status_code == 400
    (problem,) = answer.json()["base_path"]
    assert problem.startswith("[CND0019]") and reason in problem
