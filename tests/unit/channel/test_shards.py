from datetime import UTC, datetime
from hashlib import sha256

import msgpack
import zstandard

from pulp_conda.channel.shards import encode_index, encode_shard, shard_key
from tests.builders import make_record

RECORDS = [
    make_record("a", extension=".tar.bz2"),
    make_record("a", "2.0", unknown={"key": ["é", 1.5]}),
    make_record("a", "3.0", md5=None),
]


def _encoded(records):
    return encode_shard([(record.filename, record.canonical) for record in records], level=3)


def _unpacked(data):
    return msgpack.unpackb(zstandard.decompress(data))


def test_shard_bytes_do_not_depend_on_record_order():
    # A shard is stored under its hash: another order would be another file at every publish.
    assert _encoded(RECORDS) == _encoded(RECORDS[::-1])


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
    # conda looks into both without asking.
    assert _unpacked(_encoded(RECORDS[:1]))["packages.conda"] == {}


def test_the_frame_tells_the_size_of_its_content():
    # conda refuses a frame without it above a limit.
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


def test_the_key_of_a_shard_changes_with_its_names_and_records():
    entries = [(record.filename, record.digest) for record in RECORDS]
    keys = {shard_key(entries), shard_key(entries[:2]), shard_key(entries[::-1])}
    keys.add(shard_key([("a-9-0.conda", entries[0][1]), *entries[1:]]))
    assert len(keys) == 4
    assert shard_key(entries) == shard_key(iter(entries))
