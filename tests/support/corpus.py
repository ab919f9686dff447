"""Real packages of many build tools and years; see the README in their folder."""

import csv
import hashlib
import json
import shutil

import pytest
import zstandard
from conda_package_streaming.package_streaming import stream_conda_info

from tests.support.builders import add_shards
from tests.support.conda import without_indexed
from tests.support.variables import CORPUS

MANIFEST = CORPUS / "manifest.csv"


needs_corpus = pytest.mark.skipif(
    not MANIFEST.exists(),
    reason=f"'{MANIFEST}' is missing: set PULP_CONDA_CORPUS to a folder of real packages",
)


def rows(ok):
    """Return what the manifest says of good or of bad files."""
    with MANIFEST.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["ok"] == str(ok)]


def write_channel(folder, form="repodata.json"):
    """Make a channel of all good packages in a folder, and return its records by subdir and
    section.

    They are written as any indexer writes them, in one form: 'repodata.json', 'repodata.json.zst'
        or 'shards'.
    """
    channel = {"noarch": {"packages": {}, "packages.conda": {}}}
    for row in rows(ok=True):
        path = CORPUS / row["filename"]
        subdir = channel.setdefault(path.parent.name, {"packages": {}, "packages.conda": {}})
        section = "packages.conda" if path.suffix == ".conda" else "packages"
        data = path.read_bytes()
        subdir[section][path.name] = {
            **read_index(path),
            "md5": hashlib.md5(data).hexdigest(),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "not_in_any_standard": {"kept": [True, None, 1.5, "é"]},
        }
        (folder / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, folder / path.parent.name)
    for subdir, sections in channel.items():
        repodata = {"info": {"subdir": subdir}, **sections}
        (folder / subdir / "repodata.json").write_text(json.dumps(repodata))
    if form == "shards":
        add_shards(folder)
    elif form == "repodata.json.zst":
        for repodata in folder.glob("*/repodata.json"):
            repodata.with_name(form).write_bytes(zstandard.compress(repodata.read_bytes()))
            repodata.unlink()
    return channel


def check_mirrored(pulp, url, records):
    """Compare a mirror with such a channel: every record key for key, every file byte for byte."""
    for subdir, sections in records.items():
        compressed = pulp.fetch(url, f"{subdir}/repodata.json.zst").content
        for ours in (
            pulp.fetch(url, f"{subdir}/repodata.json").json(),
            json.loads(zstandard.decompress(compressed)),
            pulp.fetch_shards(url, subdir),
        ):
            assert {section: without_indexed(ours[section]) for section in sections} == sections
    for row in rows(ok=True):
        answer = pulp.fetch(url, row["filename"].removeprefix("valid/"))
        assert hashlib.sha256(answer.content).hexdigest() == row["sha256"], row["filename"]


def packages(ok):
    """Return a parameter for each file of the manifest, or a skipped one where there is no
    corpus.
    """
    if not MANIFEST.exists():
        reason = f"'{MANIFEST}' is missing: set PULP_CONDA_CORPUS to a folder of real packages"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")]
    return [pytest.param(row, id=row["filename"]) for row in rows(ok)]


def read_index(path):
    """Read a package's `info/index.json`, without any code of ours."""
    for tar, member in stream_conda_info(str(path)):
        if member.name == "info/index.json":
            return json.load(tar.extractfile(member))
