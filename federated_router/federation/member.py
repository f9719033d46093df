"""One member's part in a round, step by step, each safe to repeat.

Decides what follows from a round's state: join, reveal, contribute, answer, settle.
Everything is verified before and stored before it is sent. Refuses to know when a
round is seen (`participant`) and how it is transported (`RoundsClient`).
"""

import asyncio

from federated_router.crypto import beacon, signing
from federated_router.crypto.transcript import MemberName
from federated_router.federation import contribution as making
from federated_router.federation.contribution import NoiseSource, discrete_gaussian
from federated_router.federation.credentials import Credentials
from federated_router.federation.round_view import (
    Contribution,
    RosterMember,
    Round,
    RoundsClient,
    RoundState,
)
from federated_router.federation.settling import Settling
from federated_router.federation.statements import (
    attempt_of,
    contribution_statement,
    join_statement,
    opening_statement,
    reveal_statement,
    sha256,
)
from federated_router.federation.statistics import Statistics
from federated_router.federation.vault import Vault
from federated_router.federation.vault_rows import Answer, RoundRecord
from federated_router.federation.verification import (
    Floor,
    Roster,
    survivors_least,
    verify_offer,
    verify_roster,
    verify_survivor_set,
    verify_terms,
)
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    RosterMismatch,
)
from federated_router.kit.log import get_logger

_log = get_logger(__name__)


class Member:
    """A member of rounds; `noise` is the discrete Gaussian unless a test is exact."""

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
    ) -> None:
        self._credentials = credentials
        self._client = client
        self._vault = vault
        self._statistics = statistics
        self._floor = floor
        self._clock = clock
        self._noise = noise
        self._roster: Roster | None = None
        self._settling = Settling(
            member=self.name, client=client, vault=vault, statistics=statistics
        )

    @property
    def name(self) -> MemberName:
        """`role/id`."""
        return self._credentials.member

    async def recover(self) -> None:
        """Take back the batches that an earlier process of this member froze."""
        for record in await self._vault.unfinished():
            if record.batch is not None:
                self._statistics.resume(record.round_name, record.batch)

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
            case RoundState.OPENING:
                await self._answer(round_)
            case RoundState.PUBLISHED | RoundState.REJECTED | RoundState.ABORTED:
                await self._settling.settle(round_)

    async def settle_others(self, current: str) -> None:
        """Settle rounds that ended while this member did not look.

        `current` is the round that is watched and needs no question.
        """
        await self._settling.settle_others(current)

    async def _join(self, round_: Round) -> None:
        verify_offer(round_, self._floor)
        self._require_bounds(round_)
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
        record = await self._vault.find(round_.name)
        if record is None:
            return
        statement = reveal_statement(round_.name, self.name, nonce=record.nonce)
        signature = signing.sign(statement, record.held.keys)
        await self._client.reveal(round_.name, nonce=record.nonce, signature=signature)

    async def _contribute(self, round_: Round) -> None:
        record = await self._vault.find(round_.name)
        if record is None:
            return
        roster = await self._verified_roster(round_, record)
        contribution = record.contribution
        if contribution is None:
            contribution = await self._make_contribution(round_, record, roster)
        await self._client.contribute(contribution)

    async def _make_contribution(
        self, round_: Round, record: RoundRecord, roster: Roster
    ) -> Contribution:
        """Freeze, build and store; what is frozen thaws if that fails."""
        sigma = verify_terms(round_, self._floor, members=len(roster.members))
        survivors_min = survivors_least(round_, roster, self._floor)
        batch = self._statistics.begin_contribution(round_.name)
        try:
            encoding = round_.catalogue.encode(
                batch.over(round_.catalogue.latency_bounds_ms)
            )
            body = await asyncio.to_thread(
                making.build_body,
                encoding.values,
                sigma=sigma,
                own=self.name,
                keys=record.held.keys,
                roster=roster,
                noise=self._noise,
            )
        except FederationError:
            self._statistics.restore(round_.name)
            raise
        _log.info(
            "contribution made",
            round=round_.name,
            body_bytes=len(body),
            requests_left_out=encoding.left_out,
            requests_clipped=encoding.clipped,
        )
        return await self._vault.store_contribution(
            self._signed(roster, record, body),
            batch=batch,
            survivors_min=survivors_min,
        )

    def _signed(self, roster: Roster, record: RoundRecord, body: bytes) -> Contribution:
        digest = sha256(body)
        statement = contribution_statement(
            roster.round_name, self.name, roster_hash=roster.hash, body_sha256=digest
        )
        return Contribution(
            round_name=roster.round_name,
            roster_hash=roster.hash,
            body=body,
            sha256=digest,
            signature=signing.sign(statement, record.held.keys),
        )

    async def _answer(self, round_: Round) -> None:
        record = await self._vault.find(round_.name)
        if record is None or record.contribution is None:
            return
        answer = record.answer
        if answer is None:
            answer = await self._make_answer(round_, record, record.contribution)
        await self._client.answer(
            round_.name, share_sum=answer.share_sum, signature=answer.signature
        )

    async def _make_answer(
        self, round_: Round, record: RoundRecord, contribution: Contribution
    ) -> Answer:
        roster = await self._verified_roster(round_, record)
        shares = await self._client.download_shares(
            round_.name,
            size_bytes_max=len(roster.members) * making.sealed_bytes(roster),
        )
        await asyncio.to_thread(
            verify_survivor_set,
            shares.claim,
            roster=roster,
            survivors_min=record.survivors_min,
            own=self.name,
            own_sha256=contribution.sha256,
            trust=self._credentials.trust,
            now_s=self._clock.now_s(),
        )
        share_sum = await asyncio.to_thread(
            making.sum_sealed_shares,
            shares.body,
            survivors=[survivor.member for survivor in shares.claim.survivors],
            own=self.name,
            keys=record.held.keys,
            roster=roster,
        )
        statement = opening_statement(
            round_.name, self.name, roster_hash=roster.hash, share_sum=share_sum
        )
        answer = Answer(share_sum, signing.sign(statement, record.held.keys))
        return await self._vault.store_answer(round_.name, answer)

    async def _verified_roster(self, round_: Round, record: RoundRecord) -> Roster:
        """Return the roster; a hundred certificates take long, so once, in a thread.

        Raises RosterMismatch if this member contributed under another one.
        """
        if self._roster is None or not _same_roster(self._roster, round_):
            self._roster = await asyncio.to_thread(
                verify_roster,
                round_,
                own=self._own_entry(record, revealed=True),
                floor=self._floor,
                trust=self._credentials.trust,
                now_s=self._clock.now_s(),
            )
        known = record.contribution
        if known is not None and known.roster_hash != self._roster.hash:
            raise RosterMismatch(
                "This member contributed to this round under another roster.",
                metadata={"check": "roster_hash"},
            )
        return self._roster

    def _own_entry(
        self, record: RoundRecord, *, revealed: bool = False
    ) -> RosterMember:
        attempt = attempt_of(record.round_name)
        return RosterMember(
            announcement=record.held.announcement,
            commitment=beacon.commit(attempt, self.name, record.nonce),
            nonce=record.nonce if revealed else b"",
        )

    def _require_bounds(self, round_: Round) -> None:
        """Refuse a layout that what is recorded here cannot fill."""
        if not set(round_.catalogue.latency_bounds_ms) <= set(
            self._statistics.latency_bounds_ms
        ):
            raise FieldInvalid(
                "This member does not record at the round's latency bounds.",
                field="latency_bounds_ms",
            )


def _same_roster(verified: Roster, round_: Round) -> bool:
    """Return whether `round_` shows, to the byte, the roster that was verified."""
    return (
        verified.round_name == round_.name
        and verified.members == round_.roster
        and verified.hash == round_.roster_hash
        and verified.beacon == round_.beacon
        and verified.layout == round_.catalogue.sha256
    )
