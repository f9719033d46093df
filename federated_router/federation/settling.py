"""End rounds at a member: erase what was said, and give the statistics their fate.

Decides the order: the vault forgets first, so that a crash in between loses a batch and
never tells it twice. Decides too that only what was never contributed is given back by
the odometer: that a contribution was not opened is the coordinator's word. Refuses to
know which fate is right (`settlement`).
"""

import asyncio

from federated_router.crypto.transcript import MemberName
from federated_router.federation.odometer import Odometer
from federated_router.federation.round_view import Round, RoundsClient
from federated_router.federation.settlement import Fate, fate_of
from federated_router.federation.statistics import Statistics
from federated_router.federation.vault import Vault
from federated_router.federation.vault_rows import RoundRecord
from federated_router.kit.errors import FieldInvalid, RoundStateWrong, RoundUnknown
from federated_router.kit.log import get_logger

_log = get_logger(__name__)


class Settling:
    """Settles the rounds of one member."""

    def __init__(
        self,
        *,
        member: MemberName,
        client: RoundsClient,
        vault: Vault,
        statistics: Statistics,
        odometer: Odometer | None = None,
    ) -> None:
        self._member = member
        self._client = client
        self._vault = vault
        self._statistics = statistics
        self._odometer = odometer
        self._only: str | None = None

    async def settle(self, round_: Round) -> None:
        """Settle a round that has ended, if this member joined it."""
        try:
            record = await self._vault.find_small(round_.name)
        except RoundStateWrong:
            # It has ended for this member.
            return
        if record is not None:
            await self._end(round_, record)

    async def settle_others(self, current: str) -> None:
        """Ask about every other unfinished round, and settle those that have ended.

        Where none was left the vault is not asked again until `current` changes, as
        rounds are joined only while they are watched.
        """
        if current == self._only:
            return
        self._only = None
        others = await self._others(current)
        for record in others:
            await self._settle_missed(record)
        if not others:
            self._only = current

    async def make_room(self, rounds_max: int, joining: str) -> None:
        """Give up the oldest rounds beyond a limit, so that one more may be joined.

        A coordinator that opens rounds and never ends them would fill the vault. What
        never left this member may be told again; the rest may have been opened.
        """
        if joining == self._only:
            return
        self._only = None
        records = await self._others(joining)
        for record in records[: max(0, len(records) + 1 - rounds_max)]:
            _log.warning("round given up", round=record.round_name)
            await self._give_up(record)

    async def _others(self, current: str) -> list[RoundRecord]:
        unfinished = await self._vault.unfinished()
        return [record for record in unfinished if record.round_name != current]

    async def _give_up(self, record: RoundRecord) -> None:
        told = record.contributed is not None
        await self._apply(Fate.DISCARD if told else Fate.RESTORE, record)

    async def _settle_missed(self, record: RoundRecord) -> None:
        try:
            round_ = await self._client.get(record.round_name)
        except RoundUnknown:
            # Nobody can tell whether its sum was opened.
            await self._give_up(record)
            return
        if round_.name != record.round_name:
            raise FieldInvalid("The answer is about another round.", field="name")
        if round_.ended:
            await self._end(round_, record)

    async def _end(self, round_: Round, record: RoundRecord) -> None:
        answer = record.answer
        fate = fate_of(
            round_,
            member=self._member,
            contributed=record.contributed is not None,
            answered=answer is not None,
            answered_own=answer is not None and answer.own_summed,
        )
        await self._apply(fate, record, noise_scale=round_.noise.scale)
        _log.info(
            "round settled",
            round=record.round_name,
            state=round_.state.value,
            statistics=fate.value,
            cause=round_.end_cause,
        )

    async def _apply(
        self, fate: Fate, record: RoundRecord, *, noise_scale: float | None = None
    ) -> None:
        round_name = record.round_name
        await self._vault.end(round_name)
        match fate:
            case Fate.CONFIRM:
                await asyncio.to_thread(
                    self._statistics.confirm, round_name, noise_scale=noise_scale
                )
            case Fate.RESTORE:
                self._statistics.restore(round_name)
                if self._odometer is not None and record.contributed is None:
                    await self._odometer.refund(round_name)
            case Fate.DISCARD:
                self._statistics.discard(round_name)
