"""The sum of one round in the product's own arithmetic, with an attacker's freedom.

Shares go by hand, so that an attack on sums costs no sealing; seals, signatures and
rosters are attacked elsewhere, with members that run. Thresholds may be weakened, so
that each attack can be seen to succeed where the guard is missing.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from coordinator.rounds import judging
from coordinator.rounds.participants import Contribution
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from coordinator.summation import opening
from coordinator.summation.plausibility import SlotLimits, published_slots
from federated_router.crypto import (
    beacon,
    ckks,
    dealing_check,
    packed_shamir,
    quantise,
)
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import Share, Thresholds
from federated_router.crypto.ring import Residues
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt
from federated_router.kit.errors import CiphertextMalformed
from tests.support import round_script

SLOTS = round_script.TERMS.catalogue.statistic_slots
ATTEMPT = RoundAttempt("rounds/attacked", 0)
ROSTER = RosterHash(hashlib.sha256(b"attacked roster").digest())
BEACON = bytes(32)
Vector = NDArray[np.int64]
NOBODY: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """What a round came to: exact sums over the survivors, and who was named."""

    sums: Vector
    survivors: frozenset[int]
    inconsistent: frozenset[int]
    liars: frozenset[int]


@dataclass
class SumRound:
    """Contributions of `size` members, numbered from 1; every vector differs."""

    size: int
    thresholds: Thresholds
    polynomials: Residues = field(repr=False)
    values: dict[int, Vector] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    secrets: dict[int, NDArray[np.int8]] = field(default_factory=dict)
    shares: dict[int, tuple[Share, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, size: int, *, thresholds: Thresholds | None = None) -> "SumRound":
        """Let everybody contribute, under the thresholds given or the roster's."""
        chosen = thresholds or Thresholds.for_roster(size)
        polynomials = beacon.public_polynomials(ATTEMPT, ROSTER, BEACON, count=1)
        made = cls(size, chosen, polynomials)
        generator = np.random.default_rng(size)
        for number in range(1, size + 1):
            made.contribute(number, generator.integers(0, 1001, SLOTS))
        return made

    def contribute(self, number: int, values: Vector) -> None:
        """Encrypt and share as a member does."""
        encryption = ckks.encrypt(
            quantise.with_count(values), polynomials=self.polynomials
        )
        small = encryption.secret.coefficients
        self.values[number], self.bodies[number] = values, encryption.body
        self.secrets[number] = small
        self.shares[number] = packed_shamir.deal(small, self.thresholds)

    def answer(self, holder: int, accepted: Collection[int]) -> Share:
        """Add a holder's shares of the accepted, as an honest holder does."""
        return packed_shamir.sum_shares(
            [self.shares[number][holder - 1] for number in accepted]
        )

    def answers(
        self, holders: Collection[int], accepted: Collection[int]
    ) -> dict[int, Share]:
        """Return what so many honest holders answer."""
        return {holder: self.answer(holder, accepted) for holder in holders}

    def total(self, accepted: Collection[int]) -> ckks.SummedCiphertext:
        """Add ciphertexts as the coordinator does."""
        bodies = [self.bodies[number] for number in accepted]
        return ckks.sum_bodies(bodies, polynomials=self.polynomials)

    def expected(self, accepted: Collection[int]) -> Vector:
        """Return the sum of the plain vectors."""
        total: Vector = np.stack([self.values[number] for number in accepted]).sum(
            axis=0
        )
        return total

    def checks(self, holder: int) -> bytes:
        """Return what an honest holder sends about every contributor's shares."""
        weights = [
            dealing_check.weights(
                ATTEMPT,
                ROSTER,
                BEACON,
                body_sha256=digest_of(self.bodies[number]),
                thresholds=self.thresholds,
            )
            for number in sorted(self.bodies)
        ]
        dealt = [self.shares[number][holder - 1] for number in sorted(self.bodies)]
        return dealing_check.combinations_to_bytes(
            dealing_check.combinations(dealt, weights)
        )

    def coordinator_round(
        self,
        answers: Mapping[int, Share],
        accepted: Collection[int],
        *,
        checked: Collection[int] = (),
    ) -> Round:
        """Return the round as the coordinator holds it while it opens the sum."""
        members = sorted(name_of(number) for number in range(1, self.size + 1))
        told = {
            name_of(number): packed_shamir.share_to_bytes(share)
            for number, share in answers.items()
        }
        return replace(
            round_script.round_in(State.OPENING),
            roster=tuple(members),
            contributors=tuple(name_of(number) for number in sorted(self.bodies)),
            contributions={
                name_of(number): Contribution(digest_of(body), b"", len(body))
                for number, body in self.bodies.items()
            },
            checks={name_of(number): b"" for number in checked},
            survivors=tuple(sorted(map(name_of, accepted))),
            answers=MappingProxyType(told),
        )

    def released(
        self, answers: Mapping[int, Share], accepted: Collection[int]
    ) -> tuple[Vector, frozenset[int]]:
        """Open and check as the coordinator does; the sums, and who was named.

        No dealing was checked before: what holders say is taken for the whole truth.
        """
        opened = self._opened(self.coordinator_round(answers, accepted), accepted)
        return opened.sums, opened.liars

    def judged(self, checks: Mapping[int, bytes] | None = None) -> Outcome:
        """Check the dealings, let all holders answer honestly, open what survives.

        `checks` are every holder's honest ones unless given.
        """
        everybody = range(1, self.size + 1)
        sent = checks or {holder: self.checks(holder) for holder in everybody}
        judge = judging.Judging(self.coordinator_round({}, (), checked=sent))
        judge.take({name_of(number): told for number, told in sent.items()})
        found = judge.judged()
        left_out = {*found.inconsistent, *found.dropped}
        accepted = [n for n in sorted(self.bodies) if name_of(n) not in left_out]
        after = replace(
            self.coordinator_round(self.answers(everybody, accepted), accepted),
            liars=found.liars,
            disputed=found.disputed,
        )
        opened = self._opened(after, accepted)
        return replace(
            opened,
            inconsistent=numbers_of(found.inconsistent),
            liars=opened.liars | numbers_of(found.liars),
        )

    def _opened(self, round_: Round, accepted: Collection[int]) -> Outcome:
        opened = opening.open_round(round_, [self.total(accepted)], decisive=True)
        limits = SlotLimits.of(
            round_.terms.catalogue, share_sigma=round_.noise.share_sigma
        )
        if not opened.cohorts:
            # The coordinator rejects the round: nothing of it is plausible.
            raise CiphertextMalformed("The sum stays closed.", field="contributions")
        (sums,) = (published_slots(cohort, limits) for cohort in opened.cohorts)
        named = numbers_of(opened.liars)
        return Outcome(sums, frozenset(accepted), NOBODY, named)


def digest_of(body: bytes) -> bytes:
    """Return the digest that stands for a whole body here, where shares go by hand."""
    return hashlib.sha256(body).digest()


def numbers_of(names: Collection[MemberName]) -> frozenset[int]:
    """Return the numbers in some names."""
    return frozenset(map(number_of, names))


def name_of(number: int) -> MemberName:
    """Return a name that sorts as its number does."""
    return MemberName(f"node/n{number:04d}")


def number_of(name: MemberName) -> int:
    """Return the number in a name."""
    return int(name.removeprefix("node/n"))


def moved(share: Share, by: Mapping[int, int]) -> Share:
    """Return a share with some columns moved by so much."""
    changed = share.astype(np.int64)
    for column, step in by.items():
        changed[column] = (changed[column] + step) % PRIME
    return changed.astype(np.uint16)
