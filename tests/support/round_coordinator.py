"""A coordinator in memory that does its part honestly, and can be told not to."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from federated_router.crypto import beacon, ckks, opening, packed_shamir, quantise
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.body_layout import BodyLayout
from federated_router.crypto.transcript import MemberName
from federated_router.federation.credentials import Credentials
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.federation.round_view import (
    Announcement,
    Contribution,
    RosterMember,
    Round,
    RoundState,
    SealedShares,
)
from federated_router.federation.statements import Contributor, attempt_of
from federated_router.federation.survivor_signature import (
    ContributorSet,
    SurvivorSet,
    sign_contributors,
    sign_survivors,
)
from federated_router.federation.verification import Roster
from federated_router.kit.errors import RoundUnknown, ShareConflict, Unavailable
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell

ROUND = "rounds/r1"
CELL = Cell("models/a", "eu")
CATALOGUE = Catalogue(version=1, models=("models/a",), regions=("eu",), slot_max=1000)
NOISE = NoiseTerms(scale=4.0, survivors_min=3, colluders_max=1, sensitivity_squared=1)


@dataclass
class MemoryCoordinator:
    """Moves one round by hand; keeps everything that members sent."""

    credentials: Credentials
    round: Round
    contributions: dict[MemberName, Contribution] = field(default_factory=dict)
    sent: list[tuple[MemberName, bytes]] = field(default_factory=list)
    answers: dict[MemberName, bytes] = field(default_factory=dict)
    checks: dict[MemberName, bytes] = field(default_factory=dict)
    unaccepted: set[MemberName] = field(default_factory=set)
    excluded: set[MemberName] = field(default_factory=set)
    lose_next_response: bool = False
    known: bool = True

    def client(self, member: str) -> "MemoryRounds":
        """Return the door for one member."""
        return MemoryRounds(self, MemberName(member))

    def end_joining(self) -> Round:
        """Enter REVEALING."""
        return self._enter(RoundState.REVEALING)

    def end_revealing(self) -> Round:
        """Fix the roster and its beacon, and enter COLLECTING."""
        revealed = tuple(entry for entry in self.round.roster if entry.nonce)
        roster = tuple(sorted(revealed, key=lambda entry: entry.member))
        self.round = replace(
            self.round, roster=roster, joined_count=len(self.round.roster)
        )
        return self.with_recomputed_hashes(RoundState.COLLECTING)

    def with_recomputed_hashes(self, state: RoundState) -> Round:
        """Make hash and beacon follow from the roster as it is."""
        attempt = attempt_of(self.round.name)
        entries = [entry.entry for entry in self.round.roster]
        nonces = {entry.member: entry.nonce for entry in self.round.roster}
        self.round = replace(
            self.round,
            roster_hash=beacon.roster_hash(
                attempt, entries, layout=self.round.catalogue.sha256
            ),
            beacon=beacon.beacon(
                attempt, entries, nonces, layout=self.round.catalogue.sha256
            ),
        )
        return self._enter(state)

    def end_collecting(self) -> Round:
        """Fix the contributors and enter CHECKING."""
        return self._enter(RoundState.CHECKING)

    def end_checking(self) -> Round:
        """Fix the survivors and enter OPENING."""
        self.round = replace(
            self.round, survivors=frozenset(set(self.contributions) - self.excluded)
        )
        return self._enter(RoundState.OPENING)

    def end(self, state: RoundState) -> Round:
        """End the round."""
        return self._enter(state)

    def contributor_set(self) -> ContributorSet:
        """Return the signed contributors, by number."""
        contributors = tuple(
            Contributor(number, kept.sha256, kept.signature)
            for number, entry in enumerate(self.round.roster, start=1)
            if entry.member not in self.unaccepted
            and (kept := self.contributions.get(entry.member))
        )
        return self.signed(contributors)

    def signed(self, contributors: Sequence[Contributor]) -> ContributorSet:
        """Return any contributors under this coordinator's signature."""
        signature = sign_contributors(
            self.round.name,
            self.round.roster_hash,
            contributors,
            certificate_key=self.credentials.certificate_key,
        )
        return ContributorSet(
            tuple(contributors), signature, self.credentials.certificate_der
        )

    def survivor_set(self) -> SurvivorSet:
        """Return the signed survivors, by number."""
        survivors = tuple(
            number
            for number, entry in enumerate(self.round.roster, start=1)
            if entry.member in self.round.survivors
        )
        return self.signed_survivors(survivors)

    def signed_survivors(self, survivors: Sequence[int]) -> SurvivorSet:
        """Return any survivors under this coordinator's signature."""
        digest = self.contributor_set().sha256(self.round.name, self.round.roster_hash)
        signature = sign_survivors(
            self.round.name,
            self.round.roster_hash,
            survivors,
            contributors_sha256=digest,
            certificate_key=self.credentials.certificate_key,
        )
        return SurvivorSet(
            tuple(survivors), signature, self.credentials.certificate_der
        )

    def shares_for(self, holder: MemberName) -> SealedShares:
        """Return what the contributors sealed to one holder."""
        claim = self.contributor_set()
        index = [entry.member for entry in self.round.roster].index(holder)
        layout = BodyLayout(self.ciphertexts, self.roster.thresholds)
        parts = [
            layout.sealed_for(
                self.contributions[self.roster.member_of(entry.number)].body, index + 1
            )
            for entry in claim.contributors
        ]
        return SealedShares(claim, b"".join(parts))

    def opened_sum(self) -> list[int]:
        """Return the published slots of the sum, exactly."""
        survivors = sorted(self.round.survivors)
        polynomials = beacon.public_polynomials(
            attempt_of(self.round.name),
            self.round.roster_hash,
            self.round.beacon,
            count=self.ciphertexts,
        )
        size = self.ciphertexts * CIPHERTEXT_BYTES
        bodies = [self.contributions[name].body[:size] for name in survivors]
        total = ckks.sum_bodies(bodies, polynomials=polynomials)
        thresholds = self.roster.thresholds
        numbers = {
            entry.member: number
            for number, entry in enumerate(self.round.roster, start=1)
        }
        answers = {
            numbers[name]: packed_shamir.answer_from_bytes(answer, thresholds)[0]
            for name, answer in self.answers.items()
        }
        found = opening.open_secret(
            answers, thresholds=thresholds, contributors=len(survivors)
        )
        slots = CATALOGUE.statistic_slots
        opened = ckks.open_sum(total, found.secret)
        published = quantise.without_count(opened, accepted=len(survivors), slots=slots)
        return [int(value) for value in published]

    @property
    def ciphertexts(self) -> int:
        """How many ciphertexts a contribution has."""
        return ckks.ciphertexts_for(self.round.catalogue.vector_length)

    @property
    def roster(self) -> Roster:
        """The roster as a verified one."""
        thresholds = packed_shamir.Thresholds.for_roster(len(self.round.roster))
        return Roster(
            self.round.name,
            self.round.roster,
            self.round.roster_hash,
            self.round.beacon,
            thresholds,
            self.round.catalogue.sha256,
        )

    def lose(self) -> None:
        """Lose one response, after the request was carried out."""
        if self.lose_next_response:
            self.lose_next_response = False
            raise Unavailable("The response was lost.")

    def _enter(self, state: RoundState) -> Round:
        history = self.round.history | {state}
        self.round = replace(self.round, state=state, history=history)
        return self.round


class MemoryRounds:
    """RoundsClient of one member, without a network."""

    def __init__(self, coordinator: MemoryCoordinator, member: MemberName) -> None:
        self._coordinator = coordinator
        self._member = member

    async def watch(self) -> AsyncGenerator[Round | None, None]:
        """Yield the round once."""
        yield self._coordinator.round

    async def get(self, round_name: str) -> Round:
        """Return the round."""
        if round_name != self._coordinator.round.name or not self._coordinator.known:
            raise RoundUnknown("There is no such round.")
        return self._coordinator.round

    async def join(
        self, round_name: str, entry: RosterMember, *, signature: bytes
    ) -> Round:
        """Put the member on the roster; refuse another entry of the same name."""
        assert round_name == self._coordinator.round.name
        assert signature
        self._put(entry)
        self._coordinator.lose()
        return self._coordinator.round

    async def reveal(self, round_name: str, *, nonce: bytes, signature: bytes) -> Round:
        """Keep the nonce."""
        assert round_name == self._coordinator.round.name
        assert signature
        own = next(
            entry
            for entry in self._coordinator.round.roster
            if entry.member == self._member
        )
        self._put(replace(own, nonce=nonce))
        self._coordinator.lose()
        return self._coordinator.round

    async def contribute(self, contribution: Contribution) -> None:
        """Keep the contribution; refuse another one."""
        self._coordinator.sent.append((self._member, contribution.body))
        known = self._coordinator.contributions.setdefault(self._member, contribution)
        if known != contribution:
            raise ShareConflict("Another contribution is here.")
        self._coordinator.lose()

    async def download_shares(
        self, round_name: str, *, size_bytes_max: int
    ) -> SealedShares:
        """Return the contributors' shares for this holder."""
        assert round_name == self._coordinator.round.name
        shares = self._coordinator.shares_for(self._member)
        assert len(shares.body) <= size_bytes_max
        return shares

    async def roster(
        self, round_name: str, *, known: Mapping[bytes, Announcement]
    ) -> tuple[RosterMember, ...]:
        """Return the roster; keys of known digests are the caller's own copies."""
        assert round_name == self._coordinator.round.name
        return tuple(
            replace(
                entry,
                announcement=known.get(entry.announcement.sha256, entry.announcement),
            )
            for entry in self._coordinator.round.roster
        )

    async def check(
        self, round_name: str, *, combinations: bytes, signature: bytes
    ) -> None:
        """Keep the check; refuse another one."""
        assert round_name == self._coordinator.round.name
        assert signature
        known = self._coordinator.checks.setdefault(self._member, combinations)
        if known != combinations:
            raise ShareConflict("Another check is here.")
        self._coordinator.lose()

    async def survivors(self, round_name: str) -> SurvivorSet:
        """Return the signed survivor set."""
        assert round_name == self._coordinator.round.name
        return self._coordinator.survivor_set()

    async def answer(
        self, round_name: str, *, share_sum: bytes, signature: bytes
    ) -> None:
        """Keep the answer; refuse another one."""
        assert round_name == self._coordinator.round.name
        assert signature
        known = self._coordinator.answers.setdefault(self._member, share_sum)
        if known != share_sum:
            raise ShareConflict("Another answer is here.")
        self._coordinator.lose()

    def _put(self, entry: RosterMember) -> None:
        round_ = self._coordinator.round
        others = tuple(one for one in round_.roster if one.member != entry.member)
        roster = tuple(sorted((*others, entry), key=lambda one: one.member))
        self._coordinator.round = replace(round_, roster=roster)
