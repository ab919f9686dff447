from hashlib import sha256

import msgpack
import orjson
import pytest
import zstandard

from tests.bench.channel import SUBDIRS, Channel

SIZE = 1500


def _repodata(folder, subdir):
    return orjson.loads((folder / subdir / "repodata.json").read_bytes())


def _records(repodata):
    return repodata["packages"] | repodata["packages.conda"]


def _write(channel, folder):
    channel.write_flat(folder)
    channel.write_shards(folder)
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_same_size_and_seed_give_the_same_bytes(tmp_path):
    first = _write(Channel(SIZE), tmp_path / "a")
    assert _write(Channel(SIZE), tmp_path / "b") == first
    assert _write(Channel(SIZE, seed=2), tmp_path / "c") != first


def test_a_channel_has_as_many_records_as_asked_for_and_of_the_right_size(tmp_path):
    Channel(SIZE).write_flat(tmp_path)
    sizes = {subdir: len(_records(_repodata(tmp_path, subdir))) for subdir in SUBDIRS}
    assert sizes == {"linux-64": SIZE // 3 * 2, "noarch": SIZE // 3} == Channel(SIZE).counts()[0]
    plain = sum((tmp_path / subdir / "repodata.json").stat().st_size for subdir in SUBDIRS)
    assert 440 < plain / SIZE < 540
    for subdir in SUBDIRS:
        packed = (tmp_path / subdir / "repodata.json.zst").read_bytes()
        assert orjson.loads(zstandard.decompress(packed)) == _repodata(tmp_path, subdir)


@pytest.mark.parametrize("next_day", [False, True], ids=["today", "next day"])
def test_shards_say_what_repodata_says(tmp_path, next_day):
    channel = Channel(SIZE, next_day=next_day)
    _write(channel, tmp_path)
    for subdir in SUBDIRS:
        data = (tmp_path / subdir / "repodata_shards.msgpack.zst").read_bytes()
        found, removed = {}, []
        for name, digest in msgpack.unpackb(zstandard.decompress(data))["shards"].items():
            shard = (tmp_path / subdir / "shards" / f"{digest.hex()}.msgpack.zst").read_bytes()
            assert sha256(shard).digest() == digest
            shard = msgpack.unpackb(zstandard.decompress(shard))
            removed += shard["removed"]
            for filename, record in (shard["packages"] | shard["packages.conda"]).items():
                assert record["name"] == name
                record |= {key: record[key].hex() for key in ("md5", "sha256")}
                assert "run_exports" in record
                del record["run_exports"]
                found[filename] = record
        repodata = _repodata(tmp_path, subdir)
        assert found == _records(repodata)
        assert removed == repodata["removed"]


def test_the_next_day_differs_in_the_names_that_it_tells(tmp_path):
    today, tomorrow = Channel(SIZE), Channel(SIZE, next_day=True)
    counts, changes = tomorrow.counts()
    assert set(changes) == {"added", "fixed", "removed"}
    assert 0 < sum(changes.values()) <= 0.01 * SIZE
    for subdir in SUBDIRS:
        before, after = (
            {name: (entries, removed) for name, entries, removed in channel.names(subdir)}
            for channel in (today, tomorrow)
        )
        changed = {name for name in after if after[name] != before[name]}
        assert changed == set(tomorrow.changed_names(subdir))
        assert sum(len(entries) for entries, _ in after.values()) == counts[subdir]
