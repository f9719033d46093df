"""How far the published outcomes moved since the priors before.

Decides stability, convergence and the change of the success ratio. Refuses to say
whether a change is bad: a model that became slow moves as an attack would.

An outcome of a request is its latency bucket, or failure. A cell's change is the total
variation distance between its outcome shares then and now, less what noise and chance
make of two equal ones on average (each share's difference is at most its true
difference and the noise, and a normal variable of deviation s is s sqrt(2 / pi) away
from 0 on average). So the change is underestimated where there is any, and close to 0
where there is none. Over cells it is weighted by requests. Cells of fewer requests than
`samples_min`, or than noise could feign, or over other buckets, are not compared.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coordinator.validation.figure import SIGMAS, Figure
from federated_router.priors.contents import Cell, CellCounts

Reals = NDArray[np.float64]

_SIGMAS_SEEN: Final = 3.0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Noised counts by cell; `noise` is the standard deviation on each of them."""

    cells: Mapping[Cell, CellCounts]
    bounds_ms: Sequence[float]
    noise: float


@dataclass(frozen=True, slots=True)
class Change:
    """What was found; `compared` is how many cells could be.

    `stability` is 1 less the mean change, `converged` the part of the compared
    requests that lie in cells whose change noise explains. Without a comparable cell
    both are 1: nothing is known to have moved.
    """

    stability: Figure
    converged: float
    performance_delta: Figure
    compared: int


@dataclass(frozen=True, slots=True)
class _CellChange:
    requests: float
    change: float
    deviation: float


NO_CHANGE: Final = Change(Figure(1.0, 0.0), 1.0, Figure(0.0, 0.0), 0)


def change(before: Outcomes | None, now: Outcomes, *, samples_min: int) -> Change:
    """Return what moved; nothing where there are no priors before."""
    if before is None:
        return NO_CHANGE
    delta = _performance_delta(before, now, samples_min=samples_min)
    moved = _cell_changes(before, now, samples_min=samples_min)
    if not moved:
        return Change(Figure(1.0, 0.0), 1.0, delta, 0)
    total = sum(cell.requests for cell in moved)
    weights = [cell.requests / total for cell in moved]
    mean = sum(w * cell.change for w, cell in zip(weights, moved, strict=True))
    deviation = math.hypot(
        *(w * cell.deviation for w, cell in zip(weights, moved, strict=True))
    )
    return Change(
        stability=Figure(1.0 - min(max(mean, 0.0), 1.0), deviation),
        converged=sum(
            w
            for w, cell in zip(weights, moved, strict=True)
            if cell.change <= SIGMAS * cell.deviation
        ),
        performance_delta=delta,
        compared=len(moved),
    )


def _cell_changes(
    before: Outcomes, now: Outcomes, *, samples_min: int
) -> list[_CellChange]:
    if tuple(before.bounds_ms) != tuple(now.bounds_ms):
        return []
    found: list[_CellChange] = []
    for cell, counts in now.cells.items():
        then = before.cells.get(cell)
        if then is None:
            continue
        old, new = _shares(then, before, samples_min), _shares(counts, now, samples_min)
        if old is not None and new is not None:
            found.append(_cell_change(old, new))
    return found


@dataclass(frozen=True, slots=True)
class _Shares:
    """Outcome shares (B,), of how many requests, and the noise in one share."""

    shares: Reals
    requests: float
    noise: float


def _shares(counts: CellCounts, outcomes: Outcomes, samples_min: int) -> _Shares | None:
    values = np.array([*counts.latency_counts, counts.failures], dtype=np.float64)
    requests = float(values.sum())
    feigned = _SIGMAS_SEEN * outcomes.noise * math.sqrt(len(values))
    if requests < max(samples_min, feigned, 1.0):
        return None
    return _Shares(values / requests, requests, outcomes.noise / requests)


def _cell_change(old: _Shares, new: _Shares) -> _CellChange:
    """Return the change of one cell beyond what noise and chance explain on average.

    The distance is a Lipschitz function of the noise, with constant sqrt(B) in units
    of one share's noise, and moves by at most 1 / n with one of n requests: it is
    subgaussian with the scale given here (Boucheron, Lugosi and Massart 2013, theorems
    5.6 and 6.2), to first order in the noise of the number of requests.
    """
    buckets = len(new.shares)
    distance = 0.5 * float(np.abs(new.shares - old.shares).sum())
    variance = _variance(old) + _variance(new)
    explained = 0.5 * math.sqrt(2.0 / math.pi) * float(np.sqrt(variance).sum())
    scale = math.sqrt(
        buckets * (old.noise**2 + new.noise**2)
        + 0.25 * (1.0 / old.requests + 1.0 / new.requests)
    )
    return _CellChange(new.requests, distance - explained, scale)


def _variance(one: _Shares) -> Reals:
    """Return the variance of each share: noise in it and in the total, and chance."""
    shares = np.clip(one.shares, 0.0, 1.0)
    noise = one.noise**2 * (1.0 - 2.0 * shares + len(shares) * shares**2)
    variance: Reals = noise + shares * (1.0 - shares) / one.requests
    return variance


def _performance_delta(before: Outcomes, now: Outcomes, *, samples_min: int) -> Figure:
    old = _success_ratio(before, samples_min=samples_min)
    new = _success_ratio(now, samples_min=samples_min)
    if old is None or new is None:
        return Figure(0.0, 0.0)
    return Figure(new.value - old.value, math.hypot(new.deviation, old.deviation))


def _success_ratio(outcomes: Outcomes, *, samples_min: int) -> Figure | None:
    """Return the ratio over all cells; None where too few requests are seen."""
    buckets = len(outcomes.bounds_ms) + 1
    cells = len(outcomes.cells)
    successes = sum(counts.successes for counts in outcomes.cells.values())
    requests = sum(counts.requests for counts in outcomes.cells.values())
    feigned = _SIGMAS_SEEN * outcomes.noise * math.sqrt(cells * (buckets + 1))
    if requests < max(samples_min, feigned, 1.0):
        return None
    ratio = min(max(successes / requests, 0.0), 1.0)
    noise = outcomes.noise * math.sqrt(
        cells * (buckets * (1.0 - ratio) ** 2 + ratio**2)
    )
    return Figure(ratio, math.hypot(noise / requests, 0.5 / math.sqrt(requests)))
