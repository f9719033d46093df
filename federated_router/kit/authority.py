"""A local certificate authority: makes itself, certificates and revocation lists.

Decides names, lifetimes and key types (ECDSA P-256, which every TLS stack accepts), and
what of a signing request is believed: its key, never its extensions. Refuses to know
where certificates are used. Private keys are written 0600.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Identity, dns_name
from federated_router.kit.names import resource_name

AUTHORITY_DAYS = 3650
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """Paths of a certificate, its private key, and the authority that signed it."""

    certificate: Path
    private_key: Path
    authority: Path


class Authority:
    """Signs certificates of one trust domain; holds the authority's private key."""

    def __init__(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def open(cls, directory: Path, *, trust_domain: str) -> "Authority":
        """Load the authority in `directory`, making it first where there is none."""
        certificate, key = directory / "ca.crt", directory / "ca.key"
        if not certificate.exists():
            made = cls._make(trust_domain)
            made.save(certificate, key)
            return made
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key} does not hold an ECDSA key; remove {directory}.")
        return cls(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded)

    @classmethod
    def existing(cls, directory: Path, *, trust_domain: str) -> "Authority":
        """Load the authority in `directory`; raise FieldInvalid where there is none."""
        for name in ("ca.crt", "ca.key"):
            if not (directory / name).exists():
                raise FieldInvalid(
                    f"{directory / name} is missing: name the folder of the "
                    "federation's authority.",
                    field="authority",
                )
        return cls.open(directory, trust_domain=trust_domain)

    @property
    def certificate_pem(self) -> bytes:
        """Return the authority's own certificate."""
        return _pem(self._certificate)

    @classmethod
    def _make(cls, trust_domain: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"{trust_domain} authority")]
        )
        builder = (
            _builder(name, name, key.public_key(), days=AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_authority_usage(), critical=True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    def save(self, certificate: Path, key: Path) -> None:
        """Write the authority's certificate and its private key (0600)."""
        certificate.parent.mkdir(parents=True, exist_ok=True)
        _write_private(key, _key_pem(self._key))
        certificate.write_bytes(_pem(self._certificate))

    def issue(
        self,
        identity: Identity,
        directory: Path,
        *,
        hosts: Sequence[str] = (),
        lifetime: timedelta = timedelta(days=90),
        not_before: datetime | None = None,
    ) -> IdentityFiles:
        """Write `ID.crt`, `ID.key` and `ca.crt` for `identity` into `directory`.

        `hosts` are further DNS names or IP addresses that clients may dial.
        Raises FieldInvalid for an id that no daemon would take.
        """
        resource_name("id", identity.id)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            identity, key.public_key(), hosts, lifetime, not_before
        )
        directory.mkdir(parents=True, exist_ok=True)
        files = IdentityFiles(
            certificate=directory / f"{identity.id}.crt",
            private_key=directory / f"{identity.id}.key",
            authority=directory / "ca.crt",
        )
        _write_private(files.private_key, _key_pem(key))
        files.certificate.write_bytes(_pem(certificate))
        files.authority.write_bytes(_pem(self._certificate))
        return files

    def sign_request(
        self,
        identity: Identity,
        signing_request_der: bytes,
        *,
        hosts: Sequence[str] = (),
        lifetime: timedelta = timedelta(days=90),
    ) -> bytes:
        """Return a certificate (DER) for `identity` with the key of a PKCS #10 request.

        The names come from `identity` and `hosts`; what else the request asks for is
        left out. Raises FieldInvalid for a request that its own key did not sign, or
        whose key is none of P-256.
        """
        key = key_of_request(signing_request_der)
        certificate = self._sign(identity, key, hosts, lifetime, None)
        return certificate.public_bytes(serialization.Encoding.DER)

    def revocation_list(
        self,
        serials: Iterable[int],
        *,
        number: int,
        now: datetime,
        due: timedelta = timedelta(days=30),
    ) -> bytes:
        """Return a signed X.509 CRL (RFC 5280, DER) of these serial numbers.

        `number` is above that of every list before; after `due` a new one is wanted.
        """
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now)
            .next_update(now + due)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for serial in sorted(set(serials)):
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(now)
                .build()
            )
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.DER)

    def _sign(
        self,
        identity: Identity,
        key: ec.EllipticCurvePublicKey,
        hosts: Sequence[str],
        lifetime: timedelta,
        not_before: datetime | None,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity.member)])
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = (
            _builder(
                subject,
                self._certificate.subject,
                key,
                days=lifetime / timedelta(days=1),
                not_before=not_before,
            )
            .add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.SubjectAlternativeName(_names(identity, hosts)), critical=False
            )
        )
        return builder.sign(self._key, hashes.SHA256())


def key_of_request(signing_request_der: bytes) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key of a PKCS #10 request (RFC 2986) that it signed itself.

    Raises FieldInvalid.
    """
    try:
        request = x509.load_der_x509_csr(signing_request_der)
        key, signed = request.public_key(), request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise _bad_request("cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
        key.curve, ec.SECP256R1
    ):
        raise _bad_request("holds no key of P-256")
    if not signed:
        raise _bad_request("is not signed by its own key")
    return key


def _bad_request(what: str) -> FieldInvalid:
    return FieldInvalid(f"The signing request {what}.", field="signing_request_der")


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    days: float,
    not_before: datetime | None = None,
) -> x509.CertificateBuilder:
    start = not_before or datetime.now(UTC) - CLOCK_SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + CLOCK_SKEW + timedelta(days=days))
    )


def _authority_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _names(identity: Identity, hosts: Sequence[str]) -> list[x509.GeneralName]:
    domain = identity.trust_domain
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(identity.uri),
        x509.DNSName(dns_name(domain, identity.role)),
        x509.DNSName(dns_name(domain, identity.role, identity.id)),
    ]
    for host in hosts:
        address = _ip(host)
        names.append(x509.IPAddress(address) if address else x509.DNSName(host))
    return names


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        # A file that was there before keeps its mode, however open.
        os.fchmod(descriptor, 0o600)
        file.write(content)
