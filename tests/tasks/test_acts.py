"""Who did what: an act is noted when it happens, and only then."""

import json
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from pulp_conda.app.models import CondaAct
from tests.support.builders import make_package
from tests.support.conda import TaskFailed
from tests.support.tokens import ask, bearer


@pytest.fixture
def acts(pulp):
    """Return what was done to an object: (verb, details), the oldest first."""

    def read(href, **filters):
        prn = href if href.startswith("prn:") else pulp.get(href)["prn"]
        found = pulp.list("conda/acts/", resource=prn, **filters)
        return [(act["verb"], act["details"]) for act in reversed(found)]

    return read


def test_what_users_do_to_an_object_is_noted_without_values(pulp, acts):
    remote = pulp.post("remotes/conda/conda/", name="acts", url="https://h/t/s3cret/channel")
    href, prn = remote["pulp_href"], remote["prn"]
    pulp.patch(href, excludes=["numpy"])
    pulp.patch(href, url="https://h/t/s3cret2/channel", password="hush", username="ada")
    pulp.patch(href, url="https://h/t/s3cret2/channel")
    pulp.delete(href)
    assert acts(prn) == [
        ("created", {}),
        ("granted", {"role": "conda.condaremote_owner", "user": "admin"}),
        ("updated", {"fields": ["excludes"]}),
        ("updated", {"fields": ["password", "token", "username"]}),
        ("deleted", {}),
    ]


@pytest.fixture(scope="module")
def owner(pulp):
    return pulp.user(
        [
            "conda.condarepository_creator",
            "conda.condaremote_creator",
            "conda.condapackage_uploader",
        ]
    )


def test_a_version_says_who_made_it_by_which_task(pulp, owner):
    repository = owner.post("repositories/conda/conda/", name="acts", autopublish=True)
    package = owner.upload(make_package("acts"), repository=repository["pulp_href"])
    owner.modify(repository["pulp_href"], remove=[package["pulp_href"]])
    owner.delete(f"{repository['pulp_href']}versions/1/")
    acts = pulp.list("conda/acts/", resource=repository["prn"], ordering="pulp_created")
    assert [(act["verb"], act["details"], act["task_name"].rpartition(".")[2]) for act in acts] == [
        ("created", {}, ""),
        ("granted", acts[1]["details"], ""),
        ("changed_content", {"version": 1}, "create_content"),
        ("changed_content", {"version": 2}, "modify"),
        ("deleted_version", {"version": 1}, "delete_version"),
    ]
    name = acts[1]["details"]["user"]
    assert acts[1]["details"] == {"role": "conda.condarepository_owner", "user": name}
    assert {act["actor"] for act in acts} == {name}
    assert {act["resource_name"] for act in acts} == {"acts"}
    assert pulp.get(acts[2]["task"])["name"] == acts[2]["task_name"]
    published = pulp.list("conda/acts/", resource_name__startswith="acts/")
    assert [(act["verb"], act["resource_name"]) for act in published] == [
        ("created", "acts/2"),
        ("created", "acts/1"),
    ]
    pulp.delete(pulp.newest_publication(repository["pulp_href"]))
    deleted = pulp.list("conda/acts/", resource=published[0]["resource"])[0]
    assert (deleted["verb"], deleted["actor"]) == ("deleted", "admin")


def test_what_fails_is_no_act(pulp, acts, make_repository):
    repository = make_repository(autopublish=True)
    package = make_package("acts-twice")
    first = pulp.upload(package, repository=repository)
    before = acts(repository)
    other = make_package("acts-twice", depends=["python"])
    with pytest.raises(TaskFailed, match="CND0018"):
        pulp.upload(other, repository=repository)
    assert pulp.try_patch(repository, retain_repo_versions=-1).status_code == 400
    pulp.modify(repository, add=[first["pulp_href"]])
    assert acts(repository) == before


def test_moves_of_stages_are_acts_and_what_they_serve_is_not_told_twice(
    pulp, acts, make_repository
):
    repository = make_repository(autopublish=True)
    pulp.upload(make_package("acts-moved"), repository=repository)
    team = pulp.lifecycle(repository)
    team.promote("testing")
    team.set_gates("stable", {"name": "one", "kind": "approval", "approvals": 1})
    stages = {stage["name"]: stage for stage in team.read()["stages"]}
    (moved,) = pulp.list("conda/acts/", resource_name=f"{team.name}/testing", verb="moved")
    assert moved["details"] == {
        "entry": 2,
        "kind": "promoted",
        "outcome": "moved",
        "state": "v1",
    }
    assert moved["actor"] == "admin"
    assert acts(stages["testing"]["distribution"]) == acts(
        stages["testing"]["distribution"], verb__in="created,granted"
    )
    (gates,) = pulp.list("conda/acts/", resource_name=f"{team.name}/stable", verb="updated")
    assert gates["details"] == {"fields": ["gates"]}


def test_blocks_and_roles_are_acts(pulp, acts):
    block = pulp.post("conda/blocks/", sha256="ab" * 32, public_reason="bad")
    pulp.delete(block["pulp_href"])
    user = pulp.user([])
    name = user.session.auth[0]
    me = pulp.list("users/", username=name)[0]
    role = {"role": "conda.condablock_owner", "content_object": None}
    given = pulp.post(f"{me['pulp_href']}roles/", **role, domain=None)
    pulp.delete(given["pulp_href"])
    assert [verb for verb, _ in acts(block["prn"])] == ["created", "granted", "deleted"]
    (granted, revoked) = (
        pulp.get("conda/acts/", resource_name="default", verb=verb, limit=1)["results"][0][
            "details"
        ]
        for verb in ("granted", "revoked")
    )
    assert granted == revoked
    assert granted == {"role": "conda.condablock_owner", "user": name, "all_domains": True}


def test_acts_are_seen_with_a_role_and_changed_by_nobody(pulp, owner, make_repository):
    make_repository()
    act = pulp.get("conda/acts/", verb="created", limit=1)["results"][0]
    assert owner.list("conda/acts/") == []
    assert owner.try_get(act["pulp_href"]).status_code == 404
    auditor = pulp.user(["conda.condaact_viewer"])
    assert auditor.get(act["pulp_href"]) == act
    for change in (pulp.try_patch(act["pulp_href"]), pulp.try_delete(act["pulp_href"])):
        assert change.status_code == 405
    assert pulp.try_post("conda/acts/").status_code == 405


@pytest.mark.parametrize("path", ["promote", "promote_packages"])
def test_a_promotion_names_the_token_with_which_it_was_asked_for(pulp, make_repository, path):
    repository = make_repository(autopublish=True)
    team = pulp.lifecycle(repository)
    pulp.upload(make_package("first"), repository=repository)
    team.promote("testing")
    pulp.upload(make_package("by-token"), repository=repository)
    token = pulp.post("conda/tokens/", name=f"by-{path}", scopes=["promote"])["token"]
    body = {"stage": "testing"} | ({"specs": ["by-token"]} if "packages" in path else {})
    answer = ask(pulp, "POST", f"{team.href}{path}/", bearer(token), json=body)
    assert pulp.wait(answer.json())["state"] == "completed"
    found = pulp.list("conda/acts/", token=f"by-{path}")
    assert {act["actor"] for act in found} == {"admin"}
    verbs = [act["verb"] for act in found]
    assert verbs[0] == "moved" and verbs.count("moved") == 1
    assert ("changed_content" in verbs) == ("packages" in path)
    # The next one is done with a password.
    team.roll_back("testing")
    assert pulp.list("conda/acts/", token=f"by-{path}") == found


def test_acts_are_found_by_channel_and_time(pulp, make_repository):
    repository = make_repository(autopublish=True)
    name = pulp.get(repository)["name"]
    pulp.upload(make_package("acts-channel"), repository=repository)
    team = pulp.lifecycle(repository, name=name)
    team.promote("testing")
    make_repository()
    found = pulp.list("conda/acts/", channel=name)
    assert {act["resource_name"] for act in found} >= {name, f"{name}/1", f"{name}/testing"}
    assert all(act["resource_name"].split("/")[0] == name for act in found)
    # Names that begin with it are others.
    assert pulp.list("conda/acts/", channel=name[:-1]) == []
    middle = found[len(found) // 2]["pulp_created"]
    since = pulp.list("conda/acts/", channel=name, pulp_created__gte=middle)
    before = pulp.list("conda/acts/", channel=name, pulp_created__lt=middle)
    assert since + before == found and since and before


def test_acts_are_found_by_workflow(pulp, acts, make_repository):
    repository = make_repository()
    token = "trusted-publisher: octo/hello run 815 #1"
    CondaAct.objects.filter(resource=pulp.get(repository)["prn"], verb="created").update(
        details={"token": token}
    )
    (act,) = pulp.list("conda/acts/", workflow="octo/hello")
    assert act["details"] == {"token": token}
    assert pulp.list("conda/acts/", workflow="octo/other") == []


def test_an_export_has_a_line_for_each_act_the_oldest_first(pulp, make_repository):
    repository = make_repository()
    name = pulp.get(repository)["name"]
    pulp.patch(repository, autopublish=True)
    answer = pulp.try_get("conda/acts/export/", channel=name)
    assert answer.headers["Content-Type"] == "application/jsonl"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines == pulp.list("conda/acts/", channel=name)[::-1] and len(lines) == 3
    key = lines[0]["prn"].rpartition(":")[2]
    later = pulp.try_get("conda/acts/export/", channel=name, after=key)
    assert [json.loads(line) for line in later.text.splitlines()] == lines[1:]


def test_an_export_has_what_a_user_may_see(owner, pulp):
    assert owner.try_get("conda/acts/export/").text == ""
    auditor = pulp.user(["conda.condaact_viewer"])
    assert auditor.try_get("conda/acts/export/").text


def test_old_acts_go_with_the_orphan_cleanup_if_that_is_set(pulp, make_repository, copied):
    repository = make_repository()
    acts = CondaAct.objects.filter(resource=pulp.get(repository)["prn"])
    acts.filter(verb="created").update(pulp_created=timezone.now() - timedelta(days=31))
    pulp.post("orphans/cleanup/")
    assert acts.count() == 2
    with override_settings(CONDA_ACT_RETENTION_DAYS=30):
        pulp.post("orphans/cleanup/")
    assert [act.verb for act in acts] == ["granted"]
