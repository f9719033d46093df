"""No strategy buries a node: conversations that all begin alike, and broken variants.

A small world of the kind that the evaluation plays for a real trace: nodes that read
one prompt after the other and keep what they read last. Every prompt shares its first
block, as every conversation with one system prompt does.
"""

import random
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from federated_router.routing.columns import Floats
from federated_router.routing.moment import Moment
from federated_router.routing.moving_scorers import MovingScorer
from federated_router.routing.profile import Profile
from federated_router.routing.roster import Roster
from federated_router.routing.strategies import STRATEGIES
from tests.evaluate.placement_world import Figures, World, play
from tests.evaluate.traces import Arrival

BLOCK = 512
CACHE = 400
NODES = 8


def conversations(requests: int, *, seed: int, per_s: float) -> list[Arrival]:
    """Return turns of conversations: each turn continues one, or begins another."""
    draw = random.Random(seed)  # noqa: S311 - a trace, not a secret.
    paths: list[tuple[int, ...]] = []
    now_s, fresh, trace = 0.0, 1, []
    for _ in range(requests):
        now_s += draw.expovariate(per_s)
        path = draw.choice(paths[-40:]) if paths and draw.random() < 0.6 else (0,)
        grown = draw.randint(1, 12)
        path = (*path, *range(fresh, fresh + grown))
        fresh += grown
        paths.append(path)
        trace.append(
            Arrival(
                time_s=now_s,
                prompt_tokens=len(path) * BLOCK - draw.randint(0, BLOCK - 1),
                completion_tokens=draw.randint(1, 400),
                blocks=path,
            )
        )
    return trace


BUSY = conversations(500, seed=5, per_s=6.0)
IDLE = conversations(300, seed=6, per_s=0.05)


@cache
def busy(strategy: str) -> Figures:
    """Return what a strategy does with the busy trace."""
    return play(BUSY, strategy=strategy, cache_blocks=CACHE, nodes=NODES)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_no_strategy_gives_a_node_twice_the_mean(strategy: str) -> None:
    """Not under load: neither in requests nor in tokens read."""
    assert busy(strategy).imbalance <= 2.0
    assert busy(strategy).imbalance_tokens <= 2.0


@pytest.mark.parametrize("strategy", ["prefix_affinity", "annealing"])
def test_affinity_keeps_to_the_share_when_nothing_waits(strategy: str) -> None:
    """Queues say nothing while all are idle: there the share of requests does."""
    figures = play(IDLE, strategy=strategy, cache_blocks=CACHE, nodes=NODES)

    assert figures.imbalance <= 2.0


def test_affinity_finds_what_nodes_hold() -> None:
    """It earns its name: more hits and earlier tokens than turns give."""
    affinity, turns = busy("prefix_affinity"), busy("round_robin")

    assert affinity.hit_rate > 1.5 * turns.hit_rate
    assert affinity.ttft_s(0.5) < turns.ttft_s(0.5)
    assert affinity.ttft_s(0.99) < turns.ttft_s(0.99)


def _longest_match(candidates: Roster, moment: Moment) -> Floats:
    held = moment.prefixes.matched(moment.shape.prefix, candidates.sites)
    return np.zeros(len(candidates)) if held is None else held


PURE = Profile(
    "pure_affinity",
    ((MovingScorer("match", "the longest match", _longest_match), 1.0),),
)


def played(profile: Profile, trace: Sequence[Arrival]) -> Figures:
    """Return what a strategy that is not built in does."""
    world = World("random", cache_blocks=CACHE, nodes=NODES)
    world.use(profile)
    world.play(trace)
    return world.figures


def test_affinity_alone_collapses_onto_one_node() -> None:
    """What the tests above would catch: everybody follows the first block."""
    figures = played(PURE, BUSY)

    assert figures.imbalance > 0.9 * NODES
    assert figures.ttft_s(0.5) > 30.0


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_nobody_starves(strategy: str) -> None:
    """While requests overlap, every node gets some, whatever it did before."""
    assert min(node.requests for node in busy(strategy).nodes) >= 5
