"""Requests that come together, placed together by simulated annealing. Pure.

Decides which node reads which prompt so that the first tokens of all come as early as
they can: a node reads one prompt after the other, and reads a beginning only once that
two of its prompts share. Begins with each in turn where it costs least, moves or swaps
requests at random, and accepts what is worse the less the cooler it is (Kirkpatrick,
Gelatt and Vecchi 1983). The best that was seen is returned, so it is never worse than
where it began. The same seed gives the same places.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from federated_router.routing.turns import mixed

COOLEST: Final = 0.001
"""The last temperature, as a share of the first."""

_WORD: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt of so many tokens, and how many of them each place holds already."""

    tokens: int
    held: tuple[int, ...]
    prefix: tuple[int, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs in order of arrival, and the tokens waiting at each place, by its speed."""

    jobs: tuple[Job, ...]
    waiting: tuple[float, ...]
    speeds: tuple[float, ...]
    shared: tuple[tuple[int, ...], ...]

    def cost(self, place: int, numbers: Sequence[int]) -> float:
        """Return the sum of the times until the first tokens of these jobs there."""
        begin, total = self.waiting[place], 0.0
        for position, number in enumerate(numbers):
            job = self.jobs[number]
            row = self.shared[number]
            known = max((row[one] for one in numbers[:position]), default=0)
            begin += job.tokens - min(job.tokens, max(known, job.held[place]))
            total += begin
        return total / self.speeds[place]


def batch_of(
    jobs: Sequence[Job],
    waiting: Sequence[float],
    speeds: Sequence[float],
    *,
    block_tokens: int,
) -> Batch:
    """Return a batch, with the tokens that each two of its jobs share."""
    shared = tuple(
        tuple(_common(one.prefix, other.prefix) * block_tokens for other in jobs)
        for one in jobs
    )
    return Batch(tuple(jobs), tuple(waiting), tuple(speeds), shared)


def assign(batch: Batch, *, seed: int, steps_max: int) -> list[int]:
    """Return a place for each job, in `steps_max` steps at most."""
    state = _begin(batch)
    best, least = list(state.places), state.total
    temperature = max(job.tokens for job in batch.jobs) / 2 + 1.0
    cooling = COOLEST ** (1.0 / steps_max)
    word = mixed(seed)
    for _ in range(steps_max):
        word = mixed(word)
        state.step(word, temperature)
        if state.total < least - 1e-9:
            best, least = list(state.places), state.total
        temperature *= cooling
    return best


@dataclass(slots=True)
class State:
    """Where each job is, the jobs of each place in order, and what they cost there."""

    batch: Batch
    places: list[int]
    lists: list[list[int]]
    costs: list[float]
    total: float

    def step(self, word: int, temperature: float) -> None:
        """Move one job, or swap two, unless that is worse than chance allows."""
        job = word % len(self.places)
        other = (word >> 16) % len(self.places)
        swap = (word >> 32) & 1
        source = self.places[job]
        target = self.places[other] if swap else (word >> 33) % len(self.lists)
        if source == target:
            return
        leaving = {job, other} if swap else {job}
        first = sorted(set(self.lists[source]) ^ leaving)
        second = sorted(set(self.lists[target]) ^ leaving)
        costs = self.batch.cost(source, first), self.batch.cost(target, second)
        change = sum(costs) - self.costs[source] - self.costs[target]
        if change > 0 and mixed(word) / _WORD >= math.exp(-change / temperature):
            return
        self.places[job] = target
        if swap:
            self.places[other] = source
        self.lists[source], self.lists[target] = first, second
        self.costs[source], self.costs[target] = costs
        self.total += change


def _begin(batch: Batch) -> State:
    """Return the state in which each job in turn went where it costs least."""
    count = len(batch.waiting)
    lists: list[list[int]] = [[] for _ in range(count)]
    costs = [0.0] * count
    places: list[int] = []
    for number in range(len(batch.jobs)):
        grown = [batch.cost(place, [*lists[place], number]) for place in range(count)]
        place = min(range(count), key=lambda one: grown[one] - costs[one])
        lists[place].append(number)
        costs[place] = grown[place]
        places.append(place)
    return State(batch, places, lists, costs, sum(costs))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many blocks two prefixes share: each digest is of all before it."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[middle - 1] == other[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low
