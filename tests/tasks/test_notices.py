"""What the owner of a channel tells its users, from the REST API to `notices.json`."""

from datetime import UTC, datetime, timedelta

import pytest

NOTICE = {
    "message": "The channel moves on Monday.",
    "level": "warning",
    "expires_at": "2999-01-31T00:00:00Z",
}


@pytest.fixture
def distribution(pulp, make_repository):
    repository = make_repository()
    publication = pulp.publish(pulp.get(repository)["latest_version_href"])
    return pulp.distribution(publication=publication)


def _served(pulp, distribution):
    answer = pulp.fetch(distribution["base_url"], "notices.json", allow_redirects=False)
    assert answer.status_code == 200
    return answer.json()["notices"]


def test_a_channel_without_notices_says_so(pulp, distribution):
    assert distribution["notices"] == []
    answer = pulp.fetch(distribution["base_url"], "notices.json")
    assert answer.content == b'{"notices":[]}'
    assert answer.headers["Cache-Control"] == "public, max-age=0, must-revalidate"


def test_notices_are_set_alone_and_completed(pulp, distribution):
    pulp.patch(distribution["pulp_href"], notices=[NOTICE])
    (notice,) = _served(pulp, distribution)
    assert pulp.get(distribution["pulp_href"])["notices"] == [notice]
    assert pulp.get(distribution["pulp_href"])["publication"] == distribution["publication"]
    assert set(notice) == {"id", "message", "level", "created_at", "expires_at"}
    assert notice["expires_at"] == "2999-01-31T00:00:00+00:00"
    made = datetime.fromisoformat(notice["created_at"])
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=5)


def test_notices_stay_when_something_else_changes(pulp, distribution):
    pulp.patch(distribution["pulp_href"], notices=[NOTICE])
    before = _served(pulp, distribution)
    pulp.patch(distribution["pulp_href"], pulp_labels={"stage": "stable"})
    assert _served(pulp, distribution) == before
    pulp.patch(distribution["pulp_href"], notices=[])
    assert _served(pulp, distribution) == []


def test_a_change_is_seen_by_who_has_the_file(pulp, distribution):
    url = distribution["base_url"]
    empty = pulp.fetch(url, "notices.json")
    known = {"If-None-Match": empty.headers["ETag"]}
    assert pulp.fetch(url, "notices.json", headers=known).status_code == 304
    pulp.patch(distribution["pulp_href"], notices=[NOTICE])
    assert pulp.fetch(url, "notices.json", headers=known).status_code == 200


def test_expired_notices_are_kept_but_not_served(pulp, distribution):
    past = {"created_at": "2020-01-01T00:00:00Z", "expires_at": "2020-02-01T00:00:00Z"}
    pulp.patch(distribution["pulp_href"], notices=[NOTICE | past | {"id": "past"}, NOTICE])
    assert len(pulp.get(distribution["pulp_href"])["notices"]) == 2
    assert [notice["id"] == "past" for notice in _served(pulp, distribution)] == [False]


def test_a_new_channel_can_have_notices_at_once(pulp, distribution):
    other = pulp.distribution(publication=distribution["publication"], notices=[NOTICE])
    assert len(_served(pulp, other)) == 1
    assert _served(pulp, distribution) == []


@pytest.mark.parametrize(
    "notices, text",
    [
        pytest.param([NOTICE, NOTICE | {"level": "loud"}], "notices[1]: 'level' is", id="level"),
        pytest.param([NOTICE | {"message": "\x00"}], "holds a NUL", id="NUL"),
        pytest.param([NOTICE | {"message": "\x07"}], "control character", id="control character"),
        pytest.param([NOTICE | {"expires_at": "tomorrow"}], "'expires_at' is", id="date"),
        pytest.param({"notices": [NOTICE]}, "the notices are not a list", id="no list"),
        pytest.param([NOTICE] * 101, "there are 101 notices", id="too many"),
    ],
)
def test_notices_that_clients_could_not_show_are_refused(pulp, distribution, notices, text):
    answer = pulp.try_patch(distribution["pulp_href"], notices=notices)
    assert answer.status_code == 400
    (message,) = answer.json()["notices"]
    assert message.startswith("[CND0032] ") and text in message
    assert _served(pulp, distribution) == []


def test_a_channel_without_packages_has_notices(pulp, make_repository):
    empty = pulp.distribution(repository=make_repository(), notices=[NOTICE])
    (notice,) = pulp.fetch(empty["base_url"], "notices.json").json()["notices"]
    assert notice["message"] == NOTICE["message"]


def test_a_checkpoint_has_the_notices_of_today(pulp, make_repository):
    repository = make_repository()
    publication = pulp.get(pulp.publish(repository=repository, checkpoint=True))
    channel = pulp.distribution(repository=repository, checkpoint=True, notices=[NOTICE])
    date = datetime.fromisoformat(publication["pulp_created"]).strftime("%Y%m%dT%H%M%SZ")
    answer = pulp.fetch(channel["base_url"], f"{date}/notices.json")
    assert [notice["message"] for notice in answer.json()["notices"]] == [NOTICE["message"]]
