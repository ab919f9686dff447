import pytest

from pulpcore.cli.conda.table import render, size


@pytest.mark.parametrize(
    "result, lines",
    [
        pytest.param([], [""], id="nothing"),
        pytest.param(
            [{"name": "a", "size": 1}, {"name": "longer", "size": None}],
            ["NAME    SIZE", "a        1 B", "longer     -"],
            id="what is not a resource is shown with all keys",
        ),
        pytest.param(
            [{"pulp_href": "/x/", "prn": "prn:x", "name": "a", "autopublish": True}],
            ["NAME  AUTOPUBLISH", "a     yes"],
            id="a resource is shown by what tells it apart",
        ),
        pytest.param(
            [{"pulp_href": "/x/", "pulp_created": "2026", "checkpoint": False}],
            ["CHECKPOINT  PULP_CREATED (UTC)  PULP_HREF", "no          2026                /x/"],
            id="a resource without a name is shown with its href",
        ),
        pytest.param(
            [
                {
                    "pulp_href": "/x/",
                    "pulp_created": "2026",
                    "verb": "moved",
                    "resource": "prn:x",
                    "resource_name": "team/stable",
                    "actor": "ada",
                }
            ],
            [
                "VERB   RESOURCE_NAME  ACTOR  PULP_CREATED (UTC)  PULP_HREF",
                "moved  team/stable    ada    2026                /x/",
            ],
            id="an act says who did what to what, and when",
        ),
        pytest.param(
            {"name": "a", "subdirs": ["noarch", "linux-64"], "labels": {"b": "c"}},
            ["name     a", "subdirs  noarch, linux-64", 'labels   {"b": "c"}'],
            id="one thing is shown key by key",
        ),
        pytest.param(
            [
                {"name": "a", "moved_at": "2026-11-30T06:02:59.1Z", "files": 1234, "version": 1043},
                {"name": "b", "moved_at": "2026-11-30T07:02:00+02:00", "files": 5, "version": 1},
            ],
            [
                "NAME  MOVED_AT (UTC)    FILES  VERSION",
                "a     2026-11-30 06:02  1,234     1043",
                "b     2026-11-30 05:02      5        1",
            ],
            id="moments in UTC, and counts to the right",
        ),
        pytest.param(
            {"since": "2026-11-30T06:02:59Z", "size": 9_051_234, "timestamp": 1_700_000_000_000},
            [
                "since      2026-11-30 06:02 UTC",
                "size       9.05 MB",
                "timestamp  2023-11-14 22:13 UTC",
            ],
            id="one thing names the zone",
        ),
        pytest.param([{"name": "a\x1b[2J\nb"}], ["NAME", "a [2J b"], id="no control characters"),
    ],
)
def test_a_table_is_for_people(result, lines):
    assert render(result).split("\n") == lines


@pytest.mark.parametrize(
    "count, text",
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (9_995, "10.0 kB"), (99_950, "100 kB")]
    + [(999_499, "999 kB"), (999_500, "1.00 MB"), (4_100_000_000_000, "4.10 TB")],
)
def test_sizes_have_three_digits(count, text):
    assert size(count) == text


@pytest.mark.parametrize("width, columns", [(80, 3), (20, 3), (19, 2), (9, 1), (2, 1)])
def test_columns_that_do_not_fit_are_left_out_from_the_right(width, columns):
    rows = [{"name": "first", "b": "second", "c": "third"}]
    lines = render(rows, width).split("\n")
    assert [len(line.split()) for line in lines] == [columns, columns]
