"""A whole round of Protocol B, without a network: exact, with losses and liars."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from federated_router.crypto import beacon, ckks, quantise, sealing, signing
from federated_router.crypto.beacon import RosterEntry
from federated_router.crypto.field import PRIME
from federated_router.crypto.opening import open_secret
from federated_router.crypto.packed_shamir import (
    Share,
    Thresholds,
    deal,
    share_from_bytes,
    share_to_bytes,
    sum_shares,
)
from federated_router.crypto.ring import Residues
from federated_router.crypto.sealing import Envelope, Letter
from federated_router.crypto.signing import MemberKeys, MessageType, Statement
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt
from federated_router.kit.errors import (
    CiphertextMalformed,
    RosterTooSmall,
    ShareConflict,
)

SLOTS = 300


@dataclass(frozen=True)
class Member:
    """What one member knows at the start."""

    name: MemberName
    keys: MemberKeys
    values: np.ndarray


@dataclass(frozen=True)
class Upload:
    """What one member sends."""

    body: bytes
    sealed: tuple[bytes, ...]
    signature: bytes


class Round:
    """A roster, its polynomials, and the uploads of some of its members."""

    def __init__(self, attempt: RoundAttempt, size: int) -> None:
        generator = np.random.default_rng(size)
        self.attempt = attempt
        self.thresholds = Thresholds.for_roster(size)
        self.members = [
            Member(
                MemberName(f"node/n{index:03d}"),
                MemberKeys.generate(),
                generator.integers(-100_000, 100_001, SLOTS),
            )
            for index in range(size)
        ]
        nonces = {member.name: beacon.draw_nonce() for member in self.members}
        entries = [
            RosterEntry(
                member.name,
                member.keys.public,
                beacon.commit(attempt, member.name, nonces[member.name]),
            )
            for member in self.members
        ]
        self.roster: RosterHash = beacon.roster_hash(attempt, entries, layout=bytes(32))
        random_beacon = beacon.beacon(attempt, entries, nonces, layout=bytes(32))
        self.polynomials: Residues = beacon.public_polynomials(
            attempt, self.roster, random_beacon, count=1
        )

    def envelope(self, sender: Member, receiver: Member) -> Envelope:
        """Return what a share between the two is bound to."""
        return Envelope(self.attempt, self.roster, sender.name, receiver.name)

    def statement(self, sender: Member, content: bytes) -> Statement:
        """Return what the sender signs."""
        return Statement.over(
            MessageType.CONTRIBUTION,
            content,
            round_attempt=self.attempt,
            roster_hash=self.roster,
            sender=sender.name,
        )

    def upload(self, sender: Member) -> Upload:
        """Encrypt, share, seal and sign, as a member does."""
        encryption = ckks.encrypt(
            quantise.with_count(sender.values), polynomials=self.polynomials
        )
        shares = deal(encryption.secret.coefficients, self.thresholds)
        sealed = tuple(
            sealing.seal(
                [
                    Letter(
                        share_to_bytes(share),
                        receiver.keys.public,
                        self.envelope(sender, receiver),
                    )
                ],
                sender=sender.keys,
            )
            for receiver, share in zip(self.members, shares, strict=True)
        )
        statement = self.statement(sender, encryption.body + b"".join(sealed))
        return Upload(encryption.body, sealed, signing.sign(statement, sender.keys))

    def answer(self, holder: int, uploads: dict[int, Upload]) -> Share:
        """Verify, unseal and add, as holder number `holder` (from 0) does."""
        receiver = self.members[holder]
        shares: list[Share] = []
        for index, upload in uploads.items():
            sender = self.members[index]
            content = upload.body + b"".join(upload.sealed)
            signing.verify(
                self.statement(sender, content), upload.signature, sender.keys.public
            )
            opened = sealing.unseal(
                upload.sealed[holder],
                keys=receiver.keys,
                sender=sender.keys.public,
                envelope=self.envelope(sender, receiver),
            )
            shares.append(share_from_bytes(opened, self.thresholds))
        return sum_shares(shares)

    def open(
        self, bodies: Mapping[int, bytes], answers: dict[int, Share]
    ) -> tuple[np.ndarray, frozenset[int]]:
        """Add, open and check, as the coordinator does."""
        total = ckks.sum_bodies(bodies.values(), polynomials=self.polynomials)
        opening = open_secret(
            {holder + 1: share for holder, share in answers.items()},
            thresholds=self.thresholds,
            contributors=len(bodies),
        )
        opened = ckks.open_sum(total, opening.secret)
        sums = quantise.without_count(opened, accepted=len(bodies), slots=SLOTS)
        return sums, opening.liars

    def expected(self, accepted: Collection[int]) -> np.ndarray:
        """Return the sum of the plain vectors."""
        rows = [self.members[index].values for index in accepted]
        total: np.ndarray = np.stack(rows).sum(axis=0)
        return total


def bodies_of(uploads: dict[int, Upload]) -> dict[int, bytes]:
    """Return what the coordinator adds."""
    return {index: upload.body for index, upload in uploads.items()}


def lying(share: Share, column: int, by: int) -> Share:
    """Return a share with one element moved."""
    changed = share.copy()
    changed[column] = (int(changed[column]) + by) % PRIME
    return changed


@pytest.fixture(scope="module")
def four(attempt: RoundAttempt) -> tuple[Round, dict[int, Upload]]:
    """Give a round of four whose members all contributed."""
    small = Round(attempt, 4)
    uploads = {index: small.upload(small.members[index]) for index in range(4)}
    return small, uploads


def test_four_members_get_the_exact_sum(four: tuple[Round, dict[int, Upload]]) -> None:
    """Everybody answers."""
    small, uploads = four
    answers = {holder: small.answer(holder, uploads) for holder in range(4)}

    sums, liars = small.open(bodies_of(uploads), answers)

    assert np.array_equal(sums, small.expected(uploads))
    assert not liars


def test_round_of_four_survives_a_contributor_and_a_holder_lost(
    four: tuple[Round, dict[int, Upload]],
) -> None:
    """The lost contributor still holds shares; another one does not answer."""
    small, uploads = four
    accepted = {index: uploads[index] for index in (0, 1, 3)}
    answers = {holder: small.answer(holder, accepted) for holder in (0, 2, 3)}

    sums, liars = small.open(bodies_of(accepted), answers)

    assert np.array_equal(sums, small.expected(accepted))
    assert not liars


def test_two_of_four_holders_open_nothing(
    four: tuple[Round, dict[int, Upload]],
) -> None:
    """They are as many as may collude."""
    small, uploads = four
    answers = {holder: small.answer(holder, uploads) for holder in (1, 2)}

    with pytest.raises(RosterTooSmall):
        small.open(bodies_of(uploads), answers)


def test_answers_for_different_survivors_do_not_combine(
    four: tuple[Round, dict[int, Upload]],
) -> None:
    """A coordinator that shows two sets gets a sum of neither."""
    small, uploads = four
    fewer = {index: uploads[index] for index in (0, 1, 2)}
    answers = {holder: small.answer(holder, uploads) for holder in (0, 1)}
    answers[2] = small.answer(2, fewer)

    for accepted in (uploads, fewer):
        with pytest.raises((CiphertextMalformed, ShareConflict)):
            small.open(bodies_of(accepted), answers)


def test_lie_without_redundancy_is_caught_by_the_ciphertext(
    four: tuple[Round, dict[int, Upload]],
) -> None:
    """Three answers of three needed: the shares look fine, the sum is no integer."""
    small, uploads = four
    answers = {holder: small.answer(holder, uploads) for holder in range(3)}
    matrix_column_weight = 3  # Holder 2's Lagrange weight at the secret point is 3.
    move = pow(matrix_column_weight, -1, PRIME)
    answers[2] = lying(answers[2], 11, move)

    with pytest.raises(CiphertextMalformed, match="does not open to integers"):
        small.open(bodies_of(uploads), answers)


def test_hundred_members_get_the_exact_sum_with_losses_and_liars(
    attempt: RoundAttempt,
) -> None:
    """Ten never upload, fifteen never answer, nine lie; the nine are named.

    Shares go by hand here: sealing 10,000 of them adds minutes and no knowledge.
    """
    large = Round(attempt, 100)
    bodies: dict[int, bytes] = {}
    shares: dict[int, tuple[Share, ...]] = {}
    for index in range(90):
        encryption = ckks.encrypt(
            quantise.with_count(large.members[index].values),
            polynomials=large.polynomials,
        )
        bodies[index] = encryption.body
        shares[index] = deal(encryption.secret.coefficients, large.thresholds)
    answers = {
        holder: sum_shares([dealt[holder] for dealt in shares.values()])
        for holder in range(15, 100)
    }
    liars = frozenset(range(20, 29))
    for holder in liars:
        answers[holder] = lying(answers[holder], holder, by=holder)

    sums, named = large.open(bodies, answers)

    assert np.array_equal(sums, large.expected(bodies))
    assert named == {holder + 1 for holder in liars}
