"""The same as in `tests/tasks`, with many more records."""

from tests.support.odd import check_odd_records


def test_rattler_reads_all_that_comes_through_of_many_records(
    pulp, upstream, make_mirror, tmp_path
):
    mirror = make_mirror(subdirs=["noarch"])
    numbers = check_odd_records(pulp, upstream, mirror, tmp_path, 5000)
    assert numbers["left out"] > 1500
    assert numbers["read by rattler"] > 1500
