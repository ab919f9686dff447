"""Secrets of remotes: where they go, and where they are never seen."""

import pytest

from tests.support.builders import make_channel, make_package

LOGIN = {"username": "user", "password": "pw-secret", "headers": [{"X-Api-Key": "key-secret"}]}
SENT = {"Authorization", "X-Api-Key"}


@pytest.mark.parametrize("policy", ["immediate", "on_demand", "streamed"])
def test_a_redirect_to_another_server_takes_no_secrets_along(
    pulp, upstream, make_upstream, make_mirror, unique, policy
):
    package = make_package(f"redirected-{unique}")
    cdn = make_upstream()
    make_channel(cdn.folder, [package])
    for path in ("noarch/repodata.json.zst", f"noarch/{package.filename}"):
        upstream.redirects[path] = f"{cdn.url}/{path}"
    mirror = make_mirror(policy=policy, subdirs=["noarch"], **LOGIN)
    pulp.sync(mirror.repository)
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert cdn.asked("repodata.json.zst") == cdn.asked(package.filename) == [200]
    assert not any(SENT & headers.keys() for headers in cdn.headers)
    assert all(SENT <= headers.keys() for headers in upstream.headers)


def test_a_redirect_on_the_same_server_keeps_them(pulp, upstream, make_mirror, unique):
    package = make_package(f"moved-{unique}")
    make_channel(upstream.folder / "new", [package])
    path = "noarch/repodata.json.zst"
    upstream.redirects[path] = f"/new/{path}"
    pulp.sync(make_mirror(subdirs=["noarch"], **LOGIN).repository)
    assert upstream.asked(f"new/{path}") == [200]
    assert all(SENT <= headers.keys() for headers in upstream.headers)


def test_a_file_url_takes_its_secrets_to_no_other_server(pulp, upstream, make_upstream, unique):
    package = make_package(f"file-url-{unique}")
    cdn = make_upstream()
    (cdn.folder / package.filename).write_bytes(package.data)
    upstream.redirects[package.filename] = f"{cdn.url}/{package.filename}"
    pulp.create_package(file_url=f"{upstream.url}/{package.filename}", downloader_config=LOGIN)
    assert SENT <= upstream.headers[0].keys()
    assert cdn.asked() == [200]
    assert not SENT & cdn.headers[0].keys()
