import io
import json

import pytest
import zstandard

from pulp_conda.channel.errors import BadRepodata, RepodataTooLarge, WrongSubdir
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.compression import compress_file
from pulp_conda.channel.metadata.repodata import (
    OTHER_FORMAT,
    Repodata,
    RepodataWriter,
    Unservable,
)
from pulp_conda.channel.records import PackageRecord
from tests.support.builders import make_record

EVERYTHING = PackageFilter()
CHANNEL = "https://conda.example.org/forge"


def _repodata(content, subdir="noarch", **options):
    if isinstance(content, dict):
        content = json.dumps(content).encode()
    return Repodata(io.BytesIO(content), f"{CHANNEL}/{subdir}/repodata.json", subdir, **options)


def _document(*records, **top):
    document = {"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": {}}
    for record in records:
        section = "packages.conda" if record.filename.endswith(".conda") else "packages"
        document[section][record.filename] = record.fields
    return {**document, **top}


def _records(repodata, package_filter=EVERYTHING):
    return [record for record, reason in repodata.records(package_filter) if reason is None]


def _written(*records, relations=None, removed=()):
    writer = RepodataWriter("noarch", relations)
    for record in records:
        writer.add(record.filename, record.canonical, record.in_v3)
    return writer.finish(removed).read()


def _in_v3(record):
    return PackageRecord(record.subdir, record.filename, record.fields, in_v3=True)


RECORDS = [
    make_record("a", extension=".tar.bz2", unknown={"nested": ["é", 1.5, None]}),
    make_record("a", depends=["b >=1"]),
    make_record("b", timestamp=1700000000123),
]


def test_what_is_written_is_read_back():
    read = _records(_repodata(_written(*RECORDS)))
    assert [(r.filename, r.fields) for r in read] == [(r.filename, r.fields) for r in RECORDS]


def test_the_written_bytes_are_plain_json_in_one_form(golden):
    assert _written(make_record("a", extension=".tar.bz2"), make_record("b")) == golden(
        "repodata.json"
    )


def test_an_empty_subdir_is_a_whole_document():
    assert json.loads(_written()) == {
        "info": {"subdir": "noarch"},
        "packages": {},
        "packages.conda": {},
        "removed": [],
        "repodata_version": 1,
    }


def test_formats_may_come_mixed():
    mixed = _written(RECORDS[1], RECORDS[0], RECORDS[2])
    assert mixed == _written(RECORDS[0], RECORDS[1], RECORDS[2])


def test_records_may_be_added_by_name():
    records = [*RECORDS, _in_v3(make_record("c", indexed_timestamp=5))]
    writer = RepodataWriter("noarch")
    for name in "abc":
        of_name = [record for record in records if record.name == name]
        writer.add_name(name, ((r.filename, r.canonical.decode(), r.in_v3) for r in of_name))
    document = writer.finish()
    assert list(document.layout.sections["packages.conda"].names) == ["a", "b"]
    assert document.read() == _written(*records)


def test_records_of_v3_stand_there_only_and_are_counted():
    # Old clients fail with such records (CEP 48), so `info` has to say that there are more.
    records = [
        _in_v3(make_record("a", extension=".tar.bz2", indexed_timestamp=9)),
        make_record("b"),
        _in_v3(make_record("c", "1!2.0+x", indexed_timestamp=5)),
        _in_v3(make_record("d")),
    ]
    document = json.loads(_written(*records))
    assert document["packages"] == {}
    assert list(document["packages.conda"]) == ["b-1.0-0.conda"]
    assert document["v3"] == {
        "conda": {"c-1!2.0+x-0": records[2].fields, "d-1.0-0": records[3].fields},
        "tar.bz2": {"a-1.0-0": records[0].fields},
    }
    assert document["info"] == {
        "subdir": "noarch",
        "repodata_revisions": {"v3": {"n_packages": 3, "newest": 9, "oldest": 5}},
    }
    assert document["repodata_version"] == 1


def test_the_writer_tells_the_revisions_for_the_index_of_shards():
    writer = RepodataWriter("noarch")
    writer.add("a-1.0-0.conda", make_record("a", indexed_timestamp=7).canonical, True)
    writer.finish()
    assert writer.revisions == {"v3": {"n_packages": 1, "newest": 7, "oldest": 7}}

    writer = RepodataWriter("noarch")
    writer.add("a-1.0-0.conda", make_record("a").canonical)
    writer.finish()
    assert writer.revisions == {}


def test_relations_and_removed_packages_are_written():
    document = json.loads(
        _written(relations={"base": "../forge"}, removed=["b-1-0.conda", "a-1-0.tar.bz2"])
    )
    assert document["info"] == {"subdir": "noarch", "channel_relations": {"base": "../forge"}}
    assert document["removed"] == ["a-1-0.tar.bz2", "b-1-0.conda"]


def test_the_compressed_form_tells_its_size_and_is_the_same_every_time():
    # Clients with a limit read the size in the header of the frame before they unpack.
    plain = _written(*RECORDS)
    for level in ("fast", "small", 3):
        packed = compress_file(plain, level)
        assert zstandard.frame_content_size(packed) == len(plain)
        assert packed == compress_file(plain, level)
        assert _records(_repodata(packed))[0].fields == RECORDS[0].fields


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"{}", b" {\r\n}\r\n"])
def test_a_file_with_nothing_in_it_is_an_empty_subdir(content):
    # An empty file is an empty dictionary (CEP 36).
    assert _records(_repodata(content)) == []
    assert _repodata(content).packages_url(CHANNEL) == f"{CHANNEL}/noarch/"


def test_a_byte_order_mark_and_the_blanks_of_any_writer_do_no_harm():
    text = json.dumps(_document(*RECORDS), indent=3, ensure_ascii=False).replace("\n", "\r\n")
    read = _records(_repodata(b"\xef\xbb\xbf" + text.encode()))
    assert [r.fields for r in read] == [r.fields for r in RECORDS]


def test_records_are_read_whole_wherever_the_pieces_of_the_file_end():
    # Two megabytes, so that the reader needs many pieces.
    records = [
        make_record("a", build=f"h_{n}", unknown="é" * (n % 50), size=n) for n in range(5000)
    ]
    read = _records(_repodata(_written(*records)))
    assert [r.fields for r in read] == [r.fields for r in records]


def test_the_sections_may_come_in_any_order():
    document = _document(*RECORDS)
    turned = dict(reversed(document.items()))
    assert {r.filename for r in _records(_repodata(turned))} == {r.filename for r in RECORDS}
    assert _repodata(turned).packages_url(CHANNEL) == f"{CHANNEL}/noarch/"


def test_what_a_future_channel_adds_is_passed_over():
    document = _document(
        *RECORDS, signatures={"a-1.0-0.conda": {"key": {"signature": "x"}}}, v4={"conda": {"a": {}}}
    )
    assert len(_records(_repodata(document))) == len(RECORDS)


@pytest.mark.parametrize(
    "base_url, packages_url",
    [
        pytest.param(None, f"{CHANNEL}/noarch/", id="none"),
        pytest.param("", f"{CHANNEL}/noarch/", id="empty"),
        pytest.param("../files/", f"{CHANNEL}/files/", id="relative"),
        pytest.param("https://cdn.example.org/x/", "https://cdn.example.org/x/", id="absolute"),
    ],
)
def test_packages_may_stand_elsewhere(base_url, packages_url):
    document = _document(info={"subdir": "noarch", "base_url": base_url}, repodata_version=2)
    assert _repodata(document).packages_url(CHANNEL) == packages_url


@pytest.mark.parametrize(
    "content, reason",
    [
        pytest.param(
            b"<!DOCTYPE html><p>Not here", "it starts with '<!DOCTYPE html><p>Not here'", id="HTML"
        ),
        pytest.param(b"[1, 2]", "it starts with '[1, 2]'", id="list"),
        pytest.param(b'{"info": {"subdir": "noar', "it is cut short or no JSON", id="cut short"),
        pytest.param(b'{"info": {,}}', "it is cut short or no JSON", id="not JSON"),
        pytest.param(b'{"packages": {}} {}', "it is cut short or no JSON", id="two documents"),
        pytest.param(b'{"packages": {"a"}}', "it is cut short or no JSON", id="no value"),
        pytest.param(b'{"packages": {7: {}}}', "it is cut short or no JSON", id="number as key"),
        pytest.param(b'{"packages": {},}', "it is cut short or no JSON", id="comma at the end"),
        pytest.param(b'{"packages": {"a": tru', "it is cut short or no JSON", id="half a word"),
        pytest.param(b'{"x": "\xff"}', "it is cut short or no JSON", id="not UTF-8"),
        pytest.param(b'{"packages": {"a": ' + b"[" * 100_000, "it is nested too deeply", id="deep"),
        pytest.param(
            b'{"packages": {"a": {"x": "' + b" " * 5_000_000 + b'"}}}',
            "it is cut short or no JSON (a value of more than 4194304 characters)",
            id="endless record",
        ),
        pytest.param({"packages": [{}]}, "its 'packages' is not an object", id="list"),
        pytest.param({"packages.conda": "x"}, "its 'packages.conda' is not an object", id="text"),
        pytest.param({"v3": ["conda"]}, "its 'v3' is not an object", id="v3"),
        pytest.param({"v3": {"conda": [{}]}}, "its 'v3' is not an object", id="list in v3"),
        pytest.param({"removed": "x"}, "its 'removed' is not a list", id="removed"),
        pytest.param({"removed": {"x": 1}}, "its 'removed' is not a list", id="removed object"),
        pytest.param({"info": []}, "its 'info' is not an object", id="info"),
        pytest.param({"repodata_version": 3}, "its 'repodata_version' is 3", id="version"),
        pytest.param(
            {"info": {"base_url": "file:///etc/"}},
            "its 'base_url' is 'file:///etc/'",
            id="base_url",
        ),
        pytest.param(
            zstandard.compress(b'{"info": {}}')[:-4],
            "it is cut short or no JSON",
            id="zstd cut short",
        ),
        pytest.param(
            b"\x28\xb5\x2f\xfd" + b"\xff" * 20, "its compression is broken", id="not zstd"
        ),
        pytest.param(zstandard.compress(b"{}")[:9], "it is cut short", id="zstd of nothing yet"),
    ],
)
def test_what_is_no_repodata_is_refused(content, reason):
    with pytest.raises(BadRepodata) as refused:
        repodata = _repodata(content)
        repodata.packages_url(CHANNEL)
        _records(repodata)
    assert refused.value.facts["reason"].startswith(reason)
    assert refused.value.facts["url"] == f"{CHANNEL}/noarch/repodata.json"


def test_a_document_that_ends_early_is_refused_wherever_it_is_cut():
    whole = _written(*RECORDS).rstrip()
    for length in range(1, len(whole)):
        with pytest.raises(BadRepodata):
            _records(_repodata(whole[:length]))


def test_repodata_of_another_subdir_is_refused():
    with pytest.raises(WrongSubdir) as refused:
        _repodata(_document(), subdir="linux-64").packages_url(CHANNEL)
    assert (refused.value.facts["found"], refused.value.facts["subdir"]) == ("noarch", "linux-64")


def test_repodata_larger_than_the_limit_is_refused():
    bomb = zstandard.compress(b'{"info":{},"x":"' + b" " * 10_000_000 + b'"}')
    assert len(bomb) < 10_000
    with pytest.raises(RepodataTooLarge) as refused:
        _records(_repodata(bomb, max_size=1_000_000))
    assert refused.value.facts["limit"] == 1_000_000


def test_a_frame_that_wants_a_huge_window_is_refused():
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=30)
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    stream = compressor.compressobj()
    content = stream.compress(b"{" + b" " * 1000) + stream.flush()
    with pytest.raises(BadRepodata, match="compression"):
        _records(_repodata(content))


def _left_out(document, package_filter=EVERYTHING, **options):
    """Return why the first entry is left out."""
    (record, reason), *_ = _repodata(document, **options).records(package_filter)
    assert record is None
    return reason


def test_a_record_that_is_wrong_is_left_out_and_the_others_are_taken():
    bad, good = make_record("a", license=5), make_record("b")
    document = _document(bad, good)
    assert _left_out(document) == Unservable(bad.filename, "'license' is a number, not a string")
    assert [record.name for record in _records(_repodata(document))] == ["b"]


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
@pytest.mark.parametrize("key", ["size", "timestamp", "license", "unknown", "depends"])
def test_a_number_that_json_does_not_have_costs_only_its_record(key, number):
    text = json.dumps(_document(make_record("a", **{key: ["?"]}), make_record("b")))
    document = text.replace('["?"]', f'[{{"x": {number}}}]' if key == "unknown" else number)
    assert isinstance(_left_out(document.encode()), Unservable)
    assert [record.name for record in _records(_repodata(document.encode()))] == ["b"]


ODD_NAMES = [
    ("libodd-0.6+218_omp_0.tar.bz2", "libodd", "it has fewer than three parts"),
    ("LibOdd-0.6-0.tar.bz2", "LibOdd", "'LibOdd' is not a name"),
    ("lib odd-0.6-0.conda", "lib odd", "'lib odd' is not a name"),
    ("../../etc/libodd-1-0.conda", "libodd", "'../../etc/libodd' is not a name"),
    ("libodd-0.6-0.zip", "libodd", "it has another extension"),
    ("libodd-0.6-a b.conda", "libodd", "'a b' is not a build"),
    ("libé-0.6-0.conda", "libé", "'libé' is not a name"),
    ("lib\0-0.6-0.conda", "lib\0", "its file name holds a NUL, which no text can have"),
    ("lib\ud800-0.6-0.conda", "lib\ud800", "its file name holds half of a surrogate pair"),
    ("", "libodd", "it has another extension"),
    ("good-1.0-0.conda", "libodd", "its name is 'libodd', and 'good' in the file name"),
]


@pytest.mark.parametrize("filename, name, reason", ODD_NAMES)
def test_a_name_that_does_not_parse_costs_only_its_record(filename, name, reason):
    fields = make_record("libodd", "0.6").fields | {"name": name}
    document = {"packages.conda": {filename: fields}, "packages": {}}
    document["packages"]["b-1.0-0.tar.bz2"] = make_record("b", extension=".tar.bz2").fields
    left_out = _left_out(document)
    assert left_out.filename == filename
    assert left_out.reason.startswith(reason)
    assert [record.name for record in _records(_repodata(document))] == ["b"]


@pytest.mark.parametrize("filename, name, reason", ODD_NAMES)
@pytest.mark.parametrize(
    "specs, why",
    [
        ({"excludes": ["lib*"]}, "excluded by 'lib*'"),
        ({"excludes": ["^lib.*$"]}, "excluded by '^lib.*$'"),
        ({"includes": ["b"]}, "matched by none of 'includes'"),
        ({"includes": ["lib*"], "excludes": ["lib* <1"]}, "excluded by 'lib* <1'"),
    ],
)
def test_the_filter_goes_by_the_name_in_a_record(filename, name, reason, specs, why):
    fields = make_record("libodd", "0.6").fields | {"name": name}
    document = {"packages.conda": {filename: fields}}
    assert _left_out(document, PackageFilter(**specs)) == why


def test_a_name_in_capitals_can_be_excluded_in_any_case():
    fields = make_record("a").fields | {"name": "LibOdd"}
    document = {"packages.conda": {"LibOdd-1.0-0.conda": fields}}
    for spec in ("libodd", "LibOdd"):
        assert _left_out(document, PackageFilter(excludes=[spec])) == f"excluded by '{spec}'"


@pytest.mark.parametrize("fields", [None, 7, [], "x", {}, {"name": 7}, {"name": None}])
def test_an_entry_that_says_no_name_goes_by_its_file_name(fields):
    document = {"packages.conda": {"a-1.0-0.conda": fields}}
    assert _left_out(document, PackageFilter(excludes=["a 1.*"])) == "excluded by 'a 1.*'"
    assert _left_out(document).filename == "a-1.0-0.conda"


@pytest.mark.parametrize("odd", ["a\0b", "\ud800"], ids=ascii)
def test_a_record_that_cannot_be_stored_is_left_out(odd):
    document = _document(make_record("a", license=odd), make_record("b"))
    assert _left_out(document).reason.startswith("'license' holds ")
    assert [record.name for record in _records(_repodata(document))] == ["b"]
    assert _left_out(document, PackageFilter(excludes=["a"])) == "excluded by 'a'"


def test_records_of_v3_are_read_with_the_others():
    document = _document(
        make_record("a"),
        v3={
            "conda": {"b-1.0-0": make_record("b").fields},
            "tar.bz2": {"c-1.0-0": make_record("c", extension=".tar.bz2").fields},
        },
    )
    read = {r.filename: r.in_v3 for r in _records(_repodata(document))}
    assert read == {"a-1.0-0.conda": False, "b-1.0-0.conda": True, "c-1.0-0.tar.bz2": True}


def test_what_is_no_conda_package_is_left_out_and_counted():
    # Wheels, for example.
    document = {"v3": {"whl": {"a-1.0-0": {}, "b-1.0-0": 7}, "conda": {}, "x": {"y": []}}}
    read = list(_repodata(document).records(EVERYTHING))
    assert read == [(None, OTHER_FORMAT)] * 3


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"schema_version": 3}, id="says so"),
        pytest.param({"depends": ['b[when="__unix"]']}, id="has a condition"),
    ],
)
def test_a_record_that_needs_v3_comes_out_so_wherever_it_stood(fields):
    (record,) = _records(_repodata(_document(make_record("a", **fields))))
    assert record.in_v3


@pytest.mark.parametrize(
    "inside, beside",
    [
        pytest.param({"weak": ["a >=1"]}, {"weak": ["a >=1"]}, id="some"),
        pytest.param({}, {}, id="none"),
        pytest.param(None, None, id="not known"),
    ],
)
def test_run_exports_inside_of_a_record_come_out_beside_it(inside, beside):
    # rattler-index writes them there. Patches and the digests of records do not include them.
    plain = make_record("a")
    (record,) = _records(_repodata(_document(make_record("a", run_exports=inside))))
    assert record.run_exports == beside
    assert record.digest == plain.digest


@pytest.mark.parametrize(
    "fields, reason",
    [
        pytest.param({"run_exports": {"weak": 7}}, "its run_exports are wrong", id="run_exports"),
        pytest.param({"indexed_timestamp": 1.5}, "'indexed_timestamp' is 1.5", id="fraction"),
        pytest.param(
            {"indexed_timestamp": 10**12 + 2 * 86_400_000}, "lies in the future", id="future"
        ),
        pytest.param({"attestations_sha256": "ab"}, "not 64 hexadecimal", id="short digest"),
        pytest.param(
            {"attestations_sha256": "AB" * 32}, "64 hexadecimal digits in lower", id="capitals"
        ),
        pytest.param(
            {"extra_depends": ["a"]}, "'extra_depends' is not an object of lists", id="groups"
        ),
    ],
)
def test_a_record_that_would_break_clients_is_left_out(fields, reason):
    document = _document(make_record("a", **fields))
    assert reason in _left_out(document, now_ms=10**12).reason
    excluded = _left_out(document, PackageFilter(excludes=["a"]), now_ms=10**12)
    assert excluded == "excluded by 'a'"


def test_a_clock_that_is_a_little_ahead_is_no_error():
    record = make_record("a", indexed_timestamp=10**12 + 3_600_000)
    assert _records(_repodata(_document(record), now_ms=10**12))
    assert _records(_repodata(_document(make_record("a", indexed_timestamp=10**14))))


@pytest.mark.parametrize("read_before", [True, False])
def test_removed_packages_are_listed_once_and_sorted(read_before):
    names = ["b-1-0.conda", "a-1-0.tar.bz2", "b-1-0.conda", 7, None, "../x", "B 1.conda"]
    repodata = _repodata(_document(make_record("c"), removed=names))
    if read_before:
        _records(repodata)
    assert repodata.removed() == ["a-1-0.tar.bz2", "b-1-0.conda"]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("in_v3", [True, False])
def test_a_package_that_is_listed_and_removed_is_there(first, in_v3):
    record = make_record("a")
    removed = {"removed": ["z-1-0.conda", record.filename]}
    listed = (
        {"v3": {"conda": {"a-1.0-0": record.fields}}}
        if in_v3
        else {"packages.conda": {record.filename: record.fields}}
    )
    document = removed | listed if first else listed | removed
    repodata = _repodata(document)
    assert [taken.filename for taken in _records(repodata)] == [record.filename]
    assert repodata.removed() == ["z-1-0.conda"]
    assert repodata.listed_and_removed == [record.filename]
    left_out = _repodata(document)
    assert _records(left_out, PackageFilter(excludes=["a"])) == []
    assert left_out.listed_and_removed == []


def test_a_list_of_removed_packages_has_a_limit(monkeypatch):
    monkeypatch.setattr("pulp_conda.channel.metadata.repodata.MAX_REMOVED", 2)
    document = {"removed": [f"a-1-{n}.conda" for n in range(3)]}
    with pytest.raises(BadRepodata, match="more than 2 names"):
        _repodata(document).removed()


@pytest.mark.parametrize(
    "base_url, packages_url",
    [
        pytest.param("", f"{CHANNEL}/noarch/?key=1", id="none"),
        pytest.param("../files/", f"{CHANNEL}/files/?key=1", id="relative"),
        pytest.param("https://cdn.example.org/x/", "https://cdn.example.org/x/", id="elsewhere"),
    ],
)
def test_the_query_of_the_channel_goes_to_its_own_host_only(base_url, packages_url):
    # The query string may be a token.
    repodata = _repodata(_document(info={"base_url": base_url}))
    assert repodata.packages_url(f"{CHANNEL}?key=1") == packages_url


@pytest.mark.parametrize(
    "base_url",
    [
        7,
        "ftp://a/",
        "http:a",
        "http://[",
        "javascript:alert(1)",
        "http://a/\0/",
        pytest.param(f"http://a/{'b' * 2000}", id="long"),
    ],
)
def test_a_base_url_that_nobody_can_fetch_from_is_refused(base_url):
    with pytest.raises(BadRepodata, match="not an HTTP URL"):
        _repodata(_document(info={"base_url": base_url})).packages_url(CHANNEL)
