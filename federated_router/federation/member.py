"""One member's part in a round, step by step, each safe to repeat.

Decides what follows from a round's state: join, reveal, contribute, check, answer,
settle. Everything is verified before and stored before it is sent. Refuses to know when
a round is seen (`participant`) and how it is transported (`RoundsClient`).
"""

import asyncio
from dataclasses import replace

from federated_router.crypto import beacon, signing
from federated_router.crypto.sealing import KeptExchanges
from federated_router.crypto.transcript import MemberName
from federated_router.federation.contributing import Contributing
from federated_router.federation.credentials import Credentials
from federated_router.federation.holding import Holding
from federated_router.federation.odometer import Odometer
from federated_router.federation.revoked_members import RevokedMembers
from federated_router.federation.roster_cache import RosterCache
from federated_router.federation.round_view import (
    RosterMember,
    Round,
    RoundsClient,
    RoundState,
)
from federated_router.federation.settling import Settling
from federated_router.federation.statements import (
    attempt_of,
    join_statement,
    reveal_statement,
)
from federated_router.federation.statistics import Statistics
from federated_router.federation.terms_verification import Floor, verify_offer
from federated_router.federation.vault import Vault
from federated_router.federation.vault_rows import RoundRecord
from federated_router.federation.verification import Roster, verify_roster
from federated_router.kit.clock import Clock
from federated_router.kit.errors import RosterMismatch
from federated_router.kit.revocation import Revocations
from federated_router.priors.catalogue import Catalogue
from federated_router.privacy.noise import NoiseSource, discrete_gaussian

ROUNDS_UNFINISHED_MAX = 16
"""Rounds without an end that a member remembers, unless it is told another number."""


class Member:
    """A member of rounds; `noise` is the discrete Gaussian unless a test is exact.

    Without an `odometer` nothing is charged.
    """

    def __init__(
        self,
        *,
        credentials: Credentials,
        client: RoundsClient,
        vault: Vault,
        statistics: Statistics,
        floor: Floor,
        clock: Clock,
        noise: NoiseSource = discrete_gaussian,
        odometer: Odometer | None = None,
        rounds_unfinished_max: int = ROUNDS_UNFINISHED_MAX,
        revocations: Revocations | None = None,
    ) -> None:
        self._credentials = credentials
        self._client = client
        self._vault = vault
        self._statistics = statistics
        self._floor = floor
        self._clock = clock
        self._rounds_unfinished_max = rounds_unfinished_max
        self._roster: Roster | None = None
        self._layout: Catalogue | None = None
        self._exchanges = KeptExchanges()
        self._cache = RosterCache()
        self._revoked = RevokedMembers(revocations)
        self._contributing = Contributing(
            credentials=credentials,
            vault=vault,
            statistics=statistics,
            floor=floor,
            noise=noise,
            odometer=odometer,
            exchanges=self._exchanges,
        )
        self._holding = Holding(
            credentials=credentials,
            client=client,
            vault=vault,
            roster_of=self._verified_roster,
            clock=clock,
            exchanges=self._exchanges,
        )
        self._settling = Settling(
            member=self.name,
            client=client,
            vault=vault,
            statistics=statistics,
            odometer=odometer,
        )

    @property
    def name(self) -> MemberName:
        """`role/id`."""
        return self._credentials.member

    async def recover(self) -> None:
        """Take back the batches that an earlier process of this member froze."""
        for round_name, batch in await self._vault.batches():
            self._statistics.resume(round_name, batch)
        self._statistics.recovered()

    async def act(self, round_: Round) -> None:
        """Do what is this member's to do in `round_` now; again, if need be.

        Raises an error of kit.errors: NotAllowed, NotNow and InvalidInput mean that
        this member leaves the round; Unavailable and DeadlineExceeded may pass.
        """
        match round_.state:
            case RoundState.JOINING:
                await self._join(round_)
            case RoundState.REVEALING:
                await self._reveal(round_)
            case RoundState.COLLECTING:
                await self._contribute(round_)
            case RoundState.CHECKING:
                await self._holding.check(round_)
            case RoundState.OPENING:
                await self._holding.answer(round_)
            case RoundState.PUBLISHED | RoundState.REJECTED | RoundState.ABORTED:
                self._contributing.forget()
                self._holding.forget(round_.name)
                await self._settling.settle(round_)

    async def settle_others(self, current: str) -> None:
        """Settle rounds that ended while this member did not look.

        `current` is the round that is watched and needs no question.
        """
        await self._settling.settle_others(current)

    async def _join(self, round_: Round) -> None:
        verify_offer(round_, self._floor)
        self._statistics.require_fitting(round_.catalogue)
        await self._settling.make_room(self._rounds_unfinished_max, round_.name)
        self._revoked.join(round_.name)
        record = await self._vault.join(round_.name)
        own = self._own_entry(record)
        binding = own.announcement.binding
        statement = join_statement(
            round_.name,
            self.name,
            keys=binding.keys,
            not_after_s=binding.not_after_s,
            commitment=own.commitment,
        )
        signature = signing.sign(statement, record.held.keys)
        await self._client.join(round_.name, own, signature=signature)

    async def _reveal(self, round_: Round) -> None:
        record = await self._vault.find_small(round_.name)
        if record is None:
            return
        statement = reveal_statement(round_.name, self.name, nonce=record.nonce)
        signature = signing.sign(statement, record.held.keys)
        await self._client.reveal(round_.name, nonce=record.nonce, signature=signature)

    async def _contribute(self, round_: Round) -> None:
        record = await self._vault.find_small(round_.name)
        if record is None:
            return
        roster = await self._verified_roster(round_, record)
        contribution = await self._contributing.contribution(round_, record, roster)
        await self._client.contribute(contribution)

    async def _verified_roster(self, round_: Round, record: RoundRecord) -> Roster:
        """Return the roster; a hundred certificates take long, so once, in a thread.

        Raises RosterMismatch if this member contributed under another one.
        """
        if self._roster is None or not self._same_roster(self._roster, round_):
            self._roster = await self._fetched_roster(round_, record)
            self._layout = round_.catalogue
        known = record.contributed
        if known is not None and known.roster_hash != self._roster.hash:
            raise RosterMismatch(
                "This member contributed to this round under another roster.",
                metadata={"check": "roster_hash"},
            )
        return self._roster

    async def _fetched_roster(self, round_: Round, record: RoundRecord) -> Roster:
        members = round_.roster or await self._client.roster(
            round_.name, known=self._cache.known
        )
        announcements = [entry.announcement for entry in members]
        await asyncio.to_thread(self._cache.keep, announcements)
        verified = await asyncio.to_thread(
            verify_roster,
            replace(round_, roster=members),
            own=self._own_entry(record, revealed=True),
            floor=self._floor,
            trust=self._credentials.trust,
            now_s=self._clock.now_s(),
            cache=self._cache,
        )
        await asyncio.to_thread(self._revoked.refuse, round_.name, announcements)
        return verified

    def _own_entry(
        self, record: RoundRecord, *, revealed: bool = False
    ) -> RosterMember:
        attempt = attempt_of(record.round_name)
        return RosterMember(
            announcement=record.held.announcement,
            commitment=beacon.commit(attempt, self.name, record.nonce),
            nonce=record.nonce if revealed else b"",
        )

    def _same_roster(self, verified: Roster, round_: Round) -> bool:
        """Return whether `round_` shows the roster that was verified.

        Hash and beacon bind every member's keys, commitment and nonce; a roster that is
        shown in full must be the same to the byte all the same.
        """
        return (
            verified.round_name == round_.name
            and (not round_.roster or verified.members == round_.roster)
            and verified.hash == round_.roster_hash
            and verified.beacon == round_.beacon
            # A digest takes a millisecond, and mostly it is the very same layout.
            and (
                round_.catalogue is self._layout
                or verified.layout == round_.catalogue.sha256
            )
        )
