"""The certificate authority of an installation, and the certificate of its server on 127.0.0.1.

Made at first use and kept in the local Azure's folder; the private keys are readable by their owner alone. The server
goes by Azure's names too, for clients that the gateway leads here: who trusts the authority has chosen to be led.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from verified_images.emulator.azure_hosts import AZURE_HOSTS, BLOB_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

_AUTHORITY_LIFETIME = timedelta(days=3650)
_SERVER_LIFETIME = timedelta(days=390)
_RENEW_BEFORE = timedelta(days=30)
_SERVER_NAMES = x509.SubjectAlternativeName(
    [
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        *(x509.DNSName(name) for name in ("localhost", *sorted(AZURE_HOSTS), f"*{BLOB_SUFFIX}")),
    ]
)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files lie: the authority's certificate (``ca_bundle``), the server's certificate and its key."""

    ca_bundle: Path
    server: Path
    server_key: Path

    def server_der(self) -> bytes:
        """Give the server's certificate in DER form."""
        certificate = x509.load_pem_x509_certificate(self.server.read_bytes())
        return certificate.public_bytes(serialization.Encoding.DER)


def ensure_certificates(folder: Path) -> Certificates:
    """Give the installation's certificates; make what is missing and renew what is about to expire."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority_key_file = folder / "ca.key"
    if not _is_fresh(files.ca_bundle) or not authority_key_file.exists():
        _make_authority(files.ca_bundle, authority_key_file)
        files.server.unlink(missing_ok=True)
    if not _is_fresh(files.server) or not _has_its_names(files.server) or not files.server_key.exists():
        _make_server(files, authority_key_file)
    return files


def _is_fresh(file: Path) -> bool:
    if not file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return certificate.not_valid_after_utc - _RENEW_BEFORE > datetime.now(UTC)


def _has_its_names(file: Path) -> bool:
    extensions = x509.load_pem_x509_certificate(file.read_bytes()).extensions
    return extensions.get_extension_for_class(x509.SubjectAlternativeName).value == _SERVER_NAMES


def _make_authority(file: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "verified-images local Azure")])
    builder = (
        _builder(name, name, key.public_key(), _AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _write(key_file, _private_pem(key))
    _write(file, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _make_server(files: Certificates, authority_key_file: Path) -> None:
    authority = x509.load_pem_x509_certificate(files.ca_bundle.read_bytes())
    authority_key = serialization.load_pem_private_key(authority_key_file.read_bytes(), None)
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{authority_key_file} does not hold the authority's key; delete its folder to make it anew")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]),
            authority.subject,
            key.public_key(),
            _SERVER_LIFETIME,
        )
        .add_extension(_SERVER_NAMES, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    _write(files.server_key, _private_pem(key))
    _write(files.server, builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lifetime)
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(file: Path, content: bytes) -> None:
    temporary = file.with_suffix(file.suffix + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    temporary.replace(file)
