"""A round as a member sees it, and the door to the coordinator.

Decides which facts a member acts on. Refuses to know the wire (`grpc_rounds`) and to
believe any of it: `verification` does that.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from federated_router.crypto.beacon import RosterEntry
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.federation.statements import keys_sha256
from federated_router.federation.survivor_signature import (
    ContributorSet,
    SurvivorSet,
)
from federated_router.priors.catalogue import Catalogue


class RoundState(StrEnum):
    """Where a round stands.

    JOINING -> REVEALING -> COLLECTING -> CHECKING -> SUMMING -> OPENING -> VALIDATING,
    then PUBLISHED or REJECTED; ABORTED from any of the first seven.
    """

    JOINING = "joining"
    REVEALING = "revealing"
    COLLECTING = "collecting"
    CHECKING = "checking"
    SUMMING = "summing"
    OPENING = "opening"
    VALIDATING = "validating"
    PUBLISHED = "published"
    REJECTED = "rejected"
    ABORTED = "aborted"


ENDED: Final = frozenset(
    {RoundState.PUBLISHED, RoundState.REJECTED, RoundState.ABORTED}
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """A member's public keys, bound to its certificate."""

    binding: KeyBinding
    certificate_der: bytes = field(repr=False)

    @property
    def member(self) -> MemberName:
        """The name that the binding claims."""
        return self.binding.member

    @property
    def sha256(self) -> bytes:
        """The digest under which it is known to who has seen it."""
        return keys_sha256(self.binding, certificate_der=self.certificate_der)


@dataclass(frozen=True, slots=True)
class RosterMember:
    """One member of a round; the nonce is empty until it is revealed."""

    announcement: Announcement
    commitment: bytes
    nonce: bytes = b""

    @property
    def member(self) -> MemberName:
        """Its name."""
        return self.announcement.member

    @property
    def entry(self) -> RosterEntry:
        """What of it the roster hash covers."""
        return RosterEntry(self.member, self.announcement.binding.keys, self.commitment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What the coordinator says about a round; roster and beacon from COLLECTING on.

    A basic view has no roster: `RoundsClient.roster` fetches it once.
    """

    name: str
    state: RoundState
    catalogue: Catalogue
    noise: NoiseTerms
    participation_min: float
    joined_count: int = 0
    roster: tuple[RosterMember, ...] = ()
    roster_hash: RosterHash = RosterHash(b"")  # noqa: RUF009 - an immutable NewType.
    beacon: bytes = b""
    history: frozenset[RoundState] = frozenset()
    survivors: frozenset[MemberName] = frozenset()
    end_cause: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What a member sends: ciphertext, then one sealed share per roster member."""

    round_name: str
    roster_hash: RosterHash
    body: bytes = field(repr=False)
    sha256: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SealedShares:
    """What a holder downloads: one sealed share per contributor, in the set's order."""

    claim: ContributorSet
    body: bytes = field(repr=False)


class RoundsClient(Protocol):
    """The coordinator's rounds; every call has a deadline and raises kit.errors."""

    def watch(self) -> AsyncGenerator[Round | None, None]:
        """Yield the newest round at once and whenever it changes; None without one."""
        ...

    async def get(self, round_name: str) -> Round:
        """Return one round."""
        ...

    async def join(
        self, round_name: str, entry: RosterMember, *, signature: bytes
    ) -> Round:
        """Join with keys and a commitment; the entry's nonce stays here."""
        ...

    async def reveal(self, round_name: str, *, nonce: bytes, signature: bytes) -> Round:
        """Reveal the nonce."""
        ...

    async def contribute(self, contribution: Contribution) -> None:
        """Send the contribution; the same bytes may be sent again."""
        ...

    async def download_shares(
        self, round_name: str, *, size_bytes_max: int
    ) -> SealedShares:
        """Return the contributor set and the shares sealed to this member."""
        ...

    async def roster(
        self, round_name: str, *, known: Mapping[bytes, Announcement]
    ) -> tuple[RosterMember, ...]:
        """Return the final roster; keys of known digests do not travel."""
        ...

    async def check(
        self, round_name: str, *, combinations: bytes, signature: bytes
    ) -> None:
        """Send the one check; the same bytes may be sent again."""
        ...

    async def survivors(self, round_name: str) -> SurvivorSet:
        """Return the survivor set as the coordinator signed it."""
        ...

    async def answer(
        self, round_name: str, *, share_sum: bytes, signature: bytes
    ) -> None:
        """Send the one answer; the same bytes may be sent again."""
        ...
