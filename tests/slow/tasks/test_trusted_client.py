"""pixi and rattler-build upload from a CI service without a secret."""

import json
import os
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.test import override_settings

from tests.support.builders import make_package
from tests.support.doors import with_tasks
from tests.support.issuer import EXPECTED, Issuer
from tests.support.web import WebHandler, WebServer

# Runs the upload function that pixi and rattler-build share.
PROGRAM = """
import json, sys
import rattler_build
rattler_build.upload_package_to_prefix(**json.loads(sys.argv[1]))
"""

ISSUER = Issuer("actions")


@pytest.fixture
def actions(unique):
    """What GitHub Actions gives to a job that may ask for ID tokens."""

    class Handler(WebHandler):
        def do_GET(self):
            (audience,) = parse_qs(urlsplit(self.path).query)["audience"]
            said = {"aud": audience, "repository_id": unique}
            body = json.dumps({"value": ISSUER.token(**said)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with WebServer(Handler) as server:
        yield {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/token?version=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
        }


@pytest.mark.parametrize("workflow_file", [EXPECTED["workflow_file"], "other.yml"])
def test_a_job_uploads_if_a_publisher_expects_its_workflow(
    pulp, unique, actions, tmp_path, workflow_file
):
    made = pulp.post("repositories/conda/conda/", name=unique)["pulp_href"]
    channel = pulp.distribution(repository=made, name=unique, base_path=unique)
    package = make_package(f"trusted-{unique}")
    file = tmp_path / package.filename
    file.write_bytes(package.data)
    options = {"package_files": [str(file)], "url": settings.CONTENT_ORIGIN, "channels": unique}
    environment = os.environ | actions | {"RATTLER_AUTH_FILE": str(tmp_path / "none.json")}
    # The client asks for the host name of the server as the audience.
    provider = ISSUER.provider(audience="127.0.0.1")
    with override_settings(WORKLOAD_IDENTITY={"providers": {"github": provider}}):
        claims = {**EXPECTED, "repository_id": unique, "workflow_file": workflow_file}
        publisher = {"distribution": channel["pulp_href"], "provider": "github"}
        pulp.post("conda/publishers/", name=unique, claims=claims, **publisher)
        done = with_tasks(
            lambda: subprocess.run(
                [sys.executable, "-c", PROGRAM, json.dumps(options)],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
        )
    answer = pulp.session.get(f"{channel['base_url']}noarch/{package.filename}")
    if workflow_file == EXPECTED["workflow_file"]:
        assert done.returncode == 0, done.stderr
        assert answer.content == package.data
    else:
        assert done.returncode != 0
        assert answer.status_code == 404
