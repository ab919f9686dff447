"""Secrets of remotes: where they go, and where they are never seen."""

import pytest
import requests

from pulp_conda.app.models import CondaLifecycle, CondaRemote
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


SHOWN = {"url": "https://h/sub/t/***/c?token=***", "headers": [{"X-Api-Key": "***"}]}
STORED = {"url": "https://h/sub/t/tk-1/c?token=tk-2", "headers": [{"X-Api-Key": "tk-3"}]}


@pytest.fixture
def remote(pulp, unique):
    return pulp.post("remotes/conda/conda/", name=unique, **STORED)["pulp_href"]


def _stored(name):
    remote = CondaRemote.objects.get(name=name)
    return {"url": remote.url, "headers": remote.headers}


def test_a_remote_shows_no_secrets_and_takes_back_what_it_shows(pulp, remote, unique):
    shown = pulp.get(remote)
    assert {field: shown[field] for field in SHOWN} == SHOWN
    given = {field: shown[field] for field in ("name", "policy", "url", "headers")}
    pulp.patch(remote, **given | {"policy": "immediate"})
    assert pulp.get(remote)["policy"] == "immediate"
    assert _stored(unique) == STORED
    pulp.patch(remote, headers=[{"X-Api-Key": "tk-4"}])
    assert _stored(unique)["headers"] == [{"X-Api-Key": "tk-4"}]


@pytest.mark.parametrize(
    "change", [{"url": "https://h/sub/t/***/other"}, {"headers": [*SHOWN["headers"], {"a": "b"}]}]
)
def test_a_secret_is_not_lost_by_a_change_that_lacks_it(pulp, remote, unique, change):
    (field,) = change
    with pytest.raises(requests.HTTPError) as refused:
        pulp.patch(remote, **change)
    assert "'***' stands in the place of a secret" in refused.value.response.json()[field][0]
    assert _stored(unique) == STORED


def test_a_lifecycle_shows_no_secret_of_its_webhook(pulp, repository):
    lifecycle = pulp.lifecycle(
        repository["pulp_href"], webhook_url="https://ci.example.com/hook?key=tk-1"
    )
    assert lifecycle.read()["webhook_url"] == "https://ci.example.com/hook?key=***"
    pulp.patch(lifecycle.href, webhook_url="https://ci.example.com/hook?key=***", announce=True)
    stored = CondaLifecycle.objects.get(name=lifecycle.name)
    assert (stored.webhook_url, stored.announce) == ("https://ci.example.com/hook?key=tk-1", True)
