"""Stages from the command line: what is promoted, what holds it, and how a CI job is told."""

import json
import shlex
from uuid import uuid4

import pytest

from tests.support.builders import make_package
from tests.support.receiver import Receiver

BLOCKED = 3
WAITING = 4


@pytest.fixture
def conda(cli):
    """`pulp conda lifecycle …`; a command is to end with an exit code."""

    def run(*words, exit_code=0, program=cli):
        outcome = program("conda", "lifecycle", *words)
        assert outcome.exit_code == exit_code, outcome
        return outcome

    return run


@pytest.fixture
def upload(pulp, unique):
    """Upload a package to a repository, as somebody's build does."""

    def upload(repository, name, version="1.0", **options):
        package = make_package(f"{name}-{unique}", version, **options)
        return pulp.upload(package, repository=repository)["pulp_href"]

    return upload


@pytest.fixture
def repository(pulp, unique):
    return pulp.post("repositories/conda/conda/", name=unique, autopublish=True)["pulp_href"]


@pytest.fixture
def team(conda, upload, repository, unique):
    """The name of a lifecycle with the default stages, whose first one has a package."""
    upload(repository, "app")
    conda("create", unique, "--repository", unique)
    return unique


@pytest.fixture(scope="module")
def one_team(cli, pulp):
    """The name of a lifecycle that nobody changes."""
    name = f"one-{uuid4().hex[:8]}"
    repository = pulp.post("repositories/conda/conda/", name=name, autopublish=True)["pulp_href"]
    pulp.upload(make_package(name), repository=repository)
    cli.ok("conda", "lifecycle", "create", name, "--repository", name)
    return name


@pytest.fixture
def ada(cli, pulp, tmp_path_factory):
    """The program of somebody who may approve, and nothing else."""
    approver = pulp.user(["conda.condalifecycle_approver"])
    username, password = approver.session.auth
    return cli.configured(tmp_path_factory.mktemp("ada"), username=username, password=password)


def test_a_release_is_held_mended_approved_and_taken_back(
    pulp, cli, conda, upload, repository, unique, ada
):
    app, lib = f"app-{unique}", f"lib-{unique}"
    upload(repository, "app", depends=[f"{lib} >=1,<2"])
    old = upload(repository, "lib")
    cli.ok("conda", "environment", "create", "desk", "--repository", unique, "--spec", app,
           "--platforms", "linux-64")  # fmt: skip
    made = json.loads(conda("create", "--name", unique, "--repository", unique).stdout)
    assert [stage["name"] for stage in made["stages"]] == ["unstable", "testing", "stable"]
    for gate in (
        ("--stage", "testing", "--gate", "solvable", "--kind", "environments"),
        ("--stage", "stable", "--gate", "two people", "--kind", "approval"),
    ):
        conda("gate", "set", unique, *gate)

    # It passes: the report is for programs, what stands beside it is for people.
    rehearsal = conda("promote", unique, "--to", "testing", "--dry-run")
    assert json.loads(rehearsal.stdout)["dry_run"] is True
    assert "Dry run: testing moves from nothing to v3 (packages: 2 new; " in rehearsal.stderr
    done = conda("promote", unique, "--to", "testing", "--reason", "tuesday")
    assert json.loads(done.stdout)["outcome"] == "moved"
    assert "Gate 'solvable' (environments) passed: 1 of 1 solved" in done.stderr

    # What it needs goes away: it is held, and a rehearsal says that as well.
    pulp.modify(repository, remove=[old])
    for extra in ((), ("--dry-run",)):
        held = conda("promote", unique, "--to", "testing", *extra, exit_code=BLOCKED, program=cli)
        report = json.loads(held.stdout)
        assert (report["outcome"], report["before"], report["after"]) == ("blocked", "v3", "v4")
        assert (
            "testing stays at v3: a gate blocks v4 (packages: 1 gone; files: 1 removed)."
            in held.stderr
        )
        assert f"    desk on linux-64: {app} * cannot be installed" in held.stderr
        assert f"{lib} >=1,<2" in held.stderr

    # A single package goes on its own.
    upload(repository, "app", "1.1", depends=[lib])
    fix = ("--package", f"{app} 1.1", "--no-dependencies", "--reason", "CVE-2026-1")
    done = conda("promote", unique, "--to", "testing", *fix)
    assert json.loads(done.stdout)["after"] == "v3.1"

    # It waits for somebody else, who says no and then yes.
    for answer, reason in (("reject", "not on a friday"), ("approve", "tried it")):
        held = conda("promote", unique, "--to", "stable", exit_code=WAITING, program=cli)
        number = json.loads(held.stdout)["entry"]
        assert f"To approve it: pulp conda lifecycle approve {unique} {number}" in held.stderr
        asked = conda("status", unique).stdout
        assert f"{number}: admin asks to approve v3.1 for stable." in asked
        refused = conda("approve", unique, str(number), exit_code=1)
        assert "[CND0042]" in refused.stderr
        answered = conda(answer, unique, str(number), "--reason", reason, program=ada)
    assert json.loads(answered.stdout)["outcome"] == "moved"
    stages = json.loads(conda("show", unique).stdout)["stages"]
    assert [stage["state"] for stage in stages] == ["v5", "v3.1", "v3.1"]
    assert [stage["behind"] for stage in stages] == [None, 1, 0]

    # Back to what it was, by name; the history has all of it.
    back = conda("rollback", unique, "--stage", "testing", "--state", "3", "--reason", "too new")
    assert json.loads(back.stdout)["after"] == "v3"
    for line in (
        "Clients keep the newer packages that they have. In such an environment:",
        f"    install, of these, what the environment has: '{app} <=1.0'",
        f"Lock files of v3 are there for desk: pulp conda lock export {unique} --stage testing",
    ):
        assert line in back.stderr
    entries = json.loads(conda("history", unique, "--stage", "testing").stdout)
    told = [[entry[key] for key in ("kind", "outcome", "state", "reason")] for entry in entries]
    assert told == [
        ["rolled_back", "moved", "v3", "too new"],
        ["packages", "moved", "v3.1", "CVE-2026-1"],
        ["promoted", "blocked", "v4", ""],
        ["promoted", "moved", "v3", "tuesday"],
    ]
    rejected = json.loads(conda("history", unique, "--outcome", "rejected").stdout)
    whole = json.loads(conda("history", unique, "--entry", str(rejected[0]["number"])).stdout)
    assert whole["answers"][0]["reason"] == "not on a friday"
    assert whole["report"]["gates"][0]["name"] == "two people"

    # And what differs, for programs and for people.
    changes = json.loads(conda("diff", unique, "testing", "stable").stdout)
    assert changes["summaries"] == {"upgraded": 1}
    changelog = conda("diff", unique, "testing", "stable", "--markdown").stdout
    assert f"- {app} 1.0 → 1.1 (noarch)" in changelog


def test_stages_are_made_adopted_added_and_deleted(pulp, conda, repository, unique):
    distribution = pulp.distribution(repository=repository)
    stages = ("--stage", "testing", "--stage", f"stable={distribution['name']}")
    made = json.loads(conda("create", unique, "--repository", unique, *stages).stdout)
    assert made["stages"][1]["distribution"] == distribution["pulp_href"]
    base_url = made["stages"][0]["base_url"]

    conda("update", unique, "--add-stage", "frozen", "--retain-days", "400", "--announce")
    conda("update", "--lifecycle", unique, "--retain-days", "")
    shown = json.loads(conda("show", "--href", made["pulp_href"]).stdout)
    assert [stage["name"] for stage in shown["stages"]] == ["testing", "stable", "frozen"]
    assert (shown["retain_days"], shown["announce"]) == (None, True)
    at = conda("url", unique, "--stage", "testing", "--at", "2026-03-03").stdout
    assert at == f"{base_url}at/2026-03-03/\n"
    at = conda("url", unique, "--stage", "testing", "--at", "2026-03-03T12:00:00Z").stdout
    assert at == f"{base_url}at/2026-03-03t120000z/\n"
    for wrong in ("soon", "2026-03-03T12", "v1.x", "2026-03-03T12:00:00+01:00"):
        assert "neither a state" in conda("url", unique, "--at", wrong, exit_code=2).stderr
    assert base_url in conda("url", "--name", unique).stdout

    found = json.loads(conda("list", "--repository", unique).stdout)
    assert [each["name"] for each in found] == [unique]
    assert "history of its stages?" in conda("destroy", unique, exit_code=1).stderr
    conda("destroy", unique, "--yes")
    assert json.loads(conda("list", "--name", unique).stdout) == []


def test_what_has_to_hold_is_said_by_options_or_in_a_file(conda, team, tmp_path):
    def gates(*words):
        return json.loads(conda("gate", *words).stdout)

    rules = ("--minimum-age", "7", "--allowed-licenses", "MIT,BSD-*", "--blocked", "ssl <3: CVE-1")
    (made,) = gates("set", team, "--stage", "stable", "--gate", "rules", "--kind", "policy", *rules,
                    "--required", "app", "--dependencies", "--action", "warn")  # fmt: skip
    assert made == {
        "name": "rules",
        "kind": "policy",
        "action": "warn",
        "minimum_age": {"days": 7.0},
        "licenses": {"allowed": ["MIT", "BSD-*"]},
        "blocked": [{"spec": "ssl <3", "reason": "CVE-1"}],
        "required": ["app"],
        "dependencies": True,
    }

    # One gate of a file takes the place of the one of its name; a date in it stays a text.
    file = tmp_path / "gate.yml"
    file.write_text(
        "name: rules\nkind: policy\nminimum_age:\n  days: 1\n"
        "  waivers: [{spec: ssl, until: 2999-01-31, reason: known}]\n"
    )
    gates("set", team, "--stage", "stable", "--gate", "yes", "--kind", "approval")
    changed, approval = gates("set", team, "--stage", "stable", "--file", file)
    assert changed["minimum_age"]["waivers"][0]["until"] == "2999-01-31"
    assert (changed["action"], approval["approvals"]) == ("block", 1)

    # What is listed can be given back: a list is all of the stage.
    file.write_text(conda("gate", "list", team, "--stage", "stable").stdout)
    assert gates("set", team, "--stage", "testing", "--file", file) == [changed, approval]
    assert gates("remove", team, "--stage", "testing", "--gate", "rules") == [approval]
    assert [(gate["stage"], gate["name"]) for gate in gates("list", team)] == [
        ("testing", "yes"),
        ("stable", "rules"),
        ("stable", "yes"),
    ]


def test_stages_and_gates_can_be_made_of_one_file(conda, repository, unique, tmp_path):
    file = tmp_path / "stages.yml"
    file.write_text(
        "- name: nightly\n- name: weekly\n  gates:\n  - {name: yes please, kind: approval}\n"
    )
    made = conda("create", unique, "--repository", unique, "--stages", file).stdout
    gates = {stage["name"]: stage["gates"] for stage in json.loads(made)["stages"]}
    assert gates["nightly"] == []
    assert [gate["name"] for gate in gates["weekly"]] == ["yes please"]


def test_a_stage_that_is_public_beside_a_guarded_one_is_a_warning(
    pulp, conda, repository, unique, tmp_path
):
    guard = pulp.post("contentguards/core/rbac/", name=unique)["pulp_href"]
    stages = tmp_path / "stages.json"
    stages.write_text(
        json.dumps([{"name": "a", "content_guard": guard}, {"name": "b", "content_guard": None}])
    )
    made = conda("create", unique, "--repository", unique, "--stages", str(stages))
    warning = "Warning: Everybody may read stage 'b', and other stages of lifecycle"
    assert made.stderr.splitlines()[-1].startswith(warning)
    added = conda("update", unique, "--add-stage", "c")
    assert warning in added.stderr
    assert (
        pulp.get("conda/lifecycles/", name=unique)["results"][0]["stages"][2]["content_guard"]
        == guard
    )


def test_labels_are_set_found_and_taken_away(conda, team):
    def found(select):
        return [each["name"] for each in json.loads(conda("list", "--label-select", select).stdout)]

    conda("update", team, "--labels", '{"team": "data"}')
    conda("label", "set", team, "--key", "owner", "--value", "ada")
    assert conda("label", "show", team, "--key", "owner").stdout == "ada\n"
    assert found("owner=ada,team=data") == [team]
    conda("label", "unset", team, "--key", "owner")
    assert found("owner") == []
    assert json.loads(conda("show", team).stdout)["pulp_labels"] == {"team": "data"}


def test_a_gate_is_passed_by_name_and_with_a_reason(conda, team):
    conda("gate", "set", team, "--stage", "testing", "--gate", "yes", "--kind", "approval")
    done = conda("promote", team, "--to", "testing", "--override", "yes=it cannot wait")
    assert json.loads(done.stdout)["overrides"]["yes"]["reason"] == "it cannot wait"
    assert "Gate 'yes' (approval) waiting: Waits for 1 to approve. Overridden: it cannot wait" in (
        done.stderr
    )


def test_in_the_background_nothing_is_waited_for(cli, team):
    outcome = cli.ok("--background", "conda", "lifecycle", "promote", team, "--to", "testing")
    assert outcome.stdout == ""
    assert "/pulp/api/v3/tasks/" in outcome.stderr


def test_a_message_to_a_webhook_is_looked_at_and_sent_again(cli, conda, team):
    with Receiver() as receiver:
        receiver.answers = [404, 404]
        conda("update", team, "--webhook-url", receiver.url)
        conda("promote", team, "--to", "testing")
        assert receiver.reached.wait(30)
        (message,) = cli.json("conda", "delivery", "list", team, "--event", "promoted")
        href = message["pulp_href"]
        again = cli("conda", "delivery", "redeliver", href)
        assert (again.exit_code, receiver.answers) == (1, [])
        assert "The message did not arrive" in again.stderr
        assert cli.json("conda", "delivery", "redeliver", href)["state"] == "delivered"
        shown = cli.json("conda", "delivery", "show", href)
    assert [attempt["status"] for attempt in shown["attempts"]] == [404, 404, 200]
    assert shown["payload"]["stage"] == "testing"


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        pytest.param("promote {team}", 2, "Missing option '--to'", id="nothing to move"),
        pytest.param(
            "promote {near} --to testing",
            1,
            "There is no conda lifecycle '{near}'. Did you mean '{team}'?",
            id="unknown lifecycle",
        ),
        pytest.param(
            "promote {team} --to stabel",
            1,
            "There is no stage 'stabel'. The stages are 'unstable', 'testing', 'stable'.",
            id="unknown stage",
        ),
        pytest.param("promote {team} --to unstable", 1, "[CND0037]", id="backwards"),
        pytest.param("promote {team} --to stable", 1, "[CND0035]", id="serves nothing yet"),
        pytest.param("promote {team} --to testing --state 99", 1, "[CND0036]", id="unknown state"),
        pytest.param(
            "promote {team} --to testing --package 'app ==='", 1, "[CND0007]", id="bad spec"
        ),
        pytest.param(
            "promote {team} --to testing --package app --state 1", 2, "but not both", id="both"
        ),
        pytest.param(
            "promote {team} --to testing --override yes", 2, "GATE=REASON", id="no reason"
        ),
        pytest.param(
            "promote {team} --to testing --override yes=no", 1, "has no gate 'yes'", id="no gate"
        ),
        pytest.param(
            "rollback {team} --stage unstable --state v9",
            1,
            "Stage 'unstable' never served v9. It served 'v1'.",
            id="no such past",
        ),
        pytest.param("approve {team} 99", 1, "has no entry 99", id="unknown entry"),
        pytest.param("approve {team} 1", 1, "[CND0044]", id="nothing waits"),
        pytest.param("diff {team} stable nightly", 1, "[CND0062]", id="unknown reference"),
        pytest.param("solve {team} --stage unstable", 1, "[CND0048]", id="no environment"),
        pytest.param("history {team} --stage x", 1, "Its stages are", id="history of no stage"),
        pytest.param("url {team} --at ../x", 2, "'../x' is neither a state", id="no state"),
        pytest.param(
            "create x --repository {team} --stages {folder}/words.yml",
            1,
            "--stages: Expected a list of items",
            id="wrong type",
        ),
        pytest.param("url {team} --stage x", 1, "Its stages are 'unstable'", id="url of no stage"),
        pytest.param("create x --repository {near}", 1, "Did you mean '{team}'?", id="repository"),
        pytest.param("create x", 1, "no conda repository 'x'", id="no repository"),
        pytest.param(
            "create x --repository {team} --stage a --stage a", 1, "[CND0040]", id="twice"
        ),
        pytest.param(
            "update {team} --webhook-secret 123", 1, "[CND0061]", id="a secret that is no key"
        ),
        pytest.param(
            "gate set {team} --stage testing --gate x --kind approvals",
            2,
            "'approvals' is not one of 'environments', 'policy', 'approval'",
            id="unknown kind",
        ),
        pytest.param(
            "gate set {team} --stage testing --gate x --kind approval --minimum-age 7",
            2,
            "--minimum-age is an option of gates of kind 'policy', not of kind 'approval'",
            id="option of another kind",
        ),
        pytest.param(
            "gate set {team} --stage testing --gate x --kind policy --required 'app ==='",
            1,
            "[CND0055]",
            id="bad spec in a policy",
        ),
        pytest.param(
            "gate set {team} --stage unstable --gate x --kind approval",
            1,
            "[CND0040]",
            id="gate before the first stage",
        ),
        pytest.param(
            "gate set {team} --stage testing --file {folder}/none.yml",
            2,
            "No such file",
            id="missing file",
        ),
        pytest.param(
            "gate set {team} --stage testing --file {folder}/broken.yml",
            2,
            "neither YAML nor JSON",
            id="broken file",
        ),
        pytest.param(
            "gate set {team} --stage testing --file {folder}/empty.yml",
            2,
            "empty.yml' is empty",
            id="empty file",
        ),
        pytest.param(
            "gate set {team} --stage testing --file {folder}/magic.yml",
            1,
            "Error: Gate 'x' of stage 'testing' is wrong: its 'kind'",
            id="unknown kind in a file",
        ),
        pytest.param(
            "gate remove {team} --stage testing --gate x",
            1,
            "Stage 'testing' has no gate 'x'. Its gates are: none.",
            id="unknown gate",
        ),
    ],
)
def test_what_is_wrong_is_said(words, exit_code, text, cli, one_team, tmp_path):
    (tmp_path / "empty.yml").write_text("")
    (tmp_path / "broken.yml").write_text("{a: [")
    (tmp_path / "words.yml").write_text("hello")
    (tmp_path / "magic.yml").write_text("[{name: x, kind: magic}]")
    names = {"team": one_team, "near": one_team[:-1], "folder": tmp_path}
    outcome = cli("conda", "lifecycle", *shlex.split(words.format(**names)))
    assert outcome.exit_code == exit_code, outcome
    assert text.format(**names) in outcome.stderr
    assert (outcome.stdout, "Traceback" in outcome.stderr) == ("", False)
