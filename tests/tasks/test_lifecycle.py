"""Stages: promotion, rollback, and what the history says of them."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed


@pytest.fixture(scope="module")
def untouched(pulp, make_repository, make_packages):
    """A lifecycle whose unstable stage has one package."""
    (one,) = make_packages("one")
    repository = make_repository(autopublish=True)
    pulp.modify(repository, add=[one])
    return pulp.lifecycle(repository)


@pytest.fixture
def team(untouched, copied):
    """The same, for a test that changes it."""
    return untouched


def test_a_lifecycle_is_made_in_one_request(pulp, untouched):
    lifecycle = pulp.get(untouched.href)
    assert [stage["name"] for stage in lifecycle["stages"]] == ["unstable", "testing", "stable"]
    assert [stage["state"] for stage in lifecycle["stages"]] == ["v1", None, None]
    assert lifecycle["stages"][0]["package_counts"] == {"noarch": 1}


def test_lifecycles_take_the_same_queries_however_many_they_are(pulp, team):
    def queries(path):
        with CaptureQueriesContext(connection) as captured:
            shown = pulp.get(path)
        return len(captured), shown

    one, shown = queries("conda/lifecycles/")
    team.promote("testing")
    pulp.lifecycle(team.repository).promote("testing")
    more, several = queries("conda/lifecycles/")
    assert several["count"] == shown["count"] + 1
    assert one == more
    assert several["results"][0]["stages"][1]["state"] == "v1"


def test_the_first_stage_follows_the_repository(pulp, team, make_packages):
    (two,) = make_packages("two")
    pulp.modify(team.repository, add=[two])
    assert len(pulp.names(team.urls["unstable"])) == 2
    assert [entry["state"] for entry in team.history("unstable")] == ["v2", "v1"]


def test_a_stage_is_promoted_to_the_next(pulp, team):
    report = team.promote("testing", reason="tuesday")
    assert report["outcome"] == "moved"
    assert (report["before"], report["after"]) == (None, "v1")
    assert report["changes"]["counts"] == {"added": 1}
    assert pulp.names(team.urls["testing"]) == pulp.names(team.urls["unstable"])
    (entry,) = team.history("testing")
    assert (entry["kind"], entry["outcome"], entry["requested_by"], entry["reason"]) == (
        "promoted",
        "moved",
        "admin",
        "tuesday",
    )


def test_a_promotion_that_changes_nothing_says_so(team):
    team.promote("testing")
    assert team.promote("testing")["outcome"] == "unchanged"
    assert len(team.history("testing")) == 1


def test_a_dry_run_gives_the_report_of_the_promotion_and_changes_nothing(pulp, team):
    planned = team.promote("testing", dry_run=True)
    assert team.history("testing") == []
    assert team.state("testing") is None
    report = team.promote("testing")
    assert planned == {**report, "dry_run": True, "entry": None}


def test_a_stage_is_rolled_back_to_what_it_was_and_forth_again(pulp, team, make_packages):
    team.promote("testing")
    first = pulp.fetch(team.urls["testing"], "noarch/repodata.json").content
    (two,) = make_packages("two")
    pulp.modify(team.repository, add=[two])
    team.promote("testing")
    assert team.roll_back("testing", reason="broken")["after"] == "v1"
    assert pulp.fetch(team.urls["testing"], "noarch/repodata.json").content == first
    to_second = team.history("testing")[1]["number"]
    assert team.roll_back("testing", entry=to_second)["after"] == "v2"
    assert team.roll_back("testing", entry=to_second)["outcome"] == "unchanged"


def test_a_report_says_how_clients_go_back_with_the_stage(pulp, make_repository, word):
    def named(name):
        return f"{name}-back-{word}"

    def add(*packages, remove=()):
        hrefs = [pulp.upload(package)["pulp_href"] for package in packages]
        pulp.modify(repository, add=hrefs, remove=remove, overwrite=True)
        return hrefs

    repository = make_repository(autopublish=True)
    team = pulp.lifecycle(repository)
    first = add(
        make_package(named("app"), "1.0"),
        make_package(named("lib"), "1.0"),
        make_package(named("rebuilt"), "1.0", "h1_0"),
        make_package(named("replaced"), files={"a": b"1"}),
        make_package(named("same")),
        make_package(named("withdrawn")),
    )
    pulp.environment(repository, "run", f"{named('app')}\n", platforms=["linux-64"])
    gate = {"name": "environments", "kind": "environments"}
    team.set_gates("testing", gate)
    earlier = team.promote("testing")
    assert earlier["way_back"] is None
    add(
        make_package(named("app"), "2.0"),
        make_package(named("app"), "0.9"),
        make_package(named("lib"), "1.0.1"),
        make_package(named("new")),
        make_package(named("rebuilt"), "1.0", "h2_1", build_number=1),
        make_package(named("replaced"), files={"a": b"2"}),
        remove=first[-1:],
    )
    assert team.promote("testing")["way_back"] is None
    expected = {
        "names": 5,
        "install": [
            f"{named('app')} <=1.0,!=0.9",
            f"{named('lib')} <=1.0",
            f'{named("rebuilt")}[version="==1.0",build_number="<=0"]',
        ],
        "reinstall": [named("replaced")],
        "remove": [named("new")],
        "environments": [{"name": "run", "platforms": ["linux-64"]}],
    }
    assert team.roll_back("testing", dry_run=True)["way_back"] == expected
    assert team.roll_back("testing")["way_back"] == expected
    assert team.history("testing")[0]["report"]["way_back"] == expected
    # Forward again: what is newer comes with an update.
    assert team.promote("testing")["way_back"] is None
    # A promotion may go back as well.
    assert team.promote("testing", state=earlier["after"])["way_back"] == expected


def test_rolling_back_twice_never_leads_forth_again(pulp, team, make_packages):
    team.promote("testing")
    for name in ("two", "three"):
        pulp.modify(team.repository, add=make_packages(name))
        team.promote("testing")
    assert team.roll_back("testing")["after"] == "v2"
    assert team.roll_back("testing")["after"] == "v1"
    with pytest.raises(TaskFailed) as failed:
        team.roll_back("testing")
    assert failed.value.code == "CND0036"
    team.promote("testing")
    assert team.roll_back("testing")["after"] == "v1"


def test_a_stage_says_how_far_it_is_behind(pulp, team, make_packages):
    team.promote("testing")
    (two,) = make_packages("two")
    pulp.modify(team.repository, add=[two])
    assert [stage["behind"] for stage in team.read()["stages"]] == [None, 1, 1]


@pytest.mark.parametrize(
    ("verb", "options", "code"),
    [
        pytest.param("promote", {"stage": "stable"}, "CND0035", id="a-source-that-serves-nothing"),
        pytest.param("promote", {"stage": "testing", "state": "v7"}, "CND0036", id="no-such-state"),
        pytest.param("rollback", {"stage": "testing"}, "CND0036", id="no-earlier-state"),
        pytest.param("rollback", {"stage": "testing", "entry": 1}, "CND0036", id="foreign-entry"),
    ],
)
def test_what_cannot_be_served_is_not_moved_to(pulp, untouched, verb, options, code):
    with pytest.raises(TaskFailed) as failed:
        pulp.post(f"{untouched.href}{verb}/", **options)
    assert failed.value.code == code
    assert untouched.history(options["stage"]) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(
            {"stage": "nightly"}, "The stages are 'unstable', 'testing', 'stable'", id="no-stage"
        ),
        pytest.param({"stage": "unstable"}, "CND0037", id="the-first"),
        pytest.param({"stage": "testing", "source": "stable"}, "CND0037", id="backwards"),
        pytest.param({"stage": "testing", "source": "testing"}, "CND0037", id="to-itself"),
        pytest.param({"stage": "testing", "state": "yesterday"}, "state", id="no-state"),
        pytest.param(
            {"stage": "testing", "overrides": {"x": "y"}}, "has no gate 'x'", id="no-gate"
        ),
        pytest.param({}, "required", id="nothing"),
    ],
)
def test_a_wrong_promotion_is_refused_at_once(pulp, untouched, body, words):
    answer = pulp.try_post(f"{untouched.href}promote/", **body)
    assert answer.status_code == 400
    assert words in answer.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"stages": [{}]}, ["name", "required"], id="stage-without-name"),
        pytest.param(
            {"repository": 1}, ["repository", "Incorrect type"], id="number-as-repository"
        ),
        pytest.param(
            {"stages": [{"name": "unstable", "distribution": []}]},
            ["distribution", "Incorrect type"],
            id="list-as-distribution",
        ),
    ],
)
def test_what_is_of_the_wrong_type_is_refused(pulp, untouched, body, words):
    answer = pulp.try_patch(untouched.href, **body)
    assert answer.status_code == 400
    assert all(word in answer.text for word in words)


def test_a_sync_of_nothing_new_leaves_a_stage_where_somebody_rolled_it_back(
    pulp, upstream, make_mirror, unique
):
    packages = [make_package(f"{name}-{unique}") for name in ("one", "two", "three")]
    mirror = make_mirror()
    team = pulp.lifecycle(mirror.repository)
    for count in (1, 2):
        make_channel(upstream.folder, packages[:count])
        pulp.sync(mirror.repository)
    team.roll_back("unstable")
    assert pulp.sync(mirror.repository) is None
    assert team.state("unstable") == "v1"
    make_channel(upstream.folder, packages)
    pulp.sync(mirror.repository)
    assert team.state("unstable") == "v3"


def test_a_url_that_becomes_a_stage_keeps_what_it_served_lately(
    pulp, make_repository, make_packages
):
    """Clients hold its index of before."""
    repository = make_repository(autopublish=True)
    one, two = make_packages("one", "two")
    pulp.modify(repository, add=[one])
    distribution = pulp.distribution(repository=repository)
    pulp.modify(repository, add=[two], remove=[one])
    url, path = distribution["base_url"], "noarch/" + pulp.get(one)["filename"]
    assert pulp.fetch(url, path).status_code == 200
    stages = [{"name": "first", "distribution": distribution["pulp_href"]}, {"name": "last"}]
    pulp.lifecycle(repository, stages=stages)
    assert pulp.fetch(url, path).status_code == 200


def test_a_stage_moves_by_promotion_alone(pulp, team):
    stage = team.stage("unstable")
    answer = pulp.try_patch(stage["distribution"], repository=team.repository, publication=None)
    assert answer.status_code == 400
    assert "CND0039" in answer.text
    pulp.patch(stage["distribution"], pulp_labels={"a": "b"})


def test_what_a_stage_served_is_protected(pulp, team, make_packages):
    pulp.patch(team.repository, retain_repo_versions=1)
    team.promote("testing")
    for name in ("two", "three"):
        (package,) = make_packages(name)
        pulp.modify(team.repository, add=[package])
    team.promote("testing")
    pulp.post("orphans/cleanup/", orphan_protection_time=0)
    versions = pulp.get(f"{team.repository}versions/")["results"]
    assert [version["number"] for version in versions] == [3, 2, 1]
    assert pulp.try_delete(versions[-1]["pulp_href"]).status_code == 400
    publication = team.history("testing")[-1]["publication"]
    refused = pulp.try_delete(publication)
    assert (refused.status_code, "CND0043" in refused.text) == (400, True)
    assert team.roll_back("testing")["after"] == "v1"
    assert len(pulp.names(team.urls["testing"])) == 1


def test_history_that_is_not_kept_goes(pulp, team, make_packages):
    pulp.patch(team.href, retain_days=0)
    pulp.patch(team.repository, retain_repo_versions=1)
    for name in ("two", "three"):
        (package,) = make_packages(name)
        pulp.modify(team.repository, add=[package])
    versions = pulp.get(f"{team.repository}versions/")["results"]
    # While the third was made, the second was still served.
    assert [version["number"] for version in versions] == [3, 2]
    assert [entry["publication"] is None for entry in team.history()] == [False, False, True]
    with pytest.raises(TaskFailed) as failed:
        team.roll_back("unstable", entry=1)
    assert failed.value.code == "CND0038"


def test_somebody_else_has_to_approve(pulp, team):
    team.set_gates("testing", {"name": "two eyes more", "kind": "approval"})
    report = team.promote("testing", reason="please")
    assert report["outcome"] == "waiting"
    assert team.promote("testing")["entry"] == report["entry"]
    (entry,) = team.history("testing")
    own = pulp.try_post(f"{entry['pulp_href']}approve/")
    assert (own.status_code, "CND0042" in own.text) == (400, True)
    boss = team.as_user(pulp.user(["conda.condalifecycle_approver"]))
    task = boss.pulp.post(f"{entry['pulp_href']}approve/", reason="fine")
    assert task["result"]["outcome"] == "moved"
    (entry,) = team.history("testing")
    assert (entry["outcome"], entry["answers"][0]["reason"]) == ("moved", "fine")
    again = boss.pulp.try_post(f"{entry['pulp_href']}reject/")
    assert (again.status_code, "CND0044" in again.text) == (400, True)


def test_a_rejected_request_is_closed(pulp, team):
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    team.promote("testing")
    (entry,) = team.history("testing")
    boss = team.as_user(pulp.user(["conda.condalifecycle_approver"]))
    answered = boss.pulp.post(f"{entry['pulp_href']}reject/", reason="not on a friday")
    assert answered["outcome"] == "rejected"
    assert team.state("testing") is None
    assert team.promote("testing")["entry"] > entry["number"]


def test_a_gate_is_overridden_with_a_reason(team):
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    report = team.promote("testing", overrides={"yes": "CVE-2026-1"})
    assert report["outcome"] == "moved"
    assert report["gates"][0]["overridden"] == "CVE-2026-1"
    assert report["gates"][0]["overridden_by"] == "admin"


def test_two_states_are_compared_however_they_are_named(pulp, team, make_packages):
    team.promote("testing")
    (two,) = make_packages("two")
    pulp.modify(team.repository, add=[two])
    publication = team.stage("unstable")["publication"]
    name = pulp.get(two)["name"]
    for base, target in [
        ("testing", "unstable"),
        ("v1", "v2"),
        ("unstable@v1", "unstable@V2"),
        ("unstable/at/v1", "unstable/at/V2"),
        ("testing", publication),
    ]:
        answer = pulp.get(f"{team.href}diff/", base=base, target=target)
        assert answer["counts"] == {"added": 1}
        assert [(change["name"], change["summary"]) for change in answer["names"]] == [
            (name, "new")
        ]
    # However it is asked for, it is said as in URLs.
    answer = pulp.get(f"{team.href}diff/", base="unstable@V1", target="unstable")
    assert (answer["base"], answer["target"]) == ("unstable/at/v1", "unstable")
    text = pulp.try_get(f"{team.href}diff/", base="testing", target="unstable", format="markdown")
    assert text.text.startswith(f"# {team.name}") and "testing → unstable" in text.text
    assert f"{name} 1.0" in text.text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("nightly", "CND0062", id="no-stage"),
        pytest.param("v77", "CND0062", id="no-version"),
        pytest.param("stable", "CND0062", id="serves-nothing"),
        pytest.param("unstable@2001-01-01", "CND0062", id="before-the-first"),
        pytest.param("2001-01-01", "CND0062", id="before-the-repository"),
        pytest.param("unstable@2999-01-01", "CND0059", id="future"),
        pytest.param("unstable@soon", "CND0058", id="no-date"),
        pytest.param("/pulp/api/v3/publications/conda/conda/x/", "CND0062", id="no-publication"),
    ],
)
def test_what_is_no_state_is_not_compared(pulp, untouched, text, code):
    answer = pulp.try_get(f"{untouched.href}diff/", base="unstable", target=text)
    assert (answer.status_code, code in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        pytest.param("promote", {"stage": "testing", "dryrun": True}, id="promote"),
        pytest.param(
            "promote_packages", {"stage": "testing", "specs": ["a"], "dryrun": True}, id="packages"
        ),
        pytest.param("rollback", {"stage": "unstable", "state": "v1"}, id="rollback"),
    ],
)
def test_a_typing_error_in_the_name_of_a_field_moves_nothing(pulp, untouched, verb, body):
    answer = pulp.try_post(f"{untouched.href}{verb}/", **body)
    assert (answer.status_code, "Unexpected field" in answer.text) == (400, True)
    assert untouched.state("testing") is None


def test_a_typing_error_in_a_stage_is_told(pulp, untouched):
    stages = [{"name": "unstable"}, {"name": "testing", "gate": []}, {"name": "stable"}]
    answer = pulp.try_patch(untouched.href, stages=stages)
    assert (answer.status_code, '"gate":["Unexpected field"]' in answer.text) == (400, True)


def test_what_a_lifecycle_says_of_its_stages_can_be_sent_back(pulp, untouched):
    before = untouched.read()["stages"]
    pulp.patch(untouched.href, stages=before)
    assert untouched.read()["stages"] == before


# The channel that is there already


def _paths(team):
    return [stage["base_url"].rstrip("/").partition("/content/")[2] for stage in team["stages"]]


@pytest.fixture
def followed(pulp, make_repository, make_packages):
    """A repository that publishes, with a package."""
    (one,) = make_packages("followed")
    repository = make_repository(autopublish=True)
    pulp.modify(repository, add=[one])
    return repository


@pytest.mark.parametrize(
    "channel, stages",
    [
        pytest.param("{}", ["{}", "{}-testing", "{}-stable"], id="at the common path"),
        pytest.param(
            "{}/unstable", ["{}/unstable", "{}/testing", "{}/stable"], id="at its own path"
        ),
        pytest.param(
            "{}-2", ["{}/unstable", "{}/testing", "{}/stable"], id="where it is in nobody's way"
        ),
    ],
)
def test_a_channel_in_the_way_of_its_stages_becomes_the_first_where_it_is(
    pulp, followed, unique, guard, channel, stages
):
    channel = channel.format(unique)
    fields = {"base_path": channel, "content_guard": guard}
    there = pulp.distribution(name=unique, repository=followed, **fields)
    team = pulp.lifecycle(followed, name=unique)
    assert _paths(team.read()) == [path.format(unique) for path in stages]
    is_adopted = channel in _paths(team.read())
    first = team.stage("unstable")
    assert first["state"] == "v1"
    assert (first["distribution"] == there["pulp_href"]) is is_adopted
    # A private channel does not become public by that.
    assert set(_guards(team).values()) == {guard if is_adopted else None}
    names = [{"name": name} for name in ("unstable", "testing", "stable", "frozen")]
    pulp.patch(team.href, stages=names)
    between = "-" if channel == unique else "/"
    assert _paths(team.read())[-1] == f"{unique}{between}frozen"


def test_a_channel_that_does_not_follow_the_repository_is_not_adopted(pulp, followed, unique):
    version = pulp.get(followed)["latest_version_href"]
    pulp.distribution(base_path=unique, repository_version=version)
    answer = pulp.try_post("conda/lifecycles/", name=unique, repository=followed)
    assert answer.status_code == 400
    assert f"[CND0040] Stage 'unstable': The stages cannot be like this: its path '{unique}/" in (
        answer.text
    )


def test_a_channel_is_adopted_for_users_who_may_change_it(pulp, followed, unique):
    channel = pulp.distribution(base_path=unique, repository=followed)["pulp_href"]
    user = pulp.user(["conda.condalifecycle_creator", "conda.condadistribution_creator"])
    (account,) = pulp.get("users/", username=user.session.auth[0])["results"]

    def give(role, href):
        pulp.post(f"{account['pulp_href']}roles/", role=role, content_object=href)

    give("conda.condarepository_owner", followed)
    body = {"name": unique, "repository": followed}
    # It is hidden, so its name and its kind are not told.
    assert "overlaps with that of another distribution" in (
        user.try_post("conda/lifecycles/", **body).text
    )
    give("conda.condadistribution_viewer", channel)
    assert user.try_post("conda/lifecycles/", **body).status_code == 403
    give("conda.condadistribution_owner", channel)
    made = user.created(user.post("conda/lifecycles/", **body), "/lifecycles/")
    assert pulp.get(made)["stages"][0]["distribution"] == channel


# Guards


@pytest.fixture
def guard(pulp, unique):
    return pulp.post("contentguards/core/rbac/", name=unique)["pulp_href"]


def _guards(team):
    return {stage["name"]: stage["content_guard"] for stage in team.read()["stages"]}


def _warned(resource):
    return [re.findall("stage '(.*?)'", warning)[0] for warning in resource["warnings"]]


def test_new_stages_have_the_guard_of_the_others(pulp, make_repository, guard):
    repository = make_repository()
    private = pulp.distribution(repository=repository, content_guard=guard)["pulp_href"]
    names = ("unstable", "testing", "stable")
    stages = [{"name": name} for name in names]
    stages[1]["distribution"] = private
    team = pulp.lifecycle(repository, stages=stages)
    assert _guards(team) == dict.fromkeys(names, guard)
    for stage in team.read()["stages"]:
        assert pulp.get(stage["distribution"])["content_guard"] == guard
    pulp.patch(team.href, stages=[*({"name": name} for name in names), {"name": "old"}])
    assert _guards(team)["old"] == guard
    assert team.read()["warnings"] == []


def test_a_stage_is_public_beside_others_only_if_that_is_said(pulp, make_repository, guard):
    repository = make_repository()
    public = pulp.distribution(repository=repository)["pulp_href"]
    stages = [
        {"name": "unstable", "content_guard": guard},
        {"name": "stable", "distribution": public},
    ]
    body = {"name": "guarded", "repository": repository, "stages": stages}
    answer = pulp.try_post("conda/lifecycles/", **body)
    assert answer.status_code == 400
    assert "[CND0040] Stage 'stable'" in answer.text and "'content_guard'" in answer.text
    stages[1]["content_guard"] = None
    stages.append({"name": "past"})
    team = pulp.lifecycle(repository, stages=stages)
    assert _guards(team) == {"unstable": guard, "stable": None, "past": guard}
    assert _warned(team.read()) == ["stable"]


def test_a_guard_is_taken_from_a_stage_with_a_warning(pulp, make_repository, guard):
    stages = [{"name": "unstable", "content_guard": guard}, {"name": "stable"}]
    team = pulp.lifecycle(make_repository(), stages=stages)
    stages[1]["content_guard"] = None
    answer = pulp.try_patch(team.href, stages=stages)
    assert answer.status_code == 400 and "it keeps its content guard" in answer.text
    stable = team.stage("stable")["distribution"]
    done = pulp.patch(stable, content_guard=None)
    assert _warned(done["result"]) == ["stable"]
    assert _warned(pulp.get(stable)) == _warned(team.read()) == ["stable"]
    assert (
        pulp.get("distributions/conda/conda/", name=team.name + "-stable")["results"][0]["warnings"]
        is None
    )
    pulp.patch(team.stage("unstable")["distribution"], content_guard=None)
    assert pulp.get(stable)["warnings"] == team.read()["warnings"] == []


def test_one_flag_makes_all_stages_private_and_public_again(pulp, make_repository, unique):
    repository = make_repository()
    adopted = pulp.distribution(repository=repository)
    stages = [{"name": "a", "distribution": adopted["pulp_href"]}, {"name": "b"}]
    team = pulp.lifecycle(repository, name=unique, stages=stages, private=True)
    (guard,) = set(_guards(team).values())
    assert "/contentguards/conda/conda/" in guard and team.read()["private"] is True
    first = team.stage("a")["distribution"]
    pulp.patch(first, content_guard=None)
    assert team.read()["private"] is None and _warned(team.read()) == ["a"]
    names = [{"name": name} for name in "abc"]
    pulp.patch(team.href, private=True, stages=names)
    assert _guards(team) == dict.fromkeys("abc", guard)
    pulp.patch(team.href, private=False, stages=[*names, {"name": "d"}])
    assert _guards(team) == dict.fromkeys("abcd") and team.read()["private"] is False


def test_a_guard_of_a_stage_that_was_chosen_stays(pulp, make_repository, guard):
    stages = [{"name": "a", "content_guard": guard}, {"name": "b", "content_guard": None}]
    repository = make_repository()
    body = {"name": "chosen", "repository": repository, "stages": stages}
    for private, named in ((True, "'b' (null)"), (False, "'a' ('")):
        answer = pulp.try_post("conda/lifecycles/", **body, private=private)
        assert answer.status_code == 400 and "[CND0138]" in answer.text and named in answer.text


def test_who_may_not_change_a_distribution_does_not_make_its_stage_public(
    pulp, make_repository, unique
):
    team = pulp.lifecycle(make_repository(), name=unique, private=True)
    user = pulp.user(["conda.condalifecycle_owner"])
    assert user.try_patch(team.href, private=True).status_code < 300
    assert user.try_patch(team.href, private=False).status_code == 403
    assert team.read()["private"] is True


def test_an_adopted_distribution_gets_the_guard_that_is_said(pulp, make_repository, guard):
    repository = make_repository()
    public = pulp.distribution(repository=repository)["pulp_href"]
    stages = [{"name": "unstable", "distribution": public, "content_guard": guard}]
    team = pulp.lifecycle(repository, stages=[*stages, {"name": "stable"}])
    assert _guards(team) == {"unstable": guard, "stable": guard}
