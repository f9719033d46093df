"""The coordinator's signature under a survivor set.

Decides that the certificate is one of this federation's coordinators and that its key
signed exactly this set. Refuses to know what members check in the set itself
(`verification`). ECDSA P-256 with SHA-256, as for key bindings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import verification

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
    key = _coordinator_key(claim.certificate_der, trust=trust, now_s=now_s)
    message = survivors_message(round_name, roster_hash, claim.survivors)
    try:
        key.verify(claim.signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise _refusal("The coordinator did not sign this survivor set.") from error


def _coordinator_key(
    certificate_der: bytes, *, trust: Trust, now_s: float
) -> ec.EllipticCurvePublicKey:
    """Return the key of a valid coordinator's certificate."""
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        _verifier(trust, now_s).verify(certificate, [])
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value.get_values_for_type(x509.UniformResourceIdentifier)
        identity = identity_of(names)
    except (verification.VerificationError, ValueError, NotIdentified) as error:
        raise _refusal("The signer is not known to this federation.") from error
    key = certificate.public_key()
    if (
        identity.role is not Role.COORDINATOR
        or identity.trust_domain != trust.trust_domain
        or not isinstance(key, ec.EllipticCurvePublicKey)
    ):
        raise _refusal("The signer is not a coordinator of this federation.")
    return key


def _verifier(trust: Trust, now_s: float) -> verification.ClientVerifier:
    """Demand a chain and a name; a daemon's certificate serves both sides of TLS."""
    authority = verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_authority
    )
    member = verification.ExtensionPolicy.permit_all().require_present(
        x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
    )
    store = verification.Store(x509.load_pem_x509_certificates(trust.authorities_pem))
    return (
        verification.PolicyBuilder()
        .store(store)
        .time(datetime.fromtimestamp(now_s, tz=UTC))
        .extension_policies(ca_policy=authority, ee_policy=member)
        .build_client_verifier()
    )


def _is_authority(
    _policy: verification.Policy,
    _certificate: x509.Certificate,
    constraints: x509.BasicConstraints,
) -> None:
    if not constraints.ca:
        raise ValueError("The issuer is no authority.")


def _refusal(message: str) -> SignatureInvalid:
    return SignatureInvalid(message, metadata={"message": "survivors"})
