import orjson
import pytest

from pulp_conda.channel.records import PackageRecord, RecordError, check_record
from tests.support.builders import make_record


def test_the_order_of_keys_does_not_change_the_digest():
    record = make_record("numpy", license="BSD-3-Clause")
    reversed_record = PackageRecord(
        record.subdir, record.filename, dict(reversed(record.fields.items()))
    )
    assert reversed_record.canonical == record.canonical
    assert reversed_record.digest == record.digest


def test_a_changed_value_changes_the_digest():
    assert make_record("numpy").digest != make_record("numpy", depends=["python"]).digest


def test_unknown_keys_are_kept():
    unknown = {"x": [1, None, {"é": 1.5}], "app_type": "web", "": False}
    record = make_record("numpy", **unknown)
    read = PackageRecord.from_canonical(record.subdir, record.filename, record.canonical)
    assert read.fields == record.fields
    assert unknown.items() <= read.fields.items()


def test_the_canonical_form_is_sorted_and_has_no_blanks():
    record = PackageRecord("noarch", "a-1-0.conda", {"b": 1, "a": {"d": [1, 2], "c": "é"}})
    assert record.canonical == '{"a":{"c":"é","d":[1,2]},"b":1}'.encode()


@pytest.mark.parametrize(
    "timestamp, milliseconds",
    [
        pytest.param(1700000000123, 1700000000123, id="milliseconds"),
        pytest.param(1700000000, 1700000000000, id="seconds, as old tools wrote"),
        pytest.param(None, None, id="none"),
        pytest.param("soon", None, id="text"),
        pytest.param(True, None, id="boolean"),
        pytest.param(-5, None, id="negative"),
        pytest.param(2**64, None, id="too large for a column"),
    ],
)
def test_timestamps_are_read_as_milliseconds(timestamp, milliseconds):
    assert make_record("a", timestamp=timestamp).timestamp == milliseconds


@pytest.mark.parametrize(
    "noarch, word", [("python", "python"), (True, "generic"), (None, ""), (3, "")]
)
def test_early_ways_of_noarch_are_understood(noarch, word):
    assert make_record("a", noarch=noarch).noarch == word


@pytest.mark.parametrize(
    "change, problem",
    [
        pytest.param({"sha256": None, "md5": None}, "neither sha256 nor md5", id="no checksum"),
        pytest.param({"sha256": "ab"}, "'sha256' is 'ab', not 64", id="short checksum"),
        pytest.param({"sha256": 7}, "'sha256' is 7, not 64", id="number as checksum"),
        pytest.param({"md5": "x" * 32}, ", not 32 hexadecimal digits", id="md5"),
        pytest.param({"size": -1}, "'size' is -1, not a whole number", id="negative size"),
        pytest.param({"size": 2**70}, "not a whole number", id="size of a galaxy"),
        pytest.param(
            {"name": "numpy2"}, "its name is 'numpy2', and 'numpy' in the file name", id="name"
        ),
        pytest.param({"version": 1.5}, "'version' is a number, not a string", id="version"),
        pytest.param({"version": None}, "'version' is null", id="no version"),
        pytest.param({"build_number": True}, "'build_number' is True", id="boolean build number"),
        pytest.param({"depends": "python"}, "'depends' is not a list of strings", id="depends"),
        pytest.param({"x": 2**64}, "it cannot be written as JSON", id="number beyond 64 bits"),
    ],
)
def test_a_record_that_cannot_be_served_is_refused(change, problem):
    good = make_record("numpy")
    with pytest.raises(RecordError, match="^.*" + problem.replace("(", r"\(")):
        check_record(good.subdir, good.filename, {**good.fields, **change})


@pytest.mark.parametrize("fields", [None, [], "x", 1])
def test_an_entry_that_is_no_object_is_refused(fields):
    with pytest.raises(RecordError, match="not an object"):
        check_record("noarch", "a-1-0.conda", fields)


def test_all_that_is_wrong_is_said_at_once():
    good = make_record("numpy")
    with pytest.raises(RecordError) as refused:
        check_record(good.subdir, good.filename, {**good.fields, "sha256": 1, "size": -1})
    assert str(refused.value).count(";") == 1


def test_a_good_record_comes_back_as_it_is():
    good = make_record("numpy", md5=None, extra=orjson.loads("1e3"))
    assert check_record(good.subdir, good.filename, good.fields).fields is good.fields


def test_a_subdir_that_an_indexer_did_not_know_is_no_reason_to_refuse():
    # rattler-index writes it for old packages that do not state a subdir.
    record = make_record("old", subdir="linux-64")
    fields = record.fields | {"subdir": "unknown"}
    assert check_record("linux-64", record.filename, fields).fields == fields


@pytest.mark.parametrize("odd", ["a\0b", "\ud800", "\udfff"], ids=ascii)
@pytest.mark.parametrize(
    "change, place",
    [
        (lambda odd: {"depends": ["x", odd]}, "depends[1]"),
        (lambda odd: {"license": odd}, "license"),
        (lambda odd: {"license_family": odd}, "license_family"),
        (lambda odd: {"track_features": odd}, "track_features"),
        (lambda odd: {"purls": [odd]}, "purls[0]"),
        (lambda odd: {"run_exports": {"weak": [odd]}}, "run_exports.weak[0]"),
        (lambda odd: {"run_exports": {"unknown": odd}}, "run_exports.unknown"),
        (lambda odd: {"unknown": {"key": [odd]}}, "unknown.key[0]"),
        (lambda odd: {odd: 1}, None),
        (lambda odd: {"unknown": {odd: 1}}, None),
        # Nobody could say which of two errors comes first.
        (lambda odd: {"license": odd, "sha256": None}, "license"),
    ],
)
def test_a_text_that_cannot_be_stored_is_found(change, place, odd):
    good = make_record("numpy")
    with pytest.raises(RecordError) as refused:
        check_record("noarch", good.filename, good.fields | change(odd))
    text = str(refused.value)
    assert text.isprintable()
    assert "NUL" in text or "surrogate" in text
    assert place is None or f"'{place}' holds" in text


def test_a_backslash_before_u0000_is_no_nul():
    good = make_record("numpy")
    record = check_record("noarch", good.filename, good.fields | {"license": "\\u0000"})
    assert record.license == "\\u0000"
