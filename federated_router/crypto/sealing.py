"""Close bytes for holders, so that the coordinator that relays them reads nothing.

Decides the box: X25519 of a fresh key and of the sender's own key against the holder's,
HKDF-SHA256, ChaCha20-Poly1305 (the construction of RFC 9180's auth mode, without its
framing). Refuses to know what is inside.

The sender's key enters because the sender's signature covers a body of which a holder
sees one share only. Without it the coordinator could put shares of its own choice in
place of all but one sender's, and the holders' sums would open that one secret.

One fresh key serves all boxes of a body and no other. The envelope enters each box's
key, so that two holders who announce one sealing key still get two keys.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

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
from federated_router.kit.errors import CiphertextMalformed, Internal, SignatureInvalid

TAG_BYTES = 16
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


@dataclass(frozen=True, slots=True)
class Letter:
    """Bytes for one holder, and what they are bound to."""

    content: bytes = field(repr=False)
    receiver: PublicKeys
    envelope: Envelope


def seal(
    letters: Sequence[Letter],
    *,
    sender: MemberKeys,
    exchanges: KeptExchanges | None = None,
) -> bytes:
    """Return a fresh public key, then each content closed, TAG_BYTES longer.

    Raises:
        SignatureInvalid: a receiver's key is one of the points of low order.
        Internal: two letters in one envelope, which would be closed by one key.
    """
    if len({letter.envelope for letter in letters}) < len(letters):
        raise Internal("Two letters of one body are in the same envelope.")
    fresh = X25519PrivateKey.generate()
    public, own = fresh.public_key().public_bytes_raw(), sender.public
    boxes = [public]
    for letter in letters:
        receiver, bound = letter.receiver, letter.envelope.encoded()
        try:
            agreed = _agreed(fresh, sender, receiver, exchanges)
        except ValueError as error:
            raise SignatureInvalid("The holder's sealing key is unusable.") from error
        cipher = _cipher(agreed, public, bound, receiver=receiver, sender=own)
        boxes.append(cipher.encrypt(_NONCE, letter.content, bound))
    return b"".join(boxes)


def unseal(
    sealed: bytes,
    *,
    keys: MemberKeys,
    sender: PublicKeys,
    envelope: Envelope,
    exchanges: KeptExchanges | None = None,
) -> bytes:
    """Return the content of a box, which follows the fresh public key in `sealed`.

    Raises:
        CiphertextMalformed: too short, altered, for another holder, from another
            sender or in another envelope.
    """
    public, bound = sealed[:KEY_BYTES], envelope.encoded()
    try:
        peer = X25519PublicKey.from_public_bytes(public)
        agreed = keys.sealing.exchange(peer) + _static(keys, sender, exchanges)
        cipher = _cipher(agreed, public, bound, receiver=keys.public, sender=sender)
        return cipher.decrypt(_NONCE, sealed[KEY_BYTES:], bound)
    except (InvalidTag, ValueError) as error:
        raise CiphertextMalformed(
            f"The sealed share of {envelope.sender} does not open for this round.",
            field="sealed_share",
            metadata={"sender": envelope.sender},
        ) from error


def _agreed(
    fresh: X25519PrivateKey,
    sender: MemberKeys,
    receiver: PublicKeys,
    exchanges: KeptExchanges | None,
) -> bytes:
    holder = X25519PublicKey.from_public_bytes(receiver.sealing)
    return fresh.exchange(holder) + _static(sender, receiver, exchanges)


def _static(
    keys: MemberKeys, peer: PublicKeys, exchanges: KeptExchanges | None
) -> bytes:
    if exchanges is None:
        return _exchanged(keys, peer.sealing)
    return exchanges.secret(keys, peer.sealing)


def _exchanged(keys: MemberKeys, peer: bytes) -> bytes:
    return keys.sealing.exchange(X25519PublicKey.from_public_bytes(peer))


def _cipher(
    agreed: bytes,
    fresh: bytes,
    bound: bytes,
    *,
    receiver: PublicKeys,
    sender: PublicKeys,
) -> ChaCha20Poly1305:
    """Derive the one-message key; all public keys enter, as in RFC 9180."""
    info = encode("sealing-key", fresh, receiver.sealing, sender.sealing, bound)
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(agreed)
    return ChaCha20Poly1305(key)
