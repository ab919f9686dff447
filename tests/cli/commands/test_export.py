"""`pulp conda export`: what the folder serves, what a change touches, and what a fault does."""

import json
import os
import shutil

import pytest

from tests.support.builders import make_package
from tests.support.gateway import call
from tests.support.upstream import Upstream

# The channel has no packages of other platforms, but clients ask for their indexes.
METADATA = [
    "noarch/repodata_shards.msgpack.zst",
    "noarch/repodata.json",
    "noarch/repodata.json.zst",
    "noarch/run_exports.json",
    "channeldata.json",
    "notices.json",
]


@pytest.fixture
def channel(inside, unique, tmp_path):
    """A channel with three packages, and a function that uploads more."""
    inside.ok("conda", "channel", "create", unique)

    def upload(*packages, **options):
        folder = tmp_path / "upload"
        folder.mkdir(exist_ok=True)
        for package in packages:
            (folder / package.filename).write_bytes(package.data)
        inside.ok("conda", "channel", "upload", unique, folder, *options.get("words", ()))
        shutil.rmtree(folder)

    upload(*(_package(name) for name in ("lib", "app", "tool")))
    return upload


def _package(name, version="1.0", **options):
    depends = ["lib"] if name == "app" else []
    return make_package(name, version, depends=depends, **options)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "served"


@pytest.fixture
def export(inside, unique, folder):
    """Export the channel, and return what the command says."""
    return lambda: inside.json("conda", "export", "to", folder, "--channel", unique)


def _files(folder):
    """Return the inode of each file: another one if it was written again."""
    return {
        file.relative_to(folder).as_posix(): file.stat().st_ino
        for file in folder.rglob("*")
        if file.is_file() and file.name != "export.json"
    }


def _faults(inside, folder):
    outcome = inside("conda", "export", "verify", folder)
    assert outcome.exit_code == 1, outcome
    return outcome.stderr.splitlines()


def test_a_web_server_serves_the_folder_as_the_server_does(
    pulp, inside, channel, export, folder, tmp_path, unique
):
    report = export()
    assert (report["packages"], report["files_deleted"]) == (3, 0)
    url = pulp.get("distributions/conda/conda/", name=unique)["results"][0]["base_url"]
    for path in METADATA:
        assert (folder / path).read_bytes() == pulp.fetch(url, path).content, path
    inside.ok("conda", "export", "verify", folder)
    with Upstream(folder) as served:
        for form in ("shards", "zst", "json"):
            (solution,) = call(
                "solve", url=served.url, cache=tmp_path / form, environments=[["app"]], form=form
            )
            urls = [record["url"] for record in solution]
            assert urls == [f"{served.url}/noarch/{name}-1.0-0.conda" for name in ("app", "lib")]
        assert {status for _, path, status in served.requests if "noarch" in path} == {200}


def test_a_change_touches_the_files_that_it_changes_and_no_others(
    inside, channel, export, folder, unique
):
    export()
    assert export()["files_written"] == 0
    before = _files(folder)
    channel(_package("lib", "2.0"))
    report = export()
    touched = {path for path, inode in _files(folder).items() if before.get(path) != inode}
    shard = next(path for path in touched if "/shards/" in path)
    assert touched == set(report["written"])
    assert touched == {
        shard,
        "noarch/lib-2.0-0.conda",
        "noarch/repodata_shards.msgpack.zst",
        "noarch/repodata.json",
        "noarch/repodata.json.zst",
        "noarch/run_exports.json",
        "noarch/run_exports.json.zst",
        "channeldata.json",
    }
    # A client with the index from before still finds its shard, until the next export.
    assert before.keys() <= _files(folder).keys()
    inside.ok("conda", "export", "verify", folder)


def test_what_is_removed_from_the_channel_is_deleted_from_the_folder(
    pulp, inside, channel, export, folder, unique
):
    export()
    repository = pulp.get("repositories/conda/conda/", name=unique)["results"][0]
    version = repository["latest_version_href"]
    units = pulp.get("content/conda/packages/", repository_version=version, name="tool")
    pulp.modify(repository["pulp_href"], remove=[units["results"][0]["pulp_href"]])
    report = export()
    assert report["deleted"] == ["noarch/tool-1.0-0.conda"]
    # Now its shard goes as well, which the index before this one named.
    assert not (folder / "noarch/tool-1.0-0.conda").exists()
    channel(_package("lib", "3.0"))
    assert [path.rpartition("/")[0] for path in export()["deleted"]] == ["noarch/shards"]
    inside.ok("conda", "export", "verify", folder)


def test_another_file_of_the_same_name_takes_its_place(inside, channel, export, folder):
    export()
    other = _package("lib", files={"share/other": b"other"})
    channel(other, words=["--overwrite"])
    export()
    assert (folder / "noarch" / other.filename).read_bytes() == other.data
    inside.ok("conda", "export", "verify", folder)


def test_an_export_that_was_stopped_goes_on(inside, channel, export, folder):
    export()
    channel(_package("lib", "2.0"), _package("new"))
    before = {path: (folder / path).read_bytes() for path in _files(folder)}
    export()
    after = _files(folder).keys()
    # As if it had been stopped before the indexes were replaced, and one package not written.
    for path, data in before.items():
        (folder / path).write_bytes(data)
    state = json.loads((folder / "export.json").read_bytes())
    state["state"]["etags"] = {}
    (folder / "export.json").write_text(json.dumps(state))
    (folder / "noarch/new-1.0-0.conda").write_bytes(b"half")
    for shard in folder.glob("noarch/shards/*"):
        if shard.relative_to(folder).as_posix() not in before:
            shard.unlink()
    (folder / ".incoming").mkdir()
    (folder / ".incoming/rest").write_bytes(b"half")
    assert export()["packages"] == 1
    assert _files(folder).keys() == after
    inside.ok("conda", "export", "verify", folder)


def test_every_fault_of_a_folder_is_found(inside, channel, export, folder):
    export()
    (folder / "noarch/app-1.0-0.conda").unlink()
    package = folder / "noarch/lib-1.0-0.conda"
    package.write_bytes(b"X" * package.stat().st_size)
    shard = min(folder.glob("noarch/shards/*"))
    shard.write_bytes(b"no shard")
    (folder / "noarch/stray-1.0-0.conda").write_bytes(b"")
    said = "\n".join(_faults(inside, folder))
    assert "noarch/stray-1.0-0.conda: no index names it" in said
    assert f"{shard.relative_to(folder)}: it has other bytes" in said
    assert "the shards and 'repodata.json' differ" in said
    shard.unlink()
    index = folder / "noarch/repodata_shards.msgpack.zst"
    index.write_bytes(b"no index")
    said = _faults(inside, folder)
    assert any(line.startswith("noarch/repodata_shards.msgpack.zst: it cannot") for line in said)
    index.unlink()
    said = "\n".join(_faults(inside, folder))
    assert "noarch/app-1.0-0.conda: it is missing" in said
    assert "noarch/lib-1.0-0.conda: it has other bytes than the index says" in said
    (folder / "noarch/repodata.json").write_bytes(b"{")
    assert "noarch/repodata.json: it cannot be read" in "\n".join(_faults(inside, folder))


def test_what_cannot_be_exported_is_told_and_changes_nothing(
    pulp, inside, channel, export, folder, unique, tmp_path
):
    outcome = inside("conda", "export", "to", folder, "--channel", f"no-{unique}")
    assert outcome.exit_code == 1 and f"no channel 'no-{unique}'" in outcome.stderr
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("mine")
    outcome = inside("conda", "export", "to", other, "--channel", unique)
    assert outcome.exit_code == 1 and "files that no export wrote" in outcome.stderr
    assert os.listdir(other) == ["mine"]
    outcome = inside("conda", "export", "verify", other)
    assert outcome.exit_code == 1 and "has no export" in outcome.stderr
    export()
    before = _files(folder)
    with Upstream(tmp_path / "nothing") as empty:
        outcome = inside("conda", "export", "to", folder, "--channel", empty.url)
        assert outcome.exit_code == 1 and "serves no channel" in outcome.stderr
        (tmp_path / "nothing").mkdir()
        shutil.copytree(folder, tmp_path / "nothing", dirs_exist_ok=True)
        (tmp_path / "nothing/noarch/lib-1.0-0.conda").write_bytes(b"other bytes")
        outcome = inside("conda", "export", "to", tmp_path / "new", "--channel", empty.url)
        assert outcome.exit_code == 1 and "its sha256 is another" in outcome.stderr
        (tmp_path / "nothing/noarch/lib-1.0-0.conda").unlink()
        outcome = inside("conda", "export", "to", tmp_path / "new", "--channel", empty.url)
        assert outcome.exit_code == 1 and "the index names this file" in outcome.stderr
    assert _files(folder) == before
    assert not (tmp_path / "new/noarch/repodata.json").exists()


def test_a_private_channel_needs_a_token(pulp, inside, channel, folder, unique):
    distribution = pulp.get("distributions/conda/conda/", name=unique)["results"][0]
    pulp.patch(distribution["pulp_href"], private=True)
    words = ("conda", "export", "to", folder, "--channel", unique)
    outcome = inside(*words)
    assert outcome.exit_code == 1 and "is private. Name a token" in outcome.stderr
    token = pulp.post("conda/tokens/", name=unique, scopes=["read"])["token"]
    assert inside.json(*words, "--token", token)["packages"] == 3
    assert token not in "".join(
        file.read_text("latin-1") for file in folder.rglob("*") if file.is_file()
    )


def test_a_channel_without_shards_is_exported_too(pulp, inside, channel, export, folder, unique):
    export()
    repository = pulp.get("repositories/conda/conda/", name=unique)["results"][0]
    pulp.patch(repository["pulp_href"], shards=False)
    channel(_package("lib", "2.0"))
    assert export()["packages"] == 1
    assert not (folder / "noarch/repodata_shards.msgpack.zst").exists()
    assert not list(folder.glob("noarch/shards/*"))
    inside.ok("conda", "export", "verify", folder)
    channel(_package("lib", "3.0"))
    assert export()["packages"] == 1
    inside.ok("conda", "export", "verify", folder)
