"""A whole round in one process, without sockets: what its mathematics costs.

Members take their steps one after the other with the product's own code, so that the
sum of their times is the processor time of the round.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from federated_router.crypto import beacon, ckks, opening, packed_shamir, quantise
from federated_router.crypto import signing as signatures
from federated_router.crypto.beacon import RosterEntry, public_polynomials
from federated_router.crypto.binding import KeyBinding, bind
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.signing import MemberKeys, MessageType, Statement
from federated_router.crypto.transcript import MemberName, RoundAttempt
from federated_router.federation.contribution import (
    build_body,
    discrete_gaussian,
    sealed_bytes,
    sum_sealed_shares,
)
from federated_router.federation.round_view import Announcement, RosterMember
from federated_router.federation.verification import Roster

ROUND = "rounds/bench"
ATTEMPT = RoundAttempt(ROUND, 0)
SLOTS = 800
SIGMA = 2.0
BINDING_ENDS_S = 4_000_000_000


@dataclass(slots=True)
class Watch:
    """Seconds spent, by step."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a step."""
        begin_s = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - begin_s


@dataclass(slots=True)
class Simulated:
    """One member, and the values that it put into the sum, noise included."""

    keys: MemberKeys
    binding: KeyBinding
    nonce: bytes
    counted: np.ndarray = field(default_factory=lambda: np.zeros(SLOTS, dtype=np.int64))

    @property
    def name(self) -> MemberName:
        """The member's name."""
        return self.binding.member

    def noise(self, length: int, sigma: float) -> Sequence[int]:
        """Draw the product's noise, and remember it for the comparison."""
        drawn = discrete_gaussian(length, sigma)
        self.counted += np.array(drawn, dtype=np.int64)
        return drawn


@dataclass(frozen=True, slots=True)
class Measured:
    """What a round took: seconds by step, and bytes of one contribution."""

    seconds: dict[str, float]
    bytes_per_member: int


def measured_round(size: int) -> Measured:
    """Run a round of `size` members; raise RuntimeError unless its sum is exact."""
    watch = Watch()
    with watch.step("join"):
        members = [_joined(number) for number in range(size)]
    with watch.step("roster"):
        roster = _roster(members)
        polynomials = public_polynomials(ATTEMPT, roster.hash, roster.beacon, count=1)
    bodies: list[bytes] = []
    for member in members:
        with watch.step("contribute"):
            bodies.append(_body(member, roster))
    with watch.step("sum"):
        ciphertexts = (content[:CIPHERTEXT_BYTES] for content in bodies)
        total = ckks.sum_bodies(ciphertexts, polynomials=polynomials)
    answers: dict[int, packed_shamir.Share] = {}
    for number, holder in enumerate(members, start=1):
        with watch.step("answer"):
            share = _answer(number, holder, bodies, roster)
        answers[number] = packed_shamir.share_from_bytes(share, roster.thresholds)
    with watch.step("open"):
        found = opening.open_secret(
            answers, thresholds=roster.thresholds, contributors=size
        )
        opened = ckks.open_sum(total, found.secret)
        sums = quantise.without_count(opened, accepted=size, slots=SLOTS)
    if not np.array_equal(sums, sum(member.counted for member in members)):
        raise RuntimeError("The opened sum is not the sum of what members sent.")
    return Measured(dict(watch.seconds), len(bodies[0]))


def _joined(number: int) -> Simulated:
    name = MemberName(f"node/n{number:03d}")
    keys = MemberKeys.generate()
    binding = bind(
        keys.public,
        member=name,
        not_after_s=BINDING_ENDS_S,
        certificate_key=ec.generate_private_key(ec.SECP256R1()),
    )
    return Simulated(keys, binding, beacon.draw_nonce())


def _roster(members: Sequence[Simulated]) -> Roster:
    entries = tuple(
        RosterMember(
            Announcement(member.binding, b""),
            beacon.commit(ATTEMPT, member.name, member.nonce),
            member.nonce,
        )
        for member in members
    )
    shown: list[RosterEntry] = [entry.entry for entry in entries]
    nonces = {member.name: member.nonce for member in members}
    return Roster(
        ROUND,
        entries,
        beacon.roster_hash(ATTEMPT, shown, layout=bytes(32)),
        beacon.beacon(ATTEMPT, shown, nonces, layout=bytes(32)),
        Thresholds.for_roster(len(members)),
        bytes(32),
    )


def _body(member: Simulated, roster: Roster) -> bytes:
    values = [len(member.name) + slot % 7 for slot in range(SLOTS)]
    member.counted += np.array(values, dtype=np.int64)
    content = build_body(
        values,
        sigma=SIGMA,
        own=member.name,
        keys=member.keys,
        roster=roster,
        noise=member.noise,
    )
    signatures.sign(_statement(member.name, content, roster), member.keys)
    return content


def _answer(
    number: int, holder: Simulated, bodies: Sequence[bytes], roster: Roster
) -> bytes:
    """Return a holder's answer to all contributions, each with its share for it."""
    size = sealed_bytes(roster)
    start = CIPHERTEXT_BYTES + (number - 1) * size
    return sum_sealed_shares(
        b"".join(content[start : start + size] for content in bodies),
        survivors=[entry.member for entry in roster.members],
        own=holder.name,
        keys=holder.keys,
        roster=roster,
    )


def _statement(sender: MemberName, content: bytes, roster: Roster) -> Statement:
    return Statement.over(
        MessageType.CONTRIBUTION,
        content,
        round_attempt=ATTEMPT,
        roster_hash=roster.hash,
        sender=sender,
    )
