"""What a round is: its terms, its members, what they sent and how far it came.

Decides which facts make up a round, and derives figures from them (thresholds, sizes,
noise). Refuses to know how a round moves (`lifecycle`), where it is kept
(`store`) and how it looks on the wire (`service`).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NewType

from coordinator.rounds import drawn_cohorts
from coordinator.rounds.participants import Contribution, JoinedMember
from coordinator.rounds.state import ENDED, State
from coordinator.rounds.terms import (
    Terms,
    contributors_min,
    noise_terms,
)
from federated_router.crypto.body_layout import BodyLayout
from federated_router.crypto.ckks import ciphertexts_for
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.transcript import (
    NO_ROSTER,
    MemberName,
    RosterHash,
    RoundAttempt,
)
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.federation.statements import Contributor
from federated_router.privacy.noise import sum_sigma

RoundName = NewType("RoundName", str)
"""`rounds/ID`."""

ATTEMPT: Final = 0
"""A round is tried once; what fails is followed by another round."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """When a state was entered, in seconds since the epoch."""

    state: State
    enter_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round. Its mappings are never changed; a transition makes new ones.

    `roster`, `contributors` and `survivors` are sorted by name; holders are numbered
    1.. in roster order. Roster, its hash and the beacon are empty before COLLECTING,
    `contributors` before CHECKING and `survivors` before SUMMING. Of contributions and
    `checks` the digests are kept (`contents`), of `answers` all. `liars` and
    `disputed` are holders, `inconsistent` dealers (`events.Judged`). `checking_over`
    says that checking goes to judgement without the checks that are missing, and
    `opening_over` that the answers which are there decide whether a sum opens.
    `attempted_answers` is how many answers the last failed opening had. None of these
    is stored, as a restarted coordinator waits and tries again. `reservation` names
    what the federation's account holds or paid for the round, and is empty before
    COLLECTING and where no account is charged. `version` counts transitions.
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
    contributors: tuple[MemberName, ...] = ()
    checks: Mapping[MemberName, bytes] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    checking_over: bool = False
    inconsistent: tuple[MemberName, ...] = ()
    disputed: tuple[MemberName, ...] = ()
    survivors: tuple[MemberName, ...] = ()
    answers: Mapping[MemberName, bytes] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    opening_over: bool = False
    attempted_answers: int = 0
    liars: tuple[MemberName, ...] = ()
    end_cause: str = ""
    priors_revision: int = 0
    reservation: str = ""
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
    def contributors_min(self) -> int:
        """Return how many contributions the round needs to go on."""
        least = self.terms.members_min
        return contributors_min(
            self.terms,
            joined=max(len(self.members), least),
            holders=max(self.holders, least),
        )

    @property
    def noise_sigma(self) -> float:
        """Return the deviation of the noise in the sum of the survivors.

        On a slot of clip 1; on others it is that many times as large.
        """
        return sum_sigma(
            share_sigma=self.noise.share_sigma, contributors=len(self.survivors)
        )

    @property
    def cohorts(self) -> tuple[tuple[int, ...], ...]:
        """Return the holders' numbers by cohort; none before COLLECTING."""
        if not self.roster:
            return ()
        return drawn_cohorts.drawn(
            self.attempt,
            self.roster_hash,
            self.beacon,
            len(self.roster),
            self.terms.cohort_size,
        )

    @property
    def open_cohorts(self) -> tuple[tuple[int, tuple[MemberName, ...]], ...]:
        """Return number and survivors of every cohort that has any; from SUMMING on."""
        return self.cohorts_of(frozenset(self.survivors))

    def cohorts_of(
        self, members: AbstractSet[MemberName]
    ) -> tuple[tuple[int, tuple[MemberName, ...]], ...]:
        """Return number and part of every cohort that `members` have a part in."""
        parts = (
            tuple(
                name
                for holder in cohort
                if (name := self.roster[holder - 1]) in members
            )
            for cohort in self.cohorts
        )
        return tuple((number, part) for number, part in enumerate(parts, 1) if part)

    @property
    def answer_bytes(self) -> int:
        """Return the size of a holder's answer; from SUMMING on."""
        return len(self.open_cohorts) * self.thresholds.answer_bytes

    @property
    def numbers(self) -> Mapping[MemberName, int]:
        """Return the holders' numbers."""
        return {name: number for number, name in enumerate(self.roster, start=1)}

    @property
    def ciphertexts(self) -> int:
        """Return how many ciphertexts a contribution has."""
        return ciphertexts_for(self.terms.catalogue.vector_length)

    @property
    def layout(self) -> BodyLayout:
        """Return where the parts of a contribution lie."""
        return BodyLayout(self.ciphertexts, self.thresholds)

    @property
    def ciphertext_bytes(self) -> int:
        """Return the size of a contribution's first part."""
        return self.layout.ciphertext_bytes

    @property
    def contribution_bytes(self) -> int:
        """Return the size of a body: ciphertexts, then a share for each holder."""
        return self.layout.size_bytes

    @property
    def contributor_set(self) -> tuple[Contributor, ...]:
        """Return the contributors with digests and signatures, by number."""
        numbers = self.numbers
        return tuple(
            Contributor(
                numbers[member],
                self.contributions[member].sha256,
                self.contributions[member].signature,
            )
            for member in self.contributors
        )

    @property
    def believed_answers(self) -> Mapping[MemberName, bytes]:
        """Return the answers of holders that no check speaks against."""
        doubted = {*self.liars, *self.disputed}
        return {
            name: answer for name, answer in self.answers.items() if name not in doubted
        }

    @property
    def started_s(self) -> float:
        """Return when the round opened."""
        return self.history[0].enter_s

    @property
    def ended_s(self) -> float:
        """Return when the newest state was entered, the end of a round that ended."""
        return self.history[-1].enter_s
