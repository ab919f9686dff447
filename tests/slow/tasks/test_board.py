"""The board with buttons: each button, and what is refused."""

import pytest
from django.test import override_settings

from pulp_conda.app.models import CondaAct
from tests.support.board import (
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

APPROVAL = {"name": "eyes", "kind": "approval"}
MISSING = {"name": "needed", "kind": "policy", "required": ["certifi"]}


@pytest.fixture(scope="module")
def team(pulp, make_repository, make_packages):
    return make_team(pulp, make_repository, make_packages)


@pytest.fixture(scope="module")
def people(pulp, team):
    return make_people(pulp, team, "viewer", "promoter", "approver", "owner")


@pytest.fixture
def admin():
    return Person("admin")


def test_what_people_write_is_text(admin, team):
    shown = admin.open(board_of(team)).content.decode()
    assert "<b>first" not in shown
    assert "&lt;b&gt;first" in shown


def test_to_open_a_page_changes_nothing(admin, team):
    before = rows()
    for path in pages_of(team):
        for method in (admin.client.get, admin.client.head):
            assert method(path).status_code == 200, path
    assert rows() == before


def test_a_page_before_a_move_shows_what_would_change(admin, team, word):
    text = admin.open(board_of(team, PROMOTE)).text
    assert "Promote v2 to testing" in text
    assert f"one-{word}" in text and f"two-{word}" in text
    assert "1 new, 1 gone." in text and "Look twice." in text
    assert "/-/changes?from=testing&to=unstable" in text
    text = admin.open(board_of(team, ROLL_BACK)).text
    assert "Roll unstable back to v1" in text and f"one-{word}" in text


def test_a_promotion_by_the_board_is_one_of_its_user(copied, people, team):
    person, rest = people["promoter"]
    page = person.press(board_of(team, PROMOTE), reason="'tis <i>time</i>")
    assert page.status_code == 200
    assert "testing moved from v1 to v2." in page.text
    assert "&lt;i&gt;" not in page.text
    assert team.state("testing") == "v2"
    entry = team.history("testing")[0]
    assert (entry["reason"], entry["requested_by"]) == (
        "'tis <i>time</i>",
        rest.session.auth[0],
    )
    act = CondaAct.objects.filter(verb="moved").order_by("pulp_created").last()
    assert act.actor_name == rest.session.auth[0]
    assert "Serves what" in person.open(board_of(team)).text


def test_a_stage_is_rolled_back_to_what_was_chosen(copied, pulp, people, team, make_packages):
    pulp.modify(team.repository, add=make_packages("three"))
    person = people["promoter"][0]
    page = person.press(board_of(team, ROLL_BACK), entry="1", reason="back")
    assert "unstable moved from v3 to v1." in page.text
    assert team.state("unstable") == "v1"
    assert "rolled back" in person.open(board_of(team)).text


def test_a_request_is_answered_by_somebody_else(copied, people, team):
    team.set_gates("testing", APPROVAL)
    promoter, approver = people["promoter"][0], people["approver"][0]
    page = promoter.press(board_of(team, PROMOTE), reason="release <48>")
    assert "waits until enough people approve" in page.text
    number = team.history("testing")[0]["number"]
    approve, reject = (
        board_of(team, f"history/{number}/{verb}/") for verb in ("approve", "reject")
    )
    own = promoter.open(board_of(team))
    assert "You asked for this, so somebody else has to answer." in own.text
    assert approve not in own.text
    viewer = people["viewer"][0].open(board_of(team)).text
    assert "needs the role conda.condalifecycle_approver" in viewer and approve not in viewer
    shown = approver.open(board_of(team)).text
    assert approve in shown and reject in shown and "release <48>" in shown
    page = approver.press(approve, reason="tried")
    assert dispatched()[0] == "pulp_conda.app.tasks.moves.answer"
    assert "testing moved from v1 to v2." in page.text
    assert "said yes" in approver.open(board_of(team)).text
    closed = approver.open(approve)
    assert hidden_fields(closed, "decide") == {} and "closed" in closed.text
    token = {"csrfmiddlewaretoken": approver.client.cookies["csrftoken"].value}
    refused = approver.send(approve, **token)
    assert refused.status_code == 400 and "[CND0044]" in refused.text


def test_a_request_is_rejected(copied, people, team):
    team.set_gates("testing", APPROVAL)
    people["promoter"][0].press(board_of(team, PROMOTE))
    number = team.history("testing")[0]["number"]
    page = people["approver"][0].press(board_of(team, f"history/{number}/reject/"), reason="no")
    assert "was rejected" in page.text
    assert team.history("testing")[0]["outcome"] == "rejected"


def test_a_gate_is_passed_only_by_who_may_override_it(copied, people, team):
    team.set_gates("testing", MISSING)
    page = people["promoter"][0].press(board_of(team, PROMOTE))
    assert "testing stays at v1: needed holds v2." in page.text and "certifi" in page.text
    board = people["viewer"][0].open(board_of(team)).text
    assert "certifi" in board and "testing stays at v1: needed holds v2" in board
    assert "override-needed" not in people["promoter"][0].open(board_of(team, PROMOTE)).text
    owner = people["owner"][0]
    assert "override-needed" in owner.open(board_of(team, PROMOTE)).text
    page = owner.press(board_of(team, PROMOTE), **{"override-needed": "known & fixed"})
    assert "testing moved from v1 to v2." in page.text
    board = owner.open(board_of(team)).text
    assert "overridden" in board and "known & fixed" in board


def test_what_moved_since_somebody_looked_is_shown_anew(copied, pulp, admin, team, make_packages):
    path = board_of(team, PROMOTE)
    fields = hidden_fields(admin.open(path), "decide")
    pulp.modify(team.repository, add=make_packages("late"))
    before = rows()
    answer = admin.send(path, reason="kept", **fields)
    assert answer.status_code == 409
    assert "[CND0162]" in answer.text and "unstable at v3, testing at v1" in answer.text
    assert "Promote v3 to testing" in answer.text and "kept" in answer.text
    assert rows() == before


def test_what_rest_refuses_is_said_on_the_page(admin, team):
    answer = admin.press(board_of(team, PROMOTE), reason="x" * 10_001)
    assert answer.status_code == 400
    assert "reason: Ensure this field has no more than 10000 characters." in answer.text
    answer = admin.press(board_of(team, PROMOTE), **{"override-absent": "x"})
    assert answer.status_code == 400 and "has no gate 'absent'" in answer.text
    answer = admin.press(board_of(team, PROMOTE), reason="nul\0")
    assert answer.status_code == 400 and "[CND0064]" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "stages/absent/promote/",
        "stages/unstable/promote/",
        "stages/absent/rollback/",
        "history/999/",
        "history/99999999999999/",
        "history/999/approve/",
        "tasks/00000000-0000-0000-0000-000000000000/",
        "nothing/",
    ],
)
def test_what_is_not_there_is_404(admin, team, path):
    assert admin.open(board_of(team, path)).status_code == 404


def test_a_state_that_is_none_to_go_back_to_has_no_button(admin, team):
    for number in ("3", "99999", "x", "-1", "1" * 30):
        shown = admin.open(f"{board_of(team, ROLL_BACK)}?entry={number}")
        assert shown.status_code == 200
        assert "no state that the stage can go back to" in shown.text
        assert hidden_fields(shown, "decide") == {}


def test_the_page_of_a_task_waits_for_it_and_is_for_who_started_it(admin, people, team):
    waiting = admin.press(board_of(team, PROMOTE), wait=False, dry_run="true")
    shown = admin.open(waiting["Location"])
    assert shown["Refresh"] == "2" and "at work" in shown.text
    assert people["viewer"][0].open(waiting["Location"]).status_code == 404
    done = admin.send(board_of(team, PROMOTE), **hidden_fields(shown, "decide"), wait=False)
    assert done.status_code == 403


def test_the_task_of_something_else_has_no_page_here(pulp, admin, team, make_repository):
    other = pulp.lifecycle(make_repository())
    waiting = admin.press(board_of(team, PROMOTE), dry_run="true", wait=False)
    task = waiting["Location"].rstrip("/").rpartition("/")[2]
    assert admin.open(board_of(other, f"tasks/{task}/")).status_code == 404


def test_the_page_of_the_stages_links_to_the_board_if_a_setting_says_where_it_is(pulp, team):
    origin = "https://pulp.example.com"
    url = team.urls["testing"]
    headers = {"Accept": "text/html"}
    link = f'href="{origin}{board_of(team)}"'
    assert link not in pulp.fetch(url, "-/stages", headers=headers).text
    with override_settings(CONDA_BOARD_ORIGIN=origin):
        assert link in pulp.fetch(url, "-/stages", headers=headers).text


def test_people_log_in_where_the_setting_says(team):
    with override_settings(LOGIN_URL="/saml2/login/"):
        location = Person().open(board_of(team, "?stage=testing"))["Location"]
    assert location == f"/saml2/login/?next={board_of(team)}%3Fstage%3Dtesting"
