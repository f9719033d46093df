"""A sealed share opens for its holder, in its round, and nowhere else."""

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.crypto import transcript
from federated_router.crypto.sealing import OVERHEAD_BYTES, Envelope, seal, unseal
from federated_router.crypto.signing import MemberKeys, PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt
from federated_router.kit.errors import CiphertextMalformed, SignatureInvalid

HOLDER = MemberKeys.generate()
SENDER = MemberKeys.generate()
CONTENT = b"share" * 100


@pytest.fixture
def envelope(attempt: RoundAttempt, roster: RosterHash) -> Envelope:
    """Give what a share from one member to another is bound to."""
    return Envelope(attempt, roster, MemberName("node/a"), MemberName("node/b"))


def test_holder_opens_what_was_sealed_for_it(envelope: Envelope) -> None:
    """And it costs 48 bytes."""
    sealed = seal(CONTENT, sender=SENDER, receiver=HOLDER.public, envelope=envelope)

    assert len(sealed) == len(CONTENT) + OVERHEAD_BYTES
    assert (
        unseal(sealed, keys=HOLDER, sender=SENDER.public, envelope=envelope) == CONTENT
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: dataclasses.replace(
            kept, round_attempt=RoundAttempt("rounds/r-2", 0)
        ),
        lambda kept: dataclasses.replace(
            kept, round_attempt=RoundAttempt("rounds/r-1", 1)
        ),
        lambda kept: dataclasses.replace(kept, roster_hash=RosterHash(bytes(32))),
        lambda kept: dataclasses.replace(kept, sender=MemberName("node/c")),
        lambda kept: dataclasses.replace(kept, receiver=MemberName("node/c")),
    ],
)
def test_share_opens_under_no_other_envelope(
    envelope: Envelope, change: Callable[[Envelope], Envelope]
) -> None:
    """Round, attempt, roster, sender and receiver are each authenticated."""
    sealed = seal(CONTENT, sender=SENDER, receiver=HOLDER.public, envelope=envelope)

    with pytest.raises(CiphertextMalformed):
        unseal(
            sealed,
            keys=HOLDER,
            sender=SENDER.public,
            envelope=change(envelope),
        )


def test_share_of_another_protocol_version_does_not_open(
    envelope: Envelope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is authenticated as well."""
    sealed = seal(CONTENT, sender=SENDER, receiver=HOLDER.public, envelope=envelope)

    monkeypatch.setattr(transcript, "PROTOCOL_VERSION", 3)

    with pytest.raises(CiphertextMalformed):
        unseal(sealed, keys=HOLDER, sender=SENDER.public, envelope=envelope)


def test_other_holder_does_not_open_it(envelope: Envelope) -> None:
    """The coordinator, who relays it, is such another."""
    sealed = seal(CONTENT, sender=SENDER, receiver=HOLDER.public, envelope=envelope)

    with pytest.raises(CiphertextMalformed):
        unseal(
            sealed, keys=MemberKeys.generate(), sender=SENDER.public, envelope=envelope
        )


@given(place=st.integers(0, len(CONTENT) + OVERHEAD_BYTES - 1), bit=st.integers(0, 7))
def test_flipped_bit_is_noticed(
    attempt: RoundAttempt, roster: RosterHash, place: int, bit: int
) -> None:
    """In the fresh key (its unused top bit included), the content and the tag."""
    envelope = Envelope(attempt, roster, MemberName("node/a"), MemberName("node/b"))
    sealed = bytearray(
        seal(CONTENT, sender=SENDER, receiver=HOLDER.public, envelope=envelope)
    )
    sealed[place] ^= 1 << bit

    with pytest.raises(CiphertextMalformed):
        unseal(bytes(sealed), keys=HOLDER, sender=SENDER.public, envelope=envelope)


@given(content=st.binary(max_size=120))
def test_any_bytes_are_refused_by_name(
    attempt: RoundAttempt, roster: RosterHash, content: bytes
) -> None:
    """Short ones and points of low order too."""
    envelope = Envelope(attempt, roster, MemberName("node/a"), MemberName("node/b"))

    for attempt_bytes in (content, bytes(32) + content):
        with pytest.raises(CiphertextMalformed):
            unseal(attempt_bytes, keys=HOLDER, sender=SENDER.public, envelope=envelope)


def test_same_share_is_never_sealed_alike(envelope: Envelope) -> None:
    """A fresh key for each message is what allows the constant nonce."""
    first, second = (
        seal(CONTENT, sender=SENDER, receiver=HOLDER.public, envelope=envelope)
        for _ in range(2)
    )

    assert first[:32] != second[:32]
    assert first[32:] != second[32:]


def test_coordinator_cannot_put_a_share_in_a_senders_place(envelope: Envelope) -> None:
    """Sealed in the sender's name, without the sender's key, it does not open.

    Otherwise the holders' sums would consist of one honest share and of shares that
    the coordinator knows, and would open one member's secret.
    """
    forged = seal(
        CONTENT,
        sender=MemberKeys.generate(),
        receiver=HOLDER.public,
        envelope=envelope,
    )

    with pytest.raises(CiphertextMalformed):
        unseal(forged, keys=HOLDER, sender=SENDER.public, envelope=envelope)


def test_nothing_is_sealed_to_a_point_of_low_order(envelope: Envelope) -> None:
    """Everybody knows the secret that such a key agrees on."""
    unusable = PublicKeys(bytes(32), bytes(32))

    with pytest.raises(SignatureInvalid):
        seal(CONTENT, sender=SENDER, receiver=unusable, envelope=envelope)


def test_nothing_opens_from_a_sender_of_low_order(envelope: Envelope) -> None:
    """Its part of the key would be known to everybody; the rest is anybody's."""
    sealed = seal(CONTENT, sender=SENDER, receiver=HOLDER.public, envelope=envelope)
    unusable = PublicKeys(bytes(32), bytes(32))

    with pytest.raises(CiphertextMalformed):
        unseal(sealed, keys=HOLDER, sender=unusable, envelope=envelope)
