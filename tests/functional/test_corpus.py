"""A channel of all real packages, mirrored from a plain static folder."""

import csv
import hashlib
import json
import shutil

import pytest
import zstandard

from tests.support.builders import add_shards
from tests.support.conda import TaskFailed, without_indexed
from tests.support.corpus import CORPUS, MANIFEST, read_index

pytestmark = pytest.mark.skipif(
    not MANIFEST.exists(),
    reason=f"'{MANIFEST}' is missing: set PULP_CONDA_CORPUS to a folder of real packages",
)


def _rows(ok):
    with MANIFEST.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["ok"] == str(ok)]


@pytest.fixture
def records(upstream):
    """The upstream's records by subdir and section, written as any indexer writes them."""
    channel = {"noarch": {"packages": {}, "packages.conda": {}}}
    for row in _rows(ok=True):
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
        (upstream.folder / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, upstream.folder / path.parent.name)
    for subdir, sections in channel.items():
        repodata = {"info": {"subdir": subdir}, **sections}
        (upstream.folder / subdir / "repodata.json").write_text(json.dumps(repodata))
    return channel


@pytest.mark.parametrize("form", ["repodata.json", "repodata.json.zst", "shards"])
def test_every_record_is_mirrored_key_for_key_and_every_file_byte_for_byte(
    pulp, upstream, make_mirror, records, form
):
    if form == "shards":
        add_shards(upstream.folder)
    elif form == "repodata.json.zst":
        for repodata in upstream.folder.glob("*/repodata.json"):
            repodata.with_name(form).write_bytes(zstandard.compress(repodata.read_bytes()))
            repodata.unlink()
    mirror = make_mirror(subdirs=sorted(records))
    pulp.sync(mirror.repository)
    for subdir, sections in records.items():
        for ours in (
            pulp.fetch(mirror.url, f"{subdir}/repodata.json").json(),
            json.loads(
                zstandard.decompress(pulp.fetch(mirror.url, f"{subdir}/repodata.json.zst").content)
            ),
            pulp.fetch_shards(mirror.url, subdir),
        ):
            assert {section: without_indexed(ours[section]) for section in sections} == sections
    for row in _rows(ok=True):
        answer = pulp.fetch(mirror.url, row["filename"].removeprefix("valid/"))
        assert hashlib.sha256(answer.content).hexdigest() == row["sha256"], row["filename"]


def test_every_bad_file_is_refused_and_stored_nowhere(pulp):
    before = pulp.get("artifacts/")["count"]
    for row in _rows(ok=False):
        path = CORPUS / row["filename"]
        with pytest.raises((TaskFailed, OSError)) as refused:
            pulp.upload_bytes(path.name, path.read_bytes())
        if isinstance(refused.value, TaskFailed):
            assert refused.value.code.startswith("CND"), path.name
        else:
            # Pulp itself takes no empty file.
            assert path.stat().st_size == 0
    assert pulp.get("artifacts/")["count"] == before
