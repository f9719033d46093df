"""Exchanges that are kept change the speed of sealing and nothing else."""

import pytest

from federated_router.crypto.sealing import (
    Envelope,
    KeptExchanges,
    Letter,
    seal,
    unseal,
)
from federated_router.crypto.signing import MemberKeys, PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt
from federated_router.kit.errors import CiphertextMalformed, SignatureInvalid

OWN, PEER, OTHER = (MemberKeys.generate() for _ in range(3))
CONTENT = b"share" * 100
KEPT = 3


@pytest.fixture
def envelope(attempt: RoundAttempt, roster: RosterHash) -> Envelope:
    """Give what a share from one member to another is bound to."""
    return Envelope(attempt, roster, MemberName("node/a"), MemberName("node/b"))


def test_kept_exchange_seals_and_opens_as_a_fresh_one(envelope: Envelope) -> None:
    """Whether a member keeps anything is its own affair: the other side cannot tell."""
    own, peer = KeptExchanges(), KeptExchanges()
    for _ in range(2):
        letters = [Letter(CONTENT, PEER.public, envelope)]
        sealed = seal(letters, sender=OWN, exchanges=own)
        plain = seal(letters, sender=OWN)

        for box in (sealed, plain):
            for kept in (peer, None):
                opened = unseal(
                    box,
                    keys=PEER,
                    sender=OWN.public,
                    envelope=envelope,
                    exchanges=kept,
                )
                assert opened == CONTENT
    assert (len(own), len(peer)) == (1, 1)


def test_two_seals_under_one_kept_exchange_share_no_key(envelope: Envelope) -> None:
    """A fresh key enters each: one keystream twice would tell the shares' sum."""
    kept = KeptExchanges()
    boxes = [
        seal([Letter(CONTENT, PEER.public, envelope)], sender=OWN, exchanges=kept)
        for _ in range(2)
    ]

    assert boxes[0] != boxes[1]
    assert boxes[0][:32] != boxes[1][:32]
    assert boxes[0][32:] != boxes[1][32:]


def test_share_of_another_sender_does_not_open_by_what_is_kept(
    envelope: Envelope,
) -> None:
    """The exchange is found by the peer's key, not by its place or name."""
    kept = KeptExchanges()
    sealed = seal([Letter(CONTENT, PEER.public, envelope)], sender=OTHER)
    kept.secret(PEER, OTHER.public.sealing)

    with pytest.raises(CiphertextMalformed):
        unseal(
            sealed,
            keys=PEER,
            sender=OWN.public,
            envelope=envelope,
            exchanges=kept,
        )


def test_what_is_kept_goes_with_the_keys() -> None:
    """Secrets of keys that rotated serve nobody; a wrong one would open nothing."""
    kept = KeptExchanges()
    before = kept.secret(OWN, PEER.public.sealing)

    after = kept.secret(OTHER, PEER.public.sealing)

    assert len(kept) == 1
    assert after == OTHER.sealing.exchange(PEER.sealing.public_key()) != before


def test_as_many_exchanges_are_kept_as_may_be() -> None:
    """A coordinator that shows new members each round must not fill the memory."""
    kept = KeptExchanges(entries_max=KEPT)
    peers = [MemberKeys.generate().public.sealing for _ in range(KEPT + 2)]

    for peer in peers:
        kept.secret(OWN, peer)

    assert len(kept) == KEPT
    assert list(kept._kept) == peers[-KEPT:]


def test_point_of_low_order_is_refused_and_not_kept(envelope: Envelope) -> None:
    """Its exchange is zero whatever the member's key is."""
    kept = KeptExchanges()
    hostile = PublicKeys(PEER.public.signing, bytes(32))

    with pytest.raises(SignatureInvalid):
        seal([Letter(CONTENT, hostile, envelope)], sender=OWN, exchanges=kept)

    assert len(kept) == 0


def test_what_is_kept_is_not_in_its_text() -> None:
    """Logs and errors print objects."""
    kept = KeptExchanges()
    secret = kept.secret(OWN, PEER.public.sealing)

    assert secret.hex() not in repr(kept)
    assert repr(secret) not in repr(kept)
