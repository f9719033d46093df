"""A holder's two steps in a round: check what was dealt to it, and help to open sums.

Decides that a check and an answer are on disk before they are sent, that a member
answers about the one contributor set that it checked, and that a restarted member says
the same words. Refuses to verify (`set_verification`) and to compute (`holder`).
"""

import asyncio
from collections.abc import Awaitable, Callable

from federated_router.crypto import signing
from federated_router.crypto.sealing import KeptExchanges
from federated_router.federation import holder
from federated_router.federation.credentials import Credentials
from federated_router.federation.holder import DealtShares
from federated_router.federation.round_view import Round, RoundsClient
from federated_router.federation.set_verification import (
    verify_contributor_set,
    verify_survivor_set,
)
from federated_router.federation.statements import check_statement, opening_statement
from federated_router.federation.vault import Vault
from federated_router.federation.vault_rows import (
    Answer,
    Check,
    Contributed,
    RoundRecord,
)
from federated_router.federation.verification import Promise, Roster
from federated_router.kit.clock import Clock
from federated_router.kit.errors import ShareConflict

VerifiedRoster = Callable[[Round, RoundRecord], Awaitable[Roster]]


class Holding:
    """The holder in a member; keeps the opened shares of one round in memory."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        client: RoundsClient,
        vault: Vault,
        roster_of: VerifiedRoster,
        clock: Clock,
        exchanges: KeptExchanges,
    ) -> None:
        self._credentials = credentials
        self._client = client
        self._vault = vault
        self._roster_of = roster_of
        self._clock = clock
        self._exchanges = exchanges
        self._dealt: DealtShares | None = None

    def forget(self, round_name: str) -> None:
        """Drop the shares of a round that has ended."""
        if self._dealt is not None and self._dealt.round_name == round_name:
            self._dealt = None

    async def check(self, round_: Round) -> None:
        """Send this member's check, if it contributed; the same bytes again."""
        record = await self._vault.find_small(round_.name)
        if record is None or record.contributed is None or record.promise is None:
            return
        check = record.check
        if check is None:
            check = await self._make_check(
                round_, record, record.contributed, record.promise
            )
        await self._client.check(
            round_.name, combinations=check.combinations, signature=check.signature
        )

    async def answer(self, round_: Round) -> None:
        """Send this member's answer, if it checked; the same bytes again."""
        record = await self._vault.find_small(round_.name)
        if (
            record is None
            or record.contributed is None
            or record.promise is None
            or record.check is None
        ):
            return
        answer = record.answer
        if answer is None:
            dealt = await self._checked_shares(
                round_, record, record.contributed, record.promise, record.check
            )
            answer = await self._make_answer(round_, record, record.promise, dealt)
        await self._client.answer(
            round_.name, share_sum=answer.share_sum, signature=answer.signature
        )

    async def _make_check(
        self,
        round_: Round,
        record: RoundRecord,
        contribution: Contributed,
        promise: Promise,
    ) -> Check:
        dealt = await self._download(round_, record, contribution, promise)
        roster = await self._roster_of(round_, record)
        combinations = await asyncio.to_thread(holder.combinations, dealt, roster)
        statement = check_statement(
            round_.name,
            self._credentials.member,
            roster_hash=roster.hash,
            combinations=combinations,
        )
        check = Check(
            contributors_sha256=dealt.contributors_sha256,
            combinations=combinations,
            signature=signing.sign(statement, record.held.keys),
        )
        stored = await self._vault.store_check(round_.name, check)
        self._dealt = dealt
        return stored

    async def _make_answer(
        self, round_: Round, record: RoundRecord, promise: Promise, dealt: DealtShares
    ) -> Answer:
        roster = await self._roster_of(round_, record)
        claim = await self._client.survivors(round_.name)
        survivors = await asyncio.to_thread(
            verify_survivor_set,
            claim,
            roster=roster,
            promise=promise,
            contributors=dealt.contributors,
            contributors_sha256=dealt.contributors_sha256,
            trust=self._credentials.trust,
            now_s=self._clock.now_s(),
        )
        share_sum = await asyncio.to_thread(holder.answer, dealt, survivors)
        own = roster.number_of(self._credentials.member)
        statement = opening_statement(
            round_.name,
            self._credentials.member,
            roster_hash=roster.hash,
            share_sum=share_sum,
        )
        answer = Answer(
            share_sum,
            signing.sign(statement, record.held.keys),
            own_summed=own in claim.survivors,
        )
        return await self._vault.store_answer(round_.name, answer)

    async def _checked_shares(
        self,
        round_: Round,
        record: RoundRecord,
        contribution: Contributed,
        promise: Promise,
        check: Check,
    ) -> DealtShares:
        """Return the shares that were checked; fetched again after a restart.

        Raises ShareConflict where the coordinator now shows another contributor set.
        """
        dealt = self._dealt
        if dealt is None or dealt.round_name != round_.name:
            dealt = await self._download(round_, record, contribution, promise)
        if dealt.contributors_sha256 != check.contributors_sha256:
            raise ShareConflict(
                "This member checked another contributor set of this round.",
                metadata={"check": "contributors"},
            )
        self._dealt = dealt
        return dealt

    async def _download(
        self,
        round_: Round,
        record: RoundRecord,
        contribution: Contributed,
        promise: Promise,
    ) -> DealtShares:
        roster = await self._roster_of(round_, record)
        sealed = await self._client.download_shares(
            round_.name,
            size_bytes_max=len(roster.members)
            * holder.sealed_bytes(roster, self._credentials.member),
        )
        await asyncio.to_thread(
            verify_contributor_set,
            sealed.claim,
            roster=roster,
            promise=promise,
            own=self._credentials.member,
            own_sha256=contribution.sha256,
            trust=self._credentials.trust,
            now_s=self._clock.now_s(),
        )
        return await asyncio.to_thread(
            holder.unseal,
            sealed,
            own=self._credentials.member,
            keys=record.held.keys,
            roster=roster,
            exchanges=self._exchanges,
        )
