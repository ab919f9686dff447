"""What the owner of a channel says of it on the repository, and what clients see of it."""

import msgpack
import pytest
import zstandard

RELATIONS = {"base": "../conda-forge", "overrides": "../.."}
LEGACY = ("current_repodata.json", "repodata.json.bz2")


def test_relations_are_in_the_next_publication_in_both_forms(pulp, make_repository, make_packages):
    repository = make_repository(autopublish=True)
    url = pulp.distribute(repository=repository)
    pulp.modify(repository, add=make_packages("one"))
    assert "channel_relations" not in pulp.fetch(url, "noarch/repodata.json").json()["info"]
    pulp.patch(repository, channel_relations=RELATIONS)
    pulp.modify(repository, add=make_packages("two"))
    index = pulp.fetch(url, "noarch/repodata_shards.msgpack.zst").content
    infos = (
        pulp.fetch(url, "noarch/repodata.json").json()["info"],
        msgpack.unpackb(zstandard.decompress(index))["info"],
    )
    assert [info["channel_relations"] for info in infos] == [RELATIONS] * 2


def test_relations_are_read_back_and_taken_away(pulp, repository):
    assert repository["channel_relations"] == {}
    href = repository["pulp_href"]
    pulp.patch(href, channel_relations={"base": "../conda-forge/", "overrides": None})
    assert pulp.get(href)["channel_relations"] == {"base": "../conda-forge"}
    pulp.patch(href, channel_relations={})
    assert pulp.get(href)["channel_relations"] == {}


@pytest.mark.parametrize(
    "relations, text",
    [
        pytest.param({"base": "conda-forge"}, "'base' is 'conda-forge'", id="no way up"),
        pytest.param({"base": "https://a.b/c"}, "'base' is 'https://a.b/c'", id="URL"),
        pytest.param({"bases": "../x"}, "'bases' is not known", id="typing error"),
        pytest.param(["../x"], "they are not an object", id="list"),
    ],
)
def test_relations_that_clients_could_not_follow_are_refused(pulp, repository, relations, text):
    answer = pulp.try_patch(repository["pulp_href"], channel_relations=relations)
    assert answer.status_code == 400
    (message,) = answer.json()["channel_relations"]
    assert message.startswith("[CND0033] ") and text in message


def test_files_for_old_clients_are_there_if_the_owner_wants_them(
    pulp, make_repository, make_packages
):
    repository = make_repository(autopublish=True)
    assert pulp.get(repository)["legacy_metadata"] is False
    url = pulp.distribute(repository=repository)
    for wanted, status in ((False, 404), (True, 200), (False, 404)):
        pulp.patch(repository, legacy_metadata=wanted)
        pulp.modify(repository, add=make_packages(f"with-{wanted}".lower()))
        pulp.modify(repository, remove=["*"])
        for name in LEGACY:
            assert pulp.fetch(url, f"noarch/{name}").status_code == status
