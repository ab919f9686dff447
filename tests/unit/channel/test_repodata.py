import io
import json

import pytest
import zstandard

from pulp_conda.channel.errors import BadRecord, BadRepodata, RepodataTooLarge, WrongSubdir
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.repodata import Repodata, RepodataWriter, compress
from tests.builders import make_record

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


def _written(*records):
    file = io.BytesIO()
    writer = RepodataWriter(file, "noarch")
    for record in records:
        writer.add(record.filename, record.canonical)
    writer.close()
    return file.getvalue()


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


def test_the_compressed_form_tells_its_size_and_is_the_same_every_time():
    # Clients with a limit look at the frame's header before they unpack.
    plain = _written(*RECORDS)
    first, second = io.BytesIO(), io.BytesIO()
    compress(io.BytesIO(plain), first, len(plain), level=3)
    compress(io.BytesIO(plain), second, len(plain), level=3)
    assert zstandard.frame_content_size(first.getvalue()) == len(plain)
    assert first.getvalue() == second.getvalue()
    assert _records(_repodata(first.getvalue()))[0].fields == RECORDS[0].fields


def test_a_byte_order_mark_and_an_empty_file_do_no_harm():
    assert _records(_repodata(b"")) == []
    assert _repodata(b"").packages_url(CHANNEL) == f"{CHANNEL}/noarch/"


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


def test_a_record_without_checksums_names_the_package_and_the_file():
    bad = make_record("a", sha256=None)
    with pytest.raises(BadRecord) as refused:
        _records(_repodata(_document(bad)))
    assert refused.value.facts["filename"] == bad.filename
    assert refused.value.facts["url"] == f"{CHANNEL}/noarch/repodata.json"


def test_a_bad_record_can_be_left_out_as_its_error_says():
    bad = make_record("a", sha256=None)
    good = make_record("b")
    package_filter = PackageFilter(excludes=["a"])
    assert [r.name for r in _records(_repodata(_document(bad, good)), package_filter)] == ["b"]


def test_a_name_that_is_a_path_is_refused():
    bad = {"packages.conda": {"../../etc/a-1-0.conda": make_record("a").fields}}
    with pytest.raises(BadRecord):
        _records(_repodata(bad))
