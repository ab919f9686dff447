"""The records that are written into each form of the repodata can be read back unchanged."""

import io
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rattler import Channel, PackageFormatSelection, SparseRepoData

from pulp_conda.channel import layout
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.compression import compress_file
from pulp_conda.channel.metadata.repodata import Repodata, RepodataWriter
from pulp_conda.channel.metadata.run_exports import (
    KINDS,
    RunExportsWriter,
    canonical,
    read_run_exports,
)
from pulp_conda.channel.metadata.shards import encode_index, encode_shard, read_index, read_shard
from pulp_conda.channel.records import PackageRecord
from tests.support.builders import make_record

CHANNEL = "https://conda.example.org/forge"
URL = f"{CHANNEL}/noarch/repodata.json"
EVERYTHING = PackageFilter()
MOMENT = 1_700_000_000_000

SPECS = st.sampled_from(["python", "numpy >=1.2,<3", "libé >=1", "a 1.* *_cpu", "b[version='>=1']"])
V3_SPECS = st.sampled_from(['a[when="__unix"]', "a[extras=[x]]", 'a[version=">=1",flags=[cuda]]'])
# A text with a NUL is refused wherever it comes in.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=5,
)
RUN_EXPORTS = st.none() | st.dictionaries(st.sampled_from(KINDS), st.lists(SPECS, max_size=2))


@st.composite
def records(draw):
    record = make_record(
        draw(st.sampled_from(["a", "_b", "c-d_e.f"])),
        draw(
            st.from_regex(
                r"([0-9]!)?[0-9]{1,2}(\.[a-z0-9]{1,3})?(\+[a-z0-9]{1,3})?", fullmatch=True
            )
        ),
        draw(st.from_regex(r"[a-zA-Z0-9_.+]{1,6}", fullmatch=True)),
        extension=draw(st.sampled_from(layout.EXTENSIONS)),
        depends=draw(st.lists(SPECS, max_size=3)),
        indexed_timestamp=draw(st.none() | st.integers(0, 10**13)),
        size=draw(st.none() | st.integers(0, 2**63 - 1)),
        **{f"x{key}": value for key, value in draw(st.dictionaries(TEXT, JSON)).items()},
    )
    fields = dict(record.fields)
    if draw(st.booleans()):
        del fields["md5"]
    in_v3 = draw(st.booleans())
    if in_v3 and draw(st.booleans()):
        fields["depends"] = [*fields["depends"], draw(V3_SPECS)]
    return PackageRecord("noarch", record.filename, fields, draw(RUN_EXPORTS), in_v3)


CHANNELS = st.lists(records(), unique_by=lambda record: record.filename, max_size=8)


def _identity(record):
    return record.filename, record.canonical, record.in_v3


def _repodata(channel):
    writer = RepodataWriter("noarch")
    for record in channel:
        writer.add(record.filename, record.canonical, record.in_v3)
    return writer.finish().read(), writer.revisions


def _shards(channel):
    """Return the index, and the shards by digest."""
    by_name = groupby(sorted(channel, key=lambda record: record.name), lambda record: record.name)
    shards = {
        name: encode_shard(
            [
                (
                    record.filename,
                    record.canonical.decode(),
                    None if record.run_exports is None else canonical(record.run_exports).decode(),
                    record.in_v3,
                )
                for record in of_name
            ],
            (),
            level=1,
        )
        for name, of_name in by_name
    }
    digests = {name: sha256(data).digest() for name, data in shards.items()}
    index = encode_index("noarch", digests, datetime(2026, 3, 1, tzinfo=UTC), level=1)
    return index, {sha256(data).hexdigest(): data for data in shards.values()}


def _from_repodata(content):
    pairs = Repodata(io.BytesIO(content), URL, "noarch").records(EVERYTHING)
    return [record for record, reason in pairs if reason is None]


def _from_shards(index, shards):
    index = read_index(index, url=URL, subdir="noarch", channel_url=CHANNEL)
    for name, digest in index.digests.items():
        url = index.shard_url(name)
        shard = read_shard(
            shards[url.removeprefix(f"{CHANNEL}/noarch/shards/").removesuffix(".msgpack.zst")],
            url=url,
            name=name,
            digest=digest,
            subdir="noarch",
            package_filter=EVERYTHING,
        )
        assert shard.removed == []
        yield from (record for record, reason in shard.records if reason is None)


@given(CHANNELS)
@settings(deadline=None, max_examples=50)
def test_every_form_of_the_repodata_gives_the_same_records(channel):
    plain, revisions = _repodata(channel)
    packed = compress_file(plain, level=1)
    given_records = sorted(map(_identity, channel))
    for read in (
        _from_repodata(plain),
        _from_repodata(packed),
        list(_from_shards(*_shards(channel))),
    ):
        assert sorted(map(_identity, read)) == given_records
    assert revisions.get("v3", {}).get("n_packages", 0) == sum(r.in_v3 for r in channel)


@given(CHANNELS)
@settings(deadline=None, max_examples=50)
def test_shards_and_the_file_give_the_same_run_exports(channel):
    writer = RunExportsWriter("noarch")
    for record in channel:
        writer.add(record.filename, canonical(record.run_exports or {}))
    from_file = dict(read_run_exports(io.BytesIO(writer.finish().read()), url=URL))
    from_shards = {r.filename: r.run_exports for r in _from_shards(*_shards(channel))}
    assert from_shards == {record.filename: record.run_exports for record in channel}
    assert from_file == {name: known or {} for name, known in from_shards.items()}


@given(CHANNELS)
@settings(deadline=None, max_examples=50)
def test_records_of_v3_are_nowhere_else(channel):
    document = orjson.loads(_repodata(channel)[0])
    legacy = document["packages"].keys() | document["packages.conda"].keys()
    assert legacy == {record.filename for record in channel if not record.in_v3}


@pytest.fixture(scope="module")
def channel_for_rattler():
    """Make records that rattler can read: with valid specs, versions and run_exports."""
    channel = [
        make_record("a", "1!2.0+cu118", "py3_0", depends=["python >=3.10", "numpy 1.* *_cpu"]),
        make_record("a", "1.0", extension=".tar.bz2", constrains=["b <2"], track_features="x y"),
        make_record("_b", "0.1", "h_1", license=None, indexed_timestamp=MOMENT + 1),
        make_record("c", depends=['a[when="__unix"]'], extra_depends={"x": ["b"]}),
        make_record("c", "2.0", extension=".tar.bz2", flags=["cuda"], indexed_timestamp=MOMENT),
    ]
    return [
        PackageRecord("noarch", r.filename, r.fields, in_v3=number > 2)
        for number, r in enumerate(channel)
    ]


def test_rattler_reads_what_we_write(channel_for_rattler, tmp_path):
    # Only parts of rattler without an event loop. Others can hang in a process that forks later.
    content, _ = _repodata(channel_for_rattler)
    path = tmp_path / "repodata.json"
    path.write_bytes(content)
    with SparseRepoData(Channel(CHANNEL), "noarch", path) as repodata:
        read = repodata.load_all_records(PackageFormatSelection.BOTH)
        found = repodata.repodata_revisions["v3"]
    assert {record.file_name: record.depends for record in read} == {
        record.filename: record.depends for record in channel_for_rattler
    }
    by_name = {record.filename: record for record in channel_for_rattler}
    for record in read:
        ours = by_name[record.file_name]
        assert (record.sha256.hex(), record.md5.hex()) == (ours.sha256, ours.md5)
        assert (record.size, str(record.version)) == (ours.size, ours.version)
        assert record.url == f"{CHANNEL}/noarch/{ours.filename}"
    moment = datetime.fromtimestamp(MOMENT / 1000, UTC)
    assert (found["n_packages"], found["newest"], found["oldest"]) == (2, moment, moment)
