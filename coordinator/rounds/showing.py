"""Rounds as they are shown: one, a page of them, and as they change.

Decides how much of a round a request gets, that a page ends early where rosters are
large, and that a judged round comes with its report. Refuses to know who may ask.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from coordinator.newest import Newest
from coordinator.rounds import messages
from coordinator.rounds.conductor import Conductor
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from coordinator.rounds.store import RoundStore
from coordinator.rounds.views import Views
from coordinator.validation.messages import report_message
from coordinator.validation.store import ReportStore
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.pages import page_size_of

PAGE_BYTES_MAX: Final = 3 * 1024 * 1024
"""A page of rounds with large rosters ends early to stay below the message limit."""

TOKEN_DIGITS_MAX: Final = 18
"""More would not fit a store's integer."""

_JUDGED: Final = frozenset({State.PUBLISHED, State.REJECTED})


class Showing:
    """Shows rounds to whoever may see them."""

    def __init__(
        self,
        *,
        conductor: Conductor,
        store: RoundStore,
        reports: ReportStore,
        newest: Newest[Round],
    ) -> None:
        self._conductor = conductor
        self._store = store
        self._reports = reports
        self._newest = newest
        self._views = Views()

    async def one(self, name: RoundName, *, full: bool) -> pb2.Round:
        """Return a round; raise RoundUnknown."""
        return await self._shown(await self._conductor.get(name), full=full)

    def basic(self, round_: Round) -> pb2.Round:
        """Return what every member sees; the caller must not change it."""
        return self._views.watched(round_).round

    async def page(self, request: pb2.ListRoundsRequest) -> pb2.ListRoundsResponse:
        """Return rounds, newest first."""
        size = page_size_of(request.page_size)
        page = await self._store.page(size=size, before=_sequence(request.page_token))
        full = messages.is_full(request.view)
        response, shown = pb2.ListRoundsResponse(), 0
        for sequence, round_ in page.rounds:
            message = await self._shown(round_, full=full)
            if shown and response.ByteSize() + message.ByteSize() > PAGE_BYTES_MAX:
                break
            response.rounds.append(message)
            response.next_page_token = str(sequence)
            shown += 1
        if shown == len(page.rounds) and not page.more:
            response.next_page_token = ""
        return response

    async def changes(
        self, name: RoundName | None, *, full: bool, progress: bool
    ) -> AsyncGenerator[pb2.WatchRoundResponse, None]:
        """Yield a round, or the newest one, as it changes.

        Without `progress` only changes of state wake the watcher. The full view of a
        judged round comes with its report, which is stored with the round's end.
        """
        async with aclosing(self._newest.watch(progress=progress)) as values:
            async for newest in values:
                shown = newest if name is None else await self._conductor.get(name)
                if full and shown is not None:
                    message = await self._shown(shown, full=True)
                    yield pb2.WatchRoundResponse(round=message)
                else:
                    yield self._views.watched(shown)

    async def _shown(self, round_: Round, *, full: bool) -> pb2.Round:
        message = messages.round_message(round_, full=full)
        if round_.state in _JUDGED:
            report = await self._reports.of_round(round_.name)
            if report is not None:
                message.report.CopyFrom(report_message(report))
        return message


def _sequence(page_token: str) -> int:
    known = page_token.isascii() and page_token.isdigit()
    if page_token and not (known and len(page_token) <= TOKEN_DIGITS_MAX):
        raise FieldInvalid("Use the token of the previous page.", field="page_token")
    return int(page_token or 0)
