"""Files as the content app sends them, from storages with and without paths."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from aiohttp import ClientPayloadError, ClientTimeout, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from pulpcore.plugin.models import Artifact, ContentArtifact, Domain
from pulpcore.plugin.util import get_domain, set_domain

from pulp_conda.app.content import ChannelHandler
from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.serving.answers import Refusal
from pulp_conda.app.serving.files import StoredFile, respond
from pulp_conda.app.serving.resolve import Facts, Kind, Stored

_DISK = "pulpcore.app.models.storage.FileSystem"
_MEMORY = "django.core.files.storage.InMemoryStorage"

# An answer that announces more bytes than come has no end.
_TIMEOUT = ClientTimeout(20)

# More than one piece, and the last one is short.
_DATA = bytes(range(250)) * 10_000


@pytest.fixture(params=[_DISK, _MEMORY], ids=["disk", "memory"])
def ask(request, settings):
    """Ask for a file that is stored with some bytes, or lost, and return the answer's status and
    body.
    """
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": request.param}}
    domain = Domain(name="default", storage_class=request.param, redirect_to_object_storage=False)

    def ask(data, method="GET", respond=respond, facts=(), **headers):
        name = f"artifact/{uuid4().hex}"
        if data is not None:
            default_storage.save(name, ContentFile(data))
        artifact = Artifact(file=name, size=len(_DATA), sha256="0" * 64)
        stored = Stored(ContentArtifact(artifact=artifact, relative_path="noarch/x.conda"))
        given = Facts(Kind.PACKAGE, "x.conda", stored, artifact.sha256, artifact.size)
        given = replace(given, **dict(facts))

        async def answer(request):
            return respond(given)

        async def talk():
            app = web.Application()
            app.router.add_get("/", answer)  # and HEAD
            async with TestClient(TestServer(app), timeout=_TIMEOUT) as client:
                response = await client.request(method, "/", headers=headers)
                return response.status, await response.read()

        return asyncio.run(talk())

    set_domain(domain)
    yield ask
    set_domain(None)


def test_a_file_comes_from_every_storage(ask):
    assert ask(_DATA) == (200, _DATA)


def test_a_part_comes_from_every_storage(ask):
    assert ask(_DATA, Range="bytes=1000000-2300000") == (206, _DATA[1_000_000:2_300_001])


@pytest.mark.parametrize("ask", [_MEMORY], indirect=True)
def test_a_storage_that_cannot_send_files_itself_is_read_here(ask):
    get_domain().redirect_to_object_storage = True
    redirected = {"is_redirected": True}
    assert ask(_DATA, facts=redirected) == (200, _DATA)
    assert ask(_DATA, facts=redirected, Range="bytes=-9") == (206, _DATA[-9:])
    assert ask(None, facts=redirected)[0] == 503


@pytest.mark.parametrize("data", [None, _DATA[:-1], b""], ids=["lost", "cut", "empty"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-9"}], ids=["whole", "range"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_lost_bytes_is_named_to_the_administrator(ask, caplog, method, headers, data):
    status, body = ask(data, method, **headers)
    assert status == 503
    assert body == (
        b"503: this server has lost 'x.conda'. Its log names the file." * (method == "GET")
    )
    (line,) = [record for record in caplog.records if record.name.startswith("pulp_conda")]
    assert line.levelname == "ERROR"
    assert line.getMessage().startswith("'noarch/x.conda' cannot be served: its file 'artifact/")


class _Late(StoredFile):
    """A file that is cut when it was looked at, and is not sent yet."""

    async def _has_bytes(self):
        return True


def test_a_file_that_loses_bytes_while_it_is_sent_does_not_look_whole(ask):
    with pytest.raises(ClientPayloadError):
        ask(_DATA[:-1], respond=_Late)


class _Refusing(ChannelHandler):
    @staticmethod
    def _permit(request, distribution):
        raise web.HTTPForbidden(reason="")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("find", "path"),
    [("_find_file", "team/noarch/repodata.json"), ("_find_past", "team@v1/noarch/repodata.json")],
)
def test_a_guard_that_gives_no_reason_refuses_as_well(find, path):
    CondaDistribution.objects.create(name="team", base_path="team")
    request = make_mocked_request("GET", "/", match_info={"path": path})
    request["user"] = AnonymousUser()
    assert getattr(_Refusing(), find)(request).refusal == Refusal()
