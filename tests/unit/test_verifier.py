"""The verifier, run as a program."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.sigstore import SIGNED_AT, Sigstore

FILENAME = "hello-1.0-0.conda"
DIGEST = sha256(b"hello").hexdigest()
CHANNEL = "https://conda.example.org/team"


@pytest.fixture(scope="module")
def sigstore():
    return Sigstore()


@dataclass
class Verifier:
    folder: object
    root: str

    def run(self, request):
        return subprocess.run(
            [sys.executable, "-P", "-m", "pulp_conda.verifier"],
            input=request,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=60,
        )

    def verdicts(self, *sidecars, filename=FILENAME, digest=DIGEST):
        """Ask about sidecars of a package, given as bytes or as lists of bundles."""
        request = {"trusted_root": self.root, "sidecars": []}
        for number, data in enumerate(sidecars):
            data = data if isinstance(data, bytes) else json.dumps(data).encode()
            data_digest = sha256(data).hexdigest()
            path = self.folder / f"{number}.conda.sigs.{data_digest}"
            path.write_bytes(data)
            request["sidecars"].append(
                {
                    "path": str(path),
                    "sha256": data_digest,
                    "filename": filename,
                    "package_sha256": digest,
                }
            )
        done = self.run(json.dumps(request))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def verifier(tmp_path, sigstore):
    root = tmp_path / "trusted_root.json"
    root.write_text(sigstore.trusted_root)
    return Verifier(tmp_path, str(root))


def _good(channel=None):
    return {"problem": None, "channel": channel}


def test_signed_statements_are_good_and_say_for_which_channel(verifier, sigstore):
    named = sigstore.attest(FILENAME, DIGEST, CHANNEL)
    anywhere = sigstore.attest(FILENAME, DIGEST)
    assert verifier.verdicts([named], [anywhere], [anywhere, named]) == [
        _good(CHANNEL),
        _good(),
        _good(),
    ]


def _tampered(bundle):
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = "MEUC" + "A" * 92
    return bundle


@pytest.mark.parametrize(
    "forge, problem",
    [
        pytest.param(
            lambda s: [s.attest("hello-2.0-0.conda", DIGEST)],
            'subject is "hello-2.0-0.conda"',
            id="another file name",
        ),
        pytest.param(
            lambda s: [s.attest(FILENAME, "0" * 64)], "artifact hash does not", id="other bytes"
        ),
        pytest.param(
            lambda s: [_tampered(s.attest(FILENAME, DIGEST))], "invalid signature", id="tampered"
        ),
        pytest.param(
            lambda s: [Sigstore(seed=2).attest(FILENAME, DIGEST)], "No log key", id="untrusted root"
        ),
        pytest.param(
            lambda s: [s.attest(FILENAME, DIGEST, logged_at=SIGNED_AT + timedelta(minutes=6))],
            "CertExpired",
            id="logged when the certificate was expired",
        ),
        pytest.param(
            lambda s: [s.attest(FILENAME, DIGEST, logged_at=SIGNED_AT - timedelta(minutes=6))],
            "CertNotValidYet",
            id="logged before the certificate was made",
        ),
        pytest.param(
            lambda s: [s.attest(FILENAME, DIGEST, predicateType="https://slsa.dev/provenance/v1")],
            "predicate type",
            id="another kind of statement",
        ),
        pytest.param(lambda s: [], "is empty", id="an empty list"),
        pytest.param(lambda s: b"<html>", "expected a JSON array", id="not JSON"),
        pytest.param(lambda s: b"[" * 100_000, "recursion limit", id="deep"),
        pytest.param(
            lambda s: b"[" + b" " * 5 * 2**20 + b"]", "exceeds the maximum size", id="5 MiB"
        ),
    ],
)
def test_what_is_not_good_is_named_in_one_line(verifier, sigstore, forge, problem):
    good = [sigstore.attest(FILENAME, DIGEST)]
    verdict, after = verifier.verdicts(forge(sigstore), good)
    assert problem in verdict["problem"]
    assert verdict["problem"].isprintable()
    assert str(verifier.folder) not in verdict["problem"]
    assert after == _good()


def test_one_good_bundle_is_enough_as_for_clients(verifier, sigstore):
    bad = _tampered(sigstore.attest(FILENAME, DIGEST))
    both_bad, one_good = verifier.verdicts([bad, bad], [bad, sigstore.attest(FILENAME, DIGEST)])
    assert both_bad["problem"].startswith("bundle 0: ") and "; bundle 1: " in both_bad["problem"]
    assert one_good == _good()


def test_a_sidecar_of_a_thousand_bad_bundles_costs_little(verifier, sigstore):
    bad = _tampered(sigstore.attest(FILENAME, DIGEST))
    (verdict,) = verifier.verdicts([bad] * 900)
    assert len(verdict["problem"]) <= 1000


def test_without_a_root_the_public_instance_counts(verifier, sigstore):
    # From https://prefix.dev/channels/sigstore-example. A workflow at GitHub signed it, and it is
    # in Sigstore's public log.
    filename = "signed-package-2.1.0-hb0f4dca_0.conda"
    digest = "54303491a8418fbed24344b513546182c29b43bf282ceb433af65e2299f9271f"
    public = (Path(__file__).parent / "golden" / f"{filename}.sigs").read_bytes()
    ours = [sigstore.attest(filename, digest)]
    assert "No log key" in verifier.verdicts(public, filename=filename, digest=digest)[0]["problem"]
    verifier.root = None
    good, bad = verifier.verdicts(public, ours, filename=filename, digest=digest)
    assert good == _good("https://prefix.dev/sigstore-example")
    assert "No log key" in bad["problem"]


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param('{"trusted_root": "/nowhere", "sidecars": []}', id="no such root"),
        pytest.param('{"trusted_root": "/dev/null", "sidecars": []}', id="an empty root"),
        pytest.param("", id="no request"),
    ],
)
def test_a_request_that_cannot_be_carried_out_has_no_answer(verifier, request_text):
    done = verifier.run(request_text)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr


def test_the_verifier_loads_no_django():
    program = "import sys, pulp_conda.verifier; print([m for m in sys.modules if 'django' in m])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
