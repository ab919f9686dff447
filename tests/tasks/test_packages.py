"""Single packages are promoted into a stage that otherwise stays as it is."""

import pytest

from tests.support.conda import TaskFailed


@pytest.fixture(scope="module")
def untouched(pulp, make_repository, upload_once, word):
    """A team whose stable serves an app with its library; unstable has a fix of both, and
    something else that is new.
    """
    repository = make_repository(autopublish=True)
    team = pulp.lifecycle(repository)
    team.app, team.lib, team.new = f"app-{word}", f"lib-{word}", f"new-{word}"

    def add(*args, **fields):
        pulp.modify(repository, add=[upload_once(*args, **fields)])

    add(team.app, "1.0", depends=[f"{team.lib} >=1"])
    add(team.lib, "1.0")
    team.promote("testing")
    team.promote("stable")
    add(team.lib, "1.1")
    add(team.app, "1.1", depends=[f"{team.lib} >=1.1"])
    add(team.new, "1.0")
    return team


@pytest.fixture
def team(untouched, copied):
    """The same, for a test that changes it."""
    return untouched


def _files(pulp, url):
    records = pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"]
    return sorted(filename.rsplit("-", 1)[0] for filename in records)


def test_a_fix_comes_into_a_frozen_stage_with_what_it_needs(pulp, team):
    report = team.promote_packages("stable", f"{team.app} 1.1", reason="CVE-2026-1")
    assert (report["outcome"], report["kind"], report["after"]) == ("moved", "packages", "v2.1")
    assert [package["version"] for package in report["packages"]] == ["1.1", "1.1"]
    assert report["unmet"] == []
    assert _files(pulp, team.urls["stable"]) == [
        f"{team.app}-1.0",
        f"{team.app}-1.1",
        f"{team.lib}-1.0",
        f"{team.lib}-1.1",
    ]
    (entry, _) = team.history("stable")
    assert (entry["specs"], entry["state"]) == ([f"{team.app} 1.1"], "v2.1")
    assert team.state("unstable") == "v5"


def test_a_fix_comes_alone_if_that_is_wanted(team):
    report = team.promote_packages("stable", f"{team.app} 1.1", with_dependencies=False)
    assert [package["name"] for package in report["packages"]] == [team.app]


def test_fixes_add_up(pulp, team):
    team.promote_packages("stable", f"{team.lib} 1.1")
    assert team.promote_packages("stable", team.new)["after"] == "v2.2"
    assert len(_files(pulp, team.urls["stable"])) == 4
    assert team.roll_back("stable")["after"] == "v2.1"
    assert team.roll_back("stable", entry=team.history("stable")[-1]["number"])["after"] == "v2"


def test_what_the_stage_has_is_not_promoted_again(team):
    team.promote_packages("stable", f"{team.lib} 1.1")
    again = team.promote_packages("stable", f"{team.lib} 1.1")
    assert (again["outcome"], again["after"]) == ("unchanged", "v2.1")
    assert len(team.history("stable")) == 2


def test_a_dry_run_of_a_fix_leaves_nothing(pulp, team):
    planned = team.promote_packages("stable", f"{team.app} 1.1", dry_run=True)
    assert (planned["outcome"], planned["after"]) == ("moved", "v2.1")
    assert team.state("stable") == "v2"
    report = team.promote_packages("stable", f"{team.app} 1.1")
    assert report["packages"] == planned["packages"]
    assert report["changes"] == planned["changes"]


def test_gates_hold_single_packages_too(pulp, team):
    team.set_gates(
        "stable",
        {"name": "rules", "kind": "policy", "blocked": [{"spec": team.new, "reason": "no"}]},
    )
    report = team.promote_packages("stable", team.new)
    assert report["outcome"] == "blocked"
    assert report["gates"][0]["findings"][0]["subject"].startswith(f"noarch/{team.new}")
    assert team.history("stable")[0]["publication"] is None
    assert team.promote_packages("stable", f"{team.lib} 1.1")["outcome"] == "moved"


def test_a_fix_waits_for_an_approval_and_is_there_when_it_comes(pulp, team):
    team.set_gates("stable", {"name": "yes", "kind": "approval"})
    report = team.promote_packages("stable", f"{team.lib} 1.1")
    assert report["outcome"] == "waiting"
    entry = team.history("stable")[0]
    boss = team.as_user(pulp.user(["conda.condalifecycle_approver"]))
    moved = boss.pulp.post(f"{entry['pulp_href']}approve/")["result"]
    assert (moved["outcome"], moved["packages"]) == ("moved", report["packages"])
    assert len(_files(pulp, team.urls["stable"])) == 3


def test_a_file_does_not_become_younger_by_its_promotion(pulp, team):
    def indexed():
        records = pulp.fetch(team.urls["stable"], "noarch/repodata.json").json()["packages.conda"]
        return {name: record["indexed_timestamp"] for name, record in records.items()}

    before = indexed()
    team.promote_packages("stable", f"{team.lib} 1.1")
    assert before.items() <= indexed().items()


def test_the_next_promotion_of_the_whole_replaces_single_packages(pulp, team):
    team.promote_packages("stable", f"{team.lib} 1.1")
    team.promote("testing")
    report = team.promote("stable")
    assert (report["before"], report["after"]) == ("v2.1", "v5")
    assert len(_files(pulp, team.urls["stable"])) == 5


def test_a_spec_that_matches_nothing_promotes_nothing(untouched):
    with pytest.raises(TaskFailed) as failed:
        untouched.promote_packages("stable", f"{untouched.lib} 1.1", f"{untouched.lib} 9.9")
    assert failed.value.code == "CND0056"
    assert untouched.state("stable") == "v2"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"stage": "stable", "specs": []}, "specs", id="no-spec"),
        pytest.param({"stage": "stable", "specs": ["a=="]}, "CND0007", id="no-matchspec"),
        pytest.param({"stage": "unstable", "specs": ["a"]}, "CND0037", id="into-the-first"),
        pytest.param(
            {"stage": "testing", "source": "stable", "specs": ["a"]}, "CND0037", id="backwards"
        ),
    ],
)
def test_wrong_packages_are_refused_at_once(pulp, untouched, body, words):
    answer = pulp.try_post(f"{untouched.href}promote_packages/", **body)
    assert (answer.status_code, words in answer.text) == (400, True)
