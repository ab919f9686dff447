"""What people read in place of JSON: sentences and tables."""

import re

import pytest

from tests.support.builders import make_package


@pytest.fixture
def people(cli):
    """Run `pulp conda …` as on a terminal, and return the lines of its output."""

    def run(*words, exit_code=0):
        outcome = cli("--format", "table", "conda", *words)
        assert outcome.exit_code == exit_code, outcome
        assert "/pulp/api/v3/" not in outcome.stdout + outcome.stderr
        return outcome.stdout.splitlines()

    return run


def test_a_release_as_people_read_it(people, cli, pulp, unique):
    made = people("channel", "create", unique, "--stages", "unstable,testing")
    assert made[0] == (
        f"Channel '{unique}' is ready. Upload into it with: pulp conda channel upload {unique} "
        "FILES"
    )
    assert [line.split()[0] for line in made[1:]] == ["STAGE", "unstable", "testing"]
    repository = cli.json("conda", "repository", "show", "--name", unique)["pulp_href"]
    for version in ("1.0", "2.0"):
        pulp.upload(make_package(unique, version), repository=repository)
    people("lifecycle", "gate", "set", unique, "--stage", "testing", "--gate", "rules",
           "--kind", "policy", "--required", "nothing")  # fmt: skip
    promote = ("lifecycle", "promote", unique, "--to", "testing")
    blocked = people(*promote, exit_code=3)
    assert blocked[0] == (
        "testing stays at nothing: a gate blocks v2 (packages: 1 new; files: 2 added)."
    )
    assert blocked[1].startswith("Gate 'rules' (policy) failed: ")
    moved = people(*promote, "--override", "rules=CVE-2026-1", "--reason", "at night")
    assert moved[1].endswith(" Overridden: CVE-2026-1")

    heading, last, *_others = people("lifecycle", "history", unique)
    words = "#  WHEN (UTC) STAGE OUTCOME FROM TO KIND BY APPROVED BY OVERRIDDEN REASON"
    assert heading.split() == words.split()
    assert re.fullmatch(
        r"4  \d{4}-\d\d-\d\d \d\d:\d\d  testing +moved +- +v2  promoted +admin  - +rules +at night",
        last,
    )
    # An entry shows what the promotion showed.
    assert people("lifecycle", "history", unique, "--entry", "3")[2:] == blocked[1:]
    assert people("lifecycle", "history", unique, "--entry", "4") == [
        "testing moves from nothing to v2 (packages: 1 new; files: 2 added).",
        "Entry 4, requested by admin. Reason: at night",
        *moved[1:],
    ]
    assert people("channel", "diff", f"{unique}@0", f"{unique}@2") == [
        "version 0 → version 2: packages: 1 new; files: 2 added.",
        f"SUMMARY  NAME{' ' * (len(unique) - 4)}  FROM  TO   FILES  SUBDIRS",
        f"new      {unique}  -     2.0      2  noarch",
    ]
    shown = people("channel", "show", unique)
    assert [line.split()[0] for line in shown] == (
        ["channel", "readers", "files", "version", "lifecycles", "STAGE", "unstable", "testing"]
    )
    assert people("lifecycle", "diff", unique, "unstable", "testing") == [
        "unstable → testing: no difference."
    ]


@pytest.mark.parametrize(
    "words, said",
    [
        pytest.param(
            ("remote", "list", "--name", "nobody"),
            "There are no conda remotes like that.",
            id="with a filter",
        ),
        pytest.param(
            ("channel", "list", "--offset", "1000000"),
            "No channels yet. Create one with: pulp conda channel create NAME",
            id="without one",
        ),
    ],
)
def test_an_empty_list_is_a_sentence_for_people_and_a_list_for_programs(people, cli, words, said):
    assert people(*words) == [said]
    assert cli.json("conda", *words) == []


def test_which_task_runs_is_told_on_request(cli, unique):
    create = ("conda", "channel", "create")
    assert "/tasks/" not in cli.ok(*create, unique).stderr
    assert "/tasks/" in cli.ok("-v", *create, f"{unique}-2").stderr
