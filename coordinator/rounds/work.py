"""The coordinator's own work on a round: judge, sum, open, validate.

Decides what of it runs in a thread, and turns what it finds into events. Refuses to
change the round. Every step can be repeated: its inputs are stored and do not change,
so that a step lost with the process is simply done again. The sums are kept in memory
between steps and made anew where they are missing.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from coordinator import metrics
from coordinator.rounds import endings, events, judging
from coordinator.rounds.round import Round
from coordinator.rounds.store import RoundStore
from coordinator.summation import accumulator, opening
from coordinator.summation.opened import OpenedRound
from coordinator.validation.inspection import Inspector
from coordinator.validation.judgement import Judgement
from federated_router.crypto.ckks import SummedCiphertext
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import (
    CiphertextMalformed,
    RosterTooSmall,
    ShareConflict,
)

READ_TIMEOUT_S: Final = 30.0
"""How long the summing thread waits for one ciphertext from the store."""

Totals = tuple[SummedCiphertext, ...]
"""The sum of each open cohort, in the order of cohort numbers."""


class Workshop:
    """Does the work of one round at a time."""

    def __init__(self, *, store: RoundStore, inspector: Inspector) -> None:
        self._store = store
        self._inspector = inspector
        self._totals: tuple[str, Totals] | None = None
        self._opened: tuple[str, OpenedRound] | None = None

    def clear(self) -> None:
        """Forget the sums of a round that has ended."""
        self._totals = self._opened = None

    async def judge(self, round_: Round) -> events.Judged | events.AbortRequested:
        """Say who dealt or checked wrongly."""
        try:
            judge = await asyncio.to_thread(judging.Judging, round_)
            async for checks in self._store.checks(round_):
                await asyncio.to_thread(judge.take, checks)
            return await asyncio.to_thread(judge.judged)
        except (CiphertextMalformed, RosterTooSmall, ShareConflict) as error:
            return events.AbortRequested(error.message)

    async def sum_up(self, round_: Round) -> events.Summed | events.AbortRequested:
        """Add the survivors' ciphertexts, cohort by cohort."""
        try:
            await self._totals_of(round_)
        except CiphertextMalformed as error:
            metrics.ENCRYPTION_ERRORS.inc()
            return events.AbortRequested(error.message)
        return events.Summed()

    async def open(self, round_: Round) -> events.Opened | events.OpeningFailed:
        """Try to open the sums with the answers that are there."""
        try:
            opened = await self._opened_sums(round_)
        except ShareConflict as error:
            return events.OpeningFailed(
                len(round_.answers),
                error.message,
                decided=endings.opening_decides(round_),
            )
        return events.Opened(opened.liars)

    async def validate(self, round_: Round) -> Judgement | events.AbortRequested:
        """Return what of the opened sums may be published, or why nothing may.

        A restarted coordinator opens them again, with answers that came since it opened
        them first; that they contradict each other then ends the round.
        """
        try:
            opened = await self._opened_sums(round_)
        except ShareConflict as error:
            return events.AbortRequested(error.message)
        closed = len(round_.open_cohorts) - len(opened.cohorts)
        if closed:
            metrics.ENCRYPTION_ERRORS.inc(closed)
        return await self._inspector.judgement(round_, opened)

    async def _opened_sums(self, round_: Round) -> OpenedRound:
        if self._opened is None or self._opened[0] != round_.name:
            totals = await self._totals_of(round_)
            opened = await asyncio.to_thread(
                opening.open_round,
                round_,
                totals,
                decisive=endings.opening_decides(round_),
            )
            self._opened = (round_.name, opened)
        return self._opened[1]

    async def _totals_of(self, round_: Round) -> Totals:
        if self._totals is None or self._totals[0] != round_.name:
            loop = asyncio.get_running_loop()
            totals = await asyncio.to_thread(self._sum_in_thread, round_, loop)
            self._totals = (round_.name, totals)
        return self._totals[1]

    def _sum_in_thread(self, round_: Round, loop: asyncio.AbstractEventLoop) -> Totals:
        polynomials = accumulator.polynomials_of(round_)
        return tuple(
            accumulator.accumulate(
                self._ciphertexts(round_, part, loop), polynomials=polynomials
            )
            for _, part in round_.open_cohorts
        )

    def _ciphertexts(
        self,
        round_: Round,
        members: Sequence[MemberName],
        loop: asyncio.AbstractEventLoop,
    ) -> Iterator[bytes]:
        """Yield some members' ciphertexts in a thread, one in memory at a time."""
        for member in members:
            reading = asyncio.run_coroutine_threadsafe(
                self._store.ciphertext(round_, member), loop
            )
            yield reading.result(timeout=READ_TIMEOUT_S)
