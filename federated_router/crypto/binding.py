"""Bind a member's round keys to its TLS certificate, and verify such bindings.

Decides when two public keys belong to `role/id`: its certificate, issued by an
authority of the federation and valid at the given time, signed for exactly them. So a
coordinator that relays keys cannot put its own in their place. Refuses to know where
certificates come from and what time it is; revocation is the roster's business.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import verification

from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, encode
from federated_router.kit.errors import SignatureInvalid
from federated_router.kit.names import is_id

_PURPOSE = "key-binding"
_CHAIN_DEPTH_MAX = 2


@dataclass(frozen=True, slots=True)
class KeyBinding:
    """The claim that `keys` are `member`'s until `not_after_s` (Unix time)."""

    member: MemberName
    keys: PublicKeys
    not_after_s: int
    signature: bytes


def bind(
    keys: PublicKeys,
    *,
    member: MemberName,
    not_after_s: int,
    certificate_key: ec.EllipticCurvePrivateKey,
) -> KeyBinding:
    """Sign for `keys` with the key of the member's certificate (ECDSA, SHA-256)."""
    message = _message(member, keys, not_after_s)
    signature = certificate_key.sign(message, ec.ECDSA(SHA256()))
    return KeyBinding(member, keys, not_after_s, signature)


def verify_binding(
    binding: KeyBinding,
    *,
    certificate_der: bytes,
    authorities_pem: bytes,
    trust_domain: str,
    now_s: float,
) -> None:
    """Accept a binding whose certificate names the member and signed for the keys.

    `authorities_pem` holds one or more certificates of authorities.

    Raises:
        SignatureInvalid: expired, from another authority, for another member, or not
            signed by this certificate's key (P-256).
    """
    _require(binding.not_after_s >= now_s, binding, "The binding has expired.")
    certificate = _parsed(certificate_der, binding)
    _verify_chain(certificate, authorities_pem, now_s, binding)
    role, _, identifier = binding.member.partition("/")
    _require(is_id(role) and is_id(identifier), binding, "No member has this name.")
    expected = f"spiffe://{trust_domain}/{binding.member}"
    _require(
        _uris(certificate, binding) == [expected],
        binding,
        f"The certificate's only URI must be {expected}.",
    )
    _verify_signature(certificate, binding)


def _message(member: MemberName, keys: PublicKeys, not_after_s: int) -> bytes:
    return encode(_PURPOSE, member, keys.signing, keys.sealing, not_after_s)


def _parsed(certificate_der: bytes, binding: KeyBinding) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(certificate_der)
    except ValueError as error:
        raise _refusal(binding, "The certificate cannot be read.") from error


def _verify_chain(
    certificate: x509.Certificate,
    authorities_pem: bytes,
    now_s: float,
    binding: KeyBinding,
) -> None:
    try:
        authorities = x509.load_pem_x509_certificates(authorities_pem)
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(authorities))
            .time(datetime.fromtimestamp(now_s, tz=UTC))
            .max_chain_depth(_CHAIN_DEPTH_MAX)
            .extension_policies(ca_policy=_authority(), ee_policy=_member())
            .build_client_verifier()
        )
        verifier.verify(certificate, [])
    except (verification.VerificationError, ValueError) as error:
        raise _refusal(
            binding, "The certificate is not valid under this federation's authority."
        ) from error


def _authority() -> verification.ExtensionPolicy:
    """Demand an issuer that may issue, which the verifier itself reads from this."""
    return verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
    )


def _member() -> verification.ExtensionPolicy:
    """Demand a name; a member's certificate serves as client and as server."""
    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(
            x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
        )
        .may_be_present(
            x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_no_authority
        )
    )


def _is_no_authority(
    _policy: verification.Policy,
    _certificate: x509.Certificate,
    constraints: x509.BasicConstraints | None,
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("An authority is no member.")


def _uris(certificate: x509.Certificate, binding: KeyBinding) -> list[str]:
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension) as error:
        raise _refusal(binding, "The certificate's names cannot be read.") from error
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)


def _verify_signature(certificate: x509.Certificate, binding: KeyBinding) -> None:
    key = certificate.public_key()
    if not (
        isinstance(key, ec.EllipticCurvePublicKey)
        and isinstance(key.curve, ec.SECP256R1)
    ):
        raise _refusal(binding, "The certificate's key is not one of P-256.")
    message = _message(binding.member, binding.keys, binding.not_after_s)
    try:
        key.verify(binding.signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise _refusal(
            binding, "The certificate's key did not sign for these round keys."
        ) from error


def _require(holds: bool, binding: KeyBinding, message: str) -> None:  # noqa: FBT001
    if not holds:
        raise _refusal(binding, message)


def _refusal(binding: KeyBinding, message: str) -> SignatureInvalid:
    return SignatureInvalid(message, metadata={"member": binding.member})
