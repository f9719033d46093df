"""Close bytes for one holder, so that the coordinator that relays them reads nothing.

Decides the box: X25519 of a fresh key and of the sender's own key against the holder's,
HKDF-SHA256, ChaCha20-Poly1305 (the construction of RFC 9180's auth mode, without its
framing). Refuses to know what is inside.

The sender's key enters because the sender's signature covers a body of which a holder
sees one share only. Without it the coordinator could put shares of its own choice in
place of all but one sender's, and the holders' sums would open that one secret.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from federated_router.crypto.signing import KEY_BYTES, MemberKeys, PublicKeys
from federated_router.crypto.transcript import (
    MemberName,
    RosterHash,
    RoundAttempt,
    encode,
    encode_round,
)
from federated_router.kit.errors import CiphertextMalformed, SignatureInvalid

TAG_BYTES = 16
OVERHEAD_BYTES = KEY_BYTES + TAG_BYTES
_NONCE = bytes(12)
"""The key is used for one message, so that the nonce need not differ."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a sealed share is bound to; it opens under no other envelope."""

    round_attempt: RoundAttempt
    roster_hash: RosterHash
    sender: MemberName
    receiver: MemberName

    def encoded(self) -> bytes:
        """Return the associated data."""
        return encode_round(
            "sealed-share",
            self.round_attempt,
            self.roster_hash,
            self.sender,
            self.receiver,
        )


def seal(
    content: bytes, *, sender: MemberKeys, receiver: PublicKeys, envelope: Envelope
) -> bytes:
    """Return a fresh public key and the closed content, OVERHEAD_BYTES longer.

    Raises:
        SignatureInvalid: the receiver's key is one of the points of low order.
    """
    fresh = X25519PrivateKey.generate()
    public = fresh.public_key().public_bytes_raw()
    try:
        holder = X25519PublicKey.from_public_bytes(receiver.sealing)
        secret = fresh.exchange(holder) + sender.sealing.exchange(holder)
    except ValueError as error:
        raise SignatureInvalid("The holder's sealing key is unusable.") from error
    cipher = _cipher(secret, public, receiver=receiver, sender=sender.public)
    return public + cipher.encrypt(_NONCE, content, envelope.encoded())


def unseal(
    sealed: bytes, *, keys: MemberKeys, sender: PublicKeys, envelope: Envelope
) -> bytes:
    """Return the content.

    Raises:
        CiphertextMalformed: too short, altered, for another holder, from another
            sender or in another envelope.
    """
    public = sealed[:KEY_BYTES]
    try:
        secret = keys.sealing.exchange(
            X25519PublicKey.from_public_bytes(public)
        ) + keys.sealing.exchange(X25519PublicKey.from_public_bytes(sender.sealing))
        cipher = _cipher(secret, public, receiver=keys.public, sender=sender)
        return cipher.decrypt(_NONCE, sealed[KEY_BYTES:], envelope.encoded())
    except (InvalidTag, ValueError) as error:
        raise CiphertextMalformed(
            f"The sealed share of {envelope.sender} does not open for this round.",
            field="sealed_share",
            metadata={"sender": envelope.sender},
        ) from error


def _cipher(
    secret: bytes, fresh: bytes, *, receiver: PublicKeys, sender: PublicKeys
) -> ChaCha20Poly1305:
    """Derive the one-message key; all three public keys enter, as in RFC 9180."""
    info = encode("sealing-key", fresh, receiver.sealing, sender.sealing)
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
    return ChaCha20Poly1305(key)
