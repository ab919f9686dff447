"""Channels and subdirs without packages: what clients find there from the first second on."""

import base64

import pytest
import zstandard

from pulp_conda.channel import layout
from pulp_conda.channel.metadata.shards import read_index
from tests.support import gateway
from tests.support.builders import make_package
from tests.support.conda import TaskFailed

NOARCH = (
    "noarch/repodata.json",
    "noarch/repodata.json.zst",
    "noarch/repodata_shards.msgpack.zst",
    "noarch/run_exports.json",
    "noarch/run_exports.json.zst",
)
FILES = (*NOARCH, "channeldata.json", "notices.json")
INDEX = "{}/repodata_shards.msgpack.zst"
PLATFORMS = layout.DEFAULT_SUBDIRS[1:]


def _nothing(pulp, repository):
    return pulp.distribute()


def _without_a_publication(pulp, repository):
    return pulp.distribute(repository=repository)


def _version_without_a_publication(pulp, repository):
    return pulp.distribute(repository_version=f"{repository}versions/0/")


def _published(pulp, repository):
    pulp.publish(repository=repository)
    return pulp.distribute(repository=repository)


def _first_stage(pulp, repository):
    return pulp.lifecycle(repository).urls["unstable"]


def _later_stage(pulp, repository):
    return pulp.lifecycle(repository).urls["stable"]


KINDS = {
    "nothing": _nothing,
    "repository": _without_a_publication,
    "version": _version_without_a_publication,
    "published": _published,
    "first": _first_stage,
    "later": _later_stage,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_of_a_channel_without_packages_is_there(pulp, make_repository, kind):
    url = KINDS[kind](pulp, make_repository())
    answers = {path: pulp.fetch(url, path) for path in FILES}
    assert {answer.status_code for answer in answers.values()} == {200}
    repodata = answers[NOARCH[0]].json()
    assert repodata == {
        "info": {"subdir": "noarch"},
        "packages": {},
        "packages.conda": {},
        "removed": [],
        "repodata_version": 1,
    }
    assert answers["noarch/run_exports.json"].json()["packages.conda"] == {}
    assert answers["channeldata.json"].json()["subdirs"] == ["noarch"]
    for path in (NOARCH[0], "noarch/run_exports.json"):
        data = zstandard.decompress(answers[f"{path}.zst"].content)
        assert data == answers[path].content
    for subdir in ("noarch", "linux-64", "win-arm64"):
        answer = pulp.fetch(url, INDEX.format(subdir))
        assert answer.status_code == 200
        found = read_index(answer.content, url=url, subdir=subdir, channel_url=url)
        assert found.digests == {} and found.relations == {}
    for path in (INDEX.format("linux-46"), "noarch/current_repodata.json", "noarch/a-1-0.conda"):
        answer = pulp.fetch(url, path)
        assert (answer.status_code, answer.text) == (404, "404: Not Found"), path


def test_what_no_channel_without_packages_has_is_a_plain_404(pulp):
    url = pulp.distribute()
    for path in (
        *("linux-46/", "linux-46", INDEX.format("linux-s390x"), "linux-64/", "linux-64", "x"),
        *("linux-64/repodata.json", "noarch/repodata.json.bz2", "repodata.json"),
        *(f"noarch/shards/{'0' * 64}.msgpack.zst", "noarch/a-1-0.conda.sigs", "history.atom"),
    ):
        answer = pulp.fetch(url, path)
        assert (answer.status_code, answer.text) == (404, "404: Not Found"), path
    found = [pulp.fetch(url, INDEX.format(subdir)).status_code for subdir in PLATFORMS]
    assert found == [200] * 7


def test_a_channel_without_packages_is_answered_as_any_other(pulp, make_repository, unique):
    repository = make_repository()
    url, other = pulp.distribute(repository=repository), pulp.distribute()
    for path in (NOARCH[0], NOARCH[2], INDEX.format("osx-arm64"), "channeldata.json"):
        whole = pulp.fetch(url, path)
        head = pulp.fetch(url, path, "HEAD")
        assert (head.content, head.headers["ETag"]) == (b"", whole.headers["ETag"])
        assert whole.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
        known = {"If-None-Match": whole.headers["ETag"]}
        assert pulp.fetch(url, path, headers=known).status_code == 304
        part = pulp.fetch(url, path, headers={"Range": "bytes=-7"})
        assert (part.status_code, part.content) == (206, whole.content[-7:])
        # The same in every channel.
        assert pulp.fetch(other, path, "HEAD").headers["ETag"] == whole.headers["ETag"]
    assert pulp.fetch(url, "noarch").history[0].status_code == 301
    assert "repodata_shards.msgpack.zst" in pulp.fetch(url, "noarch").text

    before = {path: pulp.fetch(url, path).content for path in FILES}
    pulp.publish(repository=repository)
    for path in set(FILES) - {INDEX.format("noarch")}:
        assert pulp.fetch(url, path).content == before[path], path

    guard = pulp.post(
        "contentguards/core/header/", name=unique, header_name="X-Key", header_value="open"
    )
    guarded = pulp.distribute(content_guard=guard["pulp_href"])
    key = {"X-Key": base64.b64encode(b"open").decode()}
    for path in (NOARCH[0], "channeldata.json", "", INDEX.format("linux-64")):
        assert pulp.fetch(guarded, path).status_code == 403
        answer = pulp.fetch(guarded, path, headers=key)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"].startswith("private, ")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("nothing", "Nothing was published yet."),
        ("repository", "Nothing was published yet."),
        ("first", "Nothing was published for stage <bdi>unstable"),
        ("later", "Nothing was promoted to stage <bdi>stable"),
    ],
)
def test_the_page_of_a_channel_says_that_it_is_empty_yet(pulp, make_repository, kind, text):
    url = KINDS[kind](pulp, make_repository())
    page = pulp.fetch(url, "")
    assert page.status_code == 200 and text in page.text
    assert f"--channel {url[:-1]} " in page.text and 'href="./noarch/"' in page.text
    feed = pulp.fetch(url, "history.atom").status_code
    assert (feed == 200) == ("history.atom" in page.text) == ("stage" in text)


def test_the_subdirs_of_a_repository_are_there_at_once(pulp, make_repository, make_packages):
    repository = make_repository(autopublish=True)
    pulp.modify(repository, add=make_packages("one"))
    lifecycle = pulp.lifecycle(repository)
    pulp.modify(repository, add=make_packages("two"))
    plain = pulp.distribute(repository=repository)
    stable = lifecycle.urls["stable"]
    urls = (plain, stable, lifecycle.urls["unstable"], f"{lifecycle.urls['unstable']}at/v1/")
    assert pulp.get(repository)["subdirs"] is None

    def found():
        asked = ("win-arm64", "linux-s390x", "zos-z")
        return [
            {
                subdir
                for subdir in asked
                if pulp.fetch(url, INDEX.format(subdir), "HEAD").status_code == 200
            }
            for url in urls
        ]

    assert found() == [{"win-arm64"}] * 4
    for given, expected in [
        (["zos-z", "noarch", "zos-z"], {"zos-z"}),
        ([], set()),
        (None, {"win-arm64"}),
    ]:
        pulp.patch(repository, subdirs=given)
        assert pulp.get(repository)["subdirs"] == (given and list(dict.fromkeys(given)))
        assert found() == [expected] * 4, given

    # What packages have is there anyway, in all forms.
    pulp.patch(repository, subdirs=[])
    pulp.upload(make_package("native", subdir="linux-s390x"), repository=repository)
    # And where they may come later, as where they were not yet, an index without shards.
    assert found() == [{"linux-s390x"}] * 4
    assert pulp.fetch(stable, "linux-s390x/repodata.json").status_code == 404
    assert pulp.fetch(plain, "linux-s390x/repodata.json").json()["packages.conda"]


@pytest.mark.parametrize(
    "subdirs",
    [["linux_64"], ["noarch", "Linux-64"], [""], ["../x"], ["a-" + "b" * 40], [7, None], "x", {}],
    ids=str,
)
def test_what_is_no_subdir_is_refused(pulp, make_repository, subdirs):
    answer = pulp.try_patch(make_repository(), subdirs=subdirs)
    assert answer.status_code == 400 and "subdirs" in answer.json()


def test_files_for_old_clients_and_relations_are_those_of_the_repository(pulp, make_repository):
    relations = {"base": "../forge"}
    repository = make_repository(legacy_metadata=True, channel_relations=relations)
    for url in (pulp.distribute(repository=repository), _later_stage(pulp, repository)):
        repodata = pulp.fetch(url, "noarch/repodata.json")
        assert repodata.json()["info"]["channel_relations"] == relations
        assert pulp.fetch(url, "noarch/current_repodata.json").content == repodata.content
        assert pulp.fetch(url, "noarch/repodata.json.bz2").status_code == 200
        index = pulp.fetch(url, INDEX.format("linux-64")).content
        found = read_index(index, url=url, subdir="linux-64", channel_url=url)
        assert found.relations == relations


def test_a_channel_without_shards_has_no_empty_index_of_them(pulp, make_repository, make_packages):
    repository = make_repository(shards=False)
    lifecycle = pulp.lifecycle(repository)
    urls = [pulp.distribute(repository=repository), *lifecycle.urls.values()]
    for _ in range(2):
        for url in urls:
            for subdir in ("noarch", "linux-64"):
                assert pulp.fetch(url, INDEX.format(subdir)).status_code == 404
            assert pulp.fetch(url, NOARCH[1]).status_code == 200
        pulp.modify(repository, add=make_packages("one"))
        pulp.publish(repository=repository)


@pytest.mark.parametrize("shards", [True, False])
def test_an_export_has_the_files_too_or_is_refused(
    pulp, stack, make_repository, make_packages, unique, shards
):
    repository = make_repository(subdirs=["linux-64", "zos-z"], shards=shards)
    pulp.modify(repository, add=make_packages("one"))
    publication = pulp.publish(repository=repository)
    folder = stack.state.exports / unique
    body = {"name": unique, "path": str(folder)}
    where = f"{pulp.url}{pulp.api}exporters/core/filesystem/"
    exporter = pulp.session.post(where, json=body).json()
    export = pulp.try_post(f"{exporter['pulp_href']}exports/", publication=publication)
    if shards:
        with pytest.raises(TaskFailed, match="CND0097.*1 of them"):
            pulp.wait(export.json())
        assert not folder.exists()
        return
    pulp.wait(export.json())
    url = pulp.distribute(publication=publication)
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    names = {path for path in paths if path.endswith(layout.EXTENSIONS)}
    assert paths - names == {*NOARCH, "channeldata.json"} - {INDEX.format("noarch")}
    for path in paths:
        assert (folder / path).read_bytes() == pulp.fetch(url, path).content, path


def test_a_channel_without_packages_is_mirrored(pulp, make_repository, unique):
    for upstream in (pulp.distribute(), _later_stage(pulp, make_repository())):
        remote = pulp.post("remotes/conda/conda/", name=upstream[-20:-1], url=upstream)
        mirror = make_repository(remote=remote["pulp_href"], autopublish=True)
        pulp.sync(mirror, mirror=True)
        assert pulp.names(pulp.distribute(repository=mirror)) == []


@pytest.mark.parametrize("form", ["shards", "json"])
def test_a_client_finds_the_first_package_of_a_subdir_that_was_empty(
    pulp, make_repository, tmp_path, form
):
    repository = make_repository(autopublish=True)
    lifecycle = pulp.lifecycle(repository)
    url = lifecycle.urls["testing"]
    package = make_package("native", subdir="linux-64")
    specs = [[], ["native"]]

    def solve():
        solutions = gateway.call("solve", url=url, cache=tmp_path, environments=specs, form=form)
        return [found if found is None else [each["name"] for each in found] for found in solutions]

    # Before the first promotion, with an empty state, and with the first package of the platform.
    assert solve() == [[], None]
    pulp.modify(repository, add=[])
    pulp.upload(make_package("other"), repository=repository)
    lifecycle.promote("testing")
    assert solve() == [[], None]
    pulp.upload(package, repository=repository)
    lifecycle.promote("testing")
    assert solve() == [[], ["native"]]
