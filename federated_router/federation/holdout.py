"""Whether the federation's priors predict this member's requests better than its own.

Decides the score: prequential ("test, then train", Dawid 1984). Before a request is
counted its outcome, a latency bucket or the failure, is predicted twice: by the
federation's published priors and by this member's own earlier counts, both with one
request added to every outcome (Laplace). The advantage is the log loss local-only less
federated, clipped to ADVANTAGE_NATS_MAX either way, in steps of a sixteenth of a nat.

Own counts would let one request change the scores of all later ones, by no bound. So
they enter the predictor only as a release of the member's own: noised by the discrete
Gaussian of the round's full scale in every slot of the priors' public cells, once per
published round. That costs one unit more in the round's sensitivity, and puts
local-only under the terms under which the federation's counts are seen. Refuses to know
users and rounds.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from federated_router.federation.batch import Batch
from federated_router.federation.records import FailureCause, Success
from federated_router.priors.buckets import bucket_index, coarsen
from federated_router.priors.contents import STEPS_MAX, Cell, CellCounts
from federated_router.priors.publication import Priors
from federated_router.privacy.noise import NoiseSource, discrete_gaussian

ADVANTAGE_NATS_MAX: Final = 4.0

STEPS_PER_NAT: Final = STEPS_MAX / ADVANTAGE_NATS_MAX

SAMPLES_MIN: Final = 100
"""Noised requests below which a predictor has not seen a cell."""


@dataclass(frozen=True, slots=True)
class _Public:
    """What the newest priors say: outcome counts by cell, over these bounds."""

    bounds_ms: tuple[float, ...]
    outcomes: Mapping[Cell, tuple[int, ...]]


class Holdout:
    """Scores one member's requests; safe to call from any thread."""

    def __init__(
        self, *, samples_min: int = SAMPLES_MIN, noise: NoiseSource = discrete_gaussian
    ) -> None:
        self._samples_min = max(samples_min, 1)
        self._noise = noise
        self._lock = threading.Lock()
        self._public = _Public((), {})
        self._own: dict[Cell, list[int]] = {}
        self._scores: dict[Cell, tuple[int, ...]] = {}

    def receive(self, priors: Priors) -> None:
        """Predict with these priors from now on.

        Own counts over other buckets, or of cells that are no longer public, are
        forgotten.
        """
        public = _Public(
            priors.catalogue.latency_bounds_ms,
            {cell: _outcomes(counts) for cell, counts in priors.performance.items()},
        )
        with self._lock:
            same = public.bounds_ms == self._public.bounds_ms
            self._own = {
                cell: own
                for cell, own in self._own.items()
                if same and cell in public.outcomes
            }
            self._public = public
            self._scores = {}

    def learn(self, batch: Batch, *, noise_scale: float) -> None:
        """Add a published batch to the member's own counts, with full noise."""
        with self._lock:
            public = self._public
        if not public.outcomes:
            return
        slots = len(public.bounds_ms) + 2
        drawn = iter(self._noise(slots * len(public.outcomes), noise_scale))
        learnt = {
            cell: [count + next(drawn) for count in own]
            for cell, own in _recorded(batch, public).items()
        }
        with self._lock:
            if public is not self._public:
                return
            for cell, counts in learnt.items():
                own = self._own.setdefault(cell, [0] * slots)
                self._own[cell] = [a + b for a, b in zip(own, counts, strict=True)]
            self._scores = {}

    def score(self, cell: Cell, outcome: Success | FailureCause) -> int | None:
        """Return the federation's advantage in steps, -STEPS_MAX to STEPS_MAX.

        None where one of the predictors has not seen the cell.
        """
        with self._lock:
            scores = self._scores.get(cell)
            if scores is None:
                scores = self._scores_of(cell)
                if cell in self._public.outcomes:
                    self._scores[cell] = scores
            if not scores:
                return None
            if isinstance(outcome, FailureCause):
                return scores[-1]
            latency_ms = outcome.latency_ms_per_token
            return scores[bucket_index(self._public.bounds_ms, latency_ms)]

    def _scores_of(self, cell: Cell) -> tuple[int, ...]:
        """Return the advantage of each outcome; empty where one has not seen it."""
        federated, own = self._public.outcomes.get(cell), self._own.get(cell)
        if federated is None or own is None:
            return ()
        if min(sum(federated), sum(own)) < self._samples_min:
            return ()
        return tuple(
            _advantage(both, alone)
            for both, alone in zip(_smoothed(federated), _smoothed(own), strict=True)
        )


def _recorded(batch: Batch, public: _Public) -> dict[Cell, tuple[int, ...]]:
    """Return the batch's outcomes of every public cell, zeros where it has none."""
    cells = batch.cells
    empty = (0,) * (len(public.bounds_ms) + 2)
    return {
        cell: _outcomes(
            coarsen(
                cells[cell],
                fine_ms=batch.latency_bounds_ms,
                coarse_ms=public.bounds_ms,
            )
        )
        if cell in cells
        else empty
        for cell in public.outcomes
    }


def _outcomes(counts: CellCounts) -> tuple[int, ...]:
    return (*counts.latency_counts, counts.failures)


def _smoothed(counts: Sequence[int]) -> list[float]:
    """Return the probability of each outcome; noise below 0 counts as 0."""
    kept = [max(count, 0) + 1 for count in counts]
    total = sum(kept)
    return [count / total for count in kept]


def _advantage(federated: float, alone: float) -> int:
    nats = math.log(federated / alone)
    nats = max(-ADVANTAGE_NATS_MAX, min(nats, ADVANTAGE_NATS_MAX))
    return round(nats * STEPS_PER_NAT)
