import json
from datetime import UTC, datetime, timedelta

import pytest

from pulp_conda.channel.errors import BadNotice
from pulp_conda.channel.metadata.notices import (
    check_notices,
    current_notices,
    encode_notices,
    last_expiry,
)

NOW = datetime(2027, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
NOTICE = {"message": "Moving on Monday", "level": "info", "expires_at": "2027-01-31T00:00:00Z"}


def _check(*changes):
    return check_notices([NOTICE | change for change in changes], NOW)


def _reason(value):
    with pytest.raises(BadNotice) as refused:
        check_notices(value, NOW)
    return refused.value.facts["reason"]


def test_a_notice_is_completed():
    (notice,) = _check({})
    assert notice.pop("id")
    assert notice == {
        "message": "Moving on Monday",
        "level": "info",
        "created_at": "2027-01-01T12:00:00+00:00",
        "expires_at": "2027-01-31T00:00:00+00:00",
    }


def test_what_was_checked_stays_as_it_is():
    notices = _check({}, {"level": "critical"}, {"id": "own"})
    later = NOW + timedelta(days=365)
    assert check_notices(json.loads(json.dumps(notices)), later) == notices


def test_notices_without_an_id_get_one_each():
    assert len({notice["id"] for notice in _check({}, {}, {"level": "warning"})}) == 3


def test_null_is_as_if_it_were_not_there():
    assert _check({"id": None, "created_at": None}) == _check({})


@pytest.mark.parametrize(
    "given, kept",
    [
        pytest.param("2027-02-01T00:00:00+00:00", "2027-02-01T00:00:00+00:00", id="utc"),
        pytest.param("2027-02-01T01:30:00+05:30", "2027-01-31T20:00:00+00:00", id="elsewhere"),
        pytest.param("2027-02-01T00:00:00.999Z", "2027-02-01T00:00:00+00:00", id="fraction"),
    ],
)
def test_times_are_kept_in_utc_to_the_second(given, kept):
    assert _check({"expires_at": given})[0]["expires_at"] == kept


@pytest.mark.parametrize(
    "change, reason",
    [
        pytest.param({"level": "urgent"}, "'level' is 'urgent', not info", id="level"),
        pytest.param({"level": ["info"]}, "'level' is ['info'], not info", id="list of levels"),
        pytest.param({"message": None}, "'message' is missing", id="no message"),
        pytest.param({"message": " "}, "'message' is not a text, or is empty", id="blank"),
        pytest.param({"message": 5}, "'message' is not a text, or is empty", id="number"),
        pytest.param(
            {"message": "é" * 1001}, "'message' has 2002 bytes, and 2000 are allowed", id="long"
        ),
        pytest.param(
            {"message": "\x1b[31mred"}, r"'message' holds the control character '\x1b'", id="escape"
        ),
        pytest.param(
            {"message": "\ud800"}, r"'message' holds the control character '\ud800'", id="surrogate"
        ),
        pytest.param({"id": 7}, "'id' is not a text, or is empty", id="id"),
        pytest.param({"id": "x" * 101}, "'id' has 101 bytes, and 100 are allowed", id="long id"),
        pytest.param({"expires_at": None}, "'expires_at' is None, not a date", id="no expiry"),
        pytest.param({"expires_at": "soon"}, "'expires_at' is 'soon', not a date", id="no date"),
        pytest.param(
            {"expires_at": "2027-01-31T00:00:00"},
            "'expires_at' is '2027-01-31T00:00:00', not a date and time with a time zone",
            id="no time zone",
        ),
        pytest.param(
            {"expires_at": "9999-12-31T23:59:59-01:00"},
            "'expires_at' is '9999-12-31T23:59:59-01:00', not a date",
            id="behind the last year",
        ),
        pytest.param({"expires_at": 1800000000}, "'expires_at' is 1800000000, not", id="seconds"),
        pytest.param(
            {"expires_at": "2026-12-31T00:00:00Z"}, "it expires before it was made", id="past"
        ),
        pytest.param({"expired_at": "2027-01-31T00:00:00Z"}, "'expired_at' is not known", id="key"),
    ],
)
def test_a_notice_that_clients_could_not_show_is_refused(change, reason):
    assert _reason([NOTICE, NOTICE | change]).startswith(f"notices[1]: {reason}")


@pytest.mark.parametrize(
    "value, reason",
    [
        pytest.param({"notices": []}, "the notices are not a list", id="as in the file"),
        pytest.param(None, "the notices are not a list", id="null"),
        pytest.param(["hello"], "notices[0]: it is not an object", id="texts"),
        pytest.param([NOTICE] * 101, "there are 101 notices, and 100 are allowed", id="too many"),
        pytest.param(
            [NOTICE | {"id": "a"}, NOTICE, NOTICE | {"id": "a"}],
            "notices[2]: 'id' is that of notices[0]",
            id="one id twice",
        ),
        pytest.param(
            [NOTICE | {"level": 1}, NOTICE | {"message": "", "expires_at": ""}],
            "notices[0]: 'level' is 1, not info, warning or critical; "
            "notices[1]: 'message' is not a text, or is empty; "
            "notices[1]: 'expires_at' is '', not a date and time with a time zone",
            id="everything wrong is said at once",
        ),
        pytest.param(
            [{str(key): 1 for key in range(12)}] + [5] * 3,
            "; ".join(f"notices[0]: '{key}' is not known" for key in range(10)) + "; and 8 more",
            id="but not a thousand times",
        ),
    ],
)
def test_a_list_that_is_none_of_notices_is_refused(value, reason):
    assert _reason(value) == reason


def test_the_largest_file_is_far_below_what_rattler_reads():
    worst = _check(*({"message": '"' * 2000, "id": f"{n:0>100}"} for n in range(100)))
    assert len(encode_notices(worst)) < 2**19


def test_expired_notices_are_left_out_and_the_moment_is_known():
    notices = _check({"expires_at": "2027-01-02T00:00:00Z"}, {"id": "stays"})
    expiry = datetime(2027, 1, 2, tzinfo=UTC)
    before = expiry - timedelta(seconds=1)
    assert current_notices(notices, before) == notices
    assert last_expiry(notices, before) is None
    assert current_notices(notices, expiry) == notices[1:]
    assert last_expiry(notices, expiry) == expiry


def test_a_channel_with_nothing_to_say_has_an_empty_list():
    assert encode_notices([]) == b'{"notices":[]}'
