import orjson
import pytest

from pulp_conda.channel.diff import VALUES_SIZE, diff, summarize
from tests.support.builders import make_record


def test_a_diff_tells_four_kinds_of_change_apart():
    old_bytes = make_record("replaced", sha256="a" * 64)
    new_bytes = make_record("replaced", sha256="b" * 64)
    broken = make_record("hotfixed", depends=["python"])
    fixed = make_record("hotfixed", depends=["python <3.13"], license="MIT")
    changes = diff([make_record("gone"), old_bytes, broken], [make_record("new"), new_bytes, fixed])
    assert {name: [(c.kind, c.keys) for c in of_name] for name, of_name in changes.items()} == {
        "gone": [("removed", ())],
        "hotfixed": [("updated", ("depends", "license"))],
        "new": [("added", ())],
        "replaced": [("replaced", ())],
    }
    assert changes["replaced"][0].record is new_bytes


def test_changes_of_a_package_are_in_version_order():
    added = [make_record("a", version) for version in ("1.10", "1.9", "1.9rc1")]
    assert [change.record.version for change in diff([], added)["a"]] == ["1.9rc1", "1.9", "1.10"]


def test_the_same_file_name_in_two_subdirs_is_two_files():
    changes = diff([make_record("a", subdir="noarch")], [make_record("a", subdir="linux-64")])
    assert [change.kind for change in changes["a"]] == ["added", "removed"]


def test_an_update_shows_old_and_new_values_if_they_are_small():
    before = make_record("a", depends=["python"], gone=None, summary="x" * 3000)
    after = make_record("a", depends=["python <3.13"], license="MIT", summary="y")
    (change,) = diff([before], [after])["a"]
    assert change.keys == ("depends", "gone", "license", "summary")
    assert change.values == {
        "depends": {"from": ["python"], "to": ["python <3.13"]},
        "gone": {"from": None},
        "license": {"from": "BSD-3-Clause", "to": "MIT"},
    }


def test_the_values_of_an_update_are_small_together():
    before = make_record("a")
    after = make_record("a", **{f"key{number}": "x" * 300 for number in range(100)})
    (change,) = diff([before], [after])["a"]
    assert len(change.keys) == 100
    assert 0 < len(orjson.dumps(change.values)) <= VALUES_SIZE


@pytest.mark.parametrize(
    "before, after, gained, expected",
    [
        pytest.param([], ["1", "2"], ["1", "2"], ("new", None, "2"), id="new"),
        pytest.param(["1", "2"], [], [], ("gone", "2", None), id="gone"),
        pytest.param(["1.9"], ["1.9", "1.10"], ["1.10"], ("upgraded", "1.9", "1.10"), id="newer"),
        pytest.param(["1.9"], ["1.10"], ["1.10"], ("upgraded", "1.9", "1.10"), id="newer instead"),
        pytest.param(["1", "2"], ["1"], [], ("downgraded", "2", "1"), id="highest removed"),
        pytest.param(["2"], ["1"], ["1"], ("downgraded", "2", "1"), id="older instead"),
        pytest.param(["1rc1"], ["1"], ["1"], ("upgraded", "1rc1", "1"), id="out of pre-release"),
        pytest.param(["2020"], ["1!1"], ["1!1"], ("upgraded", "2020", "1!1"), id="epoch"),
        pytest.param(["1", "2"], ["1", "2"], ["2"], ("rebuilt", "2", "2"), id="new build"),
        pytest.param(
            ["1", "2"], ["1", "2"], ["1"], ("changed", "2", "2"), id="old version rebuilt"
        ),
        pytest.param(["2"], ["1", "2"], ["1"], ("changed", "2", "2"), id="old version came"),
        pytest.param(["1", "2"], ["2"], [], ("changed", "2", "2"), id="old version left"),
        pytest.param(["2"], ["2"], [], ("changed", "2", "2"), id="metadata"),
        pytest.param(["1.0"], ["1.0.0"], ["1.0.0"], ("rebuilt", "1.0", "1.0.0"), id="same version"),
        pytest.param(["~"], ["~", "1"], ["1"], ("upgraded", "~", "1"), id="no version before"),
    ],
)
def test_the_highest_versions_tell_what_became_of_a_name(before, after, gained, expected):
    assert summarize(before, after, gained) == expected
    assert summarize(before[::-1], after[::-1], gained[::-1]) == expected
