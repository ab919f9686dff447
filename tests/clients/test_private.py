"""Real clients install from a private channel, with a token in each place where they put one."""

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.support.builders import make_package
from tests.support.conda_program import NO_CONDA, Conda, CondaFailed, find_solvers

SOLVERS = find_solvers() or [pytest.param(None, marks=pytest.mark.skip(NO_CONDA))]


class PrivateChannel:
    """A channel that only its owner may read, with an app that needs a library.

    Attributes:
        url: Without a slash at its end.
        token: To read it.
    """

    def __init__(self, pulp, repository, word):
        self.name = f"private-{word}"
        script = b"#!/bin/sh\necho app of the team\n"
        app = make_package(f"app-{word}", depends=[f"lib-{word}"], files={"bin/app": script})
        for package in (app, make_package(f"lib-{word}")):
            pulp.upload(package, repository=repository)
        made = pulp.distribution(
            repository=repository, private=True, name=self.name, base_path=f"team/{self.name}"
        )
        self.url = made["base_url"].rstrip("/")
        self.token = pulp.post("conda/tokens/", name=word, scopes=["read"])["token"]
        self.app = f"app-{word}"
        self.packages = {self.app: "1.0", f"lib-{word}": "1.0"}

    @property
    def with_token(self):
        """Its URL in each form, by who writes it so."""
        start, path = self.url.split("/pulp/content/")
        return {
            "rattler, and conda for a URL": f"{start}/t/{self.token}/pulp/content/{path}",
            "conda with channel_alias": f"{start}/pulp/content/t/{self.token}/{path}",
        }


@pytest.fixture
def channel(pulp, make_repository, unique):
    return PrivateChannel(pulp, make_repository(autopublish=True), unique)


def _rattler(folder, url, channel, **environment):
    """Install the app with py-rattler, and return the packages and what it says of an error."""
    program = [sys.executable, "-m", "pulp_conda.quickstart.client", "install"]
    cache = folder / "cache"
    done = subprocess.run(
        [*program, "--cache", cache, url, folder / "prefix", channel.app],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"HOME": str(folder), **environment},
    )
    found = json.loads(done.stdout) if done.returncode == 0 else []
    return {package["name"]: package["version"] for package in found}, done.stderr


@pytest.mark.parametrize("place", ["rattler, and conda for a URL", "conda with channel_alias"])
def test_rattler_installs_with_a_token_in_the_url(channel, tmp_path, place):
    installed, error = _rattler(tmp_path, channel.with_token[place], channel)
    assert installed == channel.packages, error
    said = subprocess.check_output([tmp_path / "prefix/bin/app"], text=True)
    assert said == "app of the team\n"


def test_rattler_installs_with_a_login_of_its_own(channel, tmp_path):
    store = tmp_path / "credentials.json"
    # As `pixi auth login` writes it.
    store.write_text(json.dumps({urlsplit(channel.url).hostname: {"BearerToken": channel.token}}))
    installed, error = _rattler(tmp_path, channel.url, channel, RATTLER_AUTH_FILE=str(store))
    assert installed == channel.packages, error


def test_rattler_is_told_why_it_gets_nothing(channel, tmp_path):
    wrong = channel.with_token["rattler, and conda for a URL"].replace(channel.token, "tk-1")
    for number, url in enumerate((channel.url, wrong)):
        folder = tmp_path / str(number)
        folder.mkdir()
        installed, error = _rattler(folder, url, channel)
        assert not installed and "401" in error


@pytest.fixture(params=SOLVERS)
def conda(request, tmp_path):
    return Conda(tmp_path, request.param)


def _channel_options(url):
    return ("--override-channels", "--channel", url)


def test_conda_installs_by_each_way_of_the_guide(channel, conda, tmp_path):
    create = ("create", "--yes", "--prefix")
    with pytest.raises(CondaFailed, match="401"):
        conda(*create, tmp_path / "refused", *_channel_options(channel.url), channel.app)
    # It remembers for a week that the channel has no shards.
    conda.text("clean", "--index-cache", "--yes")

    for number, url in enumerate(channel.with_token.values()):
        prefix = tmp_path / f"url-{number}"
        conda(*create, prefix, *_channel_options(url), channel.app)
        assert (prefix / "bin/app").exists()

    parts = urlsplit(channel.url)
    alias = f"{parts.scheme}://{parts.netloc}/pulp/content/t/{channel.token}"
    prefix = tmp_path / "alias"
    options = _channel_options(f"team/{channel.name}")
    conda(*create, prefix, *options, channel.app, CONDA_CHANNEL_ALIAS=alias)
    assert (prefix / "bin/app").exists()

    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine {parts.hostname} login __token__ password {channel.token}\n")
    netrc.chmod(0o600)
    prefix = tmp_path / "netrc"
    conda(*create, prefix, *_channel_options(channel.url), channel.app)
    assert (prefix / "bin/app").exists()
    # This is the way that leaves no token behind.
    written = [file.read_text() for file in (prefix / "conda-meta").iterdir()]
    assert not any(channel.token in text for text in written)
