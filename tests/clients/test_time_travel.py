"""Real clients install from a channel as it was."""

import json
import subprocess
import sys

import pytest

from tests.support.builders import make_package
from tests.support.proxy import Proxy

RATTLER = [sys.executable, "-m", "pulp_conda.quickstart.client"]


@pytest.fixture
def install(tmp_path):
    """Install into a fresh prefix, with one cache for all, and return the checksums of what is
    there, by name.
    """

    def run(url, prefix, *specs):
        arguments = ["install", "--cache", tmp_path / "cache", url, tmp_path / prefix, *specs]
        done = subprocess.run(
            [*RATTLER, *map(str, arguments)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        records = [
            json.loads(path.read_text())
            for path in (tmp_path / prefix / "conda-meta").glob("*.json")
        ]
        return {record["name"]: record["sha256"] for record in records}

    return run


@pytest.fixture
def team(pulp, make_repository, unique):
    """A stage that was promoted from an application 1.0 to 2.0; both need the same library."""
    lib = make_package(f"lib-{unique}", files={"share/lib": b"lib"})
    one, two = (
        make_package(f"app-{unique}", version, depends=[lib.record.name])
        for version in ("1.0", "2.0")
    )
    repository = make_repository(autopublish=True)
    lifecycle = pulp.lifecycle(repository)
    for packages in ((lib, one), (two,)):
        hrefs = [pulp.upload(package)["pulp_href"] for package in packages]
        pulp.modify(repository, add=hrefs)
        lifecycle.promote("testing")
    return lifecycle.urls["testing"], lib, one, two


@pytest.mark.parametrize("sign", ["@", "%40"])
def test_the_past_installs_and_no_package_is_fetched_twice(team, install, sign):
    url, lib, one, two = team
    app = one.record.name
    with Proxy(url.rpartition("/testing/")[0] + "/") as proxy:

        def fetched():
            paths = (path for _, path, status in proxy.take() if status < 400)
            return [path.rpartition("/")[2] for path in paths if path.endswith(".conda")]

        base = f"{proxy.url}testing"
        assert install(base, "now", app) == {
            app: two.record.sha256,
            lib.record.name: lib.record.sha256,
        }
        assert sorted(fetched()) == sorted([two.filename, lib.filename])
        # Nothing but what the past alone has.
        expected = {app: one.record.sha256, lib.record.name: lib.record.sha256}
        assert install(f"{base}{sign}v1", "then", app) == expected
        assert fetched() == [one.filename]
        # What the plain URL gave is that of another moment too.
        assert install(f"{base}{sign}v2", "again", app)[app] == two.record.sha256
        assert fetched() == []
