import pytest

from pulp_conda.channel.errors import BadChannelRelations
from pulp_conda.channel.metadata.relations import check_relations


@pytest.mark.parametrize(
    "value, relations",
    [
        pytest.param({}, {}, id="none"),
        pytest.param({"base": None, "overrides": None}, {}, id="null"),
        pytest.param({"base": "../conda-forge"}, {"base": "../conda-forge"}, id="neighbour"),
        pytest.param({"overrides": "../.."}, {"overrides": "../.."}, id="of a label"),
        pytest.param({"overrides": ".."}, {"overrides": ".."}, id="parent"),
        pytest.param({"base": "../a/label/RC_1/"}, {"base": "../a/label/RC_1"}, id="label"),
        pytest.param(
            {"overrides": "../b", "base": "../../a"},
            {"base": "../../a", "overrides": "../b"},
            id="both",
        ),
    ],
)
def test_relations_come_back_as_repodata_has_them(value, relations):
    assert check_relations(value) == relations


@pytest.mark.parametrize(
    "value, reason",
    [
        pytest.param(["../a"], "they are not an object", id="list"),
        pytest.param({"bases": "../a"}, "'bases' is not known", id="typing error"),
        pytest.param({"base": 7}, "'base' is 7, not a path", id="number"),
        pytest.param({"base": ""}, "'base' is '', not a path", id="empty"),
        pytest.param({"base": "conda-forge"}, "not a path that begins with", id="name"),
        pytest.param({"base": "https://a.example.org/b"}, "not a path", id="URL"),
        pytest.param({"base": "/a"}, "not a path", id="absolute"),
        pytest.param({"base": "./../a"}, "not a path", id="from here"),
        pytest.param({"base": "../a/../b"}, "not a path", id="down and up"),
        pytest.param({"base": "..//a.example.org"}, "not a path", id="two slashes"),
        pytest.param({"base": "../a?x=1"}, "not a path", id="query"),
        pytest.param({"base": "../a b\n"}, "not a path", id="blank"),
        pytest.param({"base": "../" + "a" * 2000}, "not a path", id="too long"),
        pytest.param(
            {"base": "../a", "overrides": "../a/"},
            "'base' and 'overrides' are both '../a'",
            id="same channel",
        ),
    ],
)
def test_relations_that_clients_could_not_follow_are_refused(value, reason):
    with pytest.raises(BadChannelRelations) as refused:
        check_relations(value)
    assert reason in refused.value.facts["reason"]


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(BadChannelRelations) as refused:
        check_relations({"base": "a", "overrides": "b", "c": 1})
    assert refused.value.facts["reason"].count(";") == 2
