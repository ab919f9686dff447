from pulp_conda.channel.versions import VersionKey


def test_versions_are_ordered_as_conda_orders_them():
    ordered = [
        "0.4",
        "0.4.1.rc",
        "0.4.1",
        "0.5a1",
        "0.5b3",
        "0.5C1",
        "0.5",
        "0.9.6",
        "0.10",
        "1!0.1",
    ]
    assert sorted(reversed(ordered), key=VersionKey) == ordered


def test_what_is_no_version_comes_first_and_harms_nobody():
    assert sorted(["1.0", "!!", "0.1"], key=VersionKey) == ["!!", "0.1", "1.0"]


def test_equal_versions_are_equal_however_written():
    assert VersionKey("1.0") == VersionKey("1.0.0")
