"""Schemathesis makes requests of the OpenAPI schema, good and bad ones: no answer is a 5xx."""

import json
import re
import subprocess
import sys
import time

import pytest

from tests.support.builders import make_package
from tests.support.conda import CondaPulp
from tests.support.issuer import EXPECTED, Issuer
from tests.support.stack import running_stack

# Seconds for all operations together, besides those of the start.
SECONDS = 60

ISSUER = Issuer("fuzzed")


@pytest.fixture(scope="module")
def stack():
    """Not the one that others use: what requests by chance make there would be in their way."""
    providers = {"providers": {"fuzzed": ISSUER.provider()}}
    with running_stack(workers=2, WORKLOAD_IDENTITY=providers) as stack:
        yield stack


@pytest.fixture(scope="module")
def hrefs(stack):
    """An object of each kind, by the placeholder that stands for it in the schema."""
    with CondaPulp(stack.api_url, "admin", stack.password) as pulp:
        body = {"name": "fuzzed", "url": "http://localhost:1/channel"}
        remote = pulp.post("remotes/conda/conda/", **body)["pulp_href"]
        repository = pulp.post("repositories/conda/conda/", name="fuzzed", autopublish=True)
        repository = repository["pulp_href"]
        package = pulp.upload(make_package("fuzzed"), repository=repository)
        environment = pulp.environment(repository, "fuzzed", "fuzzed")["pulp_href"]
        team = pulp.lifecycle(repository, name="fuzzed", webhook_url="http://localhost:1/")
        team.set_gates("testing", {"name": "yes", "kind": "approval"})
        team.promote("testing")
        changes = {package["filename"]: {"license": "MIT"}}
        body = {"instructions": {"packages.conda": changes}, "subdir": "noarch", "reason": "why"}
        patch = pulp.post("content/conda/patches/", repository=repository, **body)
        block = pulp.post("conda/blocks/", sha256="0" * 64, public_reason="why")
        distribution = pulp.distribution(repository=repository, private=True)
        guard = distribution["content_guard"]
        body = {"distribution": distribution["pulp_href"], "provider": "fuzzed"}
        publisher = pulp.post("conda/publishers/", name="fuzzed", claims=EXPECTED, **body)
        pulp.patch(repository, remote=remote)
        refresh = pulp.post("conda/refreshes/", repository=repository, interval=10**6)
        while not (runs := pulp.list("conda/refresh_runs/")):
            time.sleep(0.2)
        robot = pulp.post("conda/robots/", name="fuzzed")
        token = pulp.post("conda/tokens/", name="fuzzed", scopes=["read"])
        return {
            "conda_conda_content_guard_href": guard,
            "conda_conda_publisher_href": publisher["pulp_href"],
            "conda_conda_refresh_href": refresh["pulp_href"],
            "conda_conda_refresh_run_href": runs[0]["pulp_href"],
            "conda_conda_robot_href": robot["pulp_href"],
            "conda_conda_token_href": token["pulp_href"],
            "conda_conda_act_href": pulp.list("conda/acts/")[0]["pulp_href"],
            "conda_conda_block_href": block["pulp_href"],
            "conda_conda_remote_href": remote,
            "conda_conda_repository_href": repository,
            "conda_conda_repository_version_href": f"{repository}versions/1/",
            "conda_conda_publication_href": pulp.newest_publication(repository),
            "conda_conda_distribution_href": distribution["pulp_href"],
            "conda_conda_package_href": package["pulp_href"],
            "conda_conda_environment_href": environment,
            "conda_conda_patch_href": pulp.created(patch, "/patches/"),
            "conda_conda_lifecycle_href": team.href,
            "conda_conda_lifecycles_history_entry_href": team.history("testing")[0]["pulp_href"],
            "conda_conda_lifecycles_webhook_delivery_href": pulp.list(f"{team.href}deliveries/")[0][
                "pulp_href"
            ],
        }


@pytest.fixture(scope="module")
def schema(stack, hrefs, tmp_path_factory):
    """The schema of all paths below `conda/`, with our objects in them."""
    with CondaPulp(stack.api_url, "admin", stack.password) as pulp:
        schema = pulp.get("docs/api.json")
    paths = {}
    for path, operations in schema["paths"].items():
        match = re.fullmatch(r"\{(conda_\w+)\}(.*)", path)
        if not match and "/conda/" not in path:
            continue
        href = hrefs[match[1]] if match else ""
        for method, operation in operations.items():
            # What is deleted would be missing for all other requests.
            is_deletion = method == "delete"
            parameters = [each for each in operation.get("parameters", ()) if each["in"] != "path"]
            at = f"{href}{match[2]}" if match else path
            if not is_deletion:
                paths.setdefault(at, {})[method] = {**operation, "parameters": parameters}
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    file.write_text(json.dumps(schema | {"paths": paths}))
    return file


def test_no_request_is_answered_with_a_server_error(stack, schema, tmp_path):
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(schema)),
        *("--url", stack.api_url, "--auth", f"admin:{stack.password}"),
        *("--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"),
        # One worker: two threads that parse Python at a time break CPython 3.11.
        *("--max-time", str(SECONDS), "--workers", "1", "--continue-on-failure"),
        *("--seed", "1", "--no-shrink", "--no-color", "--warnings", "off"),
        *("--suppress-health-check", "all"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    summary = done.stdout[done.stdout.rfind("SUMMARY") :]
    print(summary)
    assert done.returncode == 0, done.stdout + done.stderr
