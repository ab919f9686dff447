"""Real upload tools put packages into a channel, and a real client installs them with a token."""

import json
import subprocess
import sys
from dataclasses import replace
from random import Random

import pytest

from tests.support.anaconda_client import installed_anaconda
from tests.support.builders import make_package

DOORS = "/pulp/conda/"

# Runs one upload function of py-rattler-build, which pixi and rattler-build share.
RATTLER_BUILD = """
import json, sys
import rattler_build
getattr(rattler_build, sys.argv[1])(**json.loads(sys.argv[2]))
"""
CLIENT = [sys.executable, "-m", "pulp_conda.quickstart.client"]


@pytest.fixture
def token(pulp, unique):
    """The secret of a token with which tools upload and install."""
    made = pulp.post("conda/tokens/", name=unique, scopes=["upload", "read"])
    return made["token"]


@pytest.fixture
def channel(pulp, unique):
    """A private channel with the name of the test."""
    repository = pulp.post("repositories/conda/conda/", name=unique)["pulp_href"]
    names = {"name": unique, "base_path": unique}
    return pulp.distribution(repository=repository, private=True, **names)


@pytest.fixture
def write(tmp_path):
    """Write a package, and return its path."""

    def write(package):
        path = tmp_path / package.filename
        path.write_bytes(package.data)
        return str(path)

    return write


@pytest.fixture
def install(stack, token, channel, tmp_path):
    """Install a package with py-rattler, with the token in a place of the URL, and return what it
    is.
    """

    def install(name, behind="/pulp/content/"):
        url = channel["base_url"].replace(behind, f"{behind}t/{token}/", 1)
        arguments = ["--cache", tmp_path / "cache", url, tmp_path / f"prefix-{len(behind)}", name]
        done = subprocess.run([*CLIENT, "install", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return {package["name"]: package["version"] for package in json.loads(done.stdout)}

    return install


def _rattler_build(function, **options):
    program = [sys.executable, "-c", RATTLER_BUILD, function, json.dumps(options)]
    return subprocess.run(program, capture_output=True, text=True, timeout=120)


def _options(function, server, channel, token):
    match function:
        case "upload_package_to_anaconda":
            return {
                "owner": channel,
                "channel": ["main"],
                "api_key": token,
                "url": f"{server}anaconda",
            }
        case "upload_package_to_artifactory":
            return {"channels": channel, "token": token, "url": server}
    return {"channels": channel, "api_key": token, "url": server}


@pytest.mark.parametrize("door", ["prefix", "quetz", "artifactory", "anaconda"])
def test_pixi_and_rattler_build_upload_through_every_door(
    stack, token, channel, unique, write, install, door
):
    function, server = f"upload_package_to_{door}", f"{stack.content_url}{DOORS}"
    options = _options(function, server, unique, token)
    package = make_package(f"tool-{unique}", "1!1.0+2")
    for _again in range(2):
        done = _rattler_build(function, package_files=[write(package)], **options)
        assert done.returncode == 0, done.stderr
    for behind in ("/pulp/content/", f"{stack.content_url}/"):
        assert install(f"tool-{unique}", behind) == {f"tool-{unique}": "1!1.0+2"}
    other = make_package(f"tool-{unique}", "1!1.0+2", files={"share/a": b"other"})
    done = _rattler_build(function, package_files=[write(other)], **options)
    assert done.returncode != 0
    done = _rattler_build(function, package_files=[write(other)], **options | _wrong(door))
    assert done.returncode != 0


def _wrong(door):
    return {"token" if door == "artifactory" else "api_key": "cnd-" + "x" * 40}


def test_the_tool_of_prefix_dev_shows_our_texts_and_skips_and_replaces(
    stack, pulp, token, channel, unique, write
):
    def upload(package, **options):
        server = f"{stack.content_url}{DOORS}"
        options = {"channels": unique, "api_key": token, "url": server} | options
        return _rattler_build("upload_package_to_prefix", package_files=[write(package)], **options)

    first = make_package(f"text-{unique}", files={"share/a": b"1"})
    second = make_package(f"text-{unique}", files={"share/a": b"2"})
    url = f"{channel['base_url']}noarch/{first.filename}"
    assert upload(first).returncode == 0
    assert "[CND0018]" in upload(second).stderr
    assert upload(second, skip_existing=True).returncode == 0
    assert pulp.session.get(url).content == first.data
    assert upload(second, force=True).returncode == 0
    assert pulp.session.get(url).content == second.data
    assert "[CND0003]" in upload(replace(first, data=b"no archive")).stderr
    # The text arrives although the answer comes before the end of the file.
    large = make_package(f"drain-{unique}", files={"share/a": Random(1).randbytes(2**24)})
    assert "[CND0107]" in upload(large, channels=f"none-{unique}").stderr


def test_curl_uploads_and_removes(stack, pulp, token, channel, unique, write, install):
    path = write(make_package(f"curl-{unique}"))
    curl = ["curl", "--silent", "--show-error", "--fail-with-body", "--user", f"__token__:{token}"]
    url = f"{channel['base_url']}noarch/"
    done = subprocess.run([*curl, "-T", path, url], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["checksums"]["sha256"]
    assert install(f"curl-{unique}") == {f"curl-{unique}": "1.0"}
    filename = path.rpartition("/")[2]
    done = subprocess.run([*curl, "-X", "DELETE", url + filename], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert pulp.session.get(f"{url}repodata.json").json()["packages.conda"] == {}


def test_anaconda_uploads_skips_replaces_and_explains(
    stack, pulp, token, channel, unique, tmp_path, write, install
):
    program, home = installed_anaconda(), tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "ANACONDA_ANON_USAGE": "0"}

    def anaconda(*arguments, secret=token):
        return subprocess.run(
            [program, "--token", secret, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def upload(package, *options, **secret):
        return anaconda("upload", "--user", unique, *options, write(package), **secret)

    done = anaconda("config", "--set", "url", f"{stack.content_url}{DOORS}anaconda")
    assert done.returncode == 0, done.stderr
    assert "Username: admin" in (shown := anaconda("whoami")).stderr + shown.stdout
    first = make_package(f"conda-{unique}", files={"share/a": b"1"})
    second = make_package(f"conda-{unique}", files={"share/a": b"2"})
    url = f"{channel['base_url']}noarch/{first.filename}"
    done = upload(first)
    assert done.returncode == 0, done.stderr
    assert url in done.stderr + done.stdout
    assert install(f"conda-{unique}") == {f"conda-{unique}": "1.0"}
    assert "already exists" in (again := upload(first)).stderr + again.stdout
    assert again.returncode != 0
    assert upload(second, "--skip-existing").returncode == 0
    assert pulp.session.get(url).content == first.data
    assert upload(second, "--force").returncode == 0
    assert pulp.session.get(url).content == second.data
    wrong = upload(make_package(f"wrong-{unique}"), secret="cnd-" + "x" * 40)
    assert wrong.returncode != 0 and "[CND0090]" in wrong.stderr + wrong.stdout
    bad = upload(make_package(f"bad-{unique}", depends=["conda-forge::numpy"]))
    assert bad.returncode != 0 and "[CND0005]" in bad.stderr + bad.stdout
    repodata = pulp.session.get(f"{channel['base_url']}noarch/repodata.json").json()
    assert list(repodata["packages.conda"]) == [first.filename]
