"""The coordinator's own work on a round: sum, open, validate.

Decides what of it runs in a thread, and turns what it finds into events. Refuses to
change the round. Every step can be repeated: its inputs are stored and do not change,
so that a step lost with the process is simply done again. The sum is kept in memory
between steps and made anew where it is missing.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from coordinator import metrics
from coordinator.rounds import events
from coordinator.rounds.round import Round
from coordinator.rounds.store import RoundStore
from coordinator.summation import accumulator, release
from federated_router.crypto.ckks import SummedCiphertext
from federated_router.kit.errors import CiphertextMalformed, ShareConflict

READ_TIMEOUT_S: Final = 30.0
"""How long the summing thread waits for one ciphertext from the store."""


class Workshop:
    """Does the work of one round at a time."""

    def __init__(self, *, store: RoundStore) -> None:
        self._store = store
        self._total: tuple[str, SummedCiphertext] | None = None
        self._opened: tuple[str, release.OpenedSum] | None = None

    def clear(self) -> None:
        """Forget the sum of a round that has ended."""
        self._total = self._opened = None

    async def sum_up(self, round_: Round) -> events.Summed | events.AbortRequested:
        """Add the survivors' ciphertexts."""
        try:
            await self._sum_of(round_)
        except CiphertextMalformed as error:
            metrics.ENCRYPTION_ERRORS.inc()
            return events.AbortRequested(error.message)
        return events.Summed()

    async def open(self, round_: Round) -> events.Opened | events.OpeningFailed:
        """Try to open the sum with the answers that are there."""
        try:
            opened = await self._opened_sum(round_)
        except ShareConflict as error:
            return events.OpeningFailed(len(round_.answers), error.message)
        except CiphertextMalformed:
            # The secret is right and the sum is not; validation says so and refuses.
            return events.Opened(())
        return events.Opened(opened.liars)

    async def validate(self, round_: Round) -> tuple[int, ...] | events.Refused:
        """Return the sums that may be published, or why none may."""
        try:
            return release.checked(round_, await self._opened_sum(round_))
        except (CiphertextMalformed, ShareConflict) as error:
            metrics.ENCRYPTION_ERRORS.inc()
            return events.Refused(error.message)

    async def _opened_sum(self, round_: Round) -> release.OpenedSum:
        if self._opened is None or self._opened[0] != round_.name:
            total = await self._sum_of(round_)
            opened = await asyncio.to_thread(release.open_total, round_, total)
            self._opened = (round_.name, opened)
        return self._opened[1]

    async def _sum_of(self, round_: Round) -> SummedCiphertext:
        if self._total is None or self._total[0] != round_.name:
            ciphertexts = self._ciphertexts(round_, asyncio.get_running_loop())
            total = await asyncio.to_thread(accumulator.accumulate, round_, ciphertexts)
            self._total = (round_.name, total)
        return self._total[1]

    def _ciphertexts(
        self, round_: Round, loop: asyncio.AbstractEventLoop
    ) -> Iterator[bytes]:
        """Yield the survivors' ciphertexts in a thread, one in memory at a time."""
        for member in round_.survivors:
            reading = asyncio.run_coroutine_threadsafe(
                self._store.ciphertext(round_, member), loop
            )
            yield reading.result(timeout=READ_TIMEOUT_S)
