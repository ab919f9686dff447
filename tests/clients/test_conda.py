"""The program `conda` works with our channels, with each solver that it has.

These tests run if there is a `conda`: see tests/support/conda_program.py.
"""

import subprocess
from uuid import uuid4

import pytest

from tests.support.builders import make_package
from tests.support.conda_program import (
    NO_CONDA,
    Conda,
    CondaFailed,
    find_solvers,
    records,
    versions,
)
from tests.support.proxy import Proxy

SOLVERS = find_solvers() or [pytest.param(None, marks=pytest.mark.skip(NO_CONDA))]


@pytest.fixture(params=SOLVERS)
def solver(request):
    return request.param


@pytest.fixture
def conda(solver, tmp_path):
    return Conda(tmp_path, solver)


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "prefix"


def _app(word, version):
    """A program that says its version and needs a library."""
    script = f"#!/bin/sh\necho app {version}\n"
    return make_package(
        f"app-{word}", version, depends=[f"lib-{word} >=1"], files={"bin/app": script.encode()}
    )


class Team:
    """A lifecycle with an app that needs a library.

    The stage 'testing' was at v1 with app 1.0, then at v2 with app 2.0 beside it. Nobody moved
    'stable' yet.
    """

    def __init__(self, pulp):
        self.pulp = pulp
        self.word = uuid4().hex[:8]
        self.app, self.lib = f"app-{self.word}", f"lib-{self.word}"
        library = make_package(self.lib, subdir="linux-64", files={"share/lib": b"1.0"})
        self.apps = {version: _app(self.word, version) for version in ("1.0", "2.0")}
        self.repository = pulp.post("repositories/conda/conda/", name=self.word, autopublish=True)[
            "pulp_href"
        ]
        self.lifecycle = pulp.lifecycle(self.repository)
        self.url = self.lifecycle.urls["testing"]
        self.add(library, self.apps["1.0"])
        self.add(self.apps["2.0"])

    def add(self, *packages, **options):
        hrefs = [self.pulp.upload(package)["pulp_href"] for package in packages]
        self.pulp.modify(self.repository, add=hrefs, **options)
        self.lifecycle.promote("testing")


@pytest.fixture(scope="module")
def team(pulp):
    """A team for all tests that change nothing of it."""
    return Team(pulp)


@pytest.fixture
def own_team(solver, pulp):
    return Team(pulp)


@pytest.mark.parametrize("use_shards", ["true", "false"])
def test_conda_finds_and_installs_what_the_channel_has(
    pulp, make_repository, conda, prefix, use_shards
):
    packages = [
        make_package("word", "1.0", files={"share/word": b"hello"}),
        make_package("greet", "1!2.0+x", depends=["word >=1"], subdir="linux-64"),
        make_package("greet", "1.0", extension=".tar.bz2", depends=["word"]),
    ]
    repository = make_repository(autopublish=True)
    pulp.modify(repository, add=[pulp.upload(package)["pulp_href"] for package in packages])
    url = pulp.distribute(repository=repository)
    settings = {"CONDA_REPODATA_USE_SHARDS": use_shards}

    found = conda.search("greet", url, **settings)
    assert {(record["version"], record["subdir"], record["sha256"]) for record in found} == {
        (package.record.version, package.subdir, package.record.sha256) for package in packages[1:]
    }
    assert conda.change("create", prefix, "greet", url=url, **settings) == {
        "greet": "1!2.0+x",
        "word": "1.0",
    }
    assert (prefix / "share/word").read_bytes() == b"hello"
    other = prefix.with_name("other")
    conda.change("create", other, "greet=1.0", url=url, **settings)
    installed = records(other)["greet"]
    assert installed["url"] == f"{url}noarch/{packages[2].filename}"


def test_an_environment_lives_through_all_commands(conda, own_team, prefix):
    assert conda.change("create", prefix, f"{own_team.app}=1.0", url=own_team.url) == {
        own_team.app: "1.0",
        own_team.lib: "1.0",
    }
    assert subprocess.check_output([prefix / "bin/app"], text=True) == "app 1.0\n"

    own_team.add(
        make_package(f"tool-{own_team.word}"), make_package(own_team.lib, "1.1", subdir="linux-64")
    )
    assert conda.change("install", prefix, f"tool-{own_team.word}", url=own_team.url) == {
        own_team.app: "1.0",
        own_team.lib: "1.0",
        f"tool-{own_team.word}": "1.0",
    }
    # The user asked for 1.0, and conda remembers that until they ask for something else.
    assert conda.change("update", prefix, "--all", url=own_team.url)[own_team.lib] == "1.1"
    assert conda.change("update", prefix, own_team.app, url=own_team.url)[own_team.app] == "2.0"
    assert subprocess.check_output([prefix / "bin/app"], text=True) == "app 2.0\n"
    assert conda.change("remove", prefix, own_team.lib, url=own_team.url) == {
        f"tool-{own_team.word}": "1.0"
    }


def test_conda_says_what_the_channel_lacks(conda, team, prefix):
    with pytest.raises(CondaFailed) as failed:
        conda.change("create", prefix, f"{team.app}=9", url=team.url)
    # Each solver has words of its own.
    assert f"{team.app}=9" in str(failed.value) or f"{team.app} ==9" in str(failed.value)


def test_what_was_downloaded_installs_without_the_server(conda, team, prefix, tmp_path):
    with Proxy(team.url) as proxy:
        conda.change("create", prefix, team.app, url=proxy.url)
        assert proxy.take()
        expected = {team.app: "2.0", team.lib: "1.0"}
        again = tmp_path / "again"
        assert conda.change("create", again, "--offline", team.app, url=proxy.url) == expected
        assert proxy.take() == []


@pytest.mark.parametrize("digest", ["--sha256", "--md5"])
def test_an_explicit_list_installs_the_same_files(conda, team, prefix, tmp_path, digest):
    conda.change("create", prefix, f"{team.app}=1.0", url=team.url)
    listed = tmp_path / "environment.txt"
    listed.write_text(conda.text("list", "--prefix", prefix, "--explicit", digest))
    assert f"{team.url}noarch/{team.apps['1.0'].filename}#" in listed.read_text()
    fresh = Conda(_folder(tmp_path / "fresh"), conda.solver)
    assert fresh.create_from(listed, tmp_path / "again") == {team.app: "1.0", team.lib: "1.0"}


@pytest.mark.parametrize("digest", ["sha256", "md5"])
def test_the_explicit_list_of_a_stage_installs(conda, own_team, prefix, tmp_path, digest):
    own_team.pulp.environment(
        own_team.repository, "run", f"{own_team.app}\n", platforms=["linux-64"]
    )
    gate = {"name": "environments", "kind": "environments"}
    own_team.lifecycle.set_gates("testing", gate)
    assert own_team.lifecycle.promote("testing")["outcome"] == "moved"
    query = {"stage": "testing", "environment": "run", "lock_format": "explicit", "digest": digest}
    answer = own_team.pulp.try_get(f"{own_team.lifecycle.href}lock/", **query)
    assert answer.ok, answer.text
    listed = tmp_path / "environment.txt"
    listed.write_text(answer.text)
    conda.create_from(listed, prefix)
    installed = records(prefix)
    assert installed[own_team.app][digest] == getattr(own_team.apps["2.0"].record, digest)
    assert installed.keys() == {own_team.app, own_team.lib}


def test_a_file_with_another_hash_is_not_installed(conda, team, prefix, tmp_path):
    listed = tmp_path / "environment.txt"
    url = f"{team.url}noarch/{team.apps['1.0'].filename}"
    listed.write_text(f"@EXPLICIT\n{url}#sha256:{'0' * 64}\n")
    with pytest.raises(CondaFailed, match="ChecksumMismatch"):
        conda.create_from(listed, prefix)


def test_the_first_of_two_channels_decides_with_strict_priority(
    conda, pulp, make_repository, team, prefix
):
    ours = make_repository(autopublish=True)
    only = make_package(f"only-{team.word}", depends=[f"{team.app}"])
    old = _app(team.word, "0.5")
    pulp.modify(ours, add=[pulp.upload(package)["pulp_href"] for package in (only, old)])
    first = pulp.distribute(repository=ours)
    arguments = ("--channel", team.url, f"only-{team.word}")
    strict = {"CONDA_CHANNEL_PRIORITY": "strict"}
    assert conda.change("create", prefix, *arguments, url=first, **strict) == {
        f"only-{team.word}": "1.0",
        team.app: "0.5",
        team.lib: "1.0",
    }
    assert records(prefix)[team.lib]["url"].startswith(team.url)
    disabled = {"CONDA_CHANNEL_PRIORITY": "disabled"}
    other = prefix.with_name("other")
    assert conda.change("create", other, *arguments, url=first, **disabled)[team.app] == "2.0"


@pytest.mark.parametrize("sign", ["/at/", "@", "%40"])
def test_the_past_installs(conda, team, prefix, sign):
    then = f"{team.url.rstrip('/')}{sign}v1/"
    assert [record["version"] for record in conda.search(team.app, then)] == ["1.0"]
    expected = {team.app: "1.0", team.lib: "1.0"}
    if conda.solver == "classic" and sign != "/at/":
        # It finds packages of such a channel, and installs none of them.
        assert conda.change("create", prefix, team.app, url=then) == {}
        return
    assert conda.change("create", prefix, team.app, url=then) == expected
    # An environment from the past follows the channel, and goes back.
    assert conda.change("update", prefix, team.app, url=team.url)[team.app] == "2.0"
    assert conda.change("install", prefix, f"{team.app}=1.0", url=then) == expected


def test_after_a_rollback_conda_sees_the_earlier_version(conda, own_team, prefix):
    url, app = own_team.url, own_team.app
    assert conda.change("create", prefix, app, url=url)[app] == "2.0"
    report = own_team.lifecycle.roll_back("testing")
    assert [record["version"] for record in conda.search(app, url)] == ["1.0"]
    fresh = prefix.with_name("fresh")
    assert conda.change("create", fresh, app, url=url)[app] == "1.0"

    # An environment does not go back by itself.
    if conda.solver == "rattler":
        with pytest.raises(CondaFailed, match=f"{app} >=2.0"):
            conda.change("update", prefix, "--all", url=url)
    else:
        conda.change("update", prefix, "--all", url=url)
    assert versions(prefix)[app] == "2.0"
    assert report["way_back"]["install"] == [f"{app} <=1.0"]
    assert conda.change("install", prefix, *report["way_back"]["install"], url=url)[app] == "1.0"


def test_after_a_rollback_conda_goes_back_to_an_earlier_build(conda, own_team, prefix):
    url, app = own_team.url, own_team.app
    own_team.add(make_package(app, "2.0", "h1_1", build_number=1, depends=[own_team.lib]))
    conda.change("create", prefix, app, url=url)
    assert records(prefix)[app]["build_number"] == 1
    report = own_team.lifecycle.roll_back("testing")
    conda.change("update", prefix, "--all", url=url)
    # The solver of rattler only looks at the version.
    assert records(prefix)[app]["build_number"] == (0 if conda.solver == "rattler" else 1)
    conda.change("install", prefix, *report["way_back"]["install"], url=url)
    assert (records(prefix)[app]["version"], records(prefix)[app]["build_number"]) == ("2.0", 0)


def test_after_a_rollback_conda_gets_other_bytes_when_it_installs_again(conda, own_team, prefix):
    url, app = own_team.url, own_team.app
    other = make_package(app, "2.0", depends=[own_team.lib])
    own_team.add(other, overwrite=True)
    conda.change("create", prefix, app, url=url)
    assert records(prefix)[app]["sha256"] == other.record.sha256
    report = own_team.lifecycle.roll_back("testing")
    assert report["way_back"]["reinstall"] == [app]
    conda.change("remove", prefix, app, url=url)
    conda.change("install", prefix, app, url=url)
    assert records(prefix)[app]["sha256"] == own_team.apps["2.0"].record.sha256


def _folder(path):
    path.mkdir()
    return path
