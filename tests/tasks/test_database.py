"""While the database does not answer: everybody is told to come again, and then all goes on."""

import pytest
import requests
from django.db import InterfaceError, OperationalError
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg.errors import DeadlockDetected
from psycopg.errors import DiskFull as DatabaseFull
from rest_framework.test import APIClient

from pulp_conda.app.database import NEWEST, is_away
from pulp_conda.app.doors.refusal import refusal_of
from pulp_conda.app.models import CondaRepository
from pulp_conda.app.serving import fast
from pulp_conda.app.viewsets.repository import CondaRepositoryViewSet
from tests.support import databases
from tests.support.builders import make_package


@pytest.fixture
def channel(pulp, unique):
    """The base path of a channel, and the URL of the content app."""
    repository = pulp.post("repositories/conda/conda/", name=unique, autopublish=True)["pulp_href"]
    pulp.upload(make_package("here"), repository=repository)
    url = pulp.distribution(repository=repository, name=unique, base_path=unique)["base_url"]
    return unique, url.removesuffix(f"{unique}/")


@pytest.fixture(autouse=True)
def _asks_at_once(monkeypatch):
    """The fast way asks again at once, and not after some seconds."""
    monkeypatch.setattr(fast, "_REST", 0)


def _with_code(error):
    made = OperationalError("no")
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("connection refused"), True),
        (InterfaceError("the connection is closed"), True),
        (_with_code(DeadlockDetected()), True),
        (_with_code(DatabaseFull("no room")), False),
        (ValueError("no"), False),
        (None, False),
    ],
    ids=["refused", "closed", "deadlock", "full disk", "another error", "no error"],
)
def test_what_passes_by_itself(error, expected):
    assert is_away(error) is expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "status/"),
        ("GET", "conda/lifecycles/"),
        ("GET", "repositories/conda/conda/"),
        ("POST", "repositories/conda/conda/"),
        ("DELETE", "repositories/conda/conda/00000000-0000-7000-8000-000000000000/"),
    ],
)
def test_the_api_says_when_to_come_again(pulp, method, path):
    client = APIClient(raise_request_exception=False)
    asked = {"data": {"name": "away"}, "format": "json"}
    client.credentials(HTTP_AUTHORIZATION=requests.auth._basic_auth_str(*pulp.session.auth))
    with databases.used("absent"):
        answer = client.generic(method, pulp.api + path, "{}", "application/json")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["detail"].startswith("[CND0160]")
    assert "absent" not in answer.text
    assert getattr(client, method.lower())(pulp.api + path, **asked).status_code < 500


def test_other_errors_are_faults_of_the_server(pulp, monkeypatch):
    def fail(*arguments, **options):
        raise ValueError

    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=requests.auth._basic_auth_str(*pulp.session.auth))
    monkeypatch.setattr(CondaRepositoryViewSet, "list", fail)
    answer = client.get(f"{pulp.api}repositories/conda/conda/")
    assert (answer.status_code, "Retry-After" in answer.headers) == (500, False)


@pytest.mark.parametrize(
    "path",
    [
        "{channel}/noarch/repodata.json",
        "{channel}/noarch/repodata_shards.msgpack.zst",
        "{channel}/noarch/here-1.0-0.conda",
        "{channel}/at/v1/noarch/repodata.json",
        "{channel}/",
        "{channel}",
        "{channel}/-/search?q=here",
        "-/",
        "-/health",
        "",
        "no/such/channel/noarch/repodata.json",
    ],
)
def test_the_content_app_says_when_to_come_again(channel, path):
    name, url = channel
    path = url + path.format(channel=name)
    before = requests.get(path)
    with databases.used("absent"):
        answer = requests.get(path)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
    assert "[CND0160]" in answer.text and "absent" not in answer.text
    again = requests.get(path)
    assert (again.status_code, again.content) == (before.status_code, before.content)


def test_an_upload_is_to_come_again(channel, pulp):
    name, url = channel
    package = make_package("later")
    path = f"{url}{name}/{package.subdir}/{package.filename}"
    with databases.used("absent"):
        answer = requests.put(path, package.data, auth=pulp.session.auth)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
    assert "[CND0160]" in answer.text
    assert CondaRepository.objects.get(name=name).latest_version().number == 1
    refusal = refusal_of(OperationalError("the connection is lost"))
    assert refusal is not None and refusal.status == 503


def test_a_load_balancer_is_told_whether_a_process_can_answer(channel, copied):
    path = f"{channel[1]}-/health"
    healthy = requests.get(path)
    assert (healthy.status_code, healthy.text) == (200, "ok\n")
    assert healthy.headers["Cache-Control"] == "no-store"
    MigrationRecorder.Migration.objects.filter(app="conda", name=NEWEST).delete()
    behind = requests.get(path)
    assert (behind.status_code, behind.headers["Retry-After"]) == (503, "5")
    assert behind.text.startswith(f"503: [CND0161] the database has not got migration '{NEWEST}'")


def test_the_newest_migration_is_the_last_one_of_its_graph():
    assert MigrationLoader(None).graph.leaf_nodes("conda") == [("conda", NEWEST)]
