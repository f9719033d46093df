"""What a member with a good certificate and bad intentions can do.

Decides the attacks and how each forges a contribution or an answer with the product's
own primitives. Refuses to know whether it succeeds: the report says what it achieved.
An attacker stores what it forged, and so repeats it and helps to open like the others.
Attackers act alone; `docs/attacks.md` says what those who agree can do.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from secrets import token_bytes
from typing import Final

import numpy as np

from federated_router.crypto import (
    ckks,
    packed_shamir,
    quantise,
    ring,
    sealing,
    share_seeds,
    signing,
)
from federated_router.crypto.beacon import public_polynomials
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.body import to_bytes as body_to_bytes
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.sealing import Envelope, Letter
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.round_view import Contribution, Round
from federated_router.federation.statements import (
    attempt_of,
    contribution_statement,
    sha256,
)


class Attack(StrEnum):
    """One kind of dishonest member; NONE is an honest one."""

    NONE = "none"
    LYING_HOLDER = "lying-holder"
    FALSE_CHECK = "false-check"
    TWO_ANSWERS = "two-answers"
    POISON_WITHIN_RANGE = "poison-within-range"
    POISON_BEYOND_RANGE = "poison-beyond-range"
    WRONG_COUNT = "wrong-count"
    GARBAGE_CIPHERTEXT = "garbage-ciphertext"
    MALFORMED_CIPHERTEXT = "malformed-ciphertext"
    REPLAYED_CONTRIBUTION = "replayed-contribution"
    BAD_SHARES = "bad-shares"
    UNREADABLE_SHARES = "unreadable-shares"


FORGING: Final = frozenset(
    {
        Attack.WRONG_COUNT,
        Attack.GARBAGE_CIPHERTEXT,
        Attack.MALFORMED_CIPHERTEXT,
        Attack.REPLAYED_CONTRIBUTION,
        Attack.BAD_SHARES,
        Attack.UNREADABLE_SHARES,
    }
)
"""Attacks whose contribution is not made by the product's own code."""

LYING: Final = frozenset({Attack.LYING_HOLDER, Attack.FALSE_CHECK})
"""Attacks of holders that say what is not so, and may be named as liars."""

DEALING_BADLY: Final = frozenset({Attack.BAD_SHARES, Attack.UNREADABLE_SHARES})
"""Attacks of dealers whose shares lie on no polynomial, and may be named for it."""

_EXTRA_MEMBERS: Final = 7
"""Members that a wrong count claims beside the one."""


def poison(attack: Attack, length: int, *, slot_max: int, members: int) -> list[int]:
    """Return what a poisoner adds to its counts.

    Within the range it claims the most that one member may; beyond it, ten times what
    all members together may, which no plausible sum reaches.
    """
    if attack is Attack.POISON_WITHIN_RANGE:
        return [slot_max] * length
    if attack is Attack.POISON_BEYOND_RANGE:
        most = min(10 * members * slot_max, ckks.SUM_BOUND // 2)
        return [most] * length
    return [0] * length


def forged(
    attack: Attack,
    honest: Contribution,
    *,
    round_: Round,
    own: MemberName,
    keys: MemberKeys,
    earlier: Contribution | None,
) -> Contribution:
    """Return what `attack` sends in place of its honest contribution."""
    tail = honest.body[CIPHERTEXT_BYTES * _ciphertexts(round_) :]
    head = honest.body[: len(honest.body) - len(tail)]
    match attack:
        case Attack.MALFORMED_CIPHERTEXT:
            body = b"\xff" * len(head) + tail
        case Attack.GARBAGE_CIPHERTEXT:
            body = _garbage(_ciphertexts(round_)) + tail
        case Attack.REPLAYED_CONTRIBUTION if earlier is not None:
            return replace(earlier, round_name=honest.round_name)
        case Attack.WRONG_COUNT:
            body = _rebuilt(round_, own, keys, members=1 + _EXTRA_MEMBERS)
        case Attack.BAD_SHARES:
            body = _rebuilt(round_, own, keys, inconsistent=True)
        case Attack.UNREADABLE_SHARES:
            body = head + token_bytes(len(tail))
        case _:
            return honest
    return _signed(replace(honest, body=body), own, keys)


def altered(share_sum: bytes) -> bytes:
    """Return another answer of the right form."""
    words = np.frombuffer(share_sum, dtype="<u2").astype(np.int64)
    return ((words + 1) % PRIME).astype("<u2").tobytes()


def _signed(sent: Contribution, own: MemberName, keys: MemberKeys) -> Contribution:
    digest = sha256(sent.body)
    statement = contribution_statement(
        sent.round_name, own, roster_hash=sent.roster_hash, body_sha256=digest
    )
    return replace(sent, sha256=digest, signature=signing.sign(statement, keys))


def _ciphertexts(round_: Round) -> int:
    return ckks.ciphertexts_for(round_.catalogue.vector_length)


def _garbage(ciphertexts: int) -> bytes:
    """Return residues that nobody encrypted, every one of them in the ring."""
    words = np.frombuffer(token_bytes(8 * ciphertexts * ring.DEGREE), dtype=np.uint64)
    residues = words % np.uint64(ring.MODULUS)
    return body_to_bytes(residues.reshape(ciphertexts, ring.DEGREE))


def _rebuilt(
    round_: Round,
    own: MemberName,
    keys: MemberKeys,
    *,
    members: int = 1,
    inconsistent: bool = False,
) -> bytes:
    """Return a body of zeros that counts `members`, perhaps with shares of nothing."""
    slots = round_.catalogue.statistic_slots
    vector = quantise.with_count(np.zeros(slots, dtype=np.int64))
    vector[0] = members
    encryption = ckks.encrypt(
        vector,
        polynomials=public_polynomials(
            attempt_of(round_.name),
            round_.roster_hash,
            round_.beacon,
            count=_ciphertexts(round_),
        ),
    )
    thresholds = Thresholds.for_roster(len(round_.roster))
    seeds = share_seeds.draw(thresholds)
    shares = packed_shamir.deal(
        encryption.secret.coefficients,
        thresholds,
        blinding=share_seeds.blinding(seeds, thresholds),
    )
    contents: Sequence[bytes] = share_seeds.contents(shares, seeds)
    if inconsistent:
        contents = [
            altered(content) if number % 2 else content
            for number, content in enumerate(contents)
        ]
    return encryption.body + _sealed(round_, own, keys, contents)


def _sealed(
    round_: Round, own: MemberName, keys: MemberKeys, contents: Sequence[bytes]
) -> bytes:
    attempt = attempt_of(round_.name)
    letters = [
        Letter(
            content,
            holder.announcement.binding.keys,
            Envelope(attempt, round_.roster_hash, own, holder.member),
        )
        for holder, content in zip(round_.roster, contents, strict=True)
    ]
    return sealing.seal(letters, sender=keys)
