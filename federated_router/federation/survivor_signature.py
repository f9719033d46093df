"""The coordinator's signature under a survivor set.

Decides that the certificate is one of this federation's coordinators and that its key
signed exactly this set. Refuses to know what members check in the set itself
(`verification`). ECDSA P-256 with SHA-256, as for key bindings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from federated_router.crypto.certificates import (
    uris_of,
    verified_certificate,
    verify_by_certificate,
)
from federated_router.crypto.transcript import RosterHash
from federated_router.federation.statements import Survivor, survivors_message
from federated_router.kit.errors import NotIdentified, SignatureInvalid
from federated_router.kit.identity import Role, identity_of


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a member believes: the authorities' certificates, and one trust domain."""

    authorities_pem: bytes
    trust_domain: str


@dataclass(frozen=True, slots=True)
class SurvivorSet:
    """What the coordinator says was summed, and its signature."""

    survivors: tuple[Survivor, ...]
    signature: bytes
    certificate_der: bytes


def sign_survivors(
    round_name: str,
    roster_hash: RosterHash,
    survivors: Sequence[Survivor],
    *,
    certificate_key: ec.EllipticCurvePrivateKey,
) -> bytes:
    """Return the coordinator's signature; ECDSA, so it differs each time."""
    message = survivors_message(round_name, roster_hash, survivors)
    return certificate_key.sign(message, ec.ECDSA(SHA256()))


def verify_survivors(
    round_name: str,
    roster_hash: RosterHash,
    claim: SurvivorSet,
    *,
    trust: Trust,
    now_s: float,
) -> None:
    """Accept a set that a coordinator of this federation signed.

    Raises:
        SignatureInvalid: another authority, role or trust domain, an expired
            certificate, or a signature over anything else.
    """
    try:
        certificate = verified_certificate(
            claim.certificate_der, authorities_pem=trust.authorities_pem, now_s=now_s
        )
        identity = identity_of(uris_of(certificate))
        verify_by_certificate(
            certificate,
            claim.signature,
            survivors_message(round_name, roster_hash, claim.survivors),
        )
    except (SignatureInvalid, NotIdentified) as error:
        raise _refusal(error.message) from error
    if (
        identity.role is not Role.COORDINATOR
        or identity.trust_domain != trust.trust_domain
    ):
        raise _refusal("The signer is not a coordinator of this federation.")


def _refusal(message: str) -> SignatureInvalid:
    return SignatureInvalid(message, metadata={"message": "survivors"})
