"""Real clients solve and install from published URLs, each in a prefix and cache of its own."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.support.builders import make_channel, make_package

RATTLER = [sys.executable, "-m", "pulp_conda.quickstart.client"]


def _greeter(version):
    script = f'#!/bin/sh\necho "$(cat "$(dirname "$0")/../share/word") {version}"\n'
    return make_package(
        "greeter", version, depends=["word >=1"], files={"bin/greet": script.encode()}
    )


@pytest.fixture
def rattler(tmp_path):
    """Run py-rattler as a program, with a cache that stays from call to call."""

    def run(command, url, *arguments):
        program = [*RATTLER, command, "--cache", str(tmp_path / "cache"), url, *map(str, arguments)]
        done = subprocess.run(program, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return {package["name"]: package["version"] for package in json.loads(done.stdout)}

    return run


@pytest.fixture
def mirror(pulp, upstream, make_mirror):
    packages = [_greeter("1.0"), make_package("word", files={"share/word": b"hello"})]
    make_channel(upstream.folder, packages)
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    return mirror


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_an_environment_installs_and_runs(
    pulp, upstream, make_mirror, rattler, tmp_path, extension
):
    greet = {"bin/greet": b"#!/bin/sh\necho hello\n"}
    package = make_package("greet-alone", extension=extension, files=greet)
    make_channel(upstream.folder, [package])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    prefix = tmp_path / "prefix"
    assert rattler("install", mirror.url, prefix, "greet-alone") == {"greet-alone": "1.0"}
    assert subprocess.check_output([prefix / "bin/greet"], text=True) == "hello\n"
    (installed,) = (prefix / "conda-meta").glob("*.json")
    assert json.loads(installed.read_text())["url"] == f"{mirror.url}noarch/{package.filename}"


def test_keys_that_only_some_clients_know_do_no_harm_in_shards(
    pulp, upstream, make_mirror, rattler
):
    package = make_package("odd", index={"unknown": {"a": [None]}, "legacy_bz2_size": 7})
    fields = {**package.record.fields, "legacy_bz2_md5": "0" * 32}
    record = replace(package.record, fields=fields)
    make_channel(upstream.folder, [replace(package, record=record)])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    assert rattler("solve", mirror.url, "odd") == {"odd": "1.0"}


def test_uploaded_and_mirrored_packages_work_together(pulp, mirror, rattler, tmp_path):
    pulp.upload(_greeter("2.0"), repository=mirror.repository)
    prefix = tmp_path / "prefix"
    assert rattler("install", mirror.url, prefix, "greeter") == {"greeter": "2.0", "word": "1.0"}
    assert subprocess.check_output([prefix / "bin/greet"], text=True) == "hello 2.0\n"


def test_a_client_with_a_cache_follows_promotion_and_rollback(pulp, mirror, rattler):
    first = pulp.newest_publication(mirror.repository)
    stable = pulp.distribution(publication=first)
    url = stable["base_url"]
    assert rattler("solve", url, "greeter")["greeter"] == "1.0"

    pulp.upload(_greeter("2.0"), repository=mirror.repository)
    assert rattler("solve", url, "greeter")["greeter"] == "1.0"
    pulp.patch(stable["pulp_href"], publication=pulp.newest_publication(mirror.repository))
    assert rattler("solve", url, "greeter")["greeter"] == "2.0"
    pulp.patch(stable["pulp_href"], publication=first)
    assert rattler("solve", url, "greeter")["greeter"] == "1.0"


def test_a_hotfix_reaches_the_solver(pulp, upstream, mirror, rattler):
    assert rattler("solve", mirror.url, "greeter")["word"] == "1.0"
    path = upstream.folder / "noarch/repodata.json"
    repodata = json.loads(path.read_text())
    repodata["packages.conda"]["greeter-1.0-0.conda"]["depends"] = []
    path.write_text(json.dumps(repodata))
    (upstream.folder / "noarch/repodata.json.zst").unlink()
    pulp.sync(mirror.repository)
    assert rattler("solve", mirror.url, "greeter") == {"greeter": "1.0"}
