"""A member's place in the federation: its certificate, and whom it believes.

Decides its own name, by reading it from the certificate, and vouches for round keys
with the certificate's key. A certificate that was renewed on disk is taken up within a
second; the name stays. Refuses to know rounds, and who renews.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_private_key,
)

from federated_router.crypto.binding import bind
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.round_view import Announcement
from federated_router.federation.survivor_signature import Trust
from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import NotIdentified
from federated_router.kit.identity import Identity, identity_of
from federated_router.kit.tls_files import TlsContent, TlsFiles


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate and its key, of one moment."""

    der: bytes = field(repr=False)
    key: ec.EllipticCurvePrivateKey = field(repr=False)


class Credentials:
    """Who this member is; the certificate's key never leaves it."""

    def __init__(
        self, member: MemberName, own: OwnCertificate, trust: Trust, files: TlsFiles
    ) -> None:
        self.member = member
        self.trust = trust
        self._own = own
        self._files = files
        self._generation = files.generation

    @classmethod
    def load(cls, *, certificate: Path, private_key: Path, authority: Path) -> Self:
        """Read the daemon's TLS files, PEM.

        Raises NotIdentified for a certificate without one identity, or a key that is
        not of elliptic curves, or not the certificate's.
        """
        files = TlsFiles(
            TlsSettings(
                certificate=certificate, private_key=private_key, authority=authority
            )
        )
        identity, own = _read(files.content)
        trust = Trust(files.content.authority, identity.trust_domain)
        return cls(MemberName(identity.member), own, trust, files)

    @property
    def own(self) -> OwnCertificate:
        """Return the newest certificate of this member, with its key."""
        generation = self._files.generation
        if generation != self._generation:
            self._generation = generation
            identity, own = _read(self._files.content)
            if identity.member == self.member:
                self._own = own
        return self._own

    @property
    def certificate_der(self) -> bytes:
        """Return the newest certificate."""
        return self.own.der

    @property
    def certificate_key(self) -> ec.EllipticCurvePrivateKey:
        """Return the newest certificate's key."""
        return self.own.key

    def announce(self, keys: PublicKeys, *, not_after_s: int) -> Announcement:
        """Return the keys bound to this member's certificate."""
        own = self.own
        binding = bind(
            keys,
            member=self.member,
            not_after_s=not_after_s,
            certificate_key=own.key,
        )
        return Announcement(binding, own.der)


def _read(content: TlsContent) -> tuple[Identity, OwnCertificate]:
    own = x509.load_pem_x509_certificate(content.certificate)
    key = load_pem_private_key(content.private_key, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise NotIdentified("Members need a certificate with a P-256 key.")
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    identity = identity_of(
        names.value.get_values_for_type(x509.UniformResourceIdentifier)
    )
    return identity, OwnCertificate(own.public_bytes(Encoding.DER), key)
