"""The cloud's own certificate authority, for the faces that speak TLS; import it where TLS is asked for.

State   DATA/tls/ca.pem, ca.key           the authority, made at first use, for ten years
        DATA/tls/server.pem, server.key   what faces show; made anew where it ends within a month or lacks one
                                          of the cloud's names
Source  RFC 5280; the CA/Browser Forum's baseline requirements for what clients look at
Absent  certificates on request (ACM's), revocation

Clients trust `ca.pem`. Keys are readable by the folder's owner alone. Importing `cryptography` takes 40 ms.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudlet.shell.folder import write_whole

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397  # the most that browsers accept
RENEW_DAYS = 30
NAMES = ("localhost", "localhost.localstack.cloud", "*.localhost.localstack.cloud", "127.0.0.1", "::1")
"""What every certificate of a face is good for."""

AUTHORITY_NAME = "cloudlet local authority"


class LocalAuthority:
    """The authority of one data folder; `wall_ms` is the time that its certificates are judged by."""

    def __init__(self, data: Path, wall_ms: int) -> None:
        self._folder = data / "tls"
        self._now = datetime.fromtimestamp(wall_ms / 1000, UTC)

    @property
    def ca_file(self) -> Path:
        """What clients trust."""
        return self._folder / "ca.pem"

    def make(self) -> None:
        """Make the authority unless it is there."""
        self._authority()

    def server_context(
        self, names: Sequence[str], *, client_ca: Path | None = None, wants_clients: bool = False
    ) -> ssl.SSLContext:
        """How a face speaks TLS under the names given. Clients may show a certificate of `client_ca` (our own
        authority without it); `wants_clients` refuses those that show none."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = [*dict.fromkeys((*NAMES, *names))]
        if not self._is_current(wanted):
            self._make_server(wanted)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._folder / "server.pem", self._folder / "server.key")
        context.load_verify_locations(client_ca or self.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED if wants_clients else ssl.CERT_OPTIONAL
        return context

    def client_pair(self, common_name: str) -> tuple[bytes, bytes]:
        """A client's certificate and key, PEM, for whoever is to be known as CN=common_name."""
        authority_key, authority = self._authority()
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        made = (
            self._begun(common_name, authority.subject, SERVER_DAYS, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=False)
            .sign(authority_key, SHA256())
        )
        return made.public_bytes(Encoding.PEM), _pem(key)

    def _is_current(self, names: Sequence[str]) -> bool:
        try:
            server = x509.load_pem_x509_certificate((self._folder / "server.pem").read_bytes())
            server.verify_directly_issued_by(x509.load_pem_x509_certificate(self.ca_file.read_bytes()))
            load_pem_private_key((self._folder / "server.key").read_bytes(), None)
        except (OSError, ValueError, TypeError, InvalidSignature):
            return False
        alternative = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(names) <= {str(name.value) for name in alternative} and self._lasts(server, RENEW_DAYS)

    def _lasts(self, certificate: x509.Certificate, days: int) -> bool:
        return certificate.not_valid_after_utc - self._now > timedelta(days=days)

    def _make_server(self, names: Sequence[str]) -> None:
        authority_key, authority = self._authority()
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        made = (
            self._begun("cloudlet", authority.subject, SERVER_DAYS, key)
            .add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(issuer, critical=False)
            .sign(authority_key, SHA256())
        )
        self._write("server", key, made)

    def _authority(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """The authority's key and certificate, made where there is none or it ends before what it signs."""
        try:
            found = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            kept = load_pem_private_key((self._folder / "ca.key").read_bytes(), None)
        except (OSError, ValueError):
            return self._make_authority()
        assert isinstance(kept, ec.EllipticCurvePrivateKey)
        return (kept, found) if self._lasts(found, SERVER_DAYS) else self._make_authority()

    def _make_authority(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key()
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        made = (
            self._begun(AUTHORITY_NAME, _name(AUTHORITY_NAME), AUTHORITY_DAYS, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(usage, critical=True)
            .sign(key, SHA256())
        )
        self._write("ca", key, made)
        return key, made

    def _begun(
        self, common_name: str, issuer: x509.Name, days: int, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        """A certificate without extensions. It has been valid for a day: clocks differ."""
        return (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(days=1))
            .not_valid_after(self._now + timedelta(days=days - 1))
        )

    def _write(self, stem: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._folder / f"{stem}.key", _pem(key))
        write_whole(self._folder / f"{stem}.pem", certificate.public_bytes(Encoding.PEM))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
