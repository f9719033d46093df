"""Bind a member's round keys to its TLS certificate, and verify such bindings.

Decides when two public keys belong to `role/id`: its certificate, issued by an
authority of the federation and valid at the given time, signed for exactly them. So a
coordinator that relays keys cannot put its own in their place. Refuses to know where
certificates come from and what time it is; revocation is the roster's business.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from federated_router.crypto.certificates import (
    uris_of,
    verified_certificate,
    verify_by_certificate,
)
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, encode
from federated_router.kit.errors import SignatureInvalid
from federated_router.kit.names import is_id

_PURPOSE = "key-binding"


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
    if binding.not_after_s < now_s:
        raise _refusal(binding, "The binding has expired.")
    role, _, identifier = binding.member.partition("/")
    if not (is_id(role) and is_id(identifier)):
        raise _refusal(binding, "No member has this name.")
    expected = f"spiffe://{trust_domain}/{binding.member}"
    try:
        certificate = verified_certificate(
            certificate_der, authorities_pem=authorities_pem, now_s=now_s
        )
        uris = uris_of(certificate)
        verify_by_certificate(
            certificate,
            binding.signature,
            _message(binding.member, binding.keys, binding.not_after_s),
        )
    except SignatureInvalid as error:
        raise _refusal(binding, error.message) from error
    if uris != [expected]:
        raise _refusal(binding, f"The certificate's only URI must be {expected}.")


def _message(member: MemberName, keys: PublicKeys, not_after_s: int) -> bytes:
    return encode(_PURPOSE, member, keys.signing, keys.sealing, not_after_s)


def _refusal(binding: KeyBinding, message: str) -> SignatureInvalid:
    return SignatureInvalid(message, metadata={"member": binding.member})
