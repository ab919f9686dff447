"""The files of channels and subdirs without packages."""

import io
import json

import pytest

from pulp_conda.channel import layout
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.channeldata import read_channeldata
from pulp_conda.channel.metadata.compression import Levels
from pulp_conda.channel.metadata.empty import EmptyChannel
from pulp_conda.channel.metadata.repodata import Repodata
from pulp_conda.channel.metadata.run_exports import read_run_exports
from pulp_conda.channel.metadata.shards import read_index

URL = "https://conda.example.org/team"
RELATIONS = {"base": "../forge", "overrides": "../.."}


def _channel(subdirs=layout.DEFAULT_SUBDIRS, relations=None, **has):
    return EmptyChannel.of(subdirs, relations or {}, levels=Levels(3, 3, 3), **has)


@pytest.mark.parametrize(
    ("subdirs", "expected"),
    [
        (layout.DEFAULT_SUBDIRS, set(layout.DEFAULT_SUBDIRS)),
        ([], {"noarch"}),
        (["zos-z"], {"noarch", "zos-z"}),
        (["noarch"], {"noarch"}),
    ],
    ids=["default", "none", "one", "noarch"],
)
def test_noarch_is_always_there(subdirs, expected):
    channel = _channel(subdirs)
    assert channel.subdirs == expected
    assert all(layout.SHARD_INDEX in channel.files(subdir) for subdir in expected)
    assert channel.files("linux-46") == {}


@pytest.mark.parametrize("relations", [{}, RELATIONS], ids=["alone", "related"])
@pytest.mark.parametrize("subdir", ["noarch", "linux-64"])
def test_an_index_of_shards_has_no_shards(subdir, relations):
    data = _channel(relations=relations).files(subdir)[layout.SHARD_INDEX]
    index = read_index(data, url=URL, subdir=subdir, channel_url=URL)
    assert (index.digests, index.relations) == ({}, relations)


def test_the_files_of_noarch_are_read_and_have_no_packages():
    files = _channel(relations=RELATIONS, has_legacy_files=True).files("noarch")
    assert files.keys() == layout.SUBDIR_METADATA - {
        layout.REPODATA_FROM_PACKAGES,
        layout.PATCH_INSTRUCTIONS,
    }
    for name in (layout.REPODATA, layout.REPODATA_ZST):
        repodata = Repodata(io.BytesIO(files[name]), url=URL, subdir="noarch")
        assert list(repodata.records(PackageFilter())) == []
    assert json.loads(files[layout.REPODATA])["info"]["channel_relations"] == RELATIONS
    for name in (layout.RUN_EXPORTS, layout.RUN_EXPORTS_ZST):
        assert list(read_run_exports(io.BytesIO(files[name]), url=URL)) == []
    channeldata = _channel().files(None)[layout.CHANNELDATA]
    assert list(read_channeldata(io.BytesIO(channeldata), url=URL, max_size=1000)) == []


def test_who_wants_no_shards_has_no_index_of_them():
    channel = _channel(has_shards=False)
    assert layout.REPODATA in channel.files("noarch")
    for subdir in channel.subdirs:
        assert layout.SHARD_INDEX not in channel.files(subdir)


def test_the_same_channel_gives_the_same_bytes():
    turned = dict(reversed(RELATIONS.items()))
    assert _channel(["a-b", "c-d"], RELATIONS) == _channel(["c-d", "a-b"], turned)
    assert _channel().files("noarch") == _channel(["zos-z"]).files("noarch")
