import pytest

from pulpcore.cli.conda.table import render


@pytest.mark.parametrize(
    "result, lines",
    [
        pytest.param([], [""], id="nothing"),
        pytest.param(
            [{"name": "a", "size": 1}, {"name": "longer", "size": None}],
            ["NAME    SIZE", "a       1", "longer"],
            id="what is not a resource is shown with all keys",
        ),
        pytest.param(
            [{"pulp_href": "/x/", "prn": "prn:x", "name": "a", "autopublish": True}],
            ["NAME  AUTOPUBLISH", "a     yes"],
            id="a resource is shown by what tells it apart",
        ),
        pytest.param(
            [{"pulp_href": "/x/", "pulp_created": "2026", "checkpoint": False}],
            ["CHECKPOINT  PULP_CREATED  PULP_HREF", "no          2026          /x/"],
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
                "VERB   RESOURCE_NAME  ACTOR  PULP_CREATED  PULP_HREF",
                "moved  team/stable    ada    2026          /x/",
            ],
            id="an act says who did what to what, and when",
        ),
        pytest.param(
            {"name": "a", "subdirs": ["noarch", "linux-64"], "labels": {"b": "c"}},
            ["name     a", "subdirs  noarch, linux-64", 'labels   {"b": "c"}'],
            id="one thing is shown key by key",
        ),
        pytest.param([{"name": "a\x1b[2J\nb"}], ["NAME", "a [2J b"], id="no control characters"),
    ],
)
def test_a_table_is_for_people(result, lines):
    assert render(result).split("\n") == lines
