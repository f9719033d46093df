"""What a node served since it began, by model, region and tier, for its own operator.

Decides what is summed of requests that ended, answers or not, and shows it in the
contract's form. Nothing here is clipped or sent: rounds have their own, smaller counts.
Refuses to know who may ask.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from federated_router.api.v1 import ops_pb2
from federated_router.priors.contents import Cell
from node.statistics.endings import EndedRequest, Ending
from node.statistics.energy_sources import EnergySource
from node.statistics.latency import MS_PER_S
from node.statistics.metrics import observe

CELLS_MAX: Final = 1024
"""Cells that are summed; a configuration has one or two for each of its models."""


@dataclass(slots=True)
class _Mean:
    """A mean of seconds, told in milliseconds."""

    count: int = 0
    sum_s: float = 0.0

    def add(self, value_s: float | None) -> None:
        if value_s is not None:
            self.count += 1
            self.sum_s += value_s

    @property
    def ms(self) -> float:
        return self.sum_s * MS_PER_S / self.count if self.count else 0.0


@dataclass(slots=True)
class _Sums:
    """Sums over the requests of one cell."""

    endings: Counter[Ending] = field(default_factory=Counter)
    prompt: int = 0
    cached: int = 0
    output: int = 0
    cost: float = 0.0
    energy_j: defaultdict[EnergySource, float] = field(
        default_factory=lambda: defaultdict(float)
    )
    co2e_g: float | None = None
    first_token: _Mean = field(default_factory=_Mean)
    output_token: _Mean = field(default_factory=_Mean)
    duration: _Mean = field(default_factory=_Mean)

    def add(self, ended: EndedRequest) -> None:
        """Count one request."""
        self.endings[ended.ending] += 1
        self.prompt += ended.counts.prompt
        self.cached += ended.counts.cached
        self.output += ended.counts.output
        self.cost += ended.cost
        for source, joules in ended.energy_j.items():
            self.energy_j[source] += joules
        if ended.co2e_g is not None:
            self.co2e_g = (self.co2e_g or 0.0) + ended.co2e_g
        self.first_token.add(ended.time_to_first_token_s)
        if ended.answered:
            self.output_token.add(ended.time_per_output_token_s)
            self.duration.add(ended.duration_s)


class ServedRequests:
    """Sums per cell, and Prometheus beside them; safe to call from any thread."""

    def __init__(self, *, cells_max: int = CELLS_MAX) -> None:
        self._cells_max = cells_max
        self._lock = threading.Lock()
        self._cells: dict[Cell, _Sums] = {}

    def add(self, ended: EndedRequest) -> None:
        """Count one request that ended; those of cells beyond the limit nowhere."""
        with self._lock:
            sums = self._cells.get(ended.cell)
            if sums is None:
                if len(self._cells) >= self._cells_max:
                    return
                sums = self._cells[ended.cell] = _Sums()
            sums.add(ended)
        observe(ended)

    def messages(self) -> list[ops_pb2.ServedRequests]:
        """Return every cell in the contract's form."""
        with self._lock:
            return [_message(*one) for one in sorted(self._cells.items(), key=_key)]


def _key(item: tuple[Cell, _Sums]) -> Cell:
    return item[0]


def _message(cell: Cell, sums: _Sums) -> ops_pb2.ServedRequests:
    return ops_pb2.ServedRequests(
        model=cell.model,
        region=cell.region,
        tier=cell.tier,
        endings=_endings(sums),
        prompt_tokens=sums.prompt,
        prompt_tokens_cached=sums.cached,
        output_tokens=sums.output,
        cost=sums.cost,
        energy=[
            ops_pb2.EnergyAmount(source=source.value, energy_j=joules)
            for source, joules in sorted(sums.energy_j.items())
        ],
        co2e_g=sums.co2e_g,
        time_to_first_token_mean_ms=sums.first_token.ms,
        time_per_output_token_mean_ms=sums.output_token.ms,
        duration_mean_ms=sums.duration.ms,
    )


def _endings(sums: _Sums) -> Iterator[ops_pb2.EndingCount]:
    for ending in Ending:
        if sums.endings[ending]:
            yield ops_pb2.EndingCount(
                ending=ending.value, requests=sums.endings[ending]
            )
