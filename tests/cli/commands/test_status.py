"""`pulp conda status`: one screen, on which what is wrong comes first."""

import json

import pytest

from tests.support.builders import make_package


@pytest.fixture
def channels(pulp, unique, copied):
    """The names of two channels: all is well with the first one, and not with the second one."""
    well, wrong = f"a-{unique}", f"b-{unique}"
    for name, autopublish in ((well, True), (wrong, False)):
        repository = pulp.post("repositories/conda/conda/", name=name, autopublish=autopublish)
        pulp.upload(make_package(name), repository=repository["pulp_href"])
    pulp.lifecycle(pulp.get("repositories/conda/conda/", name=well)["results"][0]["pulp_href"])
    return well, wrong


def test_what_is_wrong_comes_first(cli, channels):
    well, wrong = channels
    shown = cli.ok("--format", "table", "conda", "status").stdout.splitlines()
    assert f"{wrong}: Version 1 is not published." in shown
    rows = [line.split() for line in shown if line.startswith((well, wrong))]
    assert [row[0] for row in rows if not row[0].endswith(":")][:2] == [wrong, well]
    assert rows[-1][1] == "1" and "B" in rows[-1]


def test_programs_get_one_document(cli, channels):
    _, wrong = channels
    shown = json.loads(cli.ok("--format", "json", "conda", "status", wrong).stdout)
    assert [each["name"] for each in shown] == [wrong]
    assert shown[0]["problems"] == [{"code": "", "text": "Version 1 is not published."}]
    assert len(json.loads(cli.ok("--format", "json", "conda", "status").stdout)) >= 2
