"""Secrets of remotes: where they go, and where they are never seen."""

import json
import logging
import tarfile
import uuid
from urllib.parse import urlsplit

import pytest
import requests

from pulpcore.plugin.models import Remote

from pulp_conda.app.models import CondaLifecycle, CondaRemote
from tests.support.builders import make_channel, make_package
from tests.support.certificates import self_signed
from tests.support.conda import TaskFailed
from tests.support.receiver import Receiver

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


@pytest.mark.parametrize("policy", ["immediate", "on_demand"])
def test_a_redirect_to_another_server_shows_it_no_certificate(
    pulp, make_upstream, make_mirror, tmp_path, unique, policy
):
    package = make_package(f"redirected-{unique}")
    server, client = self_signed(), self_signed()
    home, cdn = (make_upstream(server.server_context(tmp_path, client)) for _ in range(2))
    make_channel(cdn.folder, [package])
    path = f"noarch/{package.filename}"
    home.redirects |= {name: f"{cdn.url}/{name}" for name in ("noarch/repodata.json.zst", path)}
    mirror = make_mirror(
        url=home.url,
        policy=policy,
        subdirs=["noarch"],
        ca_cert=server.certificate,
        client_cert=client.certificate,
        client_key=client.key,
    )
    pulp.sync(mirror.repository)
    assert pulp.fetch(mirror.url, path).content == package.data
    assert all(home.certificates)
    assert cdn.asked(package.filename) == [200]
    assert not any(cdn.certificates)


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
    remote = Remote.objects.get(name=name).cast()
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


def test_a_remote_without_headers_takes_back_what_it_shows(pulp, unique):
    remote = pulp.post("remotes/conda/conda/", name=unique, url="https://conda.example.org/x")
    assert remote["headers"] is None
    pulp.patch(remote["pulp_href"], headers=[{"X-Team": "a"}])
    pulp.patch(remote["pulp_href"], headers=remote["headers"])
    assert pulp.get(remote["pulp_href"])["headers"] is None


def test_the_rows_that_pulpcore_shows_by_itself_are_masked(pulp, remote, unique):
    (shown,) = pulp.get("remotes/", name=unique)["results"]
    assert {field: shown[field] for field in SHOWN} == SHOWN
    CondaRemote.objects.get(name=unique).save(update_fields=["policy"])
    assert _stored(unique) == STORED


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


# Everywhere


class _Planted:
    """Secrets that no test has before, by the place where they stand."""

    def __init__(self):
        self.words = {}

    def __getitem__(self, place):
        return self.words.setdefault(place, f"planted{uuid.uuid4().hex}")

    def url(self, server, path, login=True):
        """Return a URL with a secret in each place that a URL has for one."""
        parts = urlsplit(server)
        user = f"{self['user']}:{self['password']}@" if login else ""
        token, query, fragment = self["path"], self["query"], self["fragment"]
        return f"{parts.scheme}://{user}{parts.netloc}/sub/t/{token}{path}?sig={query}#k={fragment}"

    def found_in(self, text):
        return [place for place, word in self.words.items() if word in text]


def _all_that_the_api_shows(pulp):
    """Yield what each list of the API has, and the parts of lifecycles and repositories."""
    for url in pulp.get("").values():
        yield json.dumps(pulp.get(urlsplit(url).path, limit=1000))
    for lifecycle in pulp.list("conda/lifecycles/", limit=1000):
        for part in ("history/", "deliveries/"):
            yield json.dumps(pulp.get(lifecycle["pulp_href"] + part, limit=1000))


def _exported(pulp, stack, repository, package, name):
    """Export a repository with a package, and yield the texts of the files in it."""
    (unit,) = pulp.get("content/conda/packages/", filename=package.filename)["results"]
    pulp.modify(repository, add=[unit["pulp_href"]])
    folder = stack.state.exports / name
    # 'path' is taken by the verbs of `pulp`.
    body = {"name": name, "repositories": [repository], "path": str(folder)}
    exporter = pulp.session.post(f"{pulp.url}{pulp.api}exporters/core/pulp/", json=body).json()
    pulp.post(f"{exporter['pulp_href']}exports/")
    (archive,) = folder.glob("*.tar*")
    with tarfile.open(archive) as exported:
        for member in exported:
            if member.isfile():
                yield exported.extractfile(member).read().decode(errors="replace")


def test_planted_secrets_are_found_nowhere(pulp, stack, upstream, make_repository, unique, caplog):
    caplog.set_level(logging.INFO)
    planted = _Planted()
    there, gone = make_package(f"there-{unique}"), make_package(f"gone-{unique}")
    base = f"sub/t/{planted['path']}"
    make_channel(upstream.folder / base, [there, gone])
    (upstream.folder / base / "noarch" / gone.filename).unlink()

    # A mirror: a sync, downloads on demand, and a sync that fails.
    remote = pulp.post(
        "remotes/conda/conda/",
        name=unique,
        url=planted.url(upstream.url, "", login=False).partition("#")[0],
        username=planted["user"],
        password=planted["password"],
        headers=[{"X-Api-Key": planted["header"]}],
        policy="on_demand",
        max_retries=1,
    )["pulp_href"]
    repository = make_repository(remote=remote, autopublish=True)
    pulp.sync(repository)
    url = pulp.distribute(repository=repository)
    assert pulp.fetch(url, f"noarch/{there.filename}").content == there.data
    assert pulp.fetch(url, f"noarch/{gone.filename}").status_code == 404
    pulp.patch(remote, policy="immediate")
    with pytest.raises(TaskFailed) as failed:
        pulp.sync(repository, optimize=False)
    answers = [failed.value.description]

    # Uploads from a URL, of which one works.
    for package in (there, gone):
        try:
            pulp.create_package(
                file_url=planted.url(upstream.url, f"/noarch/{package.filename}"),
                downloader_config={"headers": [{"X-Api-Key": planted["header"]}]},
            )
        except TaskFailed as failed:
            answers.append(failed.description)
    assert len(answers) == 2

    # Lock files with such URLs: one can be read, and one cannot.
    for line in (f"/noarch/{there.filename}", "/noarch/no-package"):
        lock_file = f"@EXPLICIT\n{planted.url(upstream.url, line).partition('#')[0]}\n"
        answer = pulp.session.post(
            f"{pulp.url}{repository}find_lock_file/", json={"lock_file": lock_file}
        )
        answers.append(answer.text)

    # A lifecycle: its webhook, notices, feed and page.
    with Receiver() as receiver:
        team = pulp.lifecycle(
            repository,
            webhook_url=f"{receiver.url}?key={planted['webhook query']}",
            webhook_secret=f"whsec_{planted['webhook secret']}",
            announce=True,
        )
        team.promote("testing")
        deliveries = pulp.get(f"{team.href}deliveries/")["results"]
        assert [each["state"] for each in deliveries] == ["delivered"]
        answers += [body.decode() for _, body in receiver.messages]
        answers.append(json.dumps(receiver.messages[0][0]))
    for path in ("", "noarch/", "notices.json", "history.atom", "noarch/repodata.json"):
        answers.append(pulp.fetch(team.urls["testing"], path).text)

    answers += _exported(pulp, stack, make_repository(remote=remote), there, unique)
    answers += _all_that_the_api_shows(pulp)
    assert len(answers) > 30
    for answer in answers:
        assert planted.found_in(answer) == [], answer[:1000]
    assert "404" in caplog.text
    assert planted.found_in(caplog.text) == []
    assert len(planted.words) == 8


def test_an_environment_with_a_secret_is_refused(pulp, make_repository):
    source = "channels: ['https://ada:hush@h/t/hush/c']\ndependencies: [python]\n"
    body = {"name": "secret", "format": "environment.yml", "source": source}
    body |= {"platforms": ["linux-64"], "repository": make_repository()}
    refused = pulp.try_post("content/conda/environments/", **body)
    assert refused.status_code == 400
    assert "CND0045" in refused.text
    assert "hush" not in refused.text
    source = source.replace("hush", "${HUSH}")
    assert pulp.post("content/conda/environments/", **body | {"source": source})
