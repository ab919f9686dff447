"""Signed packages, from the upload to the client."""

import json
import subprocess
import sys
from hashlib import sha256

import pytest

from tests.support.builders import make_package
from tests.support.conda import TaskFailed
from tests.support.sigstore import Sigstore

# Prints for which channel a package is signed, if py-rattler finds it so for the channel that it
# comes from.
CLIENT = """
import asyncio, os, sys
from rattler import Channel, Gateway
from rattler.sigstore import TrustedRoot, VerificationPolicy, verify_attestation

async def main(url, name, root, cache):
    gateway = Gateway(cache_dir=cache)
    ((record,),) = await gateway.query([Channel(url)], ["noarch"], [name], recursive=False)
    policy, root = VerificationPolicy.require(), TrustedRoot.from_path(root)
    outcome = await verify_attestation(record, policy, trusted_root=root)
    print(outcome.attestation.target_channel, flush=True)

asyncio.run(main(*sys.argv[1:]))
os._exit(0)
"""


@pytest.fixture
def repository(make_repository):
    return make_repository(autopublish=True)


@pytest.fixture
def url(pulp, repository):
    """The URL of the channel, with a slash at the end."""
    return pulp.distribute(repository=repository)


@pytest.fixture
def attest(sigstore):
    def attest(package, url=None):
        channel = url and url.rstrip("/")
        return sigstore.attest(package.filename, package.record.sha256, channel)

    return attest


def _packages(pulp, repository):
    version = pulp.get(repository)["latest_version_href"]
    return pulp.get("content/conda/packages/", repository_version=version)["results"]


def test_a_signed_package_is_served_with_its_attestation(pulp, unique, repository, url, attest):
    package = make_package(f"signed-{unique}")
    bundle = attest(package, url)
    unit = pulp.upload(package, repository=repository, attestation=json.dumps(bundle))
    record = pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"][package.filename]
    assert record["attestations_sha256"] == unit["attestations_sha256"]
    for path in (
        f"{package.filename}.sigs",
        f"{package.filename}.sigs.{unit['attestations_sha256']}",
    ):
        sidecar = pulp.fetch(url, f"noarch/{path}")
        assert sidecar.status_code == 200
        assert sidecar.json() == [bundle]
        assert sha256(sidecar.content).hexdigest() == unit["attestations_sha256"]


def test_a_client_verifies_what_it_gets_from_the_channel(
    pulp, unique, repository, url, attest, trusted_root, tmp_path
):
    package = make_package(f"client-{unique}")
    pulp.upload(package, repository=repository, attestation=json.dumps(attest(package, url)))
    client = [sys.executable, "-c", CLIENT, url, package.record.name, trusted_root, tmp_path]
    done = subprocess.run(client, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == url.rstrip("/")


def test_a_second_attestation_replaces_the_record_and_keeps_the_first(
    pulp, unique, repository, url, attest
):
    package = make_package(f"again-{unique}")
    plain = pulp.upload(package)
    assert plain["attestations_sha256"] == ""
    bundles = [attest(package, url), attest(package)]
    first = pulp.upload(package, repository=repository, attestation=json.dumps(bundles[0]))
    second = pulp.upload(package, repository=repository, attestation=json.dumps([bundles[1]]))
    assert len({unit["pulp_href"] for unit in (plain, first, second)}) == 3
    assert {unit["artifact"] for unit in (plain, first, second)} == {plain["artifact"]}
    assert [unit["pulp_href"] for unit in _packages(pulp, repository)] == [second["pulp_href"]]
    assert pulp.fetch(url, f"noarch/{package.filename}.sigs").json() == bundles

    # Neither the same attestation nor none takes one away.
    for fields in ({"attestation": json.dumps(bundles[0])}, {}):
        unit = pulp.upload(package, repository=repository, **fields)
        assert unit["pulp_href"] == second["pulp_href"]


def test_an_attestation_can_come_as_json(pulp, unique, repository, attest):
    package = make_package(f"json-{unique}")
    pulp.upload(package)
    artifact = pulp.get("artifacts/", sha256=package.record.sha256)["results"][0]["pulp_href"]
    # The artifact has no file name, so the name is that of the record.
    unit = pulp.create_package(
        artifact=artifact, repository=repository, attestation=attest(package)
    )
    found = pulp.get("content/conda/packages/", attestations_sha256=unit["attestations_sha256"])[
        "results"
    ]
    assert [package["pulp_href"] for package in found] == [unit["pulp_href"]]


@pytest.mark.parametrize(
    "forge, reason",
    [
        pytest.param(
            lambda attest, package, other, url: attest(other, url),
            "file name",
            id="another package",
        ),
        pytest.param(
            lambda attest, package, other, url: attest(package, "https://prefix.dev/else"),
            "for the channel 'https://prefix.dev/else'",
            id="another channel",
        ),
        pytest.param(
            lambda attest, package, other, url: Sigstore(seed=2).attest(
                package.filename, package.record.sha256
            ),
            "No log key",
            id="another Sigstore",
        ),
    ],
)
def test_a_package_with_a_wrong_attestation_is_stored_nowhere(
    pulp, unique, repository, url, attest, forge, reason
):
    package, other = make_package(f"wrong-{unique}"), make_package(f"other-{unique}")
    before = (pulp.get("artifacts/")["count"], pulp.get(repository)["latest_version_href"])
    bundle = forge(attest, package, other, url)
    with pytest.raises(TaskFailed) as refused:
        pulp.upload(package, repository=repository, attestation=json.dumps(bundle))
    assert refused.value.code == "CND0031"
    assert reason in refused.value.description
    assert package.filename in refused.value.description
    after = (pulp.get("artifacts/")["count"], pulp.get(repository)["latest_version_href"])
    assert after == before
    assert not pulp.get("content/conda/packages/", name=package.record.name)["results"]


def test_a_bad_package_with_a_wrong_attestation_is_told_both(pulp, unique, repository, attest):
    bad, other = (make_package(f"{word}-{unique}", depends=["a::b"]) for word in ("bad", "other"))
    for bundle, codes in ((attest(other), ["CND0031"]), (attest(bad), [])):
        with pytest.raises(TaskFailed) as refused:
            pulp.upload(bad, repository=repository, attestation=json.dumps(bundle))
        lines = refused.value.description.splitlines()
        assert [line[1:8] for line in lines] == ["CND0005", *codes]
    assert not pulp.get("content/conda/packages/", name=bad.record.name)["results"]


@pytest.mark.parametrize(
    "attestation, reason",
    [
        pytest.param("hello", "valid JSON", id="no JSON"),
        pytest.param("[]", "is empty", id="an empty list"),
        pytest.param('{"a": 1}', "not a Sigstore bundle", id="something else"),
        pytest.param('"text"', "CND0031", id="a text"),
        pytest.param("[" + "1" * 30 + "]", "CND0031", id="a large number"),
    ],
)
def test_what_is_no_attestation_is_an_error_of_the_field(
    pulp, unique, repository, attestation, reason
):
    package = make_package(f"field-{unique}")
    answer = pulp.post_bytes(
        "content/conda/packages/",
        package.filename,
        package.data,
        repository=repository,
        attestation=attestation,
    )
    assert answer.status_code == 400
    assert list(answer.json()) == ["attestation"]
    assert reason in answer.text


def test_an_attestation_needs_the_repository_that_it_is_for(pulp, unique, attest):
    package = make_package(f"nowhere-{unique}")
    fields = {"attestation": json.dumps(attest(package))}
    answer = pulp.post_bytes("content/conda/packages/", package.filename, package.data, **fields)
    assert answer.status_code == 400
    assert "'repository'" in answer.json()["attestation"][0]
    at_once = pulp.post_bytes(
        "content/conda/packages/upload/", package.filename, package.data, **fields
    )
    assert at_once.status_code == 400
    assert list(at_once.json()) == ["attestation"]
