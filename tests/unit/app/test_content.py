"""Files as the content app sends them, from storages with and without paths."""

import asyncio
from uuid import uuid4

import pytest
from aiohttp import ClientPayloadError, ClientTimeout, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from pulpcore.plugin.models import Artifact, ContentArtifact, Domain
from pulpcore.plugin.util import set_domain

from pulp_conda.app.content import ChannelHandler
from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.serving.files import respond
from pulp_conda.app.serving.resolve import Facts, Kind, Stored

_DISK = "pulpcore.app.models.storage.FileSystem"
_MEMORY = "django.core.files.storage.InMemoryStorage"

# An answer that announces more bytes than come has no end.
_TIMEOUT = ClientTimeout(20)

# More than one piece, and the last one is short.
_DATA = bytes(range(250)) * 10_000


@pytest.fixture(params=[_DISK, _MEMORY], ids=["disk", "memory"])
def ask(request, settings):
    """Ask for a file that is stored with some bytes, with headers, and return the answer's status
    and body.
    """
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": request.param}}
    domain = Domain(name="default", storage_class=request.param, redirect_to_object_storage=False)

    def ask(data, **headers):
        name = default_storage.save(f"artifact/{uuid4().hex}", ContentFile(data))
        artifact = Artifact(file=name, size=len(_DATA), sha256="0" * 64)
        stored = Stored(ContentArtifact(artifact=artifact, relative_path="x.conda"))
        facts = Facts(Kind.PACKAGE, "x.conda", stored, artifact.sha256, artifact.size)

        async def answer(request):
            return respond(facts)

        async def talk():
            app = web.Application()
            app.router.add_get("/", answer)
            async with TestClient(TestServer(app), timeout=_TIMEOUT) as client:
                response = await client.get("/", headers=headers)
                return response.status, await response.read()

        return asyncio.run(talk())

    set_domain(domain)
    yield ask
    set_domain(None)


def test_a_file_comes_from_every_storage(ask):
    assert ask(_DATA) == (200, _DATA)


def test_a_part_comes_from_every_storage(ask):
    assert ask(_DATA, Range="bytes=1000000-2300000") == (206, _DATA[1_000_000:2_300_001])


def test_a_file_that_lost_bytes_does_not_look_whole(ask):
    with pytest.raises(ClientPayloadError):
        ask(_DATA[:-1])


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
    with pytest.raises(web.HTTPForbidden):
        getattr(_Refusing(), find)(request)
