"""Packages that are fetched while a client waits, from upstreams that fail."""

import random
from uuid import uuid4

import pytest
import requests
from django.test import override_settings

from pulp_conda.app.serving import fetching
from tests.support.builders import make_channel, make_package
from tests.support.upstream import Upstream
from tests.support.web import WebHandler, WebServer

# Each test takes one of them: whether a package is here is not undone.
_COUNT = 30


class Mirror:
    """A mirror of a channel at the upstream, and those of its packages that are still there."""

    def __init__(self, pulp, url, packages, policy="on_demand"):
        names = {"name": f"away-{uuid4().hex}"}
        remote = pulp.post("remotes/conda/conda/", url=url, policy=policy, max_retries=1, **names)
        self.remote = remote["pulp_href"]
        repository = pulp.post(
            "repositories/conda/conda/", remote=self.remote, autopublish=True, **names
        )
        self.url = pulp.distribute(repository=repository["pulp_href"])
        self._packages = list(packages)
        pulp.sync(repository["pulp_href"])

    def take(self):
        """Return a package, and its path in the channel."""
        package = self._packages.pop()
        return package, f"noarch/{package.filename}"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    with Upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def make_mirrors(pulp, upstream):
    """Make mirrors of channels that have the same packages, which no other channel has."""

    def make(*folders, **options):
        word = uuid4().hex[:8]
        packages = [
            make_package(f"away{number}-{word}", files={"share/x": random.randbytes(5000)})
            for number in range(_COUNT)
        ]
        for folder in folders:
            make_channel(upstream.folder / folder, packages)
        return [Mirror(pulp, f"{upstream.url}/{folder}", packages, **options) for folder in folders]

    return make


@pytest.fixture(scope="module")
def mirror(make_mirrors):
    (mirror,) = make_mirrors("only")
    return mirror


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """Let downloads be tried again at once: pulpcore waits up to some random seconds before."""
    monkeypatch.setattr(random, "uniform", lambda low, high: 0)


def _refusals(pulp, mirror, path):
    """Ask in every way, and return the status and the Retry-After that all of them have."""
    answers = [
        pulp.fetch(mirror.url, path),
        pulp.fetch(mirror.url, path, "HEAD"),
        pulp.fetch(mirror.url, path, headers={"Range": "bytes=-65"}),
    ]
    for answer in answers:
        assert not {"ETag", "Accept-Ranges", "Content-Range"} & answer.headers.keys()
        assert "immutable" not in answer.headers.get("Cache-Control", "")
    assert answers[0].text.startswith(f"{answers[0].status_code}: [CND0072] 'away")
    assert answers[1].content == b""
    ((status, retry_after),) = {
        (answer.status_code, answer.headers.get("Retry-After")) for answer in answers
    }
    return status, retry_after


@pytest.mark.parametrize(
    ("upstream_statuses", "status", "retry_after"),
    [
        pytest.param([404, 410], 404, None, id="it is not there"),
        pytest.param([400, 401, 403, 405, 407, 416, 451], 502, None, id="it does not pass"),
        pytest.param([408, 425, 429, 500, 501, 503, 504, 599], 503, "10", id="it may pass"),
    ],
)
def test_the_status_says_whether_to_ask_again(
    pulp, upstream, mirror, upstream_statuses, status, retry_after
):
    package, path = mirror.take()
    for upstream_status in upstream_statuses:
        upstream.answers[f"only/{path}"] = (upstream_status, b"<html>")
        assert _refusals(pulp, mirror, path) == (status, retry_after), upstream_status
        assert f"its upstream answered {upstream_status}" in pulp.fetch(mirror.url, path).text
    upstream.answers.clear()
    assert pulp.fetch(mirror.url, path).content == package.data


def test_an_upstream_that_is_away_may_come_back(pulp, tmp_path):
    package = make_package(f"away-{uuid4().hex}")
    make_channel(tmp_path, [package])
    with Upstream(tmp_path) as upstream:
        mirror = Mirror(pulp, upstream.url, [package])
    assert _refusals(pulp, mirror, mirror.take()[1]) == (503, "10")


def test_an_upstream_that_does_not_answer_may_do_so_later(pulp, upstream, mirror):
    _, path = mirror.take()
    pulp.patch(mirror.remote, sock_read_timeout=0.1)
    gate = upstream.hold(f"only/{path}")
    assert _refusals(pulp, mirror, path) == (503, "10")
    gate.set()
    pulp.patch(mirror.remote, sock_read_timeout=None)


def test_no_client_waits_for_long_until_an_upstream_answers(pulp, upstream, mirror, monkeypatch):
    package, path = mirror.take()
    gate = upstream.hold(f"only/{path}")
    with monkeypatch.context() as patch:
        patch.setattr(fetching, "_PATIENCE", 0.2)
        assert _refusals(pulp, mirror, path) == (503, "10")
    gate.set()
    assert pulp.fetch(mirror.url, path).content == package.data


def test_a_remote_that_was_deleted_does_not_come_back(pulp, copied, mirror):
    _, path = mirror.take()
    pulp.delete(mirror.remote)
    assert _refusals(pulp, mirror, path) == (502, None)


@pytest.fixture(scope="module")
def mirrors_by_policy(make_mirrors, mirror):
    (streamed,) = make_mirrors("streamed", policy="streamed")
    return {"only": mirror, "streamed": streamed}


@pytest.mark.parametrize("folder", ["only", "streamed"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=-65"}], ids=["whole", "range"])
def test_after_wrong_bytes_the_rest_of_the_cooldown_is_named(
    pulp, upstream, mirrors_by_policy, folder, headers
):
    mirror = mirrors_by_policy[folder]
    package, path = mirror.take()
    upstream.answers[f"{folder}/{path}"] = (200, bytes(len(package.data)))
    with pytest.raises(requests.RequestException):
        pulp.fetch(mirror.url, path, headers=headers)
    upstream.answers.clear()
    asked = len(upstream.requests)
    status, retry_after = _refusals(pulp, mirror, path)
    assert status == 503 and 290 <= int(retry_after) <= 300
    assert len(upstream.requests) == asked
    with override_settings(REMOTE_CONTENT_FETCH_FAILURE_COOLDOWN=0):
        assert pulp.fetch(mirror.url, path).content == package.data


@pytest.fixture(scope="module")
def two_mirrors(make_mirrors):
    return make_mirrors("one", "two")


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ((404, None), 200),
        ((503, None), 200),
        ((404, 410), 404),
        ((404, 403), 502),
        ((404, 503), 503),
        ((403, 429), 503),
    ],
)
def test_all_upstreams_of_a_package_are_asked(pulp, upstream, two_mirrors, statuses, status):
    mirror, _ = two_mirrors
    package, path = mirror.take()
    for folder, given in zip(("one", "two"), statuses, strict=True):
        upstream.answers[f"{folder}/{path}"] = given and (given, b"")
    if status == 200:
        assert pulp.fetch(mirror.url, path, "HEAD").status_code == 200
        assert pulp.fetch(mirror.url, path).content == package.data
    else:
        assert _refusals(pulp, mirror, path)[0] == status


def test_head_has_nothing_sent(pulp, upstream, mirror):
    package, path = mirror.take()
    assert pulp.fetch(mirror.url, path, "HEAD").headers["Content-Length"] == str(len(package.data))
    assert pulp.fetch(mirror.url, path).content == package.data
    assert pulp.fetch(mirror.url, path, "HEAD").status_code == 200
    asked = [(method, status) for method, at, status in upstream.requests if at.endswith(path)]
    assert asked == [("HEAD", 200), ("GET", 200)]


def test_head_follows_redirects(pulp, upstream, mirror):
    _, path = mirror.take()
    upstream.redirects[f"only/{path}"] = f"{upstream.url}/elsewhere/{path}"
    assert _refusals(pulp, mirror, path) == (404, None)
    target = upstream.folder / "elsewhere" / path
    target.parent.mkdir(parents=True)
    target.write_bytes((upstream.folder / "only" / path).read_bytes())
    before = len(upstream.requests)
    assert pulp.fetch(mirror.url, path, "HEAD").status_code == 200
    asked = [(method, status) for method, _, status in upstream.requests[before:]]
    assert asked == [("HEAD", 302), ("HEAD", 200)]


def test_an_upstream_may_know_no_head(pulp, upstream, mirror):
    _, path = mirror.take()
    for status in (405, 501, 403):
        # A 501 is tried again.
        upstream.answers[f"only/{path}"] = [(status, b"")] * (2 if status == 501 else 1)
        assert pulp.fetch(mirror.url, path, "HEAD").status_code == 200, status


def test_a_folder_of_this_machine_is_an_upstream_as_well(pulp, stack):
    packages = [make_package(f"away-{uuid4().hex}") for _ in range(2)]
    folder = stack.state.imports / uuid4().hex
    make_channel(folder, packages)
    mirror = Mirror(pulp, f"file://{folder}", packages)
    package, path = mirror.take()
    assert pulp.fetch(mirror.url, path, "HEAD").status_code == 200
    assert pulp.fetch(mirror.url, path).content == package.data
    _, path = mirror.take()
    (folder / path).unlink()
    assert _refusals(pulp, mirror, path) == (404, None)


class _Breaking(WebHandler):
    """Sends the files of a folder, and breaks off packages after these numbers of bytes."""

    folder = None
    breaks = []

    def do_GET(self):
        file = self.folder / self.path.lstrip("/")
        data = file.read_bytes() if file.is_file() else b""
        stop = self.breaks.pop(0) if self.breaks and file.suffix == ".conda" else None
        self.send_response(200 if data else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:stop])
        self.close_connection = stop is not None


def test_a_download_that_broke_off_goes_on_where_it_was(pulp, tmp_path):
    packages = [
        make_package(f"broken-{uuid4().hex}", files={"share/x": random.randbytes(5000)})
        for _ in range(2)
    ]
    make_channel(tmp_path, packages)

    class Breaking(_Breaking):
        folder = tmp_path
        breaks = []

    with WebServer(Breaking) as server:
        mirror = Mirror(pulp, server.url, packages)
        package, path = mirror.take()
        Breaking.breaks[:] = [1000, 3000, 3000]
        with pytest.raises(requests.RequestException):
            pulp.fetch(mirror.url, path)
        Breaking.breaks[:] = [1000]
        assert pulp.fetch(mirror.url, path).content == package.data
        package, path = mirror.take()
        Breaking.breaks[:] = [1000]
        part = pulp.fetch(mirror.url, path, headers={"Range": "bytes=10-1999"})
        assert (part.status_code, part.content) == (206, package.data[10:2000])
