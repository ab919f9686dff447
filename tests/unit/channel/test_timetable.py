from datetime import UTC, datetime, timedelta

import pytest

from pulp_conda.channel.errors import BadTimetable
from pulp_conda.channel.timetable import LONGEST, SHORTEST, check_timetable

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


def _moment(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def _next(cron, zone, after, count):
    timetable = check_timetable(None, cron, zone, NOW)
    moments = [_moment(after)]
    for _ in range(count):
        moments.append(timetable.after(moments[-1], moments[-1]))
    return moments[1:]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        pytest.param(
            "30 3 * * *",
            "Europe/Berlin",
            "2026-03-03T12:00Z",
            ["2026-03-04T02:30Z", "2026-03-05T02:30Z"],
            id="each night",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00Z",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
            id="a time that does not exist comes right after the change",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00Z",
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
            id="a time that comes twice is used once",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T02:10+01:00",
            ["2026-10-26T02:30+01:00"],
            id="in the second of two equal hours",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T02:10+02:00",
            ["2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"],
            id="each half hour, also of an hour that comes twice",
        ),
        pytest.param(
            "0 9 * * mon",
            "Asia/Kathmandu",
            "2026-03-03T12:00Z",
            ["2026-03-09T03:15Z"],
            id="a zone that is 5:45 hours ahead",
        ),
        pytest.param(
            "0 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T10:00Z",
            ["2026-10-04T02:30+11:00", "2026-10-05T02:00+11:00"],
            id="a change of half an hour",
        ),
        pytest.param("0 0 29 2 *", "UTC", "2026-03-03T12:00Z", ["2028-02-29T00:00Z"], id="rare"),
    ],
)
def test_a_cron_line_follows_the_clock_of_its_zone(cron, zone, after, expected):
    assert _next(cron, zone, after, len(expected)) == [_moment(text) for text in expected]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "15 1-3 * * *", "*/20 * * * *", "0 */6 * * *"])
def test_each_time_is_later_than_the_one_before_it(zone, cron):
    timetable = check_timetable(None, cron, zone, NOW)
    for day in ("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"):
        moment = _moment(f"{day}T00:00Z") - timedelta(hours=14)
        for _ in range(150):
            now = moment + timedelta(minutes=17)
            assert timetable.after(moment, now) > now
            moment = now


def test_intervals_are_counted_from_the_first_run():
    timetable = check_timetable(3600, "", "UTC", NOW)
    assert timetable.first(NOW) == NOW
    assert timetable.after(NOW, NOW + timedelta(minutes=2)) == NOW + timedelta(hours=1)
    # A server that was off for a month does not make up for it.
    late = NOW + timedelta(days=30, minutes=1)
    assert timetable.after(NOW, late) == NOW + timedelta(days=30, hours=1)


@pytest.mark.parametrize(
    ("interval", "cron", "zone", "reason"),
    [
        pytest.param(None, "", "UTC", "it has no times", id="nothing"),
        pytest.param(3600, "0 * * * *", "UTC", "both an interval and a cron line", id="both"),
        pytest.param(SHORTEST - 1, "", "UTC", "between 60 and", id="too short"),
        pytest.param(-1, "", "UTC", "between 60 and", id="negative"),
        pytest.param(LONGEST + 1, "", "UTC", "between 60 and", id="too long"),
        pytest.param(None, "* * * *", "UTC", "5 fields", id="four fields"),
        pytest.param(None, "* * * * * *", "UTC", "5 fields", id="seconds"),
        pytest.param(None, "@daily", "UTC", "5 fields", id="a word"),
        pytest.param(None, "61 * * * *", "UTC", "bad minute", id="no such minute"),
        pytest.param(None, "0 0 30 2 *", "UTC", "bad day-of-month", id="no such day"),
        pytest.param(None, "0 0 * * 1/0", "UTC", "bad day-of-week", id="a step of nothing"),
        pytest.param(None, "1," * 200 + "1 * * * *", "UTC", "200 characters", id="very long"),
        pytest.param(None, "\x00 * * * *", "UTC", "\\x00", id="unprintable"),
        pytest.param(None, "0 0 * * *", "Berlin", "no time zone 'Berlin'", id="no such zone"),
        pytest.param(None, "0 0 * * *", "../../etc/passwd", "no time zone", id="a path"),
        pytest.param(None, "0 0 * * *", "Europe", "no time zone", id="a folder of zones"),
        pytest.param(None, "0 0 * * *", "x" * 5000, "no time zone", id="a very long zone"),
        pytest.param(None, "0 0 * * *", "", "no time zone ''", id="an empty zone"),
        pytest.param(3600, "", "Mars", "no time zone 'Mars'", id="a zone that is not needed"),
    ],
)
def test_what_is_no_timetable_is_refused(interval, cron, zone, reason):
    with pytest.raises(BadTimetable, match="six hours") as refused:
        check_timetable(interval, cron, zone, NOW)
    assert reason in str(refused.value)


def test_a_cron_line_is_stored_in_one_form():
    assert check_timetable(None, "  0   3\t* * * ", "UTC", NOW).cron == "0 3 * * *"
