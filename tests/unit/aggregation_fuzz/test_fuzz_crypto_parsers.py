"""Bytes from the network in front of every parser of the crypto package.

A mutated message is refused with an error of this federation. Where every byte string
of the right length means something (ciphertexts, shares), it means something else.
"""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.crypto import (
    body,
    dealing_check,
    packed_shamir,
    ring,
    sealing,
    signing,
)
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.sealing import Envelope, Letter
from federated_router.crypto.signing import (
    MemberKeys,
    MessageType,
    PublicKeys,
    Statement,
)
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt
from federated_router.kit.errors import (
    CiphertextMalformed,
    SignatureInvalid,
)
from tests.support.refusals import refusal_of
from tests.unit.aggregation_fuzz.mutations import bounded, mutated, taken

# Certificates are issued when a test first asks for them, minutes after this line runs.
NOW_S = time.time() + 1800
ATTEMPT = RoundAttempt("rounds/fuzz", 0)
ROSTER = RosterHash(bytes(range(32)))
ONE, TWO = MemberName("node/one"), MemberName("node/two")
THRESHOLDS = Thresholds.for_roster(10)
OWN, OTHER = MemberKeys.generate(), MemberKeys.generate()
BODY = body.to_bytes(
    np.random.default_rng(1).integers(
        0, ring.MODULUS, (1, ring.DEGREE), dtype=np.uint64
    )
)
SHARE = packed_shamir.share_to_bytes(
    packed_shamir.deal(ring.sample_small(1)[0], THRESHOLDS)[3]
)
COMBINATIONS = b"\x01\x02" * 4 + b"\xff" * 8 + bytes(8)
ANSWER = b"\x03\x04" * 2 * THRESHOLDS.columns
ENVELOPE = Envelope(ATTEMPT, ROSTER, ONE, TWO)
SEALED = sealing.seal([Letter(SHARE, OTHER.public, ENVELOPE)], sender=OWN)
STATEMENT = Statement.over(
    MessageType.CONTRIBUTION,
    b"body",
    round_attempt=ATTEMPT,
    roster_hash=ROSTER,
    sender=ONE,
)
SIGNATURE = signing.sign(STATEMENT, OWN)
few = settings(max_examples=30, deadline=None)


@few
@given(content=mutated(BODY))
def test_mutated_ciphertext_is_refused_or_is_another_ciphertext(content: bytes) -> None:
    """No two byte strings mean the same, so that a digest binds the ciphertext."""
    rows = taken(
        lambda: body.from_bytes(content, ciphertexts=1), refusal=CiphertextMalformed
    )

    assert rows is None or body.to_bytes(rows) == content


@few
@given(content=mutated(SHARE))
def test_mutated_share_is_refused_or_is_another_share(content: bytes) -> None:
    """The wire form of a share is canonical too."""
    share = taken(
        lambda: packed_shamir.share_from_bytes(content, THRESHOLDS),
        refusal=CiphertextMalformed,
    )

    assert share is None or packed_shamir.share_to_bytes(share) == content


@few
@given(content=mutated(COMBINATIONS))
def test_mutated_check_is_refused_or_is_another_check(content: bytes) -> None:
    """What a holder says about three contributors has one form."""
    told = taken(
        lambda: dealing_check.combinations_from_bytes(content, 3),
        refusal=CiphertextMalformed,
    )

    assert told is None or dealing_check.combinations_to_bytes(told) == content


@few
@given(content=mutated(ANSWER))
def test_mutated_answer_is_refused_or_is_another_answer(content: bytes) -> None:
    """So do its sums over two cohorts."""
    sums = taken(
        lambda: packed_shamir.answer_from_bytes(content, THRESHOLDS, cohorts=2),
        refusal=CiphertextMalformed,
    )

    assert sums is None or packed_shamir.answer_to_bytes(sums) == content


@few
@given(content=mutated(SEALED))
def test_mutated_sealed_share_never_opens(content: bytes) -> None:
    """Neither key, nor nonce, nor tag, nor length may be touched."""
    with bounded(), pytest.raises(CiphertextMalformed):
        sealing.unseal(content, keys=OTHER, sender=OWN.public, envelope=ENVELOPE)


@few
@given(signature=mutated(SIGNATURE))
def test_mutated_signature_never_verifies(signature: bytes) -> None:
    """Ed25519 signatures have one form."""
    with bounded(), pytest.raises(SignatureInvalid):
        signing.verify(STATEMENT, signature, OWN.public)


@few
@given(content=st.binary(min_size=0, max_size=80))
def test_any_bytes_are_keys_or_refused(content: bytes) -> None:
    """Points that are none included: sealing to them is refused by name."""

    def verified_under() -> PublicKeys:
        keys = PublicKeys(content[:32], content[32:64])
        sealing.seal([Letter(b"x", keys, ENVELOPE)], sender=OWN)
        signing.verify(STATEMENT, SIGNATURE, keys)
        return keys

    assert taken(verified_under) is None


def test_unmutated_bytes_are_taken() -> None:
    """What the mutations start from is valid; without this they would prove nothing."""
    told = dealing_check.combinations_from_bytes(COMBINATIONS, 3)
    sums = packed_shamir.answer_from_bytes(ANSWER, THRESHOLDS, cohorts=2)
    share = sealing.unseal(SEALED, keys=OTHER, sender=OWN.public, envelope=ENVELOPE)

    assert body.to_bytes(body.from_bytes(BODY, ciphertexts=1)) == BODY
    assert dealing_check.combinations_to_bytes(told) == COMBINATIONS
    assert packed_shamir.answer_to_bytes(sums) == ANSWER
    assert share == SHARE
    assert packed_shamir.share_from_bytes(share, THRESHOLDS).size
    assert refusal_of(lambda: signing.verify(STATEMENT, SIGNATURE, OWN.public)) is None
