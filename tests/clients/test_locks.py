"""A real client installs from lock files that a stage gave."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from pulp_conda.channel.lockfiles.read import read_lock_file
from tests.support import gateway
from tests.support.builders import make_package

GREET = b"#!/bin/sh\necho hello 1.0\n"


@pytest.fixture
def team(pulp, make_repository, unique):
    """A lifecycle with an environment that is solved for the stage 'unstable', and locked."""
    repository = make_repository(autopublish=True)
    team = pulp.lifecycle(repository)
    team.package = make_package(f"greet-{unique}", files={"bin/greet": GREET})
    team.newer = make_package(f"greet-{unique}", "2.0")
    pulp.upload(team.package, repository=repository)
    pulp.environment(repository, "hello", f"greet-{unique}\n", platforms=["linux-64"])
    gate = {"name": "environments", "kind": "environments"}
    team.set_gates("testing", gate)
    team.promote("testing")
    return team


def _lock(pulp, team, lock_format):
    query = {"stage": "testing", "environment": "hello", "lock_format": lock_format}
    answer = pulp.try_get(f"{team.href}lock/", **query)
    assert answer.ok, answer.text
    return answer.text


def test_an_old_pixi_lock_installs_after_the_stage_moved_on(pulp, team, tmp_path):
    path = tmp_path / "pixi.lock"
    path.write_text(_lock(pulp, team, "pixi"))
    old = pulp.get("content/conda/packages/", sha256=team.package.record.sha256)["results"][0]
    pulp.upload(team.newer, repository=team.repository)
    pulp.modify(team.repository, remove=[old["pulp_href"]])
    assert team.promote("testing")["outcome"] == "moved"

    prefix = tmp_path / "prefix"
    (url,) = gateway.call(
        "install_locked",
        path=path,
        platform="linux-64",
        prefix=prefix,
        cache=tmp_path / "cache",
    )
    assert url == f"{team.urls['testing']}noarch/{team.package.filename}"
    assert subprocess.check_output([prefix / "bin/greet"], text=True) == "hello 1.0\n"
    (installed,) = (prefix / "conda-meta").glob("*.json")
    assert json.loads(Path(installed).read_text())["sha256"] == team.package.record.sha256


@pytest.mark.parametrize("lock_format", ["conda-lock", "explicit"])
def test_the_urls_of_other_lock_files_give_the_locked_bytes(pulp, team, lock_format):
    (package,) = read_lock_file(_lock(pulp, team, lock_format)).packages
    data = pulp.fetch(package.url, "").content
    assert hashlib.sha256(data).hexdigest() == package.sha256
