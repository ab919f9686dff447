"""A Sigstore of our own: certificates, logs and signatures that verifiers accept, if they trust its
root.

It is what https://docs.sigstore.dev describes, with one entry in each log: Fulcio (a certificate
authority), a log of its certificates (RFC 6962), and Rekor (a log of signatures).
"""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

SIGNED_AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
CEP_27 = "https://schemas.conda.org/attestations-publish-1.schema.json"
ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/example/recipes/.github/workflows/release.yml@refs/tags/v1"

_OIDC_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


class Sigstore:
    """An instance. ``trusted_root`` is the text of its ``trusted_root.json``.

    All instances with the same `seed` have the same keys, so that what one signs is accepted by
    whoever trusts another.
    """

    def __init__(self, seed=1):
        self._fulcio, self._certificate_log, self._rekor = (
            ec.derive_private_key(seed * 10 + number, ec.SECP256R1()) for number in range(3)
        )
        self._authority = self._certify_authority()
        logs = {
            name: {
                "baseUrl": f"https://{name}.sigstore.example.org",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": _b64(_spki(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": "2020-01-01T00:00:00Z"},
                },
                "logId": {"keyId": _b64(_log_id(key))},
            }
            for name, key in [("rekor", self._rekor), ("ctlog", self._certificate_log)]
        }
        self.trusted_root = json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [logs["rekor"]],
                "ctlogs": [logs["ctlog"]],
                "certificateAuthorities": [
                    {
                        "uri": "https://fulcio.sigstore.example.org",
                        "certChain": {"certificates": [{"rawBytes": _b64(_der(self._authority))}]},
                        "validFor": {"start": "2020-01-01T00:00:00Z"},
                    }
                ],
            }
        )

    def attest(self, filename, sha256, channel=None, *, logged_at=SIGNED_AT, **statement):
        """Return the bundle of a signed statement about a package.

        Args:
            channel: The `targetChannel` of the predicate; without one there is no predicate.
            logged_at: When the log took the signature; the certificate is for the ten minutes
                around `SIGNED_AT`.
            statement: Other fields of the statement.
        """
        payload = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": filename, "digest": {"sha256": sha256}}],
            "predicateType": CEP_27,
        }
        if channel is not None:
            payload["predicate"] = {"targetChannel": channel}
        return self.sign(json.dumps(payload | statement).encode(), logged_at=logged_at)

    def sign(self, payload, *, logged_at=SIGNED_AT):
        """Return the bundle of any in-toto statement, given in bytes."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certify(key)
        kind = "application/vnd.in-toto+json"
        encoding = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
        envelope = {
            "payload": _b64(payload),
            "payloadType": kind,
            "signatures": [{"sig": _b64(_sign(key, encoding))}],
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _b64(_der(certificate))},
                "tlogEntries": [self._log(envelope, certificate, logged_at)],
            },
            "dsseEnvelope": envelope,
        }

    def _certify_authority(self):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sigstore.example.org")])
        builder = (
            x509.CertificateBuilder(name, name, self._fulcio.public_key(), 1)
            .not_valid_before(SIGNED_AT - timedelta(days=1000))
            .not_valid_after(SIGNED_AT + timedelta(days=1000))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        )
        return builder.sign(self._fulcio, SHA256())

    def _certify(self, key):
        builder = (
            x509.CertificateBuilder(
                self._authority.subject,
                x509.Name([]),
                key.public_key(),
                x509.random_serial_number(),
            )
            .not_valid_before(SIGNED_AT - timedelta(minutes=5))
            .not_valid_after(SIGNED_AT + timedelta(minutes=5))
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(WORKFLOW)]),
                critical=True,
            )
            .add_extension(_extension(_OIDC_ISSUER, 0x0C, ISSUER.encode()), critical=False)
        )
        # RFC 6962, 3.2: the log signs the certificate as it is without the log's word.
        unlogged = builder.sign(self._fulcio, SHA256()).tbs_certificate_bytes
        head = b"\0" + _log_id(self._certificate_log) + _milliseconds(SIGNED_AT)
        entry = (
            b"\0\0"
            + _milliseconds(SIGNED_AT)
            + b"\0\1"
            + hashlib.sha256(_spki(self._fulcio)).digest()
        )
        signature = _sign(self._certificate_log, entry + _sized(unlogged, 3) + b"\0\0")
        timestamp = head + b"\0\0" + b"\4\3" + _sized(signature, 2)
        timestamps = _sized(_sized(timestamp, 2), 2)
        builder = builder.add_extension(_extension(_SCT_LIST, 0x04, timestamps), critical=False)
        return builder.sign(self._fulcio, SHA256())

    def _log(self, envelope, certificate, logged_at):
        """Return the one entry of a log, its promise, and the proof that the log has it."""
        payload_hash = hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()
        body = _canonical(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": {
                        "algorithm": "sha256",
                        "value": hashlib.sha256(_canonical(envelope)).hexdigest(),
                    },
                    "payloadHash": {"algorithm": "sha256", "value": payload_hash},
                    "signatures": [
                        {
                            "signature": envelope["signatures"][0]["sig"],
                            "verifier": _b64(certificate.public_bytes(Encoding.PEM)),
                        }
                    ],
                },
            }
        )
        log_id = _log_id(self._rekor)
        promise = _canonical(
            {
                "body": _b64(body),
                "integratedTime": int(logged_at.timestamp()),
                "logID": log_id.hex(),
                "logIndex": 0,
            }
        )
        root = _b64(hashlib.sha256(b"\0" + body).digest())
        note = f"rekor.sigstore.example.org - 1\n1\n{root}\n"
        signature = _b64(log_id[:4] + _sign(self._rekor, note.encode()))
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(log_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(int(logged_at.timestamp())),
            "inclusionPromise": {"signedEntryTimestamp": _b64(_sign(self._rekor, promise))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": root,
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n— rekor.sigstore.example.org {signature}\n"},
            },
            "canonicalizedBody": _b64(body),
        }


def _extension(oid, tag, value):
    length = bytes([len(value)]) if len(value) < 128 else b"\x82" + len(value).to_bytes(2)
    return x509.UnrecognizedExtension(oid, bytes([tag]) + length + value)


def _sign(key, message):
    return key.sign(message, ec.ECDSA(SHA256()))


def _spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _der(certificate):
    return certificate.public_bytes(Encoding.DER)


def _log_id(key):
    return hashlib.sha256(_spki(key)).digest()


def _milliseconds(moment):
    return int(moment.timestamp() * 1000).to_bytes(8)


def _sized(value, size):
    """The value behind its length, as TLS has it."""
    return len(value).to_bytes(size) + value


def _canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _b64(value):
    return base64.b64encode(value).decode()
