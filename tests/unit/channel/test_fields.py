"""Records whose fields have other types than they should have."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp_conda.channel.fields import is_plain, read_fields, served_form
from pulp_conda.channel.records import PackageRecord, check_record
from tests.support.builders import make_record
from tests.support.odd import KEYS, VALUES


def _stored(key, value):
    """Return a stored record with one field of another value."""
    good = make_record("a")
    return PackageRecord("noarch", good.filename, good.fields | {key: value})


def _served(record):
    """Return what is written of a stored record."""
    return orjson.loads(served_form(record.subdir, record.filename, record.canonical))


@pytest.mark.parametrize(
    "key, value, served",
    [
        ("depends", None, []),
        ("depends", "", []),
        ("depends", ["b", None], ["b"]),
        ("constrains", None, ...),
        ("constrains", {}, []),
        ("track_features", None, ...),
        ("track_features", ["x", None], ["x"]),
        ("flags", None, ...),
        ("extra_depends", None, ...),
        ("extra_depends", [], ...),
        ("extra_depends", {"x": None, "y": ["b", None]}, {"x": [], "y": ["b"]}),
        ("features", ["a", "b"], "a b"),
        ("features", [], ...),
        ("features", None, ...),
        ("license", ["MIT"], "MIT"),
        ("license", [], ...),
        ("license", {}, ...),
        ("license", None, None),
        ("subdir", None, "noarch"),
        ("subdir", 5, "noarch"),
        ("subdir", "linux-64", "noarch"),
        ("subdir", "unknown", "noarch"),
        ("size", None, ...),
        ("size", 5.0, 5),
        ("size", "5", 5),
        ("size", "", ...),
        ("build_number", "7", 7),
        ("build_number", 7.0, 7),
        ("timestamp", None, ...),
        ("timestamp", 1.7e12, 1_700_000_000_000),
        ("timestamp", 1_700_000_000_000.7, 1_700_000_000_000),
        ("timestamp", 1_700_000_000.25, 1_700_000_000_250),
        ("timestamp", 1_700_000_000.0, 1_700_000_000),
        ("timestamp", "1700000000000", 1_700_000_000_000),
        ("indexed_timestamp", 5.0, 5),
        ("noarch", "Python", "python"),
        ("noarch", [], ...),
        ("noarch", True, True),
        ("md5", "", ...),
        ("md5", "A" * 32, "A" * 32),
        ("attestations_sha256", "", ...),
        ("attestations_sha256", {}, ...),
        ("legacy_bz2_md5", "", ...),
        ("legacy_bz2_size", "5", 5),
        ("purls", ["pkg:pypi/x", None], ["pkg:pypi/x"]),
        ("version", 1.0, "1.0"),
        ("build", 0, "0"),
        ("record_version", None, ...),
    ],
)
def test_a_value_with_one_meaning_is_served_in_the_form_that_clients_read(key, value, served):
    record = _stored(key, value)
    assert check_record("noarch", record.filename, record.fields).fields is record.fields
    expected = {**record.fields, key: served}
    expected = {key: value for key, value in expected.items() if value is not ...}
    assert _served(record) == expected


def test_what_is_stored_stays_as_the_upstream_has_it():
    good = make_record("a")
    fields = good.fields | {"depends": None, "timestamp": 5.0, "build_number": "7", "build": 0}
    record = check_record("noarch", good.filename, fields)
    assert record.fields is fields
    assert record.corrections == (
        "'build' is a number",
        "'build_number' is a string",
        "'depends' is null",
        "'timestamp' is a number",
    )
    assert (record.depends, record.timestamp, record.build_number, record.build) == (
        [],
        5000,
        7,
        "0",
    )


@pytest.mark.parametrize(
    "key, value",
    [
        ("noarch", "perl"),
        ("license", ["MIT", "ISC"]),
        ("license", {"name": "MIT"}),
        ("license", 5),
        ("features", ["a b"]),
        ("features", 5),
        ("timestamp", "soon"),
        ("timestamp", True),
        ("timestamp", 10**16),
        ("timestamp", 253_402_300_000),
        ("indexed_timestamp", 10**16),
        ("size", 5.5),
        ("size", "-5"),
        ("depends", [5]),
        ("depends", {"b": ">=1"}),
        ("extra_depends", {"x": "b"}),
        ("track_features", 5),
        ("purls", ["pypi/x"]),
        ("version", "1..0"),
        ("version", "1!"),
        ("build_number", None),
        ("build_number", "x"),
        ("md5", "ab"),
        ("legacy_bz2_md5", "ab"),
        ("arch", 64),
        ("attestations_sha256", "A" * 64),
    ],
)
def test_a_value_without_a_single_meaning_cannot_be_served(key, value):
    with pytest.raises(ValueError, match=f"'{key}' "):
        _served(_stored(key, value))


def test_a_good_record_is_served_as_it_is():
    for record in (
        make_record("a"),
        make_record("a", "1!2.0rc1", subdir="linux-64", constrains=["b"], track_features="x y"),
        make_record("a", license="\\", unknown={"x": None}, purls=["pkg:pypi/x"]),
    ):
        served = served_form(record.subdir, record.filename, record.canonical)
        assert served is record.canonical


def test_most_records_need_not_be_parsed():
    for record in (
        make_record("a"),
        make_record("b", "1!2.0rc1", "h_1", subdir="linux-64", depends=["c >=1", "d"], license="é"),
        make_record("c", timestamp=1_700_000_000, noarch=True, arch=None, track_features="x y"),
    ):
        assert is_plain(record.subdir, record.canonical)
        assert is_plain(record.subdir, b'{"indexed_timestamp":5,' + record.canonical[1:])
        assert not is_plain("osx-64", record.canonical)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=2))
def test_what_need_not_be_parsed_needs_no_change(changes):
    record = make_record("a")
    record = PackageRecord("noarch", record.filename, record.fields | changes)
    if is_plain("noarch", record.canonical):
        read = read_fields(record.fields, "noarch", record.filename)
        assert read == (record.fields, (), ())


def test_the_date_that_the_publisher_adds_does_not_make_a_record_odd():
    record = make_record("a")
    dated = b'{"indexed_timestamp":5,' + record.canonical[1:]
    assert served_form("noarch", record.filename, dated) is dated


def test_what_is_missing_is_said():
    fields = {"name": "a", "build_number": ""}
    read = read_fields(fields, "noarch", "a-1-0.conda")
    assert read.problems == (
        "'version' is missing",
        "'build' is missing",
        "'build_number' is a string",
    )


def test_a_record_knows_its_digest_by_what_is_stored():
    record = _stored("depends", None)
    same = PackageRecord.from_canonical("noarch", record.filename, record.canonical)
    assert same.digest == record.digest
    assert same.depends == []
