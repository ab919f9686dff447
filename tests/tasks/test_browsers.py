"""Browsers as clients: which scripts may read a channel (https://fetch.spec.whatwg.org)."""

import pytest
import requests

from tests.support.builders import make_channel, make_package
from tests.support.upstream import Upstream

SITE, OTHER_SITE = "https://site.example", "https://other.example"
KEY = {"X-Key": "b3Blbg=="}


@pytest.fixture(scope="module")
def guard(pulp, word):
    return pulp.post(
        "contentguards/core/header/", name=word, header_name="X-Key", header_value="open"
    )["pulp_href"]


@pytest.fixture(scope="module")
def channel(pulp, tmp_path_factory, make_repository, word):
    """A mirror of one package whose bytes are upstream, as its distribution, and the paths of its
    files.
    """
    package = make_package(f"browsed-{word}")
    with Upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        make_channel(upstream.folder, [package])
        remote = pulp.post("remotes/conda/conda/", name=word, url=upstream.url)["pulp_href"]
        repository = make_repository(remote=remote, autopublish=True)
        pulp.sync(repository)
        path = f"noarch/{package.filename}"
        paths = [path, "noarch/repodata.json", "notices.json", "noarch/", "", "noarch", "absent"]
        yield pulp.distribution(repository=repository), paths


def _asked(pulp, url, path, **headers):
    """Ask in every way in which a path can be asked."""
    requested = [
        ("GET", {}),
        ("HEAD", {}),
        ("GET", {"Range": "bytes=0-0"}),
        ("GET", {"Range": "bytes=9999999-"}),
        ("GET", {"If-None-Match": "*"}),
        ("GET", {"If-Match": '"other"'}),
    ]
    for method, more in requested:
        yield pulp.fetch(url, path, method, headers={**headers, **more}, allow_redirects=False)


def test_every_site_may_read_what_everybody_may(pulp, channel):
    distribution, paths = channel
    url = distribution["base_url"]
    statuses = set()
    for start, path in [*((url, path) for path in paths), (url.rstrip("/"), "")]:
        for answer in _asked(pulp, start, path, Origin=SITE):
            statuses.add(answer.status_code)
            assert answer.headers["Access-Control-Allow-Origin"] == "*", (path, answer)
            exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
            assert {"Age", "ETag", "Content-Length", "Content-Range", "Retry-After"} <= exposed
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert "Vary" not in answer.headers
    assert statuses == {200, 206, 301, 304, 404, 412, 416}


def _preflight(url, path="", **headers):
    return requests.options(
        f"{url}{path}", headers={"Access-Control-Request-Method": "GET", **headers}, timeout=60
    )


def test_a_browser_may_ask_first(pulp, channel):
    distribution, paths = channel
    url = distribution["base_url"]
    for path in [*paths, "noarch/absent.json"]:
        answer = _preflight(
            url,
            path,
            Origin=SITE,
            **{"Access-Control-Request-Headers": "if-none-match,range"},
        )
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert answer.headers["Access-Control-Allow-Headers"] == "if-none-match,range"
    for past in (f"{url.rstrip('/')}@v1/", f"{url}at/v1/"):
        assert _preflight(past, Origin=SITE).headers["Access-Control-Allow-Origin"] == "*"
    assert _preflight(url, "noarch/%00", Origin=SITE).status_code == 404


def test_other_paths_are_asked_as_before(channel):
    url = channel[0]["base_url"]
    answer = _preflight(f"{url.rstrip('/')}-absent/", Origin=SITE)
    assert answer.status_code == 405
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_of_a_guarded_channel_only_the_named_sites_may_read(pulp, copied, channel, guard):
    distribution, paths = channel
    url = distribution["base_url"]
    pulp.patch(distribution["pulp_href"], content_guard=guard)
    for path in paths:
        for answer in _asked(pulp, url, path, Origin=SITE, **KEY):
            assert "Access-Control-Allow-Origin" not in answer.headers
    pulp.patch(distribution["pulp_href"], cors_origins=[SITE])
    statuses = set()
    for path in paths:
        for headers in ({}, KEY):
            for answer in _asked(pulp, url, path, Origin=SITE, **headers):
                statuses.add(answer.status_code)
                # Else a script does not see that it has to log in.
                assert answer.headers["Access-Control-Allow-Origin"] == SITE, (path, answer)
                assert answer.headers["Access-Control-Allow-Credentials"] == "true"
                assert set(answer.headers["Vary"].split(", ")) - {"Accept"} == {
                    "Authorization",
                    "Origin",
                }
        for origin in ({}, {"Origin": OTHER_SITE}, {"Origin": "null"}):
            answer = pulp.fetch(url, path, headers={**origin, **KEY}, allow_redirects=False)
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert set(answer.headers["Vary"].split(", ")) - {"Accept"} == {
                "Authorization",
                "Origin",
            }
    assert statuses == {200, 206, 301, 304, 403, 404, 412, 416}
    asked = {"Access-Control-Request-Headers": "authorization"}
    allowed = _preflight(url, "noarch/", Origin=SITE, **asked)
    assert allowed.headers["Access-Control-Allow-Headers"] == "authorization"
    assert allowed.headers["Access-Control-Allow-Credentials"] == "true"
    refused = _preflight(url, "noarch/", Origin=OTHER_SITE, **asked)
    assert not [name for name in refused.headers if name.startswith("Access-Control-")]


def test_an_open_channel_can_be_shut_to_sites(pulp, copied, channel):
    distribution, paths = channel
    url = distribution["base_url"]
    for origins in ([], [OTHER_SITE]):
        pulp.patch(distribution["pulp_href"], cors_origins=origins)
        for path in paths:
            answer = pulp.fetch(url, path, headers={"Origin": SITE})
            assert "Access-Control-Allow-Origin" not in answer.headers
    pulp.patch(distribution["pulp_href"], cors_origins=None)
    answer = pulp.fetch(url, paths[0], headers={"Origin": SITE})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_what_is_no_origin_is_refused_with_its_place(pulp, channel):
    href = channel[0]["pulp_href"]
    answer = pulp.try_patch(href, cors_origins=[SITE, "https://site.example/app", "null"])
    assert answer.status_code == 400
    second, third = answer.json()["cors_origins"]
    assert second.startswith("[CND0073] cors_origins[1]: 'https://site.example/app' is no origin")
    assert third.startswith("[CND0073] cors_origins[2]: 'null' is no origin")
    assert pulp.get(href)["cors_origins"] is None
