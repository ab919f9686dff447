"""The board with buttons: who sees what, and that a button does what REST does."""

import re

import pytest

from tests.support.board import (
    BOARDS,
    PROMOTE,
    ROLL_BACK,
    Person,
    board_of,
    dispatched,
    hidden_fields,
    make_people,
    make_team,
    pages_of,
    rows,
)
from tests.support.tokens import bearer


@pytest.fixture(scope="module")
def team(pulp, make_repository, make_packages):
    return make_team(pulp, make_repository, make_packages)


@pytest.fixture(scope="module")
def people(pulp, team):
    return make_people(pulp, team, "stranger", "viewer", "promoter")


@pytest.fixture
def admin():
    return Person("admin")


def test_the_board_says_what_each_stage_serves_what_waits_and_who_did_what(admin, team):
    text = admin.open(board_of(team)).text
    assert "Tools of the team." in text
    assert re.findall(r'class="state">([^<]+)<', text) == ["v2", "v1"]
    assert "serves nothing yet" in text
    assert "v2 of unstable waits" in text
    assert "testing got its first state, v1" in text
    assert "asked by <strong>admin</strong>" in text
    assert team.name in admin.open(BOARDS).text
    assert f'href="{board_of(team, PROMOTE)}"' in text
    assert f'href="{board_of(team, ROLL_BACK)}"' in text
    assert f'href="{board_of(team, ROLL_BACK)}?entry=1"' in text
    # Nothing earlier is there to go back to.
    assert board_of(team, "stages/testing/rollback/") not in text


@pytest.mark.parametrize("page", range(11))
def test_a_page_needs_a_login_and_a_right_and_runs_nothing(team, people, page):
    path = pages_of(team)[page]
    answer = Person().open(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/auth/login/?next=/pulp/api/v3/conda/board/")
    viewer, stranger = people["viewer"][0].open(path), people["stranger"][0].open(path)
    assert viewer.status_code == 200
    if path == BOARDS:
        assert team.name in viewer.text and team.name not in stranger.text
    else:
        absent = people["stranger"][0].open(f"{BOARDS}{'0' * 8}-0000-0000-0000-{'0' * 12}/")
        assert (stranger.status_code, absent.status_code) == (404, 404)
        # What is hidden looks as what is not there.
        assert _without_secrets(stranger) == _without_secrets(absent)
    for shown in (viewer, stranger):
        policy = shown["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"} <= {*policy}
        assert not [each for each in policy if each.startswith("script-src")]
        assert "<script" not in shown.text
        assert shown["X-Content-Type-Options"] == "nosniff"
        assert shown["Referrer-Policy"] == "same-origin"
        assert shown["Cache-Control"] == "no-store"
        # Each form has a CSRF token.
        forms = re.findall(r'<form [^>]*method="post".*?</form>', shown.text, re.DOTALL)
        assert forms and all('name="csrfmiddlewaretoken"' in form for form in forms)


def _without_secrets(answer):
    return re.sub(r'(csrfmiddlewaretoken" value=")[^"]+', r"\1", answer.text)


@pytest.mark.parametrize("path", [PROMOTE, ROLL_BACK, "history/2/approve/", "history/2/reject/"])
def test_a_form_of_another_site_does_nothing(admin, team, path):
    fields = hidden_fields(admin.open(board_of(team, path)), "decide")
    fields.pop("csrfmiddlewaretoken", None)
    before = rows()
    assert admin.send(board_of(team, path), **fields).status_code == 403
    assert rows() == before


def test_a_token_or_a_password_is_no_login_here(pulp, team):
    token = pulp.post("conda/tokens/", name="board", scopes=["promote"])["token"]
    for headers in (bearer(token), {"Authorization": "Basic YWRtaW46cGFzc3dvcmQ="}):
        for answer in (
            Person().open(board_of(team), headers=headers),
            Person().client.get(board_of(team, PROMOTE), headers=headers),
        ):
            assert answer.status_code == 302, answer.content
    assert Person().open(f"/t/{token}{board_of(team)}").status_code == 404


@pytest.mark.parametrize(
    ("path", "verb", "body"),
    [
        pytest.param(PROMOTE, "promote", {"stage": "testing", "state": "v2"}, id="promote"),
        pytest.param(ROLL_BACK, "rollback", {"stage": "unstable", "entry": 1}, id="roll back"),
    ],
)
def test_a_button_dispatches_what_rest_does(pulp, admin, team, path, verb, body):
    typed = {"reason": "as REST does"}
    page = admin.press(board_of(team, path), dry_run="true", **typed)
    by_button = dispatched()
    assert page.status_code == 200 and "would move" in page.text
    report = pulp.post(f"{team.href}{verb}/", **body, **typed, dry_run=True)["result"]
    assert by_button == dispatched()
    assert report["outcome"] == "moved"


def test_who_may_only_look_is_told_which_role_is_needed(team, people):
    person = people["viewer"][0]
    for path in ("", PROMOTE, ROLL_BACK):
        shown = person.open(board_of(team, path))
        assert "needs the role conda.condalifecycle_promoter" in shown.text
        assert f'href="{board_of(team, PROMOTE)}"' not in shown.text
        assert hidden_fields(shown, "decide") == {}
    for path, verb in ((PROMOTE, "promote"), (ROLL_BACK, "rollback")):
        fields = hidden_fields(people["promoter"][0].open(board_of(team, path)), "decide")
        token = {"csrfmiddlewaretoken": person.client.cookies["csrftoken"].value}
        before = rows()
        answer = person.send(board_of(team, path), **{**fields, **token})
        assert answer.status_code == 403
        assert "needs the role conda.condalifecycle_promoter" in answer.text
        refused = people["viewer"][1].try_post(f"{team.href}{verb}/", stage="testing")
        assert refused.status_code == 403
        assert rows() == before
