"""How long a decision takes: every strategy, with 100 and with 1,000 busy nodes.

Decisions are the router's own, on this processor alone: prompts of many conversations,
with each node busy and holding some of them, as while it serves. Leases are renewed
and answers observed in between, as they are. Times are told by the clock, and as time
of the processor, which a busy machine does not stretch as much.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from federated_router.choice.choosing import Wishes
from federated_router.kit.clock import SystemClock
from federated_router.kit.log import configure
from federated_router.registry.membership import Load, Offer, Tariff
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.candidate import RouteQuery, Shape
from federated_router.routing.router import Router
from federated_router.routing.served import Served
from federated_router.routing.settings import RoutingSettings
from federated_router.routing.strategies import STRATEGIES
from tests.bench.figures import Sheet

MODEL: Final = "models/bench"
REGIONS: Final = ("north", "south", "east", "west")
NODES: Final = (100, 1000)
DECISIONS: Final = 1500
WARM_UP: Final = 300
BLOCKS: Final = 16
"""Blocks of a prompt: 32 KiB."""


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`; `folder` is not used."""
    del folder
    configure(level="error", form="text", daemon="bench")
    for count in NODES:
        worst: dict[str, float] = {}
        for strategy in STRATEGIES:
            times = decisions(strategy, count)
            for name, value in times.figures.items():
                sheet.record(f"router.{name}.{count}.{strategy}", value, "ms")
                worst[name] = max(worst.get(name, 0.0), value)
        for name, value in worst.items():
            sheet.record(f"router.{name}.{count}", value, "ms")
        others = {
            "with_wishes": decisions("federated_priors", count, wishing=True),
            "changing": decisions("federated_priors", count, changing=True),
        }
        for label, times in others.items():
            for name, value in times.figures.items():
                sheet.record(f"router.{name}.{count}.{label}", value, "ms")


@dataclass(frozen=True, slots=True)
class Times:
    """How long decisions took, in milliseconds: by the clock, and of the processor."""

    wall: Sequence[float]
    processor: Sequence[float]

    @property
    def figures(self) -> dict[str, float]:
        """Return the percentiles by name."""
        return {
            f"decision_{kind}p{share}_ms": float(np.percentile(times, share))
            for kind, times in (("", self.wall), ("cpu_", self.processor))
            for share in (50, 99)
        }


def decisions(
    strategy: str, nodes: int, *, wishing: bool = False, changing: bool = False
) -> Times:
    """Return how long each decision took.

    What is timed is a decision and its count, as
    before every dispatch; with `changing`, each the first after a breaker turned.
    """
    router, renewals = world(strategy, nodes)
    draw = random.Random(4)  # noqa: S311 - load, not a secret.
    query, running = RouteQuery(MODEL), []
    wall, processor = [], []
    for number in range(WARM_UP + DECISIONS):
        shape = _shape(draw, wishing=wishing)
        if number % 3 == 0:
            next(renewals)
        if changing:
            turn = router.unblock if number % 2 else router.block
            turn(f"nodes/n{number // 2 % nodes}")
        begin_s, begin_cpu_s = time.perf_counter(), time.thread_time()
        chosen = router.choose(query, shape)
        counted = router.counted(chosen, shape)
        counted.__enter__()
        processor.append((time.thread_time() - begin_cpu_s) * 1000.0)
        wall.append((time.perf_counter() - begin_s) * 1000.0)
        running.append((counted, chosen))
        if len(running) > 2 * nodes:
            ended, at = running.pop(draw.randrange(len(running)))
            ended.__exit__(None, None, None)
            router.observe(at, Served(succeeded=True, total_ms=draw.uniform(50, 500)))
    return Times(wall[WARM_UP:], processor[WARM_UP:])


def world(strategy: str, nodes: int) -> tuple[Router, Iterator[None]]:
    """Return a router of so many nodes, and renewals of their leases."""
    registry = Registry(
        RegistrySettings(lease_s=3600.0, nodes_max=nodes), SystemClock()
    )
    leases = {}
    for number in range(nodes):
        name = f"nodes/n{number}"
        leases[name] = registry.register(
            name=name,
            address=f"{name}:1",
            region=REGIONS[number % len(REGIONS)],
            offers=[
                Offer(MODEL, 1 << 20, private=False, slots=8, tariff=Tariff(1.0, 2.0))
            ],
        ).lease_id
    router = Router(RoutingSettings(strategy=strategy, seed=4), registry)
    return router, _renewals(registry, leases)


def _renewals(registry: Registry, leases: dict[str, str]) -> Iterator[None]:
    while True:
        for name, lease in leases.items():
            registry.renew(name, lease, Load(1, 0))
            yield


def _shape(draw: random.Random, *, wishing: bool) -> Shape:
    """Return a prompt of one of 500 conversations, which share their first block."""
    talk, depth = draw.randrange(500), draw.randint(1, BLOCKS)
    prefix = (0, *(talk * 1000 + block for block in range(1, depth)))
    return Shape(
        prompt_tokens=len(prefix) * 512,
        tokens_max=256,
        prefix=prefix,
        wishes=Wishes(cost_max=1e9, latency_ms_max=1e9) if wishing else Wishes(),
    )
