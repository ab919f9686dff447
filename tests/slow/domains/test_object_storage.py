"""Channels whose files are in an S3 bucket, to which clients are redirected."""

import hashlib
import json
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from tests.support.both_ways import Asker, fast_paths
from tests.support.builders import make_package

CLIENT = [sys.executable, "-m", "pulp_conda.quickstart.client"]
ACCESS_KEY, SECRET_KEY = "access-of-the-tests", "secret-of-the-tests"
KEY = {"X-Key": "b3Blbg=="}

METADATA = [
    "noarch/repodata.json",
    "noarch/repodata.json.zst",
    "noarch/repodata_shards.msgpack.zst",
    "noarch/run_exports.json",
    "channeldata.json",
    "notices.json",
    "history.atom",
]


@pytest.fixture(scope="module")
def s3():
    """A client of an S3 server, whose bucket 'channels' is empty."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    s3.create_bucket(Bucket="channels")
    yield s3
    server.stop()


@pytest.fixture(scope="module")
def pulp(api, s3):
    """The API of a domain whose storage is the bucket."""
    name = f"s3-{uuid4().hex[:8]}"
    api("default").post(
        "domains/",
        name=name,
        storage_class="storages.backends.s3.S3Storage",
        storage_settings={
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "bucket_name": "channels",
            "endpoint_url": s3.meta.endpoint_url,
            "region_name": "us-east-1",
            "addressing_style": "path",
            "signature_version": "s3v4",
        },
        redirect_to_object_storage=True,
    )
    return api(name)


@pytest.fixture
def team(pulp, unique):
    """A lifecycle whose stable stage serves the first of two packages."""
    repository = pulp.post("repositories/conda/conda/", name=unique, autopublish=True)["pulp_href"]
    team = pulp.lifecycle(repository)
    team.packages = [make_package(f"app-{unique}", version) for version in ("1.0", "2.0")]
    for package in team.packages:
        pulp.upload(package, repository=repository)
    team.promote("testing", state="v1")
    team.url = team.stage("testing")["base_url"]
    return team


def _get(url, path, method="GET", **headers):
    return requests.request(
        method, f"{url}{path}", headers=headers, allow_redirects=False, timeout=60
    )


def test_a_promotion_is_seen_by_the_next_request(team):
    before = {path: _get(team.url, path) for path in METADATA}
    for path, answer in before.items():
        assert answer.status_code == 200, path
        assert answer.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
        assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
        again = _get(team.url, path, **{"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304, path
    one, two = (package.filename for package in team.packages)
    assert list(before["noarch/repodata.json"].json()["packages.conda"]) == [one]
    team.promote("testing", state="v2")
    etag = before["noarch/repodata.json"].headers["ETag"]
    after = _get(team.url, "noarch/repodata.json", **{"If-None-Match": etag})
    assert sorted(after.json()["packages.conda"]) == [one, two]
    # Packages have URLs that differ in their signatures.
    asker, base = Asker(team.url), urlsplit(team.url).path
    assert asker.compare(fast_paths(asker, base, []), methods=("GET", "HEAD")) == {200: 14, 404: 8}


def test_a_package_comes_from_the_bucket_as_if_it_came_from_here(team, s3):
    package = team.packages[0]
    path = f"noarch/{package.filename}"
    for method, headers, status, body in (
        ("GET", {}, 200, package.data),
        ("GET", {"Range": "bytes=-65"}, 206, package.data[-65:]),
        ("HEAD", {}, 200, b""),
    ):
        redirect = _get(team.url, path, method, **headers)
        assert redirect.status_code == 302
        assert redirect.headers["Location"].startswith(f"{s3.meta.endpoint_url}/channels/")
        given = _get(redirect.headers["Location"], "", method, **headers)
        assert (given.status_code, given.content) == (status, body)
        assert given.headers["Content-Type"] == "application/octet-stream"
        # The server of these tests has this header for GET only.
        if method == "GET":
            assert given.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    known = _get(team.url, path, **{"If-None-Match": f'"{package.record.sha256}"'})
    assert known.status_code == 304


def test_a_redirect_keeps_no_secrets(pulp, team, unique):
    path = f"noarch/{team.packages[0].filename}"
    guard = pulp.post(
        "contentguards/core/header/", name=unique, header_name="X-Key", header_value="open"
    )
    pulp.patch(team.stage("testing")["distribution"], content_guard=guard["pulp_href"])
    refused = _get(team.url, path)
    assert refused.status_code == 403 and "Location" not in refused.headers
    allowed = _get(team.url, path, **KEY)
    assert allowed.status_code == 302
    # The signature lets in whoever has it, so nobody is to keep it or to hand it on.
    assert allowed.headers["Cache-Control"] == "private, no-store"
    assert allowed.headers["Referrer-Policy"] == "no-referrer"
    written = f"{allowed.headers} {allowed.text}"
    assert SECRET_KEY not in written and KEY["X-Key"] not in written
    query = parse_qs(urlsplit(allowed.headers["Location"]).query)
    assert query["response-cache-control"] == ["private, max-age=31536000, immutable"]
    assert query["X-Amz-Expires"] == ["3600"]


def test_what_is_blocked_or_lost_is_not_redirected(pulp, team, s3):
    blocked, lost = team.packages
    team.promote("testing", state="v2")
    key = pulp.list("artifacts/", sha256=lost.record.sha256)[0]["file"]
    s3.delete_object(Bucket="channels", Key=key)
    answer = _get(team.url, f"noarch/{lost.filename}")
    assert (answer.status_code, "Location" in answer.headers) == (503, False)
    pulp.post("conda/blocks/", sha256=blocked.record.sha256, public_reason="Malware.")
    for method in ("GET", "HEAD"):
        answer = _get(team.url, f"noarch/{blocked.filename}", method)
        assert (answer.status_code, "Location" in answer.headers) == (451, False)


def test_a_client_installs_what_was_promoted_last(team, tmp_path):
    name = team.packages[0].record.name
    for state, package in zip(("v1", "v2"), team.packages, strict=True):
        if state != "v1":
            team.promote("testing", state=state)
        prefix = tmp_path / state
        subprocess.run([*CLIENT, "install", team.url, prefix, name], check=True, timeout=120)
        (record,) = (prefix / "conda-meta").glob(f"{name}-*.json")
        assert json.loads(record.read_text())["sha256"] == package.record.sha256
