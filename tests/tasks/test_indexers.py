"""How our index of packages differs from that of other programs, for the same files.

The page docs/user/reference/protocol.md has a table of the differences. These tests compare it with
what the programs write. conda-index runs if there is a `conda` with the command `index`: see
tests/support/conda_program.py.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import msgpack
import pytest
import zstandard

from pulp_conda.channel import layout
from tests.support import gateway
from tests.support.builders import make_package
from tests.support.conda_program import why_no_index
from tests.support.variables import CONDA

PROTOCOL = Path(__file__).parents[2] / "docs/user/reference/protocol.md"
SECTIONS = ("packages", "packages.conda")
SUBDIRS = ("noarch", "linux-64")

_ABSENT = object()

# Packages, shards, and what the programs keep for themselves.
_NO_METADATA = re.compile(r"/\.cache/|[0-9a-f]{64}|\.conda$|\.tar\.bz2$|-fake/")


def _built():
    """Packages that have every field in which indexes may differ."""
    run_exports = {"run_exports.json": b'{"weak": ["lib >=1.0"]}'}
    recipe = {"recipe/meta.yaml": b"source:\n  url: https://lib.example.org/lib.tar.gz\n"}
    about = {"about.json": b'{"summary": "A", "description": "A long one", "tags": ["a"]}'}
    post_link = {"bin/.app-post-link.sh": b"#!/bin/sh\n"}
    arch = {"arch": "x86_64", "platform": "linux"}
    yield make_package("lib", subdir="linux-64", info=run_exports | recipe, index=arch)
    yield make_package("lib", subdir="linux-64", extension=".tar.bz2", info=run_exports)
    yield make_package("app", depends=["lib 1.0"], info=about, files=post_link)
    yield make_package("app", "2.0", index={"constrains": ["lib>=1"]})
    yield make_package("silent", index={"depends": ...})
    yield make_package("odd", index={"unknown": {"a": [None]}, "timestamp": 1_400_000_000})
    yield make_package("ancient", index={"subdir": ...})
    yield make_package("new", index={"schema_version": 3, "extra_depends": {"all": ["lib"]}})
    yield make_package("fake", subdir="linux-fake")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("channel")
    for package in _built():
        (folder / package.subdir).mkdir(exist_ok=True)
        (folder / package.subdir / package.filename).write_bytes(package.data)
    return folder


@pytest.fixture(scope="module")
def url(pulp, make_repository):
    repository = make_repository(autopublish=True)
    hrefs = []
    for package in _built():
        subdir = {"subdir": "noarch"} if package.record.name == "ancient" else {}
        hrefs.append(pulp.upload(package, **subdir)["pulp_href"])
    pulp.modify(repository, add=hrefs)
    return pulp.distribute(repository=repository)


def _rattler(folder):
    gateway.call("index", folder=folder)


def _conda_index(folder):
    options = ["--zst", "--run-exports", "--channeldata", "--rss", "--write-shards"]
    subprocess.run([CONDA, "index", *options, folder], check=True, capture_output=True, timeout=300)


@pytest.mark.parametrize(
    "column, index",
    [
        pytest.param("rattler", _rattler, id="rattler"),
        pytest.param(
            "conda-index",
            _conda_index,
            id="conda-index",
            marks=pytest.mark.skipif(why_no_index() is not None, reason=str(why_no_index())),
        ),
    ],
)
def test_the_table_has_the_differences_to_other_indexes(pulp, url, folder, tmp_path, column, index):
    theirs = tmp_path / "channel"
    shutil.copytree(folder, theirs)
    index(theirs)
    found = _of_files(pulp, url, theirs)
    for subdir in SUBDIRS:
        found |= _of_repodata(pulp, url, theirs / subdir)
        found |= _of_shards(pulp, url, theirs / subdir)
    if "file `channeldata.json`" not in found:
        found |= _of_channeldata(pulp, url, theirs)
    assert sorted(found) == sorted(_rows(column))


def _rows(column):
    """Return the rows of the table in which another index differs."""
    _, _, table = PROTOCOL.read_text().partition("\n## Other indexes of the same files\n")
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line] for line in lines]
    place = header.index(column)
    return {row[0] for row in rows if row[place] not in ("same", "no file")}


def _of_repodata(pulp, url, theirs):
    ours = pulp.fetch(url, f"{theirs.name}/repodata.json").json()
    flat = json.loads((theirs / "repodata.json").read_text())
    return (
        _of_records(ours, flat, "field")
        | _of_keys(ours, flat, "repodata")
        | _of_keys(ours["info"], flat["info"], "info")
    )


def _of_shards(pulp, url, theirs):
    ours, our_records = (
        pulp.fetch_shard_index(url, theirs.name),
        pulp.fetch_shards(url, theirs.name),
    )
    index = msgpack.unpackb(_unzstd((theirs / "repodata_shards.msgpack.zst").read_bytes()))
    found = _of_keys(ours, index, "shard index")
    found |= _of_keys(ours["info"], index["info"], "info")
    for digest in index["shards"].values():
        (path,) = theirs.rglob(f"{digest.hex()}.msgpack.zst")
        # What differs in the other form as well has a row already.
        fields = _of_records(our_records, msgpack.unpackb(_unzstd(path.read_bytes())), "field")
        if "field `run_exports`" in fields:
            found.add("field `run_exports` in shards")
    return found


def _of_records(ours, theirs, what):
    found = set()
    for section in SECTIONS:
        for filename, record in theirs[section].items():
            if filename not in ours[section]:
                found.add("records of `v3`")
                continue
            found |= {
                f"{what} `{key}`"
                for key in ours[section][filename].keys() | record.keys()
                if ours[section][filename].get(key, _ABSENT) != record.get(key, _ABSENT)
                and key not in ("md5", "sha256")  # as bytes in shards
            }
    return found


def _of_keys(ours, theirs, what):
    return {f"{what} `{key}`" for key in ours.keys() ^ theirs.keys()}


def _of_files(pulp, url, theirs):
    there = {path.relative_to(theirs).as_posix() for path in theirs.rglob("*") if path.is_file()}
    wanted = {*there, *layout.ROOT_METADATA}
    wanted |= {f"{subdir}/{name}" for subdir in SUBDIRS for name in layout.SUBDIR_METADATA}
    wanted = {path for path in wanted if not _NO_METADATA.search(path)}
    here = {path for path in wanted if pulp.fetch(url, path).ok}
    return {f"file `{path.rpartition('/')[2]}`" for path in here ^ (there & wanted)}


def _of_channeldata(pulp, url, theirs):
    ours = pulp.fetch(url, "channeldata.json").json()["packages"]
    theirs = json.loads((theirs / "channeldata.json").read_text())["packages"]
    return {
        f"channeldata `{key}`"
        for name in ours.keys() & theirs.keys()
        for key in ours[name].keys() | theirs[name].keys()
        # It writes null for what it does not know.
        if ours[name].get(key) != theirs[name].get(key)
    }


def _unzstd(data):
    # rattler does not state the size of the content.
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)
