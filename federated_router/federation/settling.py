"""End rounds at a member: erase what was said, and give the statistics their fate.

Decides the order: the vault forgets first, so that a crash in between loses a batch and
never tells it twice. Refuses to know which fate is right (`settlement`).
"""

from federated_router.crypto.transcript import MemberName
from federated_router.federation.round_view import Round, RoundsClient
from federated_router.federation.settlement import Fate, fate_of
from federated_router.federation.statistics import Statistics
from federated_router.federation.vault import Vault
from federated_router.federation.vault_rows import RoundRecord
from federated_router.kit.errors import FieldInvalid, RoundUnknown
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
    ) -> None:
        self._member = member
        self._client = client
        self._vault = vault
        self._statistics = statistics

    async def settle(self, round_: Round) -> None:
        """Settle a round that has ended, if this member joined it."""
        for record in await self._vault.unfinished():
            if record.round_name == round_.name:
                await self._end(round_, record)

    async def settle_others(self, current: str) -> None:
        """Ask about every other unfinished round, and settle those that have ended."""
        for record in await self._vault.unfinished():
            if record.round_name != current:
                await self._settle_missed(record)

    async def _settle_missed(self, record: RoundRecord) -> None:
        try:
            round_ = await self._client.get(record.round_name)
        except RoundUnknown:
            # Nobody can tell whether its sum was opened.
            await self._vault.end(record.round_name)
            self._statistics.discard(record.round_name)
            return
        if round_.name != record.round_name:
            raise FieldInvalid("The answer is about another round.", field="name")
        if round_.ended:
            await self._end(round_, record)

    async def _end(self, round_: Round, record: RoundRecord) -> None:
        fate = fate_of(
            round_,
            member=self._member,
            contributed=record.contribution is not None,
            answered=record.answer is not None,
        )
        await self._vault.end(record.round_name)
        match fate:
            case Fate.CONFIRM:
                self._statistics.confirm(record.round_name)
            case Fate.RESTORE:
                self._statistics.restore(record.round_name)
            case Fate.DISCARD:
                self._statistics.discard(record.round_name)
        _log.info(
            "round settled",
            round=record.round_name,
            state=round_.state.value,
            statistics=fate.value,
            cause=round_.end_cause,
        )
