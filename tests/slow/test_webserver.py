"""The routes that the plugin brings for the nginx of Pulp."""

from urllib.parse import urlsplit

import pytest
import requests

from tests.support.builders import make_package
from tests.support.nginx import running_nginx


@pytest.fixture
def nginx(stack, tmp_path):
    """The URL of an nginx as in Pulp's images, and the folder of its logs and its cache."""
    content = f"http://127.0.0.1:{stack.state.facts['ports']['content']}"
    with running_nginx(tmp_path, content, like_pulp=True) as url:
        yield url, tmp_path


def test_tokens_in_urls_reach_the_content_app_and_are_written_nowhere(
    pulp, nginx, stack, make_repository, unique
):
    url, folder = nginx
    repository = make_repository(autopublish=True)
    package = make_package(f"secret-{unique}")
    pulp.upload(package, repository=repository)
    public, private = (
        urlsplit(pulp.distribute(repository=repository, private=private)).path
        for private in (False, True)
    )
    token = pulp.post("conda/tokens/", name=unique, scopes=["read"])["token"]
    for path in (public, private):
        assert requests.get(f"{url}{path}noarch/repodata.json", timeout=60).status_code == (
            200 if path == public else 401
        )
        below = path.removeprefix("/pulp/content/")
        folders = [f"/t/{token}{path}", f"/pulp/content/t/{token}/{below}"]
        # With a `channel_alias` that goes on.
        folders.append(f"/pulp/content/tests/t/{token}/{below.removeprefix('tests/')}")
        for start in folders:
            for file in ("noarch/repodata.json", f"noarch/{package.filename}", "notices.json", ""):
                given = requests.get(f"{url}{start}{file}?{token}", timeout=60)
                assert given.status_code == 200, start
                assert token not in given.text
        # Behind `/t/`, outside of what the server has: for nginx itself.
        requests.get(f"{url}/other/t/{token}/x", timeout=60)
    log = (folder / "access.log").read_text()
    assert "/noarch/repodata.json" in log and "/other/t/***/x" in log
    assert token not in log
    kept = [file for file in (folder / "cache").rglob("*") if file.is_file()]
    assert all(token.encode() not in file.read_bytes() for file in kept)
    assert token not in stack.state.log("content").read_text()


def test_a_package_of_any_size_comes_to_the_content_app(nginx, unique):
    url, _ = nginx
    body = bytes(3 * 2**20)
    for path in (
        f"/pulp/content/{unique}/noarch/x-1-0.conda",
        f"/t/cnd-{'x' * 40}/pulp/content/{unique}/noarch/x-1-0.conda",
        f"/{unique}/noarch/x-1-0.conda",
        f"/pulp/conda/{unique}/noarch/x-1-0.conda",
        f"/api/v1/upload/{unique}",
        f"/api/channels/{unique}/upload/x-1-0.conda",
    ):
        assert requests.put(f"{url}{path}", data=body, timeout=60).status_code != 413, path
    # Elsewhere, nginx takes one MiB.
    given = requests.put(f"{url}/pulp/content/{unique}/x", data=body, timeout=60)
    assert given.status_code == 413
