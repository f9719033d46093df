"""Judges an opened round with what the store knows of earlier ones.

Decides what is read, that judging runs in a thread, and what an operator hears of it.
Refuses to move the round and to write: whoever ends the round stores the judgement with
it (`store.insert_judgement`). Repeatable: reads the same as long as no round ends.
"""

import asyncio

from coordinator import metrics
from coordinator.priors.store import PriorsStore
from coordinator.rounds.round import Round
from coordinator.summation.opened import OpenedRound
from coordinator.validation.judgement import Judgement, JudgeSettings, judge
from coordinator.validation.store import ReportStore
from federated_router.kit.log import get_logger

_log = get_logger("validation")


class Inspector:
    """Judges one round at a time."""

    def __init__(
        self, *, reports: ReportStore, priors: PriorsStore, settings: JudgeSettings
    ) -> None:
        self._reports = reports
        self._priors = priors
        self._settings = settings

    async def judgement(self, round_: Round, opened: OpenedRound) -> Judgement:
        """Return what is published of a round, or why nothing is.

        Raises StoreUnavailable where the store does not answer.
        """
        earlier = await self._priors.newest()
        pooled = await self._reports.pooled(
            rounds_max=self._settings.robust.pooled_rounds_max
        )
        found = await asyncio.to_thread(
            judge,
            round_,
            opened,
            earlier=earlier,
            pooled=pooled,
            settings=self._settings,
        )
        _tell(round_, found)
        return found


def _tell(round_: Round, found: Judgement) -> None:
    metrics.judged(found.report)
    if found.outlying:
        _log.warning(
            "cohorts stand apart", round=round_.name, cohorts=list(found.outlying)
        )
    if found.earlier_harmful:
        _log.warning(
            "the priors before predict worse than members alone; withdrawn",
            round=round_.name,
            advantage=found.report.holdout.advantage,
        )
