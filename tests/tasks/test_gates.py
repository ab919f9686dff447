"""Gates: environments that have to solve before a stage moves."""

import pytest

from tests.support.builders import make_package

GATE = {"name": "environments", "kind": "environments"}


@pytest.fixture(scope="module")
def untouched(pulp, make_repository, upload_once, word):
    """A lifecycle with an app that needs a library, and an environment that needs the app."""
    repository = make_repository()
    app, lib = f"app-{word}", f"lib-{word}"
    packages = [upload_once(app, "1.0", depends=[f"{lib} >=1,<2"]), upload_once(lib, "1.0")]
    pulp.modify(repository, add=packages)
    pulp.patch(repository, autopublish=True)
    pulp.environment(repository, "analysis", f"{app}\n")
    team = pulp.lifecycle(repository)
    team.set_gates("testing", GATE)
    team.app, team.lib = app, lib
    return team


@pytest.fixture
def team(untouched, copied):
    """The same, for a test that changes it."""
    return untouched


def test_an_environment_that_solves_lets_a_stage_move(team):
    report = team.promote("testing")
    assert report["outcome"] == "moved"
    (gate,) = report["gates"]
    assert gate["verdict"] == "passed"
    assert gate["summary"].startswith("2 of 2 solved, ")


def test_an_environment_that_does_not_solve_holds_a_stage_and_says_why(pulp, team):
    team.promote("testing")
    lib = pulp.get("content/conda/packages/", name=team.lib)["results"][0]
    pulp.modify(team.repository, remove=[lib["pulp_href"]])
    report = team.promote("testing")
    assert report["outcome"] == "blocked"
    (gate,) = report["gates"]
    assert (gate["verdict"], gate["count"]) == ("failed", 2)
    assert {finding["platform"] for finding in gate["findings"]} == {"linux-64", "osx-arm64"}
    assert team.lib in gate["findings"][0]["explanation"]
    assert len(pulp.names(team.urls["testing"])) == 2
    assert team.history("testing")[0]["outcome"] == "blocked"


def test_an_environment_that_is_not_there_holds_a_stage(pulp, team):
    team.set_gates("testing", {**GATE, "environments": ["analysis", "training"]})
    report = team.promote("testing")
    assert report["outcome"] == "blocked"
    (finding,) = report["gates"][0]["findings"]
    assert (finding["environment"], finding["verdict"]) == ("training", "missing")


def test_a_gate_that_warns_lets_a_stage_move_and_says_what_is_wrong(team):
    team.set_gates("testing", {**GATE, "environments": ["training"], "action": "warn"})
    report = team.promote("testing")
    assert (report["outcome"], report["gates"][0]["verdict"]) == ("moved", "failed")


def test_nothing_to_solve_proves_nothing(pulp, make_repository, make_packages):
    repository = make_repository(autopublish=True)
    pulp.modify(repository, add=make_packages("one"))
    team = pulp.lifecycle(repository)
    team.set_gates("testing", GATE)
    report = team.promote("testing")
    assert (report["outcome"], report["gates"][0]["verdict"]) == ("blocked", "unknown")


def test_packages_of_another_channel_may_be_used(pulp, team, make_repository, unique):
    other = make_repository(autopublish=True)
    pulp.upload(make_package(f"base-{unique}", "1.0"), repository=other)
    base = pulp.distribution(repository=other)
    pulp.environment(team.repository, "analysis", f"base-{unique}\n{team.app}\n")
    assert team.promote("testing")["outcome"] == "blocked"
    team.set_gates("testing", {**GATE, "channels": [base["base_path"]]})
    assert team.promote("testing")["outcome"] == "moved"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(lambda path: {"kind": "environments", "channels": [path]}, id="environments"),
        pytest.param(
            lambda path: {"kind": "policy", "dependencies": {"base_channels": [path]}}, id="policy"
        ),
    ],
)
def test_a_gate_looks_at_no_channel_that_its_maker_must_not_see(pulp, team, options):
    path = pulp.distribution()["base_path"]
    gate = {"name": "secret", **options(path)}
    owner = team.as_user(pulp.user(["conda.condalifecycle_owner"]))

    def answer(*gates):
        stages = [{"name": "unstable"}, {"name": "testing", "gates": gates}, {"name": "stable"}]
        return owner.pulp.try_patch(team.href, stages=stages)

    refused = answer(gate)
    assert refused.status_code == 400
    assert f"this server has no channel '{path}'" in refused.text
    # What somebody else gave is no reason to refuse another change.
    team.set_gates("testing", gate)
    (kept,) = team.stage("testing")["gates"]
    assert answer(kept, {"name": "yes", "kind": "approval"}).status_code == 202


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"], ids=["nul", "half-a-character"])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(lambda text: {**GATE, "name": text}, id="name"),
        pytest.param(lambda text: {**GATE, "environments": [text]}, id="environments"),
        pytest.param(
            lambda text: {
                "name": "policy",
                "kind": "policy",
                "blocked": [{"spec": "a", "reason": text}],
            },
            id="reason",
        ),
    ],
)
def test_what_no_database_can_keep_is_in_no_gate(pulp, untouched, options, text):
    stages = [{"name": "unstable"}, {"name": "testing", "gates": [options(text)]}]
    answer = pulp.try_patch(untouched.href, stages=[*stages, {"name": "stable"}])
    assert (answer.status_code, "which no text can have" in answer.text) == (400, True)


def test_what_is_not_solved_is_told(pulp, team):
    source = f"channels: [conda-forge]\ndependencies:\n  - {team.app}\n  - pip:\n      - requests\n"
    pulp.environment(team.repository, "web", source, format="environment.yml")
    (gate,) = team.promote("testing")["gates"]
    assert gate["verdict"] == "passed"
    assert "What these want from PyPI is not solved: web." in gate["summary"]
    assert gate["summary"].endswith("which stand for this one: conda-forge.")


@pytest.mark.parametrize(
    ("rules", "verdict", "finding"),
    [
        pytest.param(
            {"blocked": [{"spec": "{lib} <2", "reason": "CVE-1"}]}, "failed", "CVE-1", id="blocked"
        ),
        pytest.param(
            {"blocked": [{"spec": "{lib} >2", "reason": "CVE-1"}]}, "passed", "", id="other-version"
        ),
        pytest.param({"required": ["{lib} >=2"]}, "failed", "no package matches", id="required"),
        pytest.param({"minimum_age": {"days": 1}}, "failed", "", id="too-young"),
        pytest.param(
            {"minimum_age": {"days": 1, "exceptions": ["{lib}", "{app}"]}},
            "passed",
            "",
            id="excepted",
        ),
        pytest.param(
            {"licenses": {"denied": ["AGPL-*"], "unknown": "allow"}}, "passed", "", id="license"
        ),
        pytest.param({"dependencies": True}, "passed", "", id="nothing-dangles"),
    ],
)
def test_packages_have_to_keep_rules(team, rules, verdict, finding):
    rules = _filled(rules, team)
    team.set_gates("testing", {"name": "rules", "kind": "policy", **rules})
    report = team.promote("testing")
    (gate,) = report["gates"]
    assert gate["verdict"] == verdict
    words = {"passed": "All rules are kept.", "failed": f"Against the rules: {gate['count']} "}
    assert gate["summary"].startswith(words[verdict])
    assert report["outcome"] == {"passed": "moved", "failed": "blocked"}[verdict]
    assert finding in str(gate["findings"])


def test_a_dependency_that_nothing_satisfies_is_found(pulp, team):
    lib = pulp.get("content/conda/packages/", name=team.lib)["results"][0]
    pulp.modify(team.repository, remove=[lib["pulp_href"]])
    team.set_gates("testing", {"name": "rules", "kind": "policy", "dependencies": True})
    (gate,) = team.promote("testing")["gates"]
    assert f"its dependency '{team.lib} >=1,<2'" in gate["findings"][0]["text"]


def test_what_the_stage_has_is_not_too_young(pulp, team, unique):
    team.promote("testing")
    team.set_gates("testing", {"name": "rules", "kind": "policy", "minimum_age": {"days": 1}})
    pulp.upload(make_package(f"new-{unique}", "1.0"), repository=team.repository)
    (gate,) = team.promote("testing")["gates"]
    assert [finding["subject"] for finding in gate["findings"]] == [
        f"noarch/new-{unique}-1.0-0.conda"
    ]


def _filled(value, team):
    if isinstance(value, str):
        return value.format(app=team.app, lib=team.lib)
    if isinstance(value, dict):
        return {key: _filled(item, team) for key, item in value.items()}
    return [_filled(item, team) for item in value] if isinstance(value, list) else value
