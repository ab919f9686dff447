"""One story: a bad package is found in stable, blocked, and replaced by a fixed build."""

import json
import subprocess
import sys

import pytest

from tests.support import gateway
from tests.support.builders import make_package

CLIENT = [sys.executable, "-m", "pulp_conda.quickstart.client"]
REASON = "It sends passwords home. Use 1.1."


@pytest.fixture
def install(tmp_path):
    """Install with a real client and one cache for all, and return what is there, by name, and what
    the client wrote.
    """

    def run(url, prefix, *specs):
        arguments = ["install", "--cache", tmp_path / "warm", url, tmp_path / prefix, *specs]
        done = subprocess.run(
            [*CLIENT, *map(str, arguments)], capture_output=True, text=True, timeout=120
        )
        files = (tmp_path / prefix / "conda-meta").glob("*.json")
        records = [json.loads(file.read_text()) for file in files]
        return {record["name"]: record["version"] for record in records}, done.stderr

    return run


@pytest.fixture
def install_locked(tmp_path):
    """Install what a lock file names, with a cache of this name."""

    def run(lock, cache):
        (tmp_path / "pixi.lock").write_text(lock)
        return gateway.call(
            "install_locked",
            path=tmp_path / "pixi.lock",
            platform="linux-64",
            prefix=tmp_path / "locked" / cache,
            cache=tmp_path / cache,
        )

    return run


def test_a_bad_package_is_taken_down_and_its_fixed_build_comes_alone(
    pulp, inside, make_repository, unique, install, install_locked
):
    name, app = f"bad-{unique}", f"app-{unique}"
    bad, fixed = (make_package(name, version) for version in ("1.0", "1.1"))
    repository = make_repository(autopublish=True)
    for package in (make_package(app, depends=[name]), bad):
        pulp.upload(package, repository=repository)
    pulp.environment(repository, "desk", app, platforms=["linux-64"])
    team = pulp.lifecycle(repository)
    for stage in ("testing", "stable"):
        team.promote(stage)
    solved = pulp.post(f"{team.href}solve/", stage="stable")
    _wait_for_group(pulp, solved["task_group"])
    query = {"stage": "stable", "environment": "desk", "lock_format": "pixi"}
    lock = pulp.try_get(f"{team.href}lock/", **query).text
    stable = team.urls["stable"].rstrip("/")
    state = team.state("stable")

    # People install it, and keep a lock file.
    assert install(stable, "before", app)[0] == {app: "1.0", name: "1.0"}

    # Then somebody finds out what it does: one command.
    which = ["--spec", f"{name} 1.0"]
    block = ["conda", "block", "create", *which, "--public-reason", REASON]
    done = inside.ok(*block, "--internal-note", "SEC-1")
    path = f"noarch/{bad.filename}"
    answer = pulp.fetch(f"{stable}/", path)
    assert (answer.status_code, answer.text) == (451, f"451: {REASON}")

    # The answer says what had it.
    touched = json.loads(done.stdout)["touched"]
    states = {(each["stage"], each["state"]) for each in touched["stages"]["shown"]}
    assert {("testing", state), ("stable", state)} <= states
    (environment,) = touched["environments"]["shown"]
    assert environment["environment"] == "desk"
    assert ("stable", "desk") in {
        (each["stage"], each["environment"]) for each in touched["lock_files"]["shown"]
    }
    assert f"{stable}/{path}" in touched["purge"]["shown"]
    assert "URLs to purge" in done.stderr

    # A client with a warm cache asks for the index again, and finds it removed.
    found, said = install(stable, "after", app)
    assert found == {} and name in said
    # A client with a lock file and an empty cache is refused.
    with pytest.raises(AssertionError, match="451"):
        install_locked(lock, "cold")
    # A client that has the package in its cache does not ask the server.
    assert install_locked(lock, "warm/packages")
    # Yesterday's index stays as it was; the bytes do not.
    past = f"{stable}/at/{state}/"
    index = pulp.fetch(past, "noarch/repodata.json").json()
    assert bad.filename in index["packages.conda"]
    assert pulp.fetch(past, path).status_code == 451

    # The fixed build comes alone, and the block stays.
    pulp.upload(fixed, repository=repository)
    report = team.promote_packages("stable", name, reason="SEC-1 is fixed")
    assert [each["version"] for each in report["packages"]] == ["1.1"]
    assert install(stable, "fixed", app)[0] == {app: "1.0", name: "1.1"}
    assert pulp.fetch(f"{stable}/", path).status_code == 451
    kinds = [entry["kind"] for entry in team.history("stable")]
    assert kinds == ["packages", "blocked", "promoted"]
    inside.ok("conda", "block", "destroy", *which)
    assert pulp.fetch(f"{stable}/", path).content == bad.data


def _wait_for_group(pulp, href):
    for task in pulp.get(href)["tasks"]:
        pulp.wait(task["pulp_href"])
