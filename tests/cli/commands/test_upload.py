"""Many files are uploaded at once: in one version, and without what the server has."""

import json
import os

import pytest
from pulp_glue.common.context import PulpContext
from pulp_glue.conda.context import PulpCondaRepositoryContext
from pulp_glue.conda.upload import Upload

from tests.support.builders import make_package


@pytest.fixture
def channel(cli, unique):
    """The name of a channel of one's own."""
    name = f"team-{unique}"
    cli.ok("conda", "channel", "create", name)
    return name


@pytest.fixture
def folder(tmp_path, unique):
    """A folder of packages, one of them below it, and of files that are none."""
    packages = [
        make_package(f"a-{unique}"),
        make_package(f"b-{unique}", extension=".tar.bz2"),
        make_package(f"c-{unique}", subdir="linux-64"),
    ]
    (tmp_path / "dist" / "linux-64").mkdir(parents=True)
    for package in packages:
        below = "linux-64" if package.subdir == "linux-64" else "."
        (tmp_path / "dist" / below / package.filename).write_bytes(package.data)
    (tmp_path / "dist" / "repodata.json").write_text("{}")
    return tmp_path / "dist"


def write(folder, package):
    folder.mkdir(exist_ok=True)
    path = folder / package.filename
    path.write_bytes(package.data)
    return path


def test_a_folder_becomes_one_version_and_is_not_sent_twice(cli, pulp, channel, folder, unique):
    outcome = cli.ok("conda", "channel", "upload", channel, folder)
    report = json.loads(outcome.stdout)
    assert (report["version"], len(report["added"])) == (1, 3)
    assert "Version 1. Files: 3 added." in outcome.stderr
    (url,) = cli.json("conda", "channel", "show", channel)["urls"]
    assert pulp.names(url) == [f"{letter}-{unique}" for letter in "abc"]

    again = cli.json("conda", "channel", "upload", channel, folder)
    assert (again["version"], again["added"], len(again["present"])) == (None, [], 3)


def test_a_file_that_is_refused_keeps_no_other_one_away(cli, channel, folder, tmp_path, unique):
    bad = folder / f"bad-{unique}-1.0-0.conda"
    bad.write_bytes(b"no package")
    secret = tmp_path / "secret.txt"
    secret.write_text("whatever it is, it is not sent")
    cut = folder / f"cut-{unique}-1.0-0.conda"
    cut.write_bytes(make_package(f"cut-{unique}").data[:-100])
    outcome = cli("conda", "channel", "upload", channel, folder, secret)
    report = json.loads(outcome.stdout)
    assert outcome.exit_code == 1
    assert (report["version"], len(report["added"])) == (1, 3)
    assert report["refused"].keys() == {str(bad), str(cut), str(secret)}
    assert "It is not a conda package" in report["refused"].pop(str(secret))
    for file, reason in report["refused"].items():
        assert "[CND0003]" in reason
        assert f"{file}  " in outcome.stderr
        # The table has the code at the end.
        code, text = reason[:9], reason[10:]
        assert f"{text} {code}" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_other_bytes_under_a_name_are_refused_unless_they_are_to_replace_it(
    cli, channel, tmp_path, unique
):
    name = f"a-{unique}"
    cli.ok("conda", "channel", "upload", channel, write(tmp_path, make_package(name)))
    other = write(tmp_path / "other", make_package(name, files={"share/other": b"other"}))
    third = write(tmp_path / "third", make_package(name, files={"share/third": b"third"}))
    fine = write(tmp_path / "other", make_package(f"b-{unique}"))

    outcome = cli("conda", "channel", "upload", channel, other, fine)
    assert outcome.exit_code == 1
    report = json.loads(outcome.stdout)
    assert report["added"] == [str(fine)]
    assert "[CND0018]" in report["refused"][str(other)]

    upload = ("conda", "channel", "upload", channel, "--overwrite")
    assert cli.json(*upload, other)["added"] == [str(other)]
    twice = cli(*upload, write(tmp_path, make_package(name)), third)
    assert twice.exit_code == 1 and "[CND0020]" in twice.stderr


def test_a_copy_under_a_wrong_name_is_refused_and_the_right_one_is_added(
    cli, channel, tmp_path, unique
):
    package = make_package(f"right-{unique}")
    right = write(tmp_path, package)
    wrong = tmp_path / f"a-wrong-{unique}-1.0-0.conda"
    wrong.write_bytes(package.data)
    again = write(tmp_path / "again", package)
    report = json.loads(cli("conda", "channel", "upload", channel, wrong, right, again).stdout)
    assert sorted(report["added"] + report["present"]) == sorted([str(right), str(again)])
    assert "[CND0006]" in report["refused"][str(wrong)]


def test_large_files_are_sent_in_pieces(cli, pulp, channel, tmp_path, unique):
    package = make_package(f"a-{unique}", files={"share/noise": os.urandom(50_000)})
    report = cli.json(
        *("conda", "channel", "upload", channel, "--chunk-size", "20KB"), write(tmp_path, package)
    )
    assert report["version"] == 1
    found = pulp.get("content/conda/packages/", sha256=package.record.fields["sha256"])["results"]
    assert [unit["filename"] for unit in found] == [package.filename]
    assert pulp.get("uploads/")["count"] == 0


def test_large_files_whose_bytes_the_server_has_somewhere_go_into_the_channel_all_the_same(
    cli, pulp, channel, tmp_path, unique
):
    package = make_package(f"a-{unique}", files={"share/noise": os.urandom(50_000)})
    pulp.post_bytes("artifacts/", package.filename, package.data).raise_for_status()
    upload = ("conda", "channel", "upload", channel, "--chunk-size", "20KB")
    report = cli.json(*upload, write(tmp_path, package))
    assert (report["version"], len(report["added"])) == (1, 1)


@pytest.mark.parametrize(
    "chunk_size", [pytest.param(None, id="whole"), pytest.param(20_000, id="in pieces")]
)
def test_a_file_that_changes_while_it_is_sent_is_left_out(
    cli, pulp, channel, tmp_path, unique, chunk_size, glue_cache, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(glue_cache))
    first, second = (
        make_package(f"a-{unique}", files={"share/noise": os.urandom(50_000)}) for _ in range(2)
    )
    path = write(tmp_path, first)

    shown = []

    def change(progress):
        # First before it is read, and then before it is sent.
        shown.append(progress)
        if len(shown) == 2:
            path.write_bytes(second.data)

    pulp_ctx = PulpContext.from_config(cli.settings)
    repository_ctx = PulpCondaRepositoryContext(pulp_ctx, entity={"name": channel})
    report = Upload(repository_ctx, chunk_size=chunk_size, show=change).run([path])
    assert (report.version, report.added) == (None, [])
    assert report.refused[str(path)].startswith("It changed while it was sent.")


def test_a_rehearsal_sends_nothing(cli, channel, folder):
    outcome = cli.ok("conda", "channel", "upload", channel, folder, "--dry-run")
    assert len(json.loads(outcome.stdout)["added"]) == 3
    assert "Without --dry-run, of the files: 3 added." in outcome.stderr
    assert cli.json("conda", "channel", "show", channel)["version"] == 0


def test_owners_of_a_channel_upload_to_it_without_another_role(
    cli, pulp, folder, tmp_path_factory, unique
):
    owner = pulp.user(["conda.condarepository_creator", "conda.condadistribution_creator"])
    program = cli.configured(
        tmp_path_factory.mktemp("owner"),
        username=owner.session.auth[0],
        password="a-long-Password-1",
    )
    name = f"own-{unique}"
    program.ok("conda", "channel", "create", name)
    bad = folder / f"bad-{unique}-1.0-0.conda"
    bad.write_bytes(b"no package")
    outcome = program("conda", "channel", "upload", name, folder)
    report = json.loads(outcome.stdout)
    assert outcome.exit_code == 1
    assert (report["version"], len(report["added"])) == (1, 3)
    assert "[CND0003]" in report["refused"][str(bad)]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("missing.conda", "There is no file or folder", id="no such file"),
        pytest.param("empty", "There is no file in", id="a folder without packages"),
    ],
)
def test_paths_without_packages_are_said_before_anything_is_sent(
    cli, channel, tmp_path, path, reason
):
    (tmp_path / "empty").mkdir()
    outcome = cli("conda", "channel", "upload", channel, tmp_path / path)
    assert outcome.exit_code == 2
    assert reason in outcome.stderr and path in outcome.stderr


def test_a_robot_uploads_by_a_token_for_its_channel_alone(
    cli, pulp, channel, folder, tmp_path, unique
):
    other = f"{channel}-other"
    cli.ok("conda", "channel", "create", other)
    robot = cli.json("conda", "robot", "create", "--name", unique)["username"]
    for name in (channel, other):
        cli.ok("conda", "channel", "grant", name, "--role", "uploader", "--user", robot)
    make = ("conda", "token", "create", "--owner", robot, "--channel", channel)
    secrets = {
        scope: cli.json(*make, "--name", scope, "--scope", scope)["token"]
        for scope in ("upload", "read")
    }

    by = {
        scope: cli.configured(tmp_path / scope, username="__token__", password=secret)
        for scope, secret in secrets.items()
    }
    # The second file in pieces, which a token cannot send.
    report = by["upload"].json("conda", "channel", "upload", channel, folder)
    assert (report["version"], len(report["added"])) == (1, 3)
    large = write(
        tmp_path / "large", make_package(f"large-{unique}", files={"x": os.urandom(9000)})
    )
    upload = ("conda", "channel", "upload", "--chunk-size", "1kB")
    assert by["upload"].json(*upload, channel, large)["added"] == [str(large)]
    assert "CND0091" not in by["upload"].ok(*upload, channel, large).stderr

    assert "There is no conda repository" in by["upload"](*upload, other, large).stderr
    assert "The token may not do this" in by["read"](*upload, channel, large).stderr
    # It opens nothing else.
    assert "The token may not do this" in by["upload"]("conda", "remote", "list").stderr
    repository = pulp.get("repositories/conda/conda/", name=channel)["results"][0]
    acts = pulp.get("conda/acts/", resource=repository["prn"], verb="changed_content")["results"]
    assert [(act["actor"], act["details"]["token"]) for act in acts] == [(robot, "upload")] * 2
    assert pulp.get("conda/acts/", token="upload", actor=robot)["count"] == 2
