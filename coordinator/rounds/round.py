"""What a round is: its terms, its members, what they sent and how far it came.

Decides which facts make up a round, and derives figures from them (thresholds, sizes,
noise). Refuses to know how a round moves (`lifecycle`), where it is kept
(`store`) and how it looks on the wire (`service`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NewType

from coordinator.rounds.state import ENDED, State
from coordinator.rounds.terms import NoiseTerms, Terms, noise_terms
from federated_router.crypto.beacon import RosterEntry
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.ckks import ciphertexts_for
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.sealing import OVERHEAD_BYTES
from federated_router.crypto.transcript import (
    NO_ROSTER,
    MemberName,
    RosterHash,
    RoundAttempt,
)
from federated_router.federation.statements import Survivor
from federated_router.privacy.noise import share_sigma, sum_sigma

RoundName = NewType("RoundName", str)
"""`rounds/ID`."""

ATTEMPT: Final = 0
"""A round is tried once; what fails is followed by another round."""


@dataclass(frozen=True, slots=True)
class JoinedMember:
    """A member's keys, its commitment, and its nonce once revealed."""

    binding: KeyBinding
    certificate_der: bytes = field(repr=False)
    commitment: bytes
    nonce: bytes | None = None

    def joins_like(self, other: "JoinedMember") -> bool:
        """Return whether both joined with the same keys and commitment.

        Bindings are signed with ECDSA, so that their signatures differ each time.
        """
        return (
            self.binding.member == other.binding.member
            and self.binding.keys == other.binding.keys
            and self.binding.not_after_s == other.binding.not_after_s
            and self.commitment == other.commitment
        )

    @property
    def entry(self) -> RosterEntry:
        """Return the member as the roster hash knows it."""
        return RosterEntry(self.binding.member, self.binding.keys, self.commitment)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A body that was accepted: its digest, its sender's signature, its size."""

    sha256: bytes
    signature: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StateEntry:
    """When a state was entered, in seconds since the epoch."""

    state: State
    enter_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round. Its mappings are never changed; a transition makes new ones.

    `roster` and `survivors` are sorted by name; holders are numbered 1.. in roster
    order. Roster, its hash and the beacon are empty before COLLECTING.
    `attempted_answers` is how many answers the last failed opening had; it is not
    stored, as a restarted coordinator tries again. `version` counts transitions.
    """

    name: RoundName
    terms: Terms
    state: State
    deadline_s: float
    history: tuple[StateEntry, ...]
    members: Mapping[MemberName, JoinedMember] = field(
        default_factory=lambda: MappingProxyType({})
    )
    roster: tuple[MemberName, ...] = ()
    roster_hash: RosterHash = NO_ROSTER
    beacon: bytes = b""
    contributions: Mapping[MemberName, Contribution] = field(
        default_factory=lambda: MappingProxyType({})
    )
    survivors: tuple[MemberName, ...] = ()
    answers: Mapping[MemberName, bytes] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    attempted_answers: int = 0
    liars: tuple[MemberName, ...] = ()
    end_cause: str = ""
    priors_revision: int = 0
    version: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing will ever change."""
        return self.state in ENDED

    @property
    def attempt(self) -> RoundAttempt:
        """Return what every signature and hash of the round is bound to."""
        return RoundAttempt(self.name, ATTEMPT)

    @property
    def holders(self) -> int:
        """Return the size of the roster, or how many joined before there is one."""
        return len(self.roster) or len(self.members)

    @property
    def thresholds(self) -> Thresholds:
        """Return who opens; raises RosterTooSmall below the smallest roster."""
        return Thresholds.for_roster(self.holders)

    @property
    def noise(self) -> NoiseTerms:
        """Return the terms of the noise; final from COLLECTING on.

        Before, they are those of the roster as it stands, or of the smallest one.
        """
        least = self.terms.members_min
        return noise_terms(
            self.terms,
            joined=max(len(self.members), least),
            holders=max(self.holders, least),
        )

    @property
    def noise_sigma(self) -> float:
        """Return the standard deviation of the noise in the sum of the survivors."""
        noise = self.noise
        share = share_sigma(
            sigma_total=noise.scale,
            survivors_min=noise.survivors_min,
            colluders_max=noise.colluders_max,
        )
        return sum_sigma(share_sigma=share, contributors=len(self.survivors))

    @property
    def ciphertexts(self) -> int:
        """Return how many ciphertexts a contribution has."""
        return ciphertexts_for(self.terms.catalogue.vector_length)

    @property
    def ciphertext_bytes(self) -> int:
        """Return the size of a contribution's first part."""
        return self.ciphertexts * CIPHERTEXT_BYTES

    @property
    def sealed_share_bytes(self) -> int:
        """Return the size of one sealed share."""
        return self.thresholds.share_bytes + OVERHEAD_BYTES

    @property
    def contribution_bytes(self) -> int:
        """Return the size of a body: ciphertexts, then a share for each holder."""
        return self.ciphertext_bytes + self.holders * self.sealed_share_bytes

    @property
    def survivor_set(self) -> tuple[Survivor, ...]:
        """Return the survivors with digests and signatures of their contributions."""
        return tuple(
            Survivor(
                member,
                self.contributions[member].sha256,
                self.contributions[member].signature,
            )
            for member in self.survivors
        )

    @property
    def started_s(self) -> float:
        """Return when the round opened."""
        return self.history[0].enter_s
