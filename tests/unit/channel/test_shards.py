from datetime import UTC, datetime
from hashlib import sha256

import msgpack
import pytest
import zstandard

from pulp_conda.channel.errors import (
    BadShard,
    BadShardIndex,
    RepodataTooLarge,
    WrongSubdir,
)
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.repodata import OTHER_FORMAT, Unservable
from pulp_conda.channel.metadata.shards import (
    MAX_SIZE,
    encode_index,
    encode_shard,
    read_index,
    read_shard,
    shard_key,
)
from tests.support.builders import make_record

CHANNEL = "https://conda.example.org/forge"
INDEX_URL = f"{CHANNEL}/noarch/repodata_shards.msgpack.zst"
SHARD_URL = f"{CHANNEL}/noarch/shards/x.msgpack.zst"
DIGEST = sha256(b"a").digest()
EVERYTHING = PackageFilter()

RECORDS = [
    make_record("a", extension=".tar.bz2"),
    make_record("a", "2.0", unknown={"key": ["é", 1.5]}),
    make_record("a", "3.0", md5=None),
]


def _entry(record, run_exports=None, in_v3=False):
    return (record.filename, record.canonical.decode(), run_exports, in_v3)


def _encoded(records, removed=()):
    return encode_shard([_entry(record) for record in records], removed, level=3)


def _packed(content):
    return zstandard.compress(msgpack.packb(content))


def _unpacked(data):
    return msgpack.unpackb(zstandard.decompress(data))


def _read_index(content, **options):
    data = content if isinstance(content, bytes) else _packed(content)
    arguments = {"url": INDEX_URL, "subdir": "noarch", "channel_url": CHANNEL} | options
    return read_index(data, **arguments)


def _read_shard(content, name="a", package_filter=EVERYTHING, **options):
    data = content if isinstance(content, bytes) else _packed(content)
    arguments = {
        "url": SHARD_URL,
        "name": name,
        "digest": sha256(data).digest(),
        "subdir": "noarch",
        "package_filter": package_filter,
    }
    return read_shard(data, **(arguments | options))


def _taken(shard):
    return [record for record, reason in shard.records if reason is None]


def test_shard_bytes_do_not_depend_on_record_order():
    # A shard is stored under its hash. In another order it would be a new file at every publish.
    removed = ["a-0-0.conda", "a-0-1.conda"]
    assert _encoded(RECORDS, removed) == _encoded(RECORDS[::-1], removed[::-1])


def test_a_shard_has_the_records_with_checksums_as_bytes():
    shard = _unpacked(_encoded(RECORDS))
    first, second, third = (record.fields for record in RECORDS)
    assert shard["packages"] == {
        "a-1.0-0.tar.bz2": {
            **first,
            "md5": bytes.fromhex(first["md5"]),
            "sha256": bytes.fromhex(first["sha256"]),
        }
    }
    assert list(shard["packages.conda"]) == ["a-2.0-0.conda", "a-3.0-0.conda"]
    assert shard["packages.conda"]["a-2.0-0.conda"]["unknown"] == second["unknown"]
    assert shard["packages.conda"]["a-3.0-0.conda"]["md5"] is None
    assert shard["removed"] == []


def test_both_maps_are_there_also_when_one_is_empty():
    # conda reads both without a check that they are there.
    shard = _unpacked(_encoded(RECORDS[:1]))
    assert shard["packages.conda"] == {}
    assert "v3" not in shard


def test_run_exports_stand_inside_of_the_records_where_they_are_known():
    # Without the key, clients look elsewhere (CEP 21).
    entries = [
        _entry(RECORDS[0], b'{"weak":["a >=1"]}'),
        _entry(RECORDS[1], "{}"),
        _entry(RECORDS[2]),
    ]
    shard = _unpacked(encode_shard(entries, (), level=3))
    assert shard["packages"]["a-1.0-0.tar.bz2"]["run_exports"] == {"weak": ["a >=1"]}
    assert shard["packages.conda"]["a-2.0-0.conda"]["run_exports"] == {}
    assert "run_exports" not in shard["packages.conda"]["a-3.0-0.conda"]


def test_records_of_v3_stand_there_only():
    entries = [_entry(record, in_v3=record is not RECORDS[2]) for record in RECORDS]
    shard = _unpacked(encode_shard(entries, ["a-0-0.conda"], level=3))
    assert shard["packages"] == {}
    assert list(shard["packages.conda"]) == ["a-3.0-0.conda"]
    assert {key: list(records) for key, records in shard["v3"].items()} == {
        "tar.bz2": ["a-1.0-0"],
        "conda": ["a-2.0-0"],
    }
    assert shard["removed"] == ["a-0-0.conda"]


def test_the_frame_tells_the_size_of_its_content():
    # conda refuses a large frame without it.
    data = _encoded(RECORDS)
    assert zstandard.frame_content_size(data) == len(zstandard.decompress(data))


def test_the_index_has_what_each_client_demands():
    digests = {"b": sha256(b"b").digest(), "a": sha256(b"a").digest()}
    data = encode_index("noarch", digests, datetime(2026, 3, 1, tzinfo=UTC), level=3)
    assert _unpacked(data) == {
        "version": 1,
        "info": {
            "subdir": "noarch",
            "base_url": "",
            "shards_base_url": "./shards/",
            "created_at": "2026-03-01T00:00:00Z",
        },
        "shards": digests,
    }
    assert list(_unpacked(data)["shards"]) == ["a", "b"]


def test_the_index_names_relations_and_revisions_if_there_are_any():
    relations = {"overrides": "../..", "base": "../forge"}
    revisions = {"v3": {"n_packages": 1}}
    created_at = datetime(2026, 3, 1, tzinfo=UTC)
    info = _unpacked(encode_index("noarch", {}, created_at, 3, relations, revisions))["info"]
    assert info["channel_relations"] == relations
    assert info["repodata_revisions"] == revisions
    info = _unpacked(encode_index("noarch", {}, created_at, 3, {}, {}))["info"]
    assert not {"channel_relations", "repodata_revisions"} & info.keys()


def test_the_key_of_a_shard_changes_with_whatever_changes_the_shard():
    name, record, _, _ = _entry(RECORDS[0])
    contents = [
        ([], []),
        ([_entry(RECORDS[0])], []),
        ([_entry(RECORDS[0])], ["a-0-0.conda"]),
        ([_entry(RECORDS[0], in_v3=True)], []),
        ([_entry(RECORDS[0], "{}")], []),
        ([_entry(RECORDS[0], '{"weak":[]}')], []),
        ([("a-9-0.tar.bz2", record, None, False)], []),
        ([(name, record + " ", None, False)], []),
        ([_entry(RECORDS[0]), _entry(RECORDS[1])], []),
    ]
    assert len({shard_key(*content) for content in contents}) == len(contents)


def test_the_key_of_a_shard_does_not_depend_on_the_order():
    entries = [_entry(record, "{}") for record in RECORDS]
    assert shard_key(entries) == shard_key(reversed(entries)) == shard_key(iter(entries))


def test_an_index_is_read():
    created_at = datetime(2026, 3, 1, tzinfo=UTC)
    index = _read_index(encode_index("noarch", {"a": DIGEST}, created_at, 3, {"base": "../b"}))
    assert index.subdir == "noarch"
    assert index.packages_url == f"{CHANNEL}/noarch/"
    assert index.digests == {"a": DIGEST}
    assert index.shard_url("a") == f"{CHANNEL}/noarch/shards/{DIGEST.hex()}.msgpack.zst"
    assert index.relations == {"base": "../b"}


def test_an_index_needs_no_more_than_the_hashes():
    # The example in CEP 16 has no subdir.
    index = _read_index({"shards": {}})
    assert (index.digests, index.relations) == ({}, {})
    assert index.packages_url == index.shards_url == f"{CHANNEL}/noarch/"


@pytest.mark.parametrize(
    "channel_url, base_url, url",
    [
        pytest.param(CHANNEL, "shards", f"{CHANNEL}/noarch/shards", id="no slash"),
        pytest.param(CHANNEL, "/s/", "https://conda.example.org/s/", id="root of the host"),
        pytest.param(CHANNEL, "https://s.example.org/x/", "https://s.example.org/x", id="host"),
        pytest.param(CHANNEL, "//s.example.org/x/", "https://s.example.org/x", id="no scheme"),
        pytest.param(f"{CHANNEL}/?t=1", "s/", f"{CHANNEL}/noarch/s", id="token"),
        pytest.param("file:///srv/forge", "./s/", "file:///srv/forge/noarch/s", id="file"),
    ],
)
def test_shards_may_stand_elsewhere(channel_url, base_url, url):
    index = _read_index(
        {"info": {"shards_base_url": base_url}, "shards": {"a": DIGEST}}, channel_url=channel_url
    )
    query = "?t=1" if "?" in channel_url else ""
    assert index.shard_url("a") == f"{url.rstrip('/')}/{DIGEST.hex()}.msgpack.zst{query}"


def _with_shards(shards):
    return {"version": 1, "info": {"subdir": "noarch"}, "shards": shards}


@pytest.mark.parametrize(
    "content, reason",
    [
        pytest.param(b"<html>", "its compression is broken", id="HTML"),
        pytest.param(b"", "it is cut short or no msgpack", id="empty"),
        pytest.param(_packed(_with_shards({}))[:-5], "it is cut short or no msg", id="cut short"),
        pytest.param(zstandard.compress(b"\xc1"), "it is cut short or no msgpack", id="no msgpack"),
        pytest.param(
            zstandard.compress(msgpack.packb({}) * 2), "it is cut short or no msgpack", id="two"
        ),
        pytest.param([1], "it is not a map", id="list"),
        pytest.param({7: 1}, "it is cut short or no msgpack (int is not allowed", id="key"),
        pytest.param({}, "it has no map of 'shards'", id="no shards"),
        pytest.param({"shards": ["a"]}, "it has no map of 'shards'", id="list of shards"),
        pytest.param(_with_shards({"a": "ab" * 32}), "the hash of 'a' is not in binary", id="hex"),
        pytest.param(_with_shards({"a": b"ab"}), "the hash of 'a' has 2 bytes", id="short hash"),
        pytest.param(_with_shards({b"a": DIGEST}), "b'a' is not a package name", id="binary name"),
        pytest.param({"version": 2, "shards": {}}, "its 'version' is 2, not 1", id="version"),
        pytest.param({"info": [], "shards": {}}, "its 'info' is not a map", id="info"),
        pytest.param(
            {"info": {"base_url": "ftp://a/"}, "shards": {}},
            "its 'base_url' is 'ftp://a/', not an HTTP URL",
            id="base_url",
        ),
        pytest.param(
            {"info": {"shards_base_url": 7}, "shards": {}},
            "its 'shards_base_url' is 7, not an HTTP URL",
            id="shards_base_url",
        ),
        pytest.param(
            {"info": {"channel_relations": {"base": "https://a"}}, "shards": {}},
            "its 'channel_relations': 'base' is",
            id="relations",
        ),
        pytest.param(zstandard.compress(b"\x91" * 10_000), "it is nested too deeply", id="deep"),
        pytest.param(
            zstandard.compress(b"\xdd\x00\x01\x86\xa0" + b"\x80" * 100_000),
            "it is cut short or no msgpack (too many maps and lists)",
            id="bytes that become maps",
        ),
        pytest.param(
            zstandard.compress(b"\xdd\x7f\xff\xff\xff" * 100),
            "it is cut short or no msgpack (2147483647 exceeds max_array_len",
            id="lists that want their space first",
        ),
    ],
)
def test_what_is_no_index_is_refused(content, reason):
    with pytest.raises(BadShardIndex) as refused:
        _read_index(content)
    assert refused.value.facts["reason"].startswith(reason)
    assert refused.value.facts["url"] == INDEX_URL


def test_relations_of_the_future_are_passed_over():
    # Clients must ignore them (CEP 42).
    info = {"channel_relations": {"base": "../a", "extends": 7}}
    assert _read_index({"info": info, "shards": {}}).relations == {"base": "../a"}


def test_an_index_of_another_subdir_is_refused():
    with pytest.raises(WrongSubdir) as refused:
        _read_index({"info": {"subdir": "osx-64"}, "shards": {}})
    assert refused.value.facts["found"] == "osx-64"


def _bomb(size):
    """Return zstd of so many zeros, without the size in the header."""
    compressor = zstandard.ZstdCompressor().compressobj()
    packed = compressor.compress(bytes(size)) + compressor.flush()
    assert len(packed) < size // 1000
    return packed


def test_an_index_larger_than_the_limit_is_refused():
    with pytest.raises(RepodataTooLarge) as refused:
        _read_index(_bomb(2_000_000), max_size=1_000_000)
    assert refused.value.facts == {
        "url": INDEX_URL,
        "limit": 1_000_000,
        "setting": "CONDA_MAX_REPODATA_SIZE",
    }


def test_an_index_that_would_fill_the_memory_is_refused_whatever_the_settings_allow():
    with pytest.raises(BadShardIndex, match="it unpacks to more than 33554432 bytes"):
        _read_index(_bomb(MAX_SIZE + 1), max_size=2**40)


def test_a_shard_is_read_as_it_was_written():
    entries = [
        _entry(RECORDS[0], b'{"weak":["a >=1"]}'),
        _entry(RECORDS[1], b"{}", in_v3=True),
        _entry(RECORDS[2]),
    ]
    shard = _read_shard(encode_shard(entries, ["a-0-1.conda", "a-0-0.conda"], level=3))
    read = {record.filename: record for record in _taken(shard)}
    assert {name: record.fields for name, record in read.items()} == {
        record.filename: record.fields for record in RECORDS
    }
    assert [(read[r.filename].run_exports, read[r.filename].in_v3) for r in RECORDS] == [
        ({"weak": ["a >=1"]}, False),
        ({}, True),
        (None, False),
    ]
    assert shard.removed == ["a-0-0.conda", "a-0-1.conda"]


def test_checksums_are_read_in_either_form():
    # CEP 16 has md5 and sha256 in binary. Indexers differ about the others.
    fields = make_record("a").fields
    digests = {"legacy_bz2_md5": "ab" * 16, "attestations_sha256": "cd" * 32}
    binary = {key: bytes.fromhex(fields[key]) for key in ("md5", "sha256")}
    binary |= {key: bytes.fromhex(value) for key, value in digests.items()}
    for given in (fields | digests, fields | binary):
        (record,) = _taken(_read_shard({"packages.conda": {"a-1.0-0.conda": given}}))
        assert record.fields == fields | digests


def test_what_is_no_conda_package_is_left_out_and_counted():
    shard = _read_shard({"packages": {}, "v3": {"whl": {"a-1.0-0": {}}, "conda": {}}})
    assert shard.records == [(None, OTHER_FORMAT)]


def test_a_filter_says_why_it_leaves_records_out():
    shard = _read_shard(_encoded(RECORDS), package_filter=PackageFilter(excludes=["a 2.0"]))
    assert {record.version: reason for record, reason in shard.records} == {
        "1.0": None,
        "2.0": "excluded by 'a 2.0'",
        "3.0": None,
    }


def test_a_shard_with_other_bytes_than_the_index_says_is_refused():
    data = _encoded(RECORDS)
    with pytest.raises(BadShard) as refused:
        _read_shard(data, digest=DIGEST)
    assert refused.value.facts["url"] == SHARD_URL
    assert refused.value.facts["name"] == "a"
    assert DIGEST.hex() in refused.value.facts["reason"]
    assert sha256(data).hexdigest() in refused.value.facts["reason"]


FIELDS = make_record("a").fields
LISTED = {"a-1.0-0.conda": FIELDS}


@pytest.mark.parametrize(
    "content, reason",
    [
        pytest.param(_encoded(RECORDS)[:-10], "it is cut short", id="cut short"),
        pytest.param([], "it is not a map", id="list"),
        pytest.param({"packages": [FIELDS]}, "its 'packages' is not a map", id="packages"),
        pytest.param({"packages.conda": 0}, "its 'packages.conda' is not a map", id="zero"),
        pytest.param({"v3": []}, "its 'v3' is not a map", id="v3"),
        pytest.param({"v3": {"conda": []}}, "its 'v3.conda' is not a map", id="v3.conda"),
        pytest.param({"packages": {b"a": {}}}, "its 'packages' has a key that", id="key"),
        pytest.param({"removed": "a-1-0.conda"}, "its 'removed' is not a list", id="removed"),
        pytest.param(
            {"packages.conda": LISTED, "v3": {"conda": {"a-1.0-0": FIELDS}}},
            "it lists 'a-1.0-0.conda' twice",
            id="listed in both",
        ),
    ],
)
def test_what_is_no_shard_is_refused(content, reason):
    with pytest.raises(BadShard) as refused:
        _read_shard(content)
    assert refused.value.facts["reason"].startswith(reason)


@pytest.mark.parametrize(
    "filename, fields, reason",
    [
        pytest.param("a-1.0-0.conda", 7, "it is a number, not an object", id="number"),
        pytest.param("b-1.0-0.conda", make_record("b").fields, "in the shard of 'a'", id="name"),
        pytest.param("../a-1.0-0.conda", FIELDS, "'../a' is not a name", id="path"),
        pytest.param("a-1.0-0.conda", FIELDS | {"sha256": b"x"}, "'sha256' is '78'", id="checksum"),
        pytest.param("a-1.0-0.conda", FIELDS | {"x": b"x"}, "cannot be written", id="bytes"),
        pytest.param(
            "a-1.0-0.conda", FIELDS | {"x": {b"x": 1}}, "cannot be written", id="key of bytes"
        ),
        pytest.param(
            "a-1.0-0.conda", FIELDS | {"x": msgpack.Timestamp(1)}, "cannot be", id="timestamp"
        ),
        pytest.param(
            "a-1.0-0.conda", FIELDS | {"run_exports": 7}, "its run_exports are", id="run_exports"
        ),
        pytest.param(
            "a-1.0-0.conda", FIELDS | {"indexed_timestamp": 2**60}, "in the future", id="future"
        ),
    ],
)
def test_a_record_that_cannot_be_served_is_left_out(filename, fields, reason):
    content = {"packages.conda": LISTED | {filename: fields}}
    shard = _read_shard(content, now_ms=10**12)
    left_out = [reason for _, reason in shard.records if reason]
    assert [each.filename for each in left_out] == [filename]
    assert reason in left_out[0].reason
    assert len(_taken(shard)) == len({*LISTED} - {filename})


def test_a_filter_leaves_out_records_that_are_wrong():
    content = {"packages.conda": LISTED | {"a-2.0-0.conda": {}}}
    shard = _read_shard(content, package_filter=PackageFilter(excludes=["a 2.0"]))
    assert [record.filename for record in _taken(shard)] == ["a-1.0-0.conda"]
    assert (None, "excluded by 'a 2.0'") in shard.records


@pytest.mark.parametrize("odd", ["a\0b", b"\xff", b"\xed\xa0\x80"], ids=repr)
def test_a_record_that_cannot_be_stored_is_left_out(odd):
    # msgpack writes half of a surrogate pair only as bytes of a text that is not UTF-8.
    text = odd.encode() if isinstance(odd, str) else odd
    records = {"a-1.0-0.conda": make_record("a", license="?" * len(text)).fields}
    records["a-2.0-0.conda"] = make_record("a", "2.0").fields
    packed = msgpack.packb({"packages.conda": records}).replace(b"?" * len(text), text)
    shard = _read_shard(zstandard.compress(packed))
    (_, reason), (taken, _) = shard.records
    assert isinstance(reason, Unservable)
    assert reason.reason.startswith("'license' holds ")
    assert taken.version == "2.0"


def test_a_shard_larger_than_the_limit_is_refused():
    with pytest.raises(RepodataTooLarge):
        _read_shard(_bomb(2_000_000), max_size=1_000_000)
    with pytest.raises(BadShard, match="which clients do not take"):
        _read_shard(_bomb(MAX_SIZE + 1), max_size=2**40)
