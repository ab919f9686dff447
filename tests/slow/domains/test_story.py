"""One story: an upstream breaks what a team installs, and stable stays safe, today and for whoever
asks for yesterday.
"""

import json
import shutil
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from pulp_conda.channel.lockfiles.read import read_lock_file
from tests.support.builders import make_channel, make_package

CLIENT = [sys.executable, "-m", "pulp_conda.quickstart.client"]


@pytest.fixture
def install(tmp_path):
    """Install with a real client and empty caches, and return the sha256 of what is there, by file
    name.
    """

    def run(url, prefix, spec):
        done = subprocess.run(
            [*CLIENT, "install", url, tmp_path / prefix, spec],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        files = (tmp_path / prefix / "conda-meta").glob("*.json")
        records = [json.loads(file.read_text()) for file in files]
        return {record["fn"]: record["sha256"] for record in records}

    return run


@pytest.fixture
def sleep_a_night(stack):
    """The time machine of this test: everything that a lifecycle knows happened a day earlier."""

    def sleep(lifecycle):
        with stack.connect() as database:
            database.execute(
                "UPDATE conda_historyentry SET moved_at = moved_at - interval '1 day',"
                " until = until - interval '1 day' WHERE lifecycle_id = %s",
                (lifecycle.href.split("/")[-2],),
            )

    return sleep


def test_what_a_team_installs_is_safe_from_its_upstream_and_yesterday_stays(
    pulp, upstream, make_mirror, unique, install, sleep_a_night
):
    app = make_package(f"app-{unique}", depends=[f"lib-{unique} >=1,<2", f"ssl-{unique} >=3"])
    lib, lib_2 = (make_package(f"lib-{unique}", version) for version in ("1.0", "2.0"))
    ssl, fixed = (make_package(f"ssl-{unique}", version) for version in ("3.0.0", "3.0.1"))

    def hashes(*packages):
        return {package.filename: package.record.sha256 for package in packages}

    # The day before yesterday: mirror a channel, and say what the team installs from it.
    make_channel(upstream.folder, [app, lib, ssl])
    mirror = make_mirror(policy="immediate")
    assert pulp.sync(mirror.repository, mirror=True) == 1
    pulp.environment(
        mirror.repository, "analysis", app.record.name, platforms=["linux-64", "osx-arm64"]
    )
    team = pulp.lifecycle(
        mirror.repository,
        stages=[
            {"name": "unstable"},
            {"name": "testing", "gates": [{"name": "solvable", "kind": "environments"}]},
            {
                "name": "stable",
                "gates": [{"name": "whole", "kind": "policy", "dependencies": True}],
            },
        ],
    )
    stable = team.urls["stable"].rstrip("/")

    # Its environment solves, so testing moves, and stable after it.
    report = team.promote("testing")
    assert (report["outcome"], report["after"]) == ("moved", "v2")
    (gate,) = report["gates"]
    assert (gate["name"], gate["verdict"]) == ("solvable", "passed")
    assert gate["summary"].startswith("2 of 2 solved")
    assert team.promote("stable")["gates"][0]["verdict"] == "passed"
    sleep_a_night(team)

    # Yesterday: the upstream deletes a library that the application needs, and publishes the fix of
    # another one.
    shutil.rmtree(upstream.folder / "noarch")
    make_channel(upstream.folder, [app, lib_2, fixed])
    assert pulp.sync(mirror.repository, mirror=True) == 3
    assert team.state("unstable") == "v3"

    # Nobody gets that by accident, and the report says why.
    report = team.promote("testing")
    assert (report["outcome"], report["before"], report["after"]) == ("blocked", "v2", "v3")
    (gate,) = report["gates"]
    assert (gate["verdict"], gate["count"]) == ("failed", 2)
    for finding, platform in zip(gate["findings"], ("linux-64", "osx-arm64"), strict=True):
        assert (finding["environment"], finding["platform"]) == ("analysis", platform)
        assert f"lib-{unique} >=1,<2" in finding["explanation"]
        assert app.record.name in finding["explanation"]
    assert team.state("testing") == "v2"

    # The fix cannot wait for a better upstream: it goes alone, through the same gate, and on to
    # stable.
    report = team.promote_packages("testing", f"ssl-{unique} 3.0.1", reason="CVE-2026-1")
    assert (report["outcome"], report["kind"], report["after"]) == ("moved", "packages", "v2.1")
    assert [package["sha256"] for package in report["packages"]] == [fixed.record.sha256]
    assert [gate["verdict"] for gate in report["gates"]] == ["passed"]
    report = team.promote("stable")
    assert (report["outcome"], report["before"], report["after"]) == ("moved", "v2", "v2.1")
    assert report["changes"]["summaries"] == {"upgraded": 1}

    # What the gate solved is a lock file, and what a client installs.
    lock = pulp.try_get(
        f"{team.href}lock/",
        stage="stable",
        environment="analysis",
        lock_format="explicit",
        platform="linux-64",
    )
    solved = {package.filename: package.sha256 for package in read_lock_file(lock.text).packages}
    assert solved == hashes(app, lib, fixed)
    assert install(stable, "yesterday", app.record.name) == solved
    sleep_a_night(team)

    # Today: the fix has a fault, stable goes back, and the upstream is gone altogether.
    report = team.roll_back("stable", reason="3.0.1 does not start")
    assert (report["outcome"], report["before"], report["after"]) == ("moved", "v2.1", "v2")
    shutil.rmtree(upstream.folder / "noarch")
    pulp.post("orphans/cleanup/", orphan_protection_time=0)

    # The history tells all of it,
    told = [
        (entry["stage"], entry["kind"], entry["outcome"], entry["state"])
        for entry in reversed(team.history())
    ]
    assert told == [
        ("unstable", "published", "moved", "v2"),
        ("testing", "promoted", "moved", "v2"),
        ("stable", "promoted", "moved", "v2"),
        ("unstable", "published", "moved", "v3"),
        ("testing", "promoted", "blocked", "v3"),
        ("testing", "packages", "moved", "v2.1"),
        ("stable", "promoted", "moved", "v2.1"),
        ("stable", "rolled_back", "moved", "v2"),
    ]
    # and each day still installs as it was.
    today = datetime.fromisoformat(team.stage("stable")["since"]).date()
    yesterday, before = today - timedelta(days=1), today - timedelta(days=2)
    assert install(stable, "now", app.record.name) == hashes(app, lib, ssl)
    assert install(f"{stable}/at/{yesterday}", "then", app.record.name) == solved
    assert install(f"{stable}/at/{before}", "before", app.record.name) == hashes(app, lib, ssl)
    answer = pulp.fetch(f"{stable}/at/{before - timedelta(days=1)}/", "noarch/repodata.json")
    assert answer.status_code == 404
    assert "it served nothing before" in answer.text
