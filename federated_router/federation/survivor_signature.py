"""The coordinator's signatures under the contributor set and the survivor set.

Decides that the certificate is one of this federation's coordinators and that its key
signed exactly this set. Refuses to know what members check in the sets themselves
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
from federated_router.federation.statements import (
    Contributor,
    contributors_message,
    sha256,
    survivors_message,
)
from federated_router.kit.errors import NotIdentified, SignatureInvalid
from federated_router.kit.identity import Role, identity_of


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a member believes: the authorities' certificates, and one trust domain."""

    authorities_pem: bytes
    trust_domain: str


@dataclass(frozen=True, slots=True)
class ContributorSet:
    """Whose contributions the coordinator says it accepted, and its signature."""

    contributors: tuple[Contributor, ...]
    signature: bytes
    certificate_der: bytes

    def sha256(self, round_name: str, roster_hash: RosterHash) -> bytes:
        """Return the digest by which a survivor set refers to this set."""
        return sha256(contributors_message(round_name, roster_hash, self.contributors))


@dataclass(frozen=True, slots=True)
class SurvivorSet:
    """Whose contributions the coordinator says it summed, by number, and its signature.

    The signature names the contributor set, whose digest does not travel.
    """

    survivors: tuple[int, ...]
    signature: bytes
    certificate_der: bytes


def sign_contributors(
    round_name: str,
    roster_hash: RosterHash,
    contributors: Sequence[Contributor],
    *,
    certificate_key: ec.EllipticCurvePrivateKey,
) -> bytes:
    """Return the coordinator's signature; ECDSA, so it differs each time."""
    message = contributors_message(round_name, roster_hash, contributors)
    return certificate_key.sign(message, ec.ECDSA(SHA256()))


def sign_survivors(
    round_name: str,
    roster_hash: RosterHash,
    survivors: Sequence[int],
    *,
    contributors_sha256: bytes,
    certificate_key: ec.EllipticCurvePrivateKey,
) -> bytes:
    """Return the coordinator's signature; ECDSA, so it differs each time."""
    message = survivors_message(
        round_name,
        roster_hash,
        contributors_sha256=contributors_sha256,
        survivors=survivors,
    )
    return certificate_key.sign(message, ec.ECDSA(SHA256()))


def verify_contributors(
    round_name: str,
    roster_hash: RosterHash,
    claim: ContributorSet,
    *,
    trust: Trust,
    now_s: float,
) -> None:
    """Accept a contributor set that a coordinator of this federation signed.

    Raises:
        SignatureInvalid: another authority, role or trust domain, an expired
            certificate, or a signature over anything else.
    """
    message = contributors_message(round_name, roster_hash, claim.contributors)
    _verify(claim, message, "contributors", trust=trust, now_s=now_s)


def verify_survivors(
    round_name: str,
    roster_hash: RosterHash,
    claim: SurvivorSet,
    *,
    contributors_sha256: bytes,
    trust: Trust,
    now_s: float,
) -> None:
    """Accept a survivor set that a coordinator of this federation signed.

    Raises:
        SignatureInvalid: as `verify_contributors`, or of another contributor set.
    """
    message = survivors_message(
        round_name,
        roster_hash,
        contributors_sha256=contributors_sha256,
        survivors=claim.survivors,
    )
    _verify(claim, message, "survivors", trust=trust, now_s=now_s)


def _verify(
    claim: ContributorSet | SurvivorSet,
    message: bytes,
    kind: str,
    *,
    trust: Trust,
    now_s: float,
) -> None:
    try:
        certificate = verified_certificate(
            claim.certificate_der, authorities_pem=trust.authorities_pem, now_s=now_s
        )
        identity = identity_of(uris_of(certificate))
        verify_by_certificate(certificate, claim.signature, message)
    except (SignatureInvalid, NotIdentified) as error:
        raise _refusal(error.message, kind) from error
    if (
        identity.role is not Role.COORDINATOR
        or identity.trust_domain != trust.trust_domain
    ):
        raise _refusal("The signer is not a coordinator of this federation.", kind)


def _refusal(message: str, kind: str) -> SignatureInvalid:
    return SignatureInvalid(message, metadata={"message": kind})
