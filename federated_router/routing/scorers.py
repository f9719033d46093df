"""Scorers: each gives every candidate a number in [0, 1], 1 is best.

Scores compare candidates of one decision. Of a candidate that nothing is known of, a
scorer says what it says of all in common (NEUTRAL where it knows nothing at all), so
that ignorance neither attracts nor repels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from federated_router.routing.candidate import Candidate
from federated_router.routing.priors_view import PriorsView

NEUTRAL = 0.5
Score = Callable[[Sequence[Candidate], PriorsView], list[float]]
Live = Callable[[int, int], float]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named opinion on candidates.

    `live` is there where the opinion on a candidate moves with its load, and with
    nothing else: it takes requests in flight and slots. Without it the opinion stays
    until nodes or priors change.
    """

    name: str
    score: Score
    live: Live | None = None


def _free(in_flight: int, slots: int) -> float:
    """Prefer nodes with free slots: 1 when idle, 0.5 when full, towards 0 beyond."""
    return 1 / (1 + in_flight / max(slots, 1))


def _free_slots(candidates: Sequence[Candidate], _: PriorsView) -> list[float]:
    return [_free(candidate.in_flight, candidate.slots) for candidate in candidates]


def _prior_speed(candidates: Sequence[Candidate], priors: PriorsView) -> list[float]:
    """Prefer what the federation saw to be fast: the fastest median by the own."""
    known = [priors.performance(c.model, c.region) for c in candidates]
    medians = [k.latency_ms_p50 if k else None for k in known]
    fastest = min((m for m in medians if m is not None), default=1.0)
    return _believed(
        [
            Belief(fastest / median, k.weight) if k and median else None
            for k, median in zip(known, medians, strict=True)
        ]
    )


def _prior_success(candidates: Sequence[Candidate], priors: PriorsView) -> list[float]:
    """Prefer what the federation saw to succeed."""
    known = [priors.performance(c.model, c.region) for c in candidates]
    return _believed([Belief(k.success_ratio, k.weight) if k else None for k in known])


@dataclass(frozen=True, slots=True)
class Belief:
    """A value in [0, 1] and how far to trust it: min(sample_count / 1000, 1)."""

    value: float
    weight: float


def _believed(beliefs: Sequence[Belief | None]) -> list[float]:
    """Draw each value towards what is believed of all, by how little it is trusted.

    Towards a fixed point instead, the candidate with more samples would score better
    or worse for having them.
    """
    known = [belief for belief in beliefs if belief is not None]
    trust = sum(belief.weight for belief in known)
    if not trust:
        return [NEUTRAL] * len(beliefs)
    common = sum(belief.value * belief.weight for belief in known) / trust
    return [
        common
        if belief is None
        else min(1.0, max(0.0, common + belief.weight * (belief.value - common)))
        for belief in beliefs
    ]


FREE_SLOTS = Scorer("free_slots", _free_slots, live=_free)
PRIOR_SPEED = Scorer("prior_speed", _prior_speed)
PRIOR_SUCCESS = Scorer("prior_success", _prior_success)
