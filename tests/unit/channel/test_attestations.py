import base64
import json
from hashlib import sha256

import pytest

from pulp_conda.channel.package.attestations import (
    MAX_SIDECAR_SIZE,
    check_sidecar,
    make_sidecar,
    read_bundles,
)

FILENAME = "hello-1.0-0.conda"
DIGEST = sha256(b"hello").hexdigest()
CHANNEL = "https://conda.example.org/team"


def _statement(**fields):
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": FILENAME, "digest": {"sha256": DIGEST}}],
        "predicateType": "https://schemas.conda.org/attestations-publish-1.schema.json",
        "predicate": {"targetChannel": CHANNEL},
    }
    return statement | fields


def _bundle(**fields):
    """Return a bundle without a signature, which is not checked here."""
    payload = base64.b64encode(json.dumps(_statement(**fields)).encode()).decode()
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {},
        "dsseEnvelope": {"payloadType": "application/vnd.in-toto+json", "payload": payload},
    }


def _check(*bundles, **options):
    return check_sidecar(make_sidecar(bundles), filename=FILENAME, sha256=DIGEST, **options)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="with a channel"),
        pytest.param({"predicate": None}, id="with a predicate of null"),
        pytest.param({"predicate": {"targetChannel": CHANNEL, "more": 1}}, id="with more"),
    ],
)
def test_a_statement_about_the_package_is_good(fields):
    assert _check(_bundle(**fields)) == [_bundle(**fields)]


def test_the_example_of_cep_27_is_good():
    name = "file-name-0.0.1-h123456_5.conda"
    digest = "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"
    bundle = _bundle(
        subject=[{"name": name, "digest": {"sha256": digest}}],
        predicate={"targetChannel": "https://prefix.dev/conda-forge"},
    )
    assert check_sidecar(make_sidecar([bundle]), filename=name, sha256=digest)


@pytest.mark.parametrize(
    "fields, problem",
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "not a statement of type"),
        ({"subject": []}, "must have one subject"),
        ({"subject": _statement()["subject"] * 2}, "must have one subject"),
        ({"subject": [{"name": FILENAME, "digest": {"md5": "0"}}]}, "must have one subject"),
        (
            {"subject": [{"name": "hello-1.0-0.tar.bz2", "digest": {"sha256": DIGEST}}]},
            "about the file name 'hello-1.0-0.tar.bz2'",
        ),
        (
            {"subject": [{"name": FILENAME, "digest": {"sha256": "0" * 64}}]},
            f"about a file with the sha256 '{'0' * 64}'",
        ),
        (
            {"subject": [{"name": FILENAME, "digest": {"sha256": DIGEST.upper()}}]},
            f"about a file with the sha256 '{DIGEST.upper()}'",
        ),
        ({"predicate": {}}, "'targetChannel' must be a URL"),
        ({"predicate": {"targetChannel": f"{CHANNEL}/"}}, "'targetChannel' must be a URL"),
        ({"predicate": {"targetChannel": "team"}}, "'targetChannel' must be a URL"),
        ({"predicate": {"targetChannel": "https:team"}}, "'targetChannel' must be a URL"),
        ({"predicate": {"targetChannel": "//h/team"}}, "'targetChannel' must be a URL"),
        ({"predicate": {"targetChannel": "https://[h"}}, "'targetChannel' must be a URL"),
        ({"predicate": {"targetChannel": CHANNEL + "a" * 2083}}, "'targetChannel' must be a URL"),
        ({"predicate": {"targetChannel": ["a"]}}, "'targetChannel' must be a URL"),
    ],
)
def test_a_statement_about_something_else_is_named(fields, problem):
    good = _bundle(predicate=None)
    with pytest.raises(ValueError) as refused:
        _check(good, _bundle(**fields))
    assert str(refused.value).startswith("bundle 1: it")
    assert problem in str(refused.value)


def test_bundles_of_other_kinds_may_stand_beside_a_statement_but_not_alone():
    provenance = _bundle(predicateType="https://slsa.dev/provenance/v1", predicate={}, subject=[])
    signature = {"verificationMaterial": {}, "messageSignature": {}}
    illegible = _bundle() | {"dsseEnvelope": {"payloadType": "x", "payload": "?"}}
    others = [provenance, signature, illegible]
    assert len(_check(*others, _bundle())) == 4
    for other in others:
        with pytest.raises(ValueError, match="bundle 1: it has no statement"):
            _check(_bundle(), other, strict=True)
    with pytest.raises(ValueError, match="no bundle has a statement"):
        _check(*others)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(None, id="none"),
        pytest.param(5, id="a number"),
        pytest.param("*", id="no base64"),
        pytest.param("ä", id="no ASCII"),
        pytest.param(base64.b64encode(b"{").decode(), id="no JSON"),
        pytest.param(base64.b64encode(b"[1]").decode(), id="a list"),
        pytest.param(base64.b64encode(b"[" * 100_000).decode(), id="a deep list"),
    ],
)
def test_a_payload_that_is_no_statement_is_none(payload):
    bundle = _bundle()
    bundle["dsseEnvelope"]["payload"] = payload
    with pytest.raises(ValueError, match="no bundle has a statement"):
        _check(bundle)


@pytest.mark.parametrize(
    "data, problem",
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"<html>", "not JSON", id="a page"),
        pytest.param(b"[" * 100_000, "not JSON", id="deep"),
        pytest.param(b"\xff[]", "not JSON", id="not UTF-8"),
        pytest.param(b"{}", "not a list", id="one bundle"),
        pytest.param(b"[]", "is empty", id="an empty list"),
        pytest.param(b"[1]", "bundle 0: it is not a Sigstore bundle", id="a number"),
        pytest.param(
            make_sidecar([_bundle(), {"mediaType": "x"}]), "bundle 1: it is not", id="some object"
        ),
        pytest.param(b"[" + b" " * 5 * 2**20 + b"]", "more than 4194304 bytes", id="5 MiB"),
    ],
)
def test_a_file_that_is_no_sidecar_is_refused(data, problem):
    with pytest.raises(ValueError, match=problem):
        read_bundles(data)


def test_a_sidecar_is_the_same_however_its_bundles_were_written():
    bundle = _bundle()
    turned = dict(reversed(bundle.items()))
    assert make_sidecar([bundle]) == make_sidecar([turned, bundle])
    assert json.loads(make_sidecar([bundle])) == [bundle]


@pytest.mark.parametrize("tail", ["", " \n", "\t"])
def test_a_sidecar_grows_behind_the_bytes_that_are_there(tail):
    first, second = _bundle(), _bundle(predicate=None)
    before = (json.dumps([first], indent=2) + tail).encode()
    after = make_sidecar([second], before=before)
    assert after.startswith(before.rstrip().removesuffix(b"]").rstrip())
    assert read_bundles(after) == [first, second]


def test_a_bundle_that_is_there_changes_nothing():
    before = json.dumps([_bundle()], indent=2).encode()
    assert make_sidecar([_bundle()], before=before) == before


def test_a_sidecar_does_not_grow_beyond_what_clients_read():
    before = make_sidecar([_bundle(padding="a" * (MAX_SIDECAR_SIZE * 3 // 4 - 1000))])
    assert len(before) < MAX_SIDECAR_SIZE
    with pytest.raises(ValueError, match="all attestations of the package together"):
        make_sidecar([_bundle(padding="b" * 1000)], before=before)
