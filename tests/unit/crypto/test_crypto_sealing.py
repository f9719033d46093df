"""A sealed share opens for its holder, in its round, and nowhere else."""

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.crypto import transcript
from federated_router.crypto.sealing import (
    TAG_BYTES,
    Envelope,
    Letter,
    seal,
    unseal,
)
from federated_router.crypto.signing import KEY_BYTES, MemberKeys, PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt
from federated_router.kit.errors import CiphertextMalformed, Internal, SignatureInvalid

HOLDER = MemberKeys.generate()
SENDER = MemberKeys.generate()
CONTENT = b"share" * 100


@pytest.fixture
def envelope(attempt: RoundAttempt, roster: RosterHash) -> Envelope:
    """Give what a share from one member to another is bound to."""
    return Envelope(attempt, roster, MemberName("node/a"), MemberName("node/b"))


def test_holder_opens_what_was_sealed_for_it(envelope: Envelope) -> None:
    """And it costs 48 bytes."""
    sealed = seal([Letter(CONTENT, HOLDER.public, envelope)], sender=SENDER)

    assert len(sealed) == len(CONTENT) + KEY_BYTES + TAG_BYTES
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
    sealed = seal([Letter(CONTENT, HOLDER.public, envelope)], sender=SENDER)

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
    sealed = seal([Letter(CONTENT, HOLDER.public, envelope)], sender=SENDER)

    monkeypatch.setattr(transcript, "PROTOCOL_VERSION", 4)

    with pytest.raises(CiphertextMalformed):
        unseal(sealed, keys=HOLDER, sender=SENDER.public, envelope=envelope)


def test_other_holder_does_not_open_it(envelope: Envelope) -> None:
    """The coordinator, who relays it, is such another."""
    sealed = seal([Letter(CONTENT, HOLDER.public, envelope)], sender=SENDER)

    with pytest.raises(CiphertextMalformed):
        unseal(
            sealed, keys=MemberKeys.generate(), sender=SENDER.public, envelope=envelope
        )


@given(
    place=st.integers(0, len(CONTENT) + KEY_BYTES + TAG_BYTES - 1),
    bit=st.integers(0, 7),
)
def test_flipped_bit_is_noticed(
    attempt: RoundAttempt, roster: RosterHash, place: int, bit: int
) -> None:
    """In the fresh key (its unused top bit included), the content and the tag."""
    envelope = Envelope(attempt, roster, MemberName("node/a"), MemberName("node/b"))
    sealed = bytearray(seal([Letter(CONTENT, HOLDER.public, envelope)], sender=SENDER))
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
        seal([Letter(CONTENT, HOLDER.public, envelope)], sender=SENDER)
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
        [Letter(CONTENT, HOLDER.public, envelope)], sender=MemberKeys.generate()
    )

    with pytest.raises(CiphertextMalformed):
        unseal(forged, keys=HOLDER, sender=SENDER.public, envelope=envelope)


def test_nothing_is_sealed_to_a_point_of_low_order(envelope: Envelope) -> None:
    """Everybody knows the secret that such a key agrees on."""
    unusable = PublicKeys(bytes(32), bytes(32))

    with pytest.raises(SignatureInvalid):
        seal([Letter(CONTENT, unusable, envelope)], sender=SENDER)


def test_nothing_opens_from_a_sender_of_low_order(envelope: Envelope) -> None:
    """Its part of the key would be known to everybody; the rest is anybody's."""
    sealed = seal([Letter(CONTENT, HOLDER.public, envelope)], sender=SENDER)
    unusable = PublicKeys(bytes(32), bytes(32))

    with pytest.raises(CiphertextMalformed):
        unseal(sealed, keys=HOLDER, sender=unusable, envelope=envelope)


def test_holders_with_one_sealing_key_still_get_two_keys(envelope: Envelope) -> None:
    """Whoever announces a companion's sealing key must not make one keystream of two.

    The exclusive or of two boxes would then be that of two shares, and be read by the
    coordinator that relays both.
    """
    other = dataclasses.replace(envelope, receiver=MemberName("node/c"))
    letters = [Letter(CONTENT, HOLDER.public, kept) for kept in (envelope, other)]

    sealed = seal(letters, sender=SENDER)

    size = len(CONTENT) + TAG_BYTES
    first, second = sealed[KEY_BYTES : KEY_BYTES + size], sealed[KEY_BYTES + size :]
    assert len(first) == len(second)
    assert first[: len(CONTENT)] != second[: len(CONTENT)]
    for box, kept in ((first, envelope), (second, other)):
        opened = unseal(
            sealed[:KEY_BYTES] + box, keys=HOLDER, sender=SENDER.public, envelope=kept
        )
        assert opened == CONTENT


def test_box_of_a_body_does_not_open_under_another_bodys_key(
    envelope: Envelope,
) -> None:
    """One key is for all boxes of a body; a box that was moved is noticed."""
    bodies = [
        seal([Letter(CONTENT, HOLDER.public, envelope)], sender=SENDER)
        for _ in range(2)
    ]

    with pytest.raises(CiphertextMalformed):
        unseal(
            bodies[0][:KEY_BYTES] + bodies[1][KEY_BYTES:],
            keys=HOLDER,
            sender=SENDER.public,
            envelope=envelope,
        )


def test_two_letters_in_one_envelope_are_never_sealed(envelope: Envelope) -> None:
    """They would be closed by one key under one nonce."""
    letters = [Letter(content, HOLDER.public, envelope) for content in (b"a", b"b")]

    with pytest.raises(Internal):
        seal(letters, sender=SENDER)
