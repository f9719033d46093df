"""Agree on a roster and on public polynomials that nobody could choose.

Decides commitments, the roster hash, the beacon and the expansion to polynomials. The
one who reveals last can only choose between staying and leaving. Refuses to know when
members reveal, and what becomes of those who do not.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federated_router.crypto.ring import (
    DEGREE,
    MODULUS,
    MODULUS_BITS,
    RandomBytes,
    Residues,
)
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import (
    DIGEST_BYTES,
    MemberName,
    RosterHash,
    RoundAttempt,
    encode,
    encode_round,
)
from federated_router.kit.errors import FieldInvalid, NotOnRoster, SignatureInvalid

NONCE_BYTES = 32
_WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One member as every other member knows it: name, keys, committed nonce."""

    member: MemberName
    keys: PublicKeys
    commitment: bytes


def draw_nonce(*, random_bytes: RandomBytes = secrets.token_bytes) -> bytes:
    """Return a nonce; it stays with its member until the roster is fixed."""
    return random_bytes(NONCE_BYTES)


def commit(attempt: RoundAttempt, member: MemberName, nonce: bytes) -> bytes:
    """Return the commitment: SHA-256, bound to round, attempt and member."""
    if len(nonce) != NONCE_BYTES:
        raise FieldInvalid(f"A nonce has {NONCE_BYTES} bytes.", field="nonce")
    return hashlib.sha256(encode_round("commitment", attempt, member, nonce)).digest()


def verify_reveal(attempt: RoundAttempt, entry: RosterEntry, nonce: bytes) -> None:
    """Accept the nonce that `entry` committed to.

    Raises:
        SignatureInvalid: any other nonce.
    """
    expected = commit(attempt, entry.member, nonce)
    if not hmac.compare_digest(expected, entry.commitment):
        raise SignatureInvalid(
            f"{entry.member} reveals another nonce than it committed to.",
            metadata={"member": entry.member},
        )


def roster_hash(
    attempt: RoundAttempt, entries: Sequence[RosterEntry], *, layout: bytes
) -> RosterHash:
    """Return the hash of the roster, whatever the order of `entries`.

    `layout` says what the members count; who is shown another one is on another roster.

    Raises:
        FieldInvalid: a name, a key or a commitment appears twice, or a commitment has
            another length. A copied commitment would copy its owner's nonce.
    """
    ordered = sorted(entries, key=lambda entry: entry.member)
    _refuse_copies(ordered)
    rows = [
        encode(
            "roster-entry",
            entry.member,
            entry.keys.signing,
            entry.keys.sealing,
            entry.commitment,
        )
        for entry in ordered
    ]
    return RosterHash(
        hashlib.sha256(encode_round("roster", attempt, layout, *rows)).digest()
    )


def beacon(
    attempt: RoundAttempt,
    entries: Sequence[RosterEntry],
    nonces: Mapping[MemberName, bytes],
    *,
    layout: bytes,
) -> bytes:
    """Return the round's 32 random bytes from the nonces that were revealed.

    Raises:
        NotOnRoster: a nonce of somebody else.
        SignatureInvalid: a nonce that its member did not commit to.
    """
    known = {entry.member: entry for entry in entries}
    fields: list[bytes | str] = [roster_hash(attempt, entries, layout=layout)]
    for member in sorted(nonces):
        if member not in known:
            raise NotOnRoster(f"{member} is not on the roster of this round.")
        verify_reveal(attempt, known[member], nonces[member])
        fields += [member, nonces[member]]
    return hashlib.sha256(encode_round("beacon", attempt, *fields)).digest()


def public_polynomials(
    attempt: RoundAttempt, roster: RosterHash, random_beacon: bytes, *, count: int
) -> Residues:
    """Return a_1..a_count, uniform modulo MODULUS, shape (count, DEGREE).

    SHAKE-256 in words of 8 bytes, little-endian, of which the low 54 bits count; words
    that are not below the modulus are passed over. Taken as evaluations.
    """
    seeds = (
        encode_round("polynomial", attempt, roster, random_beacon) + encode("row", row)
        for row in range(count)
    )
    return np.stack([_uniform(seed) for seed in seeds])


def _uniform(seed: bytes) -> Residues:
    expander = hashlib.shake_256(seed)
    mask = np.uint64((1 << MODULUS_BITS) - 1)
    words = 2 * DEGREE
    while True:
        stream = expander.digest(words * _WORD_BYTES)
        residues = np.frombuffer(stream, dtype="<u8").astype(np.uint64) & mask
        accepted = residues[residues < MODULUS]
        if len(accepted) >= DEGREE:
            return accepted[:DEGREE]
        words *= 2


def _refuse_copies(entries: Sequence[RosterEntry]) -> None:
    if any(len(entry.commitment) != DIGEST_BYTES for entry in entries):
        raise FieldInvalid("A commitment has 32 bytes.", field="commitment")
    columns: tuple[list[str | bytes], ...] = (
        [entry.member for entry in entries],
        [entry.keys.signing for entry in entries],
        [entry.keys.sealing for entry in entries],
        [entry.commitment for entry in entries],
    )
    if any(len(set(column)) != len(column) for column in columns):
        raise FieldInvalid(
            "A name, a key or a commitment appears twice on the roster.",
            field="roster",
        )
