"""A statement is accepted from its sender, about its round, once per meaning."""

import dataclasses
import hashlib
from collections.abc import Callable

import pytest

from federated_router.crypto.signing import (
    MemberKeys,
    MessageType,
    PublicKeys,
    Statement,
    sign,
    verify,
)
from federated_router.crypto.transcript import (
    NO_ROSTER,
    MemberName,
    RosterHash,
    RoundAttempt,
)
from federated_router.kit.errors import FieldInvalid, SignatureInvalid

ONE = MemberName("node/one")


@pytest.fixture(scope="module")
def keys() -> MemberKeys:
    """Give one member's keys."""
    return MemberKeys.generate()


@pytest.fixture
def statement(attempt: RoundAttempt, roster: RosterHash) -> Statement:
    """Give a statement about a contribution."""
    return Statement.over(
        MessageType.CONTRIBUTION,
        b"body",
        round_attempt=attempt,
        roster_hash=roster,
        sender=ONE,
    )


def test_own_statement_is_accepted(keys: MemberKeys, statement: Statement) -> None:
    """The signature travels; the statement is built anew by the verifier."""
    signature = sign(statement, keys)

    verify(statement, signature, keys.public)

    assert statement.body_sha256 == hashlib.sha256(b"body").digest()


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: dataclasses.replace(kept, message_type=MessageType.OPENING),
        lambda kept: dataclasses.replace(
            kept, round_attempt=RoundAttempt("rounds/r-2", 0)
        ),
        lambda kept: dataclasses.replace(
            kept, round_attempt=RoundAttempt("rounds/r-1", 1)
        ),
        lambda kept: dataclasses.replace(kept, roster_hash=RosterHash(bytes(32))),
        lambda kept: dataclasses.replace(kept, sender=MemberName("node/two")),
        lambda kept: dataclasses.replace(kept, body_sha256=bytes(32)),
    ],
)
def test_signature_is_void_for_any_other_statement(
    keys: MemberKeys, statement: Statement, change: Callable[[Statement], Statement]
) -> None:
    """Replays across types, rounds, attempts, rosters, members and bodies fail."""
    signature = sign(statement, keys)
    other = change(statement)

    with pytest.raises(SignatureInvalid):
        verify(other, signature, keys.public)


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_changed_signature_is_refused(
    keys: MemberKeys, statement: Statement, place: int
) -> None:
    """Both halves count."""
    changed = bytearray(sign(statement, keys))
    changed[place] ^= 1

    with pytest.raises(SignatureInvalid):
        verify(statement, bytes(changed), keys.public)


@pytest.mark.parametrize("signature", [b"", b"\x00" * 63, b"\x00" * 64, b"\x00" * 65])
def test_bytes_that_are_no_signature_are_refused(
    keys: MemberKeys, statement: Statement, signature: bytes
) -> None:
    """Of any length."""
    with pytest.raises(SignatureInvalid):
        verify(statement, signature, keys.public)


def test_key_of_another_member_does_not_verify(statement: Statement) -> None:
    """A contribution signed by another member is refused."""
    signature = sign(statement, MemberKeys.generate())

    with pytest.raises(SignatureInvalid):
        verify(statement, signature, MemberKeys.generate().public)


def test_key_that_is_no_point_is_refused_by_name(statement: Statement) -> None:
    """Keys come from the wire."""
    nonsense = PublicKeys(b"\xff" * 32, b"\xff" * 32)

    with pytest.raises(SignatureInvalid):
        verify(statement, bytes(64), nonsense)


def test_only_a_join_may_come_before_the_roster(attempt: RoundAttempt) -> None:
    """Everything later is bound to who takes part."""
    digest = bytes(32)

    assert Statement(MessageType.JOIN, attempt, NO_ROSTER, ONE, digest).encoded()

    with pytest.raises(FieldInvalid):
        Statement(MessageType.OPENING, attempt, NO_ROSTER, ONE, digest)


def test_digest_of_another_length_is_refused(
    attempt: RoundAttempt, roster: RosterHash
) -> None:
    """A short digest would be a weak promise."""
    with pytest.raises(FieldInvalid):
        Statement(MessageType.OPENING, attempt, roster, ONE, b"short")


def test_keys_return_from_the_vault(keys: MemberKeys) -> None:
    """A member that restarts within a round can still open its shares."""
    restored = MemberKeys.from_secret_bytes(keys.to_secret_bytes())

    assert restored.public == keys.public


@pytest.mark.parametrize("length", [0, 63, 65])
def test_vault_of_another_length_is_refused(length: int) -> None:
    """A cut file is no key."""
    with pytest.raises(FieldInvalid):
        MemberKeys.from_secret_bytes(bytes(length))


def test_public_keys_of_another_length_are_refused() -> None:
    """The roster hash takes whole keys."""
    with pytest.raises(FieldInvalid):
        PublicKeys(bytes(31), bytes(32))


def test_private_keys_do_not_show_in_their_representation(keys: MemberKeys) -> None:
    """Logs print what they are given."""
    assert repr(keys) == "MemberKeys()"
