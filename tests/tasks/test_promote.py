import pytest

from tests.support.builders import make_package
from tests.support.conda import TaskFailed


@pytest.fixture
def stages(pulp, make_repository, make_packages):
    """A repository with two published versions, and a channel that stands at the first."""
    repository = make_repository(autopublish=True)
    one, two = make_packages("one", "two")
    pulp.modify(repository, add=[one])
    first = pulp.newest_publication(repository)
    stable = pulp.distribution(publication=first)
    pulp.modify(repository, add=[two])
    second = pulp.newest_publication(repository)
    return repository, stable, first, second


def test_unstable_follows_the_repository_and_stable_stands_still(pulp, stages):
    repository, stable, first, second = stages
    unstable = pulp.distribute(repository=repository)
    assert [name.split("-")[0] for name in pulp.names(unstable)] == ["one", "two"]
    assert [name.split("-")[0] for name in pulp.names(stable["base_url"])] == ["one"]


def test_promotion_and_rollback_are_one_request_each(pulp, stages):
    _, stable, first, second = stages
    url = stable["base_url"]
    before = pulp.fetch(url, "noarch/repodata.json").content
    pulp.patch(stable["pulp_href"], publication=second)
    assert len(pulp.names(url)) == 2
    pulp.patch(stable["pulp_href"], publication=first)
    assert pulp.fetch(url, "noarch/repodata.json").content == before


def test_a_channel_that_followed_a_repository_is_pinned_by_naming_a_publication(pulp, stages):
    repository, _, first, second = stages
    unstable = pulp.distribution(repository=repository)
    pulp.patch(unstable["pulp_href"], publication=first)
    pinned = pulp.get(unstable["pulp_href"])
    assert (pinned["publication"], pinned["repository"]) == (first, None)
    assert len(pulp.names(unstable["base_url"])) == 1
    pulp.patch(unstable["pulp_href"], repository=repository)
    assert len(pulp.names(unstable["base_url"])) == 2


def test_a_client_with_a_cache_sees_a_rollback(pulp, stages):
    # An older publication has older validators: neither may tell a client that nothing changed.
    _, stable, first, second = stages
    url = stable["base_url"]
    pulp.patch(stable["pulp_href"], publication=second)
    newer = pulp.fetch(url, "noarch/repodata.json")
    pulp.patch(stable["pulp_href"], publication=first)
    validators = {
        "If-None-Match": newer.headers["ETag"],
        "If-Modified-Since": newer.headers["Last-Modified"],
    }
    assert pulp.fetch(url, "noarch/repodata.json", headers=validators).status_code == 200


def test_a_package_named_by_an_index_that_was_just_replaced_is_still_served(pulp, stages):
    _, stable, first, second = stages
    url = stable["base_url"]
    pulp.patch(stable["pulp_href"], publication=second)
    filename = next(
        name
        for name in pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"]
        if name.startswith("two-")
    )
    pulp.patch(stable["pulp_href"], publication=first)
    assert pulp.fetch(url, f"noarch/{filename}").status_code == 200


def test_packages_are_copied_and_removed_by_modify(pulp, stages, make_repository):
    source, *_ = stages
    target = make_repository()
    pulp.modify(target, base_version=pulp.get(source)["latest_version_href"])
    version = pulp.get(target)["latest_version_href"]
    copied = pulp.get("content/conda/packages/", repository_version=version)["results"]
    assert len(copied) == 2
    pulp.modify(target, remove=[copied[0]["pulp_href"]])
    version = pulp.get(target)["latest_version_href"]
    assert pulp.get("content/conda/packages/", repository_version=version)["count"] == 1


def test_modify_refuses_other_bytes_under_a_name_unless_asked_for(pulp, make_repository, unique):
    first = pulp.upload(make_package(f"bytes-{unique}", files={"share/a": b"1"}))["pulp_href"]
    second = pulp.upload(make_package(f"bytes-{unique}", files={"share/a": b"2"}))["pulp_href"]
    repository = make_repository()
    pulp.modify(repository, add=[first])
    with pytest.raises(TaskFailed) as refused:
        pulp.modify(repository, add=[second])
    assert refused.value.code == "CND0018"
    with pytest.raises(TaskFailed) as refused:
        pulp.modify(make_repository(), add=[first, second])
    assert refused.value.code == "CND0020"
    pulp.modify(repository, add=[second], overwrite=True)
    diff = pulp.get(f"{repository}versions/2/diff/")
    assert diff["counts"] == {"replaced": 1}


def test_a_diff_shows_any_two_versions_in_pages(pulp, make_repository, make_packages):
    repository = make_repository()
    one, two, three = make_packages("da", "db", "dc")
    pulp.modify(repository, add=[one])
    pulp.modify(repository, add=[two, three])
    pulp.modify(repository, remove=[one])
    diff = pulp.get(f"{repository}versions/3/diff/", base=1)
    assert (diff["base"], diff["target"]) == (1, 3)
    assert diff["counts"] == {"added": 2, "removed": 1}
    kinds = {name: [c["kind"] for c in changes] for name, changes in diff["packages"].items()}
    assert [(name[:2], kind) for name, kind in kinds.items()] == [
        ("da", ["removed"]),
        ("db", ["added"]),
        ("dc", ["added"]),
    ]
    page = pulp.get(f"{repository}versions/3/diff/", base=1, offset=1, limit=1)
    assert [name[:2] for name in page["packages"]] == ["db"]
    assert page["counts"] == diff["counts"]
    backwards = pulp.get(f"{repository}versions/1/diff/", base=3)
    assert backwards["counts"] == {"added": 1, "removed": 2}
    assert pulp.try_get(f"{repository}versions/3/diff/", base=9).status_code == 404
    for query in ({"base": "x"}, {"base": 2**31}, {"limit": 0}, {"offset": -1}):
        assert pulp.try_get(f"{repository}versions/3/diff/", **query).status_code == 400
    pulp.delete(f"{repository}versions/2/")
    assert pulp.get(f"{repository}versions/3/diff/")["base"] == 1
    assert pulp.get(f"{repository}versions/0/diff/")["counts"] == {}


def test_a_diff_tells_what_became_of_names_and_shows_what_is_asked_for(
    pulp, make_repository, unique
):
    repository = make_repository()
    name = f"grows-{unique}"
    old, new, other = (
        pulp.upload(make_package(*package))["pulp_href"]
        for package in ((name, "1.9"), (name, "1.10"), (f"comes-{unique}", "1"))
    )
    pulp.modify(repository, add=[old])
    pulp.modify(repository, add=[new, other])
    url = f"{repository}versions/2/diff/"
    diff = pulp.get(url)
    assert diff["summaries"] == {"upgraded": 1, "new": 1}
    assert [became["name"] for became in diff["names"]] == [f"comes-{unique}", name]
    assert diff["names"][1] == {
        "name": name,
        "summary": "upgraded",
        "from_version": "1.9",
        "to_version": "1.10",
        "subdirs": ["noarch"],
        "counts": {"added": 1},
    }
    for query in (
        {"name": name},
        {"name": "grows-*"},
        {"name": f"{name} >=1.10"},
        {"summary": "upgraded"},
        {"name": name, "kind": "added", "subdir": "noarch"},
    ):
        shown = pulp.get(url, **query)
        assert (list(shown["packages"]), shown["summaries"]) == ([name], {"upgraded": 1})
    assert pulp.get(url, name=f"{name} >2")["packages"] == {}
    assert pulp.get(url, subdir="linux-64")["counts"] == {}
    refused = pulp.try_get(url, name="grows-* >=1", kind="moved", limit=1001)
    assert refused.status_code == 400
    assert "[CND0007]" in refused.json()["name"][0]
    assert set(refused.json()) == {"name", "kind", "limit"}


def test_a_diff_is_written_for_people_when_they_ask_for_it(pulp, make_repository, make_packages):
    repository = make_repository()
    pulp.modify(repository, add=make_packages("md-a", "md-b"))
    url = f"{pulp.url}{repository}versions/1/diff/"
    answers = [
        pulp.session.get(url, params={"format": "markdown"}),
        pulp.session.get(url, headers={"Accept": "text/markdown"}),
    ]
    for answer in answers:
        assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
        headline, _, line, _, heading, _, *names = answer.text.splitlines()
        assert headline.startswith("# ") and headline.endswith("version 0 → 1")
        assert (line, heading) == ("2 new.", "## New")
        assert [name[: len("- md-a")] for name in names] == ["- md-a", "- md-b"]
    cut = pulp.session.get(url, params={"format": "markdown", "limit": 1}).text
    assert cut.endswith("- and 1 more\n")
    refused = pulp.session.get(url, params={"format": "markdown", "kind": "moved"})
    assert (refused.status_code, "moved" in refused.text) == (400, True)
    assert refused.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert pulp.session.get(url, headers={"Accept": "*/*"}).json()["base"] == 0
