"""What members count: requests whose every trace in a sum can be told.

Decides how many requests a member records before each round and in which slots. Each
round's requests lie in a cell of their own, so that a request that is told twice shows.
"""

from collections.abc import Iterator
from typing import Final

from coordinator.simulation.witness import Witness
from federated_router.federation.statistics import FailureCause, Statistics
from federated_router.priors.catalogue import Catalogue

POWERS_MAX: Final = 12
"""Up to so many members count powers of two, so that a sum names its members."""

_SPREAD: Final = 5


def requests_of(index: int, *, members: int, slots: int) -> Iterator[tuple[int, int]]:
    """Yield slots of a cell and how many requests a member records there."""
    if members <= POWERS_MAX:
        yield 0, 1 << index
        return
    for slot in range(slots):
        yield slot, (index + slot) % _SPREAD


def record(
    statistics: Statistics,
    witness: Witness,
    *,
    member: str,
    index: int,
    members: int,
    round_index: int,
    catalogue: Catalogue,
) -> None:
    """Record one round's requests of one member, and let the witness count them."""
    cell = catalogue.cells[round_index]
    start = round_index * catalogue.cell_slots
    buckets = (*catalogue.latency_bounds_ms, 2 * catalogue.latency_bounds_ms[-1])
    for slot, times in requests_of(index, members=members, slots=catalogue.cell_slots):
        for _ in range(times):
            if slot < len(buckets):
                statistics.succeed(cell, latency_ms_per_token=buckets[slot])
            else:
                statistics.fail(cell, FailureCause.ENGINE)
        witness.count(
            member, start + slot, times=times, slots=catalogue.statistic_slots
        )
