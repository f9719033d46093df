"""How long a decision takes: every strategy, with 100 and with 1,000 busy nodes.

Decisions are the router's own, on this processor alone: prompts of many conversations,
with each node busy and holding some of them, as while it serves. Leases are renewed
and answers observed in between, as they are.
"""

import random
import time
from collections.abc import Iterator, Sequence
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
        worst = {"p50": 0.0, "p99": 0.0}
        for strategy in STRATEGIES:
            times_ms = decisions_ms(strategy, count, DECISIONS)
            p50, p99 = np.percentile(times_ms, (50, 99))
            sheet.record(f"router.decision_p50_ms.{count}.{strategy}", p50, "ms")
            sheet.record(f"router.decision_p99_ms.{count}.{strategy}", p99, "ms")
            worst = {"p50": max(worst["p50"], p50), "p99": max(worst["p99"], p99)}
        for name, value in worst.items():
            sheet.record(f"router.decision_{name}_ms.{count}", value, "ms")
        wished = decisions_ms("federated_priors", count, DECISIONS, wishing=True)
        p99 = float(np.percentile(wished, 99))
        sheet.record(f"router.decision_p99_ms.{count}.with_wishes", p99, "ms")


def decisions_ms(
    strategy: str, nodes: int, decisions: int, *, wishing: bool = False
) -> Sequence[float]:
    """Return how long each of so many decisions took, in milliseconds of wall time.

    What is timed is a decision and its count, as before every dispatch.
    """
    router, renewals = world(strategy, nodes)
    draw = random.Random(4)  # noqa: S311 - load, not a secret.
    query, running, times_ms = RouteQuery(MODEL), [], []
    for number in range(WARM_UP + decisions):
        shape = _shape(draw, wishing=wishing)
        if number % 3 == 0:
            next(renewals)
        begin_s = time.perf_counter()
        chosen = router.choose(query, shape)
        counted = router.counted(chosen, shape)
        counted.__enter__()
        times_ms.append((time.perf_counter() - begin_s) * 1000.0)
        running.append((counted, chosen))
        if len(running) > 2 * nodes:
            ended, at = running.pop(draw.randrange(len(running)))
            ended.__exit__(None, None, None)
            router.observe(at, Served(succeeded=True, total_ms=draw.uniform(50, 500)))
    return times_ms[WARM_UP:]


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
