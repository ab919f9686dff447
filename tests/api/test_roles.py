"""Who may do what with a lifecycle: the table of the docs, cell by cell."""

from pathlib import Path

import pytest

from tests.support.builders import make_package
from tests.support.conda import TaskFailed

DOCS = Path(__file__).parents[2] / "docs/user/reference/roles.md"


def table(heading):
    """Yield (role, action, whether it is allowed) for each cell of a table in the docs."""
    section = DOCS.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    header, _, *rows = rows
    for action, *cells in rows:
        for role, cell in zip(header[1:], cells, strict=True):
            yield role, action, {"yes": True, "no": False}[cell]


TABLE = list(table("Roles of a lifecycle"))


@pytest.fixture(scope="module")
def team(pulp):
    """A lifecycle with something in each stage, a gate that ten people have to pass, and news of
    that.
    """
    repository = pulp.post("repositories/conda/conda/", name="roles", autopublish=True)["pulp_href"]
    pulp.upload(make_package("roles"), repository=repository)
    environment = pulp.environment(repository, "roles", "roles\n")["pulp_href"]
    team = pulp.lifecycle(repository, webhook_url="http://127.0.0.1:9/")
    for stage in ("testing", "stable"):
        team.promote(stage)
    team.set_gates("stable", {"name": "ten", "kind": "approval", "approvals": 10})
    pulp.upload(make_package("roles-2"), repository=repository)
    team.promote("testing")
    team.environment = environment
    return team


@pytest.fixture(scope="module")
def people(pulp, team):
    """A user for each column of the table, with the role on that lifecycle."""
    people = {"administrator": pulp, "nobody special": pulp.user([])}
    for role in ("viewer", "promoter", "approver", "owner", "creator"):
        people[role] = _with_role(pulp, role, team.href)
    return people


@pytest.fixture(scope="module")
def requester(pulp, team):
    """Somebody who asked for a promotion that waits for approval, whenever that is needed."""
    return team.as_user(_with_role(pulp, "owner", team.href))


@pytest.fixture(scope="module")
def waiting(requester):
    """The number of a request that waits for ten answers, so that none ends it but a rejection."""
    return requester.promote("stable")["entry"]


def _with_role(pulp, role, href):
    user = pulp.user([])
    _give(pulp, user, f"conda.condalifecycle_{role}", href)
    return user


def _creator(pulp, repository):
    """Somebody who may make a lifecycle of a repository."""
    user = pulp.user(["conda.condalifecycle_creator", "conda.condadistribution_creator"])
    _give(pulp, user, "conda.condarepository_owner", repository)
    return user


def _give(pulp, user, role, href):
    (made,) = pulp.get("users/", username=user.session.auth[0])["results"]
    pulp.post(f"{made['pulp_href']}roles/", role=role, content_object=href)


def _try(user, team, waiting, action):
    """Return the answer to a user who tries an action, of which some are about the request that
    waits.
    """
    stage = {"stage": "testing", "dry_run": True}
    match action:
        case "see":
            return user.try_get(team.href)
        case "list history":
            return user.try_get(f"{team.href}history/")
        case "list deliveries":
            return user.try_get(f"{team.href}deliveries/")
        case "create":
            name = f"by-{user.session.auth[0]}"
            return user.try_post("conda/lifecycles/", name=name, repository=team.repository)
        case "change":
            return user.try_patch(team.href, retain_days=7)
        case "delete":
            return user.try_delete(team.href)
        case "compare states":
            return user.try_get(f"{team.href}diff/", base="unstable", target="testing")
        case "get a lock file":
            answer = user.try_get(
                f"{team.href}lock/", stage="unstable", environment="x", lock_format="pixi"
            )
            # There is no environment of this name, which is told to those who may ask.
            answer.status_code = 200 if "CND0048" in answer.text else answer.status_code
            return answer
        case "solve environments":
            return user.try_post(f"{team.href}solve/", stage="unstable")
        case "promote":
            return user.try_post(f"{team.href}promote/", **stage)
        case "jump past stages":
            body = {"stage": "stable", "source": "unstable", "dry_run": True}
            return user.try_post(f"{team.href}promote/", **body)
        case "promote single packages":
            return user.try_post(f"{team.href}promote_packages/", **stage, specs=["roles-2"])
        case "roll back":
            return user.try_post(f"{team.href}rollback/", **stage)
        case "override a gate":
            body = {"stage": "stable", "overrides": {"ten": "because"}, "dry_run": True}
            return user.try_post(f"{team.href}promote/", **body)
        case "approve" | "reject":
            (entry,) = team.pulp.get(f"{team.href}history/", number=waiting)["results"]
            return user.try_post(f"{entry['pulp_href']}{action}/")
        case "redeliver a webhook":
            delivery = team.pulp.get(f"{team.href}deliveries/")["results"][0]
            return user.try_post(f"{delivery['pulp_href']}redeliver/")
        case "share roles":
            name = user.session.auth[0]
            body = {"users": [name], "role": "conda.condalifecycle_viewer"}
            answer = user.try_post(f"{team.href}add_role/", **body)
            if answer.ok:
                assert user.try_post(f"{team.href}remove_role/", **body).ok
            return answer
        case "see environments":
            return user.try_get(team.environment)
        case "add an environment":
            body = {"name": "new", "source": "roles\n", "format": "specs"}
            body |= {"platforms": ["linux-64"], "repository": team.repository}
            return user.try_post("content/conda/environments/", **body)


@pytest.mark.parametrize(
    "role, action, is_allowed",
    [
        pytest.param(role, action, allowed, id=f"{role}-{action}".replace(" ", "_"))
        for role, action, allowed in TABLE
    ],
)
def test_a_role_on_a_lifecycle_allows_what_the_table_says(
    pulp, team, people, requester, waiting, role, action, is_allowed
):
    if action == "reject" and is_allowed:
        # Which ends a request, so this one is for this rejection.
        waiting = requester.promote("stable")["entry"]
    if action == "delete" and is_allowed:
        team = pulp.lifecycle(team.repository)
        user = pulp if role == "administrator" else _with_role(pulp, role, team.href)
    elif action == "create" and role == "creator":
        user = _creator(pulp, team.repository)
    else:
        user = people[role]
    answer = _try(user, team, waiting, action)
    refused = (403, 404)
    if action == "add an environment":
        refused = (400,)  # the repository does not exist for them
    assert answer.status_code in ((200, 201, 202) if is_allowed else refused), answer.text


def test_who_may_not_see_a_lifecycle_does_not_learn_that_it_exists(people, team):
    nobody = people["nobody special"]
    assert nobody.try_get(team.href).status_code == 404
    assert nobody.try_patch(team.href, retain_days=1).status_code == 404
    assert nobody.try_post(f"{team.href}promote/", stage="testing").status_code == 404
    assert nobody.get("conda/lifecycles/")["count"] == 0
    assert people["viewer"].get("conda/lifecycles/")["count"] == 1


def test_a_role_on_all_lifecycles_counts_for_each(pulp, team):
    viewer = pulp.user(["conda.condalifecycle_viewer"])
    promoter = pulp.user(["conda.condalifecycle_promoter"])
    assert viewer.try_post(f"{team.href}promote/", stage="testing").status_code == 403
    assert promoter.try_post(f"{team.href}promote/", stage="testing").status_code == 202


def test_whoever_creates_a_lifecycle_owns_it_and_what_it_made(pulp, team):
    creator = _creator(pulp, team.repository)
    made = creator.lifecycle(team.repository)
    assert made.promote("testing")["outcome"] == "moved"
    assert creator.try_patch(made.stage("testing")["distribution"], pulp_labels={}).ok
    assert creator.try_patch(made.href, retain_days=3).ok


@pytest.mark.parametrize(
    "missing",
    [
        "conda.condalifecycle_creator",
        "conda.condadistribution_creator",
        "conda.condarepository_viewer",
    ],
)
def test_creating_a_lifecycle_takes_rights_on_all_that_it_is_made_of(pulp, team, missing, unique):
    roles = {
        "conda.condalifecycle_creator",
        "conda.condadistribution_creator",
        "conda.condarepository_viewer",
    }
    body = {"name": unique, "repository": team.repository}
    answer = pulp.user(roles - {missing}).try_post("conda/lifecycles/", **body)
    assert answer.status_code == (400 if missing == "conda.condarepository_viewer" else 403)
    assert pulp.get("distributions/conda/conda/", name__startswith=unique)["count"] == 0


def test_adopting_a_distribution_takes_the_right_to_change_it(pulp, team, unique):
    distribution = pulp.distribution()["pulp_href"]
    creator = _creator(pulp, team.repository)
    stages = [{"name": "first"}, {"name": "last", "distribution": distribution}]
    body = {"name": unique, "repository": team.repository, "stages": stages}
    assert creator.try_post("conda/lifecycles/", **body).status_code == 400
    _give(pulp, creator, "conda.condadistribution_viewer", distribution)
    assert creator.try_post("conda/lifecycles/", **body).status_code == 403
    _give(pulp, creator, "conda.condadistribution_owner", distribution)
    assert creator.try_post("conda/lifecycles/", **body).status_code == 202


def test_adding_a_stage_takes_the_same_rights_as_making_one(pulp, unique, make_repository):
    team = pulp.lifecycle(make_repository())
    owner = _with_role(pulp, "owner", team.href)
    stages = [{"name": name} for name in ("unstable", "testing", "stable", "frozen")]
    assert owner.try_patch(team.href, stages=stages).status_code == 403
    _give(pulp, owner, "conda.condadistribution_creator", None)
    owner.patch(team.href, stages=stages)
    assert [stage["name"] for stage in team.read()["stages"]][-1] == "frozen"


@pytest.mark.parametrize(
    "send, lacks",
    [
        pytest.param({"json": {"stage": "stable", "source": " unstable "}}, "skip stages",
                     id="jump-with-spaces"),
        pytest.param({"data": {"stage": "stable", "source": "unstable"}}, "skip stages",
                     id="jump-as-a-form"),
        pytest.param({"data": {"stage": "stable", "overrides.ten": "x"}}, "override gates",
                     id="override-as-a-form"),
    ],
)  # fmt: skip
def test_no_way_of_writing_a_request_leads_around_a_permission(people, team, send, lacks):
    promoter = people["promoter"]
    answer = promoter.session.post(f"{promoter.url}{team.href}promote/", **send)
    assert answer.status_code == 403
    assert "[CND0194]" in answer.text and f"may not {lacks}" in answer.text
    # Who may not promote at all learns nothing of that.
    viewer = people["viewer"]
    answer = viewer.session.post(f"{viewer.url}{team.href}promote/", **send)
    assert answer.status_code == 403 and "CND0194" not in answer.text


@pytest.mark.parametrize("person", ["owner", "administrator"])
def test_nobody_answers_an_own_request(pulp, team, requester, person):
    team = requester if person == "owner" else team
    lifecycle = pulp.lifecycle(team.repository)
    lifecycle.promote("testing")
    lifecycle.set_gates("stable", {"name": "yes", "kind": "approval"})
    user = pulp if person == "administrator" else _with_role(pulp, "owner", lifecycle.href)
    lifecycle.as_user(user).promote("stable")
    (entry,) = lifecycle.history("stable")
    for verb in ("approve", "reject"):
        refused = user.try_post(f"{entry['pulp_href']}{verb}/")
        assert (refused.status_code, "CND0042" in refused.text) == (400, True)
    (entry,) = lifecycle.history("stable")
    assert (entry["outcome"], entry["answers"]) == ("waiting", [])


@pytest.fixture(scope="module")
def distribution_owner(pulp, team):
    """Somebody who owns a lifecycle and all distributions, and sees what they serve, but is no
    administrator.
    """
    user = _with_role(pulp, "owner", team.href)
    for role in ("condadistribution_owner", "condapublication_viewer", "condarepository_viewer"):
        _give(pulp, user, f"conda.{role}", None)
    return user


@pytest.mark.parametrize("person", ["owner", "administrator"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("field", ["publication", "repository", "repository_version", "checkpoint"])
def test_nobody_moves_a_stage_through_its_distribution(
    pulp, team, distribution_owner, person, method, field
):
    user = pulp if person == "administrator" else distribution_owner
    stage = team.stage("stable")
    distribution = pulp.get(stage["distribution"])
    value = {
        "publication": pulp.newest_publication(team.repository),
        "repository": team.repository,
        "repository_version": f"{team.repository}versions/1/",
        "checkpoint": True,
    }
    body = {"name": distribution["name"], "base_path": distribution["base_path"]}
    if field in ("repository", "repository_version"):
        body["publication"] = None
    body[field] = value[field]
    answer = user._try(method, stage["distribution"], json=body)
    assert (answer.status_code, "CND0039" in answer.text) == (400, True)
    assert pulp.get(stage["distribution"]) == distribution


def test_a_distribution_that_is_a_stage_is_not_deleted(pulp, team):
    stage = team.stage("stable")
    with pytest.raises(TaskFailed) as refused:
        pulp.delete(stage["distribution"])
    assert f"lifecycle '{team.name}'" in refused.value.description
    assert pulp.get(stage["distribution"])["publication"] == stage["publication"]


def test_a_repository_with_a_lifecycle_is_not_deleted(pulp, team):
    with pytest.raises(TaskFailed) as refused:
        pulp.delete(team.repository)
    assert f"lifecycle '{team.name}'" in refused.value.description
    assert pulp.get(team.repository)["latest_version_href"]
