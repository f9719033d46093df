"""Nodes under a virtual clock, and the router that places a trace's requests on them.

A node reads one prompt at a time, as fast as told, but for the blocks that it has: it
keeps the ones it used last. The router sees requests come and first tokens go, and
nothing of the nodes' caches.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count, groupby
from typing import Final

import numpy as np

from federated_router.kit.clock import ManualClock
from federated_router.registry.membership import Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.candidate import Candidate, RouteQuery, Shape
from federated_router.routing.loads import Counted
from federated_router.routing.profile import Profile
from federated_router.routing.router import Router
from federated_router.routing.served import Served
from federated_router.routing.settings import (
    AnnealingSettings,
    PrefixSettings,
    RoutingSettings,
)
from tests.evaluate.traces import Arrival

MODEL: Final = "models/conversation"
NODES: Final = 8
TOKENS_PER_S: Final = 8000.0
BLOCK_TOKENS: Final = 512
SEED: Final = 6


@dataclass(slots=True)
class Node:
    """A server that reads one prompt after the other, and keeps what it read last."""

    blocks_max: int
    free_s: float = 0.0
    requests: int = 0
    tokens: int = 0
    _held: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def serve(self, arrival: Arrival, now_s: float) -> tuple[float, int]:
        """Return when the first token comes, and how many blocks were there."""
        hit = 0
        while hit < len(arrival.blocks) and arrival.blocks[hit] in self._held:
            hit += 1
        unread = max(arrival.prompt_tokens - hit * BLOCK_TOKENS, 0)
        self.free_s = max(self.free_s, now_s) + unread / TOKENS_PER_S
        self.requests += 1
        self.tokens += unread
        for block in reversed(arrival.blocks):
            self._held[block] = None
            self._held.move_to_end(block)
        while len(self._held) > self.blocks_max:
            self._held.popitem(last=False)
        return self.free_s, hit


@dataclass(slots=True)
class Figures:
    """What a strategy did with a trace."""

    nodes: Sequence[Node]
    waits_s: list[float] = field(default_factory=list)
    blocks: int = 0
    hits: int = 0

    def ttft_s(self, share: float) -> float:
        """Return the time to the first token that `share` of requests stay within."""
        return float(np.quantile(self.waits_s, share))

    @property
    def hit_rate(self) -> float:
        """Return the share of blocks that were found."""
        return self.hits / self.blocks

    @property
    def imbalance(self) -> float:
        """Return the busiest node's requests by the mean."""
        requests = [node.requests for node in self.nodes]
        return max(requests) * len(requests) / sum(requests)

    @property
    def imbalance_tokens(self) -> float:
        """Return the busiest node's read tokens by the mean."""
        tokens = [node.tokens for node in self.nodes]
        return max(tokens) * len(tokens) / sum(tokens)


class World:
    """A router, its nodes, and the requests whose first token is still to come."""

    def __init__(self, strategy: str, *, cache_blocks: int, nodes: int) -> None:
        self.clock = ManualClock(0.0)
        registry = Registry(RegistrySettings(lease_s=1e9), self.clock)
        self.router = Router(
            settings_of(strategy, cache_blocks), registry, clock=self.clock
        )
        self.nodes = {f"nodes/n{number}": Node(cache_blocks) for number in range(nodes)}
        for name in self.nodes:
            registry.register(
                name=name,
                address=f"{name}:1",
                region="north",
                offers=[Offer(MODEL, 1 << 20, private=False, slots=8)],
            )
        self.figures = Figures(list(self.nodes.values()))
        self._pending: list[tuple[float, int, Counted, Candidate, Served]] = []
        self._numbers = count()

    def until(self, now_s: float) -> None:
        """Let everything happen that is due."""
        while self._pending and self._pending[0][0] <= now_s:
            time_s, _, counted, candidate, served = heapq.heappop(self._pending)
            self.clock._now_s = time_s
            counted.__exit__(None, None, None)
            self.router.observe(candidate, served)
        self.clock._now_s = now_s

    def use(self, profile: Profile) -> None:
        """Place by a strategy that is not built in."""
        self.router._scene = replace(self.router._scene.anew(), profile=profile)

    def play(self, trace: Sequence[Arrival]) -> None:
        """Place every request as it comes."""
        query = RouteQuery(MODEL)
        for arrival in trace:
            self.until(arrival.time_s)
            shape = shape_of(arrival)
            self.send(self.router.choose(query, shape), arrival, shape)

    def send(self, candidate: Candidate, arrival: Arrival, shape: Shape) -> None:
        """Send a request where the router said."""
        counted = self.router.counted(candidate, shape)
        counted.__enter__()
        now_s = self.clock.now_s()
        end_s, hit = self.nodes[candidate.node].serve(arrival, now_s)
        waited_s = end_s - now_s
        self.figures.waits_s.append(waited_s)
        self.figures.blocks += len(arrival.blocks)
        self.figures.hits += hit
        served = Served(
            succeeded=True,
            total_ms=waited_s * 1000.0,
            first_token_ms=waited_s * 1000.0,
            completion_tokens=arrival.completion_tokens,
        )
        entry = (end_s, next(self._numbers), counted, candidate, served)
        heapq.heappush(self._pending, entry)


def settings_of(strategy: str, cache_blocks: int) -> RoutingSettings:
    """Return settings under which the router knows how large caches are."""
    return RoutingSettings(
        strategy=strategy,
        seed=SEED,
        queue_factor=1e9,
        prefix=PrefixSettings(
            blocks_per_site_max=cache_blocks, blocks_max=cache_blocks * NODES
        ),
        annealing=AnnealingSettings(window_s=0.001, batch_max=64),
    )


def shape_of(arrival: Arrival) -> Shape:
    """Return a request as the router sees it."""
    return Shape(
        prompt_tokens=arrival.prompt_tokens,
        prefix=arrival.blocks,
    )


def play(
    trace: Sequence[Arrival], *, strategy: str, cache_blocks: int, nodes: int = NODES
) -> Figures:
    """Return what a strategy does with a trace; the same figures every time."""
    world = World(strategy, cache_blocks=cache_blocks, nodes=nodes)
    if world.router.strategies[strategy].batched:
        asyncio.run(_play_together(world, trace))
    else:
        world.play(trace)
    return world.figures


async def _play_together(world: World, trace: Sequence[Arrival]) -> None:
    """Let requests of the same instant come within one window."""
    query = RouteQuery(MODEL)
    for time_s, group in groupby(trace, key=lambda one: one.time_s):
        world.until(time_s)
        arrivals = list(group)
        shapes = [shape_of(one) for one in arrivals]
        placed = await asyncio.gather(
            *(world.router.placed(query, shape) for shape in shapes)
        )
        for candidate, arrival, shape in zip(placed, arrivals, shapes, strict=True):
            world.send(candidate, arrival, shape)
