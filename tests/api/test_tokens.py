"""Tokens and robots: who makes them, and what they open."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
import requests
from django.utils import timezone

from pulpcore.plugin.models.role import UserRole

from pulp_conda.app.models import CondaToken, FailedLogin
from tests.support.builders import make_package
from tests.support.moves import key
from tests.support.tokens import ANY_KEY, TOKEN_OPERATIONS, ask, bearer, operations_for_tokens

TOKENS, ROBOTS = "conda/tokens/", "conda/robots/"


@pytest.fixture(scope="module")
def maker(pulp):
    """Somebody who may make tokens and robots."""
    return pulp.user(["conda.condatoken_creator", "conda.condarobot_creator"])


@pytest.fixture(scope="module")
def name_of(pulp):
    def name_of(user):
        return user.session.auth[0]

    return name_of


@pytest.fixture
def make_token(pulp, unique):
    def make(user=pulp, **fields):
        name = f"{unique}-{uuid4().hex[:12]}"
        return user.post(TOKENS, **{"name": name, "scopes": ["read"], **fields})

    return make


def test_a_token_is_shown_once(pulp, make_token):
    made = make_token()
    assert re.fullmatch("cnd-[A-Za-z0-9]{40}", made["token"])
    for shown in (pulp.try_get(made["pulp_href"]), pulp.try_get(TOKENS)):
        assert shown.ok and made["token"] not in shown.text and "sha256" not in shown.text
    assert made["token"] not in pulp.try_get("conda/acts/", limit=10).text


def test_the_answer_with_a_token_is_kept_in_no_cache(pulp, unique):
    answer = pulp.try_post(TOKENS, name=unique, scopes=["read"])
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_token_belongs_to_who_makes_it(pulp, maker, name_of, make_token):
    made = make_token(maker)
    other = make_token()
    assert made["owner"] == name_of(maker)
    shown = maker.list(TOKENS)
    assert made["pulp_href"] in {each["pulp_href"] for each in shown}
    assert {each["owner"] for each in shown} == {name_of(maker)}
    assert maker.try_get(other["pulp_href"]).status_code == 404


def test_to_make_tokens_needs_a_role(pulp, unique):
    assert pulp.user([]).try_post(TOKENS, name=unique, scopes=["read"]).status_code == 403
    assert pulp.user([]).try_post(ROBOTS, name=unique).status_code == 403


def test_only_administrators_make_tokens_for_other_people(pulp, maker, name_of, make_token):
    domain_wide = pulp.user(["conda.condatoken_creator", "conda.condatoken_owner"])
    texts = set()
    for user in (maker, domain_wide):
        for owner in ("admin", name_of(pulp.user([])), "nobody-there"):
            refused = user.try_post(TOKENS, name="x", scopes=["read"], owner=owner)
            assert refused.status_code == 400
            texts.add(refused.text.replace(owner, "…"))
    assert len(texts) == 1, "it tells who there is"

    made = make_token(owner=name_of(maker))
    assert maker.get(made["pulp_href"])["owner"] == name_of(maker)
    # Also not by a new secret for a token that is there.
    assert domain_wide.try_post(f"{made['pulp_href']}rotate/").status_code == 403
    assert domain_wide.try_post(f"{made['pulp_href']}revoke/").status_code == 200
    assert maker.get(made["pulp_href"])["revoked"]


def test_a_robot_acts_by_tokens_only(pulp, maker, name_of, make_token, unique):
    robot = maker.post(ROBOTS, name=unique)
    assert robot["username"] == f"robot+default+{unique}"
    for password in ("", "!", robot["username"]):
        with type(pulp)(pulp.url, robot["username"], password or " ") as login:
            assert login.try_get(TOKENS).status_code == 401

    made = make_token(maker, owner=robot["username"], scopes=["promote"])
    path = f"conda/lifecycles/{ANY_KEY}/promote/"
    assert ask(pulp, "POST", path, bearer(made["token"])).status_code == 404
    # Who may not use the robot gets no token of it.
    other = pulp.user(["conda.condatoken_creator", "conda.condarobot_viewer"])
    body = {"name": "x", "scopes": ["read"], "owner": robot["username"]}
    assert other.try_post(TOKENS, **body).status_code == 400
    pulp.post(
        f"{robot['pulp_href']}add_role/",
        role="conda.condarobot_owner",
        users=[name_of(other)],
    )
    assert other.try_post(TOKENS, **body).status_code == 201

    assert pulp.try_delete(robot["pulp_href"]).status_code == 204
    assert ask(pulp, "POST", path, bearer(made["token"])).status_code == 401
    assert pulp.list("users/", username=robot["username"]) == []


def test_a_robot_gets_no_password(pulp, unique):
    robot = pulp.post(ROBOTS, name=unique)
    (user,) = pulp.list("users/", username=robot["username"])
    pulp.patch(user["pulp_href"], password="a-long-Password-1")
    with type(pulp)(pulp.url, robot["username"], "a-long-Password-1") as login:
        assert login.try_get(TOKENS).status_code == 401


def test_a_robot_outlives_who_made_it(pulp, name_of, make_token, unique):
    maker = pulp.user(["conda.condatoken_creator", "conda.condarobot_creator"])
    own = make_token(maker)
    robot = maker.post(ROBOTS, name=unique)
    token = make_token(maker, owner=robot["username"])
    (user,) = pulp.list("users/", username=name_of(maker))
    pulp.delete(user["pulp_href"])
    assert pulp.try_get(own["pulp_href"]).status_code == 404
    assert pulp.get(token["pulp_href"])["owner"] == robot["username"]


def test_a_robot_takes_no_user_that_is_there(pulp, unique):
    pulp.post("users/", username=f"robot+default+{unique}", password="a-long-Password-1")
    assert pulp.try_post(ROBOTS, name=unique).status_code == 400


@pytest.mark.parametrize("name", ["", "a b", "a+b", "../x", "é", "x" * 81])
def test_the_name_of_a_robot_can_be_part_of_a_user_name(pulp, name):
    assert pulp.try_post(ROBOTS, name=name).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["all"]},
        {"expires": "2020-01-01T00:00:00Z"},
        {"channels": []},
        {"channels": [], "lifecycles": []},
        {"channels": ["no-such-channel"]},
        {"lifecycles": ["no-such-lifecycle"]},
        {"name": ""},
    ],
    ids=str,
)
def test_a_token_that_would_be_for_nothing_is_refused(pulp, unique, wrong):
    body = {"name": unique, "scopes": ["read"], **wrong}
    assert pulp.try_post(TOKENS, **body).status_code == 400


def test_an_owner_has_a_name_once(pulp, make_token, unique):
    make_token(name=unique)
    refused = pulp.try_post(TOKENS, name=unique, scopes=["read"])
    assert refused.status_code == 400 and "already" in refused.text


def test_a_rotated_token_has_another_secret(pulp, make_token):
    made = make_token(scopes=["promote"], expires="2090-01-01T00:00:00Z")
    rotated = pulp.post(f"{made['pulp_href']}rotate/")
    assert rotated["pulp_href"] == made["pulp_href"] and rotated["expires"] == made["expires"]
    path = f"conda/lifecycles/{ANY_KEY}/promote/"
    statuses = [
        ask(pulp, "POST", path, bearer(each["token"])).status_code for each in (made, rotated)
    ]
    assert statuses == [401, 404]
    assert pulp.post(f"{made['pulp_href']}rotate/", expires=None)["expires"] is None


def test_a_revoked_token_stays_revoked(pulp, make_token):
    made = make_token(scopes=["promote"])
    revoked = pulp.post(f"{made['pulp_href']}revoke/")["revoked"]
    assert revoked and pulp.post(f"{made['pulp_href']}revoke/")["revoked"] == revoked
    refused = pulp.try_post(f"{made['pulp_href']}rotate/")
    assert refused.status_code == 400 and "CND0093" in refused.text
    assert made["pulp_href"] in {
        each["pulp_href"] for each in pulp.list(TOKENS, revoked__isnull=False)
    }


def test_tokens_are_found_by_their_owner(pulp, maker, name_of, make_token):
    made = make_token(owner=name_of(maker))
    found = pulp.list(TOKENS, owner=name_of(maker), name=made["name"])
    assert [each["pulp_href"] for each in found] == [made["pulp_href"]]


def test_what_is_done_with_a_token_is_noted_without_it(pulp, make_token):
    made = make_token()
    pulp.post(f"{made['pulp_href']}rotate/")
    pulp.post(f"{made['pulp_href']}revoke/")
    pulp.delete(made["pulp_href"])
    acts = pulp.list("conda/acts/", resource=made["prn"], ordering="pulp_created")
    shown = [
        (act["verb"], act["details"].get("fields")) for act in acts if act["verb"] != "granted"
    ]
    assert shown == [
        ("created", None),
        ("updated", ["sha256"]),
        ("updated", ["revoked"]),
        ("deleted", None),
    ]
    assert {act["resource_name"] for act in acts} == {f"admin: {made['name']}"}


def test_a_token_changes_without_another_secret(pulp, maker, name_of, make_token, unique):
    paths = [f"{unique}/{name}" for name in "ab"]
    for path in paths:
        pulp.distribution(base_path=path, name=path)
    made = make_token(channels=paths[:1], scopes=["promote"])
    href = made["pulp_href"]
    assert pulp.patch(href, channels=paths)["channels"] == paths
    # What is left out stays.
    assert pulp.patch(href, scopes=["upload", "promote"])["channels"] == paths
    assert pulp.try_patch(href, channels=[]).status_code == 400
    shown = pulp.patch(href, channels=None, expires="2090-01-01T00:00:00Z")
    assert (shown["channels"], shown["lifecycles"]) == (None, None)
    path = f"conda/lifecycles/{ANY_KEY}/promote/"
    assert ask(pulp, "POST", path, bearer(made["token"])).status_code == 404
    # Who sees it, and may not act as its owner, may not widen it.
    role = {"role": "conda.condatoken_owner", "users": [name_of(maker)]}
    pulp.post(f"{href}add_role/", **role)
    assert maker.try_patch(href, scopes=["read"]).status_code == 403
    assert pulp.try_patch(href, owner=name_of(maker)).status_code == 400


def test_a_token_whose_channels_are_gone_stays_limited(pulp, make_token, unique):
    channel = pulp.distribution(base_path=unique, name=unique)["pulp_href"]
    made = make_token(channels=[unique])
    pulp.delete(channel)
    assert pulp.patch(made["pulp_href"], scopes=["upload"])["channels"] == []


@pytest.fixture(scope="module")
def team(pulp):
    repository = pulp.post("repositories/conda/conda/", name="tokens", autopublish=True)
    pulp.upload(make_package("tokens"), repository=repository["pulp_href"])
    return pulp.lifecycle(repository["pulp_href"])


def test_a_token_for_a_lifecycle_promotes_there_and_nowhere_else(pulp, team, make_token):
    other = pulp.lifecycle(team.repository)
    token = make_token(scopes=["promote"], lifecycles=[team.name])
    assert (token["channels"], token["lifecycles"]) == (None, [team.name])
    headers = bearer(token["token"])
    body = {"json": {"stage": "testing"}}
    assert ask(pulp, "POST", f"{team.href}promote/", headers, **body).status_code == 202
    assert team.state("testing") == team.state("unstable")
    assert ask(pulp, "POST", f"{other.href}promote/", headers, **body).status_code == 404
    assert other.state("testing") is None


def test_a_token_for_one_stage_promotes_to_no_other(pulp, team, make_token):
    stage = team.stage("stable")["base_url"].rstrip("/").partition("/content/")[2]
    headers = bearer(make_token(scopes=["promote"], channels=[stage])["token"])
    before = team.state("testing")
    body = {"json": {"stage": "testing"}}
    refused = ask(pulp, "POST", f"{team.href}promote/", headers, **body)
    assert refused.status_code == 403 and "CND0091" in refused.text
    assert team.state("testing") == before


def test_a_token_shows_the_lifecycles_to_which_it_promotes(pulp, team, make_token):
    other = pulp.lifecycle(team.repository)
    stage = team.stage("stable")["base_url"].rstrip("/").partition("/content/")[2]
    for limits, shown in (
        ({}, [team, other]),
        ({"lifecycles": [team.name]}, [team]),
        ({"channels": [stage]}, [team]),
    ):
        headers = bearer(make_token(scopes=["promote"], **limits)["token"])
        listed = ask(pulp, "GET", "conda/lifecycles/", headers).json()["results"]
        hrefs = {each["pulp_href"] for each in listed}
        assert {each.href for each in shown} <= hrefs
        assert (other in shown) == (other.href in hrefs)
        for path in ("", "history/"):
            assert ask(pulp, "GET", f"{team.href}{path}", headers).status_code == 200
            status = ask(pulp, "GET", f"{other.href}{path}", headers).status_code
            assert status == (200 if other in shown else 404)


def test_a_token_gives_no_more_than_its_owner_has_now(pulp, team, name_of, make_token):
    user = pulp.user(["conda.condatoken_creator"])
    token = make_token(user, scopes=["promote"])
    path, body = f"{team.href}promote/", {"json": {"stage": "testing"}}
    assert ask(pulp, "POST", path, bearer(token["token"]), **body).status_code == 404
    role = {"role": "conda.condalifecycle_promoter", "users": [name_of(user)]}
    pulp.post(f"{team.href}add_role/", **role)
    assert ask(pulp, "POST", path, bearer(token["token"]), **body).status_code == 202
    pulp.post(f"{team.href}remove_role/", **role)
    assert ask(pulp, "POST", path, bearer(token["token"]), **body).status_code == 404


def test_a_wrong_token_is_answered_with_the_ways_to_log_in(pulp):
    wrong = "cnd-" + "0" * 40
    answer = ask(pulp, "GET", "conda/lifecycles/", bearer(wrong))
    assert answer.status_code == 401
    assert "CND0090" in answer.text and wrong not in answer.text
    challenges = answer.headers["WWW-Authenticate"]
    assert challenges.startswith("Basic ")
    assert challenges.endswith('Bearer realm="pulp", error="invalid_token"')
    for headers in ({}, {"Authorization": "Basic d3Jvbmc6d3Jvbmc="}):
        answer = ask(pulp, "GET", "conda/lifecycles/", headers)
        assert answer.headers["WWW-Authenticate"].endswith('Bearer realm="pulp"')


def test_a_password_is_still_one(pulp):
    with type(pulp)(pulp.url, "admin", "wrong", api=pulp.api) as stranger:
        assert stranger.try_get("conda/lifecycles/").status_code == 401
    assert pulp.try_get("conda/lifecycles/").status_code == 200


def test_no_other_operation_lets_a_token_in(pulp):
    """`tests/slow/tasks/test_tokens.py` tries all of Pulp."""
    let_in, nothing_there = operations_for_tokens(pulp, component="conda")
    assert let_in == TOKEN_OPERATIONS
    assert nothing_there == []


def test_wrong_credentials_are_slowed_down_for_the_address_that_sends_them(
    pulp, maker, name_of, make_token, copied, settings
):
    settings.CONDA_FAILED_LOGINS = 10
    headers = {"X-Forwarded-For": "192.0.2.1"}
    wrong = bearer("cnd-" + "0" * 40)
    statuses = [ask(pulp, "GET", TOKENS, headers | wrong).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    # A valid token is let in, and so is a password.
    token = bearer(make_token(scopes=["promote"])["token"])
    assert ask(pulp, "GET", TOKENS, headers | token).status_code == 403
    assert maker.try_get(TOKENS).status_code == 200

    def login(password, address):
        user = type(pulp)(pulp.url, name_of(maker), password, api=pulp.api)
        with user:
            user.session.headers["X-Forwarded-For"] = address
            return user.try_get(TOKENS)

    right = maker.session.auth[1]
    assert [login("wrong", "192.0.2.1").status_code for _ in range(10)] == [401] * 10
    refused = login(right, "192.0.2.1")
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) == 1
    assert "CND0092" in refused.text
    # Who guesses does not lock out the user, who is somewhere else.
    assert login(right, "192.0.2.2").status_code == 200


def test_the_content_app_counts_wrong_credentials_for_the_address_of_the_client(
    pulp, unique, copied
):
    channel = pulp.distribution(name=unique, base_path=unique, private=True)
    url = f"{channel['base_url']}noarch/repodata.json"
    proxy = {"X-Forwarded-For": "192.0.2.9"}
    FailedLogin.objects.all().delete()
    for headers in (bearer("cnd-" + "0" * 40), {"Authorization": "Basic YWRhOndyb25n"}):
        for more in ({}, proxy):
            assert requests.get(url, headers=headers | more).status_code == 401
    failed = FailedLogin.objects.values_list("address", "count")
    assert sorted(failed) == [("127.0.0.1", 1)] * 2 + [("192.0.2.9", 1)] * 2


def test_the_content_app_tells_who_guesses_to_wait(pulp, unique, copied, settings):
    settings.CONDA_FAILED_LOGINS = 2
    channel = pulp.distribution(name=unique, base_path=unique, private=True)
    url = f"{channel['base_url']}noarch/repodata.json"
    headers = {"X-Forwarded-For": "192.0.2.8", **bearer("cnd-" + "0" * 40)}
    answers = [requests.get(url, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[-1].headers["Retry-After"]) == 1


def test_tokens_that_ended_long_ago_are_deleted_with_the_next_one(
    pulp, make_token, settings, unique
):
    now, names = timezone.now(), ("expired", "revoked", "just expired", "just revoked", "valid")
    hrefs = {name: make_token()["pulp_href"] for name in names}
    for name, field, days in (
        ("expired", "expires", 91),
        ("revoked", "revoked", 91),
        ("just expired", "expires", 89),
        ("just revoked", "revoked", 89),
    ):
        tokens = CondaToken.objects.filter(pk=key(hrefs[name]))
        tokens.update(**{field: now - timedelta(days=days)})

    def left():
        make_token()
        return [name for name in names if pulp.try_get(hrefs[name]).status_code == 200]

    settings.CONDA_TOKEN_RETENTION_DAYS = None
    assert left() == [*names]
    acts = pulp.list("conda/acts/", verb="created", resource__startswith="prn:conda.condatoken:")
    settings.CONDA_TOKEN_RETENTION_DAYS = 90
    assert left() == [*names[2:]]
    settings.CONDA_TOKEN_RETENTION_DAYS = 0
    assert left() == ["valid"]
    after = pulp.list("conda/acts/", verb="created", resource__startswith="prn:conda.condatoken:")
    assert {act["pulp_href"] for act in acts} <= {act["pulp_href"] for act in after}
    assert not UserRole.objects.filter(object_id=key(hrefs["expired"])).exists()
