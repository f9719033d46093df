"""What an answer takes: tokens, cost, energy, and the federation's weighted latency.

Decides how noised sums become amounts in units, and when they say nothing. Refuses to
know what an amount is worth (routing's scorers). Post-processing: it costs no privacy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from federated_router.priors.blocks import Block
from federated_router.priors.contents import Cell, CellCounts
from federated_router.priors.performance import bucket_edges
from federated_router.priors.sums import Estimate, Sums, ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Means over the successful requests of a cell; None where noise hides one.

    `cost_per_token` is in the federation's currency, `energy_j_per_request` in joules,
    `latency_ms` in milliseconds per output token.
    """

    tokens_per_request: Estimate | None
    cost_per_token: Estimate | None
    energy_j_per_request: Estimate | None
    latency_ms: Estimate | None


def read_resources(sums: Sums, cell: Cell) -> Resources:
    """Return what the blocks of a catalogue say of a cell."""
    catalogue, counts = sums.catalogue, sums.contents.performance.get(cell)
    if counts is None:
        counts = CellCounts((0,) * catalogue.buckets, 0)
    per_request = _PerRequest(sums, counts)
    return Resources(
        tokens_per_request=per_request.mean(
            Block.TOKENS, counts.tokens, unit=catalogue.token_unit
        ),
        cost_per_token=_cost_per_token(sums, counts),
        energy_j_per_request=per_request.mean(
            Block.ENERGY, counts.energy, unit=catalogue.energy_unit_j
        ),
        latency_ms=weighted_latency(sums, cell),
    )


def weighted_latency(sums: Sums, cell: Cell) -> Estimate | None:
    """Return the average of members' mean latencies, each weighted by its requests.

    The origin's weighted average with node_weight = min(successes / 1000, 1): no member
    counts for more than 1,000 requests. Mean latencies are means of logarithms, as the
    buckets are; a mean between two buckets is interpolated between their middles.
    """
    if Block.WEIGHTS not in sums.catalogue.blocks:
        return None
    told = sums.contents.weights.get(cell)
    if told is None:
        return None
    bounds_ms = sums.catalogue.latency_bounds_ms
    found = ratio(
        told.latency,
        told.weight,
        over_noise=sums.noise_of("weighted_latency"),
        under_noise=sums.noise_of("weight"),
    )
    if found is None:
        return None
    value = latency_at(bounds_ms, found.value)
    beside = latency_at(bounds_ms, found.value + found.standard_error)
    before = latency_at(bounds_ms, found.value - found.standard_error)
    return Estimate(value, (beside - before) / 2)


def latency_at(bounds_ms: Sequence[float], position: float) -> float:
    """Return the latency at a position between buckets, in ms per token.

    Position k is the geometric middle of bucket k; beyond the ends it stays at them.
    """
    middles = [math.log(low * high) / 2 for low, high in bucket_edges(bounds_ms)]
    within = min(max(position, 0.0), float(len(middles) - 1))
    below = min(int(within), len(middles) - 2)
    step = middles[below + 1] - middles[below]
    return math.exp(middles[below] + step * (within - below))


@dataclass(frozen=True, slots=True)
class _PerRequest:
    """Means over the successes of one cell."""

    sums: Sums
    counts: CellCounts

    def mean(self, block: Block, steps: int, *, unit: float) -> Estimate | None:
        """Return units per success; None without the block or enough successes."""
        if block not in self.sums.catalogue.blocks:
            return None
        buckets = self.sums.catalogue.buckets
        found = ratio(
            steps,
            self.counts.successes,
            over_noise=self.sums.noise_of(block.value),
            under_noise=self.sums.noise_of("latency") * math.sqrt(buckets),
        )
        return None if found is None else found.times(unit)


def _cost_per_token(sums: Sums, counts: CellCounts) -> Estimate | None:
    catalogue = sums.catalogue
    if not {Block.COST, Block.TOKENS} <= set(catalogue.blocks):
        return None
    found = ratio(
        counts.cost,
        counts.tokens,
        over_noise=sums.noise_of("cost"),
        under_noise=sums.noise_of("tokens"),
    )
    if found is None:
        return None
    return found.times(catalogue.cost_unit / catalogue.token_unit)
