"""A member's place in the federation: its certificate, and whom it believes.

Decides its own name, by reading it from the certificate, and vouches for round keys
with the certificate's key. Refuses to know rounds.
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
from federated_router.kit.errors import NotIdentified
from federated_router.kit.identity import identity_of


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who this member is; the certificate's key never leaves it."""

    member: MemberName
    certificate_der: bytes = field(repr=False)
    certificate_key: ec.EllipticCurvePrivateKey = field(repr=False)
    trust: Trust = field(repr=False)

    @classmethod
    def load(cls, *, certificate: Path, private_key: Path, authority: Path) -> Self:
        """Read the daemon's TLS files, PEM.

        Raises NotIdentified for a certificate without one identity, or a key that is
        not of elliptic curves.
        """
        own = x509.load_pem_x509_certificate(certificate.read_bytes())
        key = load_pem_private_key(private_key.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise NotIdentified("Members need a certificate with a P-256 key.")
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        identity = identity_of(
            names.value.get_values_for_type(x509.UniformResourceIdentifier)
        )
        return cls(
            member=MemberName(identity.member),
            certificate_der=own.public_bytes(Encoding.DER),
            certificate_key=key,
            trust=Trust(authority.read_bytes(), identity.trust_domain),
        )

    def announce(self, keys: PublicKeys, *, not_after_s: int) -> Announcement:
        """Return the keys bound to this member's certificate."""
        binding = bind(
            keys,
            member=self.member,
            not_after_s=not_after_s,
            certificate_key=self.certificate_key,
        )
        return Announcement(binding, self.certificate_der)
