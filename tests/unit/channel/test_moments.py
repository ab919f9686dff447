from datetime import UTC, datetime, timedelta, timezone

import pytest

from pulp_conda.channel.errors import BadMoment, FutureMoment
from pulp_conda.channel.moments import (
    Moment,
    Reference,
    State,
    is_like_moment,
    parse_moment,
    parse_reference,
    spell_reference,
)

NOW = datetime(2026, 11, 21, 15, 0, 30, 250_000, tzinfo=UTC)


def _moment(*parts):
    return Moment(datetime(*parts, tzinfo=UTC))


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param("v42", State(42), id="version"),
        pytest.param("v0", State(0), id="the first version"),
        pytest.param("v42.1", State(42, 1), id="single packages on top"),
        pytest.param("v2147483647", State(2**31 - 1), id="largest version"),
        pytest.param("2026-03-03", _moment(2026, 3, 3, 23, 59, 59, 999_999), id="end of the day"),
        pytest.param("2024-02-29", _moment(2024, 2, 29, 23, 59, 59, 999_999), id="leap day"),
        pytest.param("0001-01-01", _moment(1, 1, 1, 23, 59, 59, 999_999), id="first day"),
        pytest.param(
            "2026-03-03T12:00:00Z", _moment(2026, 3, 3, 12, 0, 0, 999_999), id="that second"
        ),
        pytest.param(
            "2026-03-03T12:00:00+00:00", _moment(2026, 3, 3, 12, 0, 0, 999_999), id="offset of none"
        ),
        pytest.param("V42.1", State(42, 1), id="version in upper case"),
        pytest.param(
            "2026-03-03t120000z", _moment(2026, 3, 3, 12, 0, 0, 999_999), id="letters of a name"
        ),
        pytest.param(
            "2026-03-03T120000Z", _moment(2026, 3, 3, 12, 0, 0, 999_999), id="time in upper case"
        ),
        pytest.param(
            "2026-03-03t12:00:00z", _moment(2026, 3, 3, 12, 0, 0, 999_999), id="colons, lower case"
        ),
        pytest.param("2026-11-21", Moment(NOW), id="today is now"),
        pytest.param("2026-11-21T15:00:30Z", Moment(NOW), id="this second is now"),
        pytest.param(
            "2026-11-21T15:00:29Z",
            _moment(2026, 11, 21, 15, 0, 29, 999_999),
            id="the second that ended",
        ),
    ],
)
def test_a_state_or_moment_is_read(text, expected):
    assert parse_moment(text, now=NOW) == expected


def test_whoever_asks_from_another_zone_is_answered_in_utc():
    west = NOW.astimezone(timezone(timedelta(hours=-8)))
    assert parse_moment("2026-11-21", now=west).at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text, reason",
    [
        pytest.param("", "it is empty", id="nothing"),
        pytest.param("yesterday", "it is no date", id="word"),
        pytest.param("2026-02-30", "day ", id="no such day"),
        pytest.param("2026-13-01", "month must be in 1..12", id="no such month"),
        pytest.param("0000-01-01", "year 0 is out of range", id="no such year"),
        pytest.param("12026-01-01", "it is no date", id="year of five digits"),
        pytest.param("2026-3-3", "it is no date", id="short"),
        pytest.param("20260303", "it is no date", id="basic format"),
        pytest.param("2026-W10-2", "it is no date", id="week"),
        pytest.param("２０２６-03-03", "it is no date", id="digits of another script"),
        pytest.param(" 2026-03-03", "it is no date", id="blank"),
        pytest.param("2026-03-03\n", "it is no date", id="line break"),
        pytest.param("2026-03-03T25:00:00Z", "hour must be in 0..23", id="no such hour"),
        pytest.param("2026-03-03T12:00:60Z", "second must be in 0..59", id="leap second"),
        pytest.param("2026-03-03T12:00:00.5Z", "it is no date", id="fraction"),
        pytest.param("2026-03-03T12:00Z", "it is no date", id="no seconds"),
        pytest.param("2026-03-03T12:00:00", "it does not say", id="no zone"),
        pytest.param("2026-03-03t120000", "it does not say", id="no zone, without colons"),
        pytest.param("2026-03-03t12:0000z", "it is no date", id="one colon"),
        pytest.param("2026-03-03t250000z", "hour must be in 0..23", id="no such hour at all"),
        pytest.param("V", "no number", id="V alone"),
        pytest.param("2026-03-03T12:00:00+01:00", "its time zone is not UTC", id="another zone"),
        pytest.param("2026-03-03T12:00:00 00:00", "its time zone is not UTC", id="plus as blank"),
        pytest.param("v", "no number", id="v alone"),
        pytest.param("v042", "no number", id="second name of a version"),
        pytest.param("v42.0", "no number", id="second name of a state"),
        pytest.param("v-1", "no number", id="negative"),
        pytest.param("v2147483648", "no number", id="larger than any"),
        pytest.param("v4٢", "no number", id="digits of another script in a version"),
        pytest.param("9" * 10_000, "it is longer than 300", id="long"),
        pytest.param("v" + "9" * 10_000, "it is longer than 300", id="long version"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(text, reason):
    with pytest.raises(BadMoment) as refused:
        parse_moment(text, now=NOW)
    assert refused.value.facts["reason"].startswith(reason)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("text", ["2026-11-22", "2026-11-21T15:00:31Z", "9999-12-31"])
def test_the_future_is_refused_and_the_present_named(text):
    with pytest.raises(FutureMoment) as refused:
        parse_moment(text, now=NOW)
    assert refused.value.facts == {"text": text, "now": "2026-11-21T15:00:30Z"}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("testing", Reference("testing", None)),
        ("release-2026", Reference("release-2026", None)),
        ("v42", Reference(None, State(42))),
        ("v42.1", Reference(None, State(42, 1))),
        ("2026-11-21", Reference(None, Moment(NOW))),
        ("testing@v42.1", Reference("testing", State(42, 1))),
        ("testing@2026-11-21", Reference("testing", Moment(NOW))),
        ("v2@v1", Reference("v2", State(1))),
        ("V42", Reference(None, State(42))),
        ("testing@V42", Reference("testing", State(42))),
        ("testing/at/v42.1", Reference("testing", State(42, 1))),
        ("testing/at/2026-11-21T15:00:30Z", Reference("testing", Moment(NOW))),
        ("at", Reference("at", None)),
    ],
)
def test_a_reference_names_a_target_a_state_or_both(text, expected):
    assert parse_reference(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("testing", "testing"),
        ("V42.1", "v42.1"),
        ("testing@V42", "testing/at/v42"),
        ("testing/at/2026-03-03T12:00:00Z", "testing/at/2026-03-03t120000z"),
        ("2026-03-03T12:00:00+00:00", "2026-03-03t120000z"),
        ("/pulp/api/v3/publications/conda/conda/7/", "/pulp/api/v3/publications/conda/conda/7/"),
    ],
)
def test_a_reference_has_one_spelling(text, spelled):
    assert spell_reference(text) == spelled == spell_reference(spelled)


@pytest.mark.parametrize(
    "text",
    [
        *("", "@v42", "testing@", "a@v1@v2", "v042", "v1.", "2026-3-3"),
        *("/at/v42", "testing/at/", "a/at/v1/at/v2", "a@/at/v1"),
    ],
)
def test_a_reference_that_means_nothing_is_refused(text):
    with pytest.raises(BadMoment):
        parse_reference(text, now=NOW)


@pytest.mark.parametrize("text", ["v1", "V1", "v042", "v1.2", "v1.", "2026-03-03", "2026-spring"])
def test_what_is_read_as_a_state_is_no_name_for_a_target(text):
    assert is_like_moment(text)


@pytest.mark.parametrize("text", ["testing", "v", "version", "v1-stable", "2026", "stable2026-01"])
def test_other_names_are_free(text):
    assert not is_like_moment(text)
