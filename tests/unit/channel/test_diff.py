from pulp_conda.channel.diff import diff
from tests.builders import make_record


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
