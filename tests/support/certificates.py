"""Certificates for servers and clients on loopback."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class SelfSigned(NamedTuple):
    """A certificate of 127.0.0.1 that is its own authority, and its key, both as PEM."""

    certificate: str
    key: str

    def save(self, folder):
        """Write the key and the certificate to one file, and return its path."""
        path = folder / f"{x509.load_pem_x509_certificate(self.certificate.encode()).serial_number}"
        path.write_text(self.key + self.certificate)
        return path

    def server_context(self, folder, client=None):
        """Return what a server needs that shows this certificate, and asks for the one of a
        `client`, without insisting on it.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.save(folder))
        if client:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=client.certificate)
        return context


def self_signed():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return SelfSigned(
        certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
    )
