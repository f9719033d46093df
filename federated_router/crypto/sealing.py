"""Close bytes for one holder, so that the coordinator that relays them reads nothing.

Decides the box: X25519 of a fresh key and of the sender's own key against the holder's,
HKDF-SHA256, ChaCha20-Poly1305 (the construction of RFC 9180's auth mode, without its
framing). Refuses to know what is inside.

The sender's key enters because the sender's signature covers a body of which a holder
sees one share only. Without it the coordinator could put shares of its own choice in
place of all but one sender's, and the holders' sums would open that one secret.
"""

from collections import OrderedDict
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX
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


class KeptExchanges:
    """One member's exchanges with the others' sealing keys; not safe among threads.

    The exchange of two long-lived keys is the same in every share that passes between
    their owners, in either direction, for as long as both keys last. What is kept is as
    secret as the member's own key: it is in memory only, at most `entries_max` peers,
    who was not met for longest goes first, and all go when the member's key changes.
    """

    __slots__ = ("_entries_max", "_kept", "_own")

    def __init__(self, *, entries_max: int = ROSTER_SIZE_MAX) -> None:
        self._entries_max = entries_max
        self._own = b""
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        """Return how many peers' exchanges are kept."""
        return len(self._kept)

    def secret(self, keys: MemberKeys, peer: bytes) -> bytes:
        """Return X25519 of the member's key and a peer's, computed at most once.

        Raises ValueError for a point of low order.
        """
        own = keys.public.sealing
        if own != self._own:
            self._kept.clear()
            self._own = own
        found = self._kept.get(peer)
        if found is None:
            found = _exchanged(keys, peer)
            self._kept[peer] = found
        self._kept.move_to_end(peer)
        while len(self._kept) > self._entries_max:
            self._kept.popitem(last=False)
        return found


def seal(
    content: bytes,
    *,
    sender: MemberKeys,
    receiver: PublicKeys,
    envelope: Envelope,
    exchanges: KeptExchanges | None = None,
) -> bytes:
    """Return a fresh public key and the closed content, OVERHEAD_BYTES longer.

    Raises:
        SignatureInvalid: the receiver's key is one of the points of low order.
    """
    fresh = X25519PrivateKey.generate()
    public = fresh.public_key().public_bytes_raw()
    try:
        holder = X25519PublicKey.from_public_bytes(receiver.sealing)
        secret = fresh.exchange(holder) + _static(sender, receiver, exchanges)
    except ValueError as error:
        raise SignatureInvalid("The holder's sealing key is unusable.") from error
    cipher = _cipher(secret, public, receiver=receiver, sender=sender.public)
    return public + cipher.encrypt(_NONCE, content, envelope.encoded())


def unseal(
    sealed: bytes,
    *,
    keys: MemberKeys,
    sender: PublicKeys,
    envelope: Envelope,
    exchanges: KeptExchanges | None = None,
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
        ) + _static(keys, sender, exchanges)
        cipher = _cipher(secret, public, receiver=keys.public, sender=sender)
        return cipher.decrypt(_NONCE, sealed[KEY_BYTES:], envelope.encoded())
    except (InvalidTag, ValueError) as error:
        raise CiphertextMalformed(
            f"The sealed share of {envelope.sender} does not open for this round.",
            field="sealed_share",
            metadata={"sender": envelope.sender},
        ) from error


def _static(
    keys: MemberKeys, peer: PublicKeys, exchanges: KeptExchanges | None
) -> bytes:
    if exchanges is None:
        return _exchanged(keys, peer.sealing)
    return exchanges.secret(keys, peer.sealing)


def _exchanged(keys: MemberKeys, peer: bytes) -> bytes:
    return keys.sealing.exchange(X25519PublicKey.from_public_bytes(peer))


def _cipher(
    secret: bytes, fresh: bytes, *, receiver: PublicKeys, sender: PublicKeys
) -> ChaCha20Poly1305:
    """Derive the one-message key; all three public keys enter, as in RFC 9180."""
    info = encode("sealing-key", fresh, receiver.sealing, sender.sealing)
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
    return ChaCha20Poly1305(key)
