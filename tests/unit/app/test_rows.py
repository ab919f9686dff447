"""Rows as `COPY` reads them, read back from PostgreSQL."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulp_conda.app.sync.copy_format import NULL, as_array, as_number, copy_rows

pytestmark = pytest.mark.django_db

# All that PostgreSQL takes in a text, with what `COPY` gives a meaning to in front.
_TEXTS = st.text(st.sampled_from("\\\t\n\r\b\"',{}N\x01 a.") | st.characters(codec="utf-8")).map(
    lambda text: text.replace("\0", "")
)


def _stored(types, rows):
    with connection.cursor() as cursor:
        columns = ", ".join(f"c{place} {type_}" for place, type_ in enumerate(types))
        cursor.execute(f"CREATE TEMP TABLE copied ({columns})")
        copy_rows(cursor, "COPY copied FROM STDIN", rows)
        cursor.execute("SELECT * FROM copied")
        stored = cursor.fetchall()
        cursor.execute("DROP TABLE copied")
    return stored


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(_TEXTS, st.none() | _TEXTS, st.lists(_TEXTS)), max_size=5))
def test_every_text_is_stored_as_it_is(rows):
    written = [
        (first, NULL if second is None else second, as_array(texts))
        for first, second, texts in rows
    ]
    assert _stored(["text", "text", "text[]"], written) == rows


@pytest.mark.parametrize(
    "odd", ["\\N", "\\", "a\\tb", "\\.", "", " ", "\t", "\r\n", "NULL", "é\u2028"]
)
def test_what_copy_gives_a_meaning_to_is_a_text_like_others(odd):
    rows = [("plain", odd), (odd, "plain")]
    assert _stored(["text", "text"], rows) == rows


def test_numbers_and_null():
    rows = [(as_number(2**63 - 1), as_number(0), as_number(None), str(True), str(False))]
    types = ["bigint", "int", "bigint", "bool", "bool"]
    assert _stored(types, rows) == [(2**63 - 1, 0, None, True, False)]
