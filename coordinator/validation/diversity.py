"""How evenly requests are spread over the models.

Decides the normalised entropy (Shannon 1948) of noised requests by model: 1 where all
models get the same, 0 where one gets everything. Refuses to judge: a federation with
one favourite is not broken.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from coordinator.validation.figure import SIGMAS, Figure
from federated_router.priors.contents import Cell, CellCounts

_SIGMAS_SEEN: Final = 3.0


def diversity(cells: Mapping[Cell, CellCounts], *, noise: float) -> Figure:
    """Return the normalised entropy; `noise` is the deviation on each count.

    A model whose requests noise alone could feign counts as one without any. A
    catalogue of one model is as even as it can be: 1. Where no model is seen nothing
    is known, and the deviation is 1.
    """
    totals: dict[str, list[float]] = {}
    for cell, counts in cells.items():
        total = totals.setdefault(cell.model, [0.0, 0.0])
        total[0] += counts.requests
        total[1] += noise**2 * (len(counts.latency_counts) + 1)
    if len(totals) == 1:
        return Figure(1.0, 0.0)
    requests = [total for total, _ in totals.values()]
    deviations = [math.sqrt(variance) for _, variance in totals.values()]
    seen = [
        total if total > _SIGMAS_SEEN * deviation else 0.0
        for total, deviation in zip(requests, deviations, strict=True)
    ]
    if not sum(seen):
        return Figure(0.0, 1.0)
    return Figure(_evenness(seen), _deviation(seen, deviations))


def _evenness(requests: Sequence[float]) -> float:
    total = sum(requests)
    shares = [one / total for one in requests if one > 0]
    entropy = -math.fsum(share * math.log(share) for share in shares)
    return max(0.0, entropy / math.log(len(requests)))


def _deviation(seen: Sequence[float], deviations: Sequence[float]) -> float:
    """Return how far noise moves the evenness, to first order.

    Models that are not seen may have as many requests as noise can hide; what they
    would add counts as noise as well.
    """
    total = sum(seen)
    mean_log = math.fsum(one / total * math.log(one / total) for one in seen if one)
    slopes = (
        (math.log(one / total) - mean_log) / total * deviation
        for one, deviation in zip(seen, deviations, strict=True)
        if one
    )
    moved = math.hypot(*slopes) / math.log(len(seen))
    hidden = [
        one or (_SIGMAS_SEEN + SIGMAS) * deviation
        for one, deviation in zip(seen, deviations, strict=True)
    ]
    return moved + max(0.0, _evenness(hidden) - _evenness(seen)) / SIGMAS
