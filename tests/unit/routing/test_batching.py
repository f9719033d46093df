"""Requests placed together: within the window, within the limit, and none lost."""

import asyncio
from collections import Counter
from dataclasses import replace

from federated_router.choice.choosing import Wishes
from federated_router.kit.errors import ModelUnknown, QueueFull
from federated_router.routing.candidate import RouteQuery, Shape
from federated_router.routing.settings import AnnealingSettings, RoutingSettings
from tests.unit.routing.placing import QUERY, Live


def annealing(*, window_s: float = 0.002, batch_max: int = 32) -> Live:
    """Return a router that places together, with nodes a to d.

    The window may be longer than a deployment's, so that no test waits for its end.
    """
    settings = AnnealingSettings(batch_max=batch_max)
    live = Live(
        RoutingSettings(
            strategy="annealing",
            seed=1,
            annealing=settings.model_copy(update={"window_s": window_s}),
        )
    )
    live.join("a", "b", "c", "d")
    return live


async def test_requests_of_one_window_are_spread_by_what_they_share() -> None:
    """Two conversations of four requests each: their prompts are read once each."""
    live = annealing()
    shapes = [
        Shape(prompt_tokens=2048, prefix=tuple(range(kind * 10, kind * 10 + 4)))
        for kind in (0, 1) * 4
    ]

    async with asyncio.timeout(30):
        placed = await asyncio.gather(
            *(live.router.placed(QUERY, shape) for shape in shapes)
        )

    nodes = [{one.node for one in placed[kind::2]} for kind in (0, 1)]
    assert [len(one) for one in nodes] == [1, 1]
    assert nodes[0] != nodes[1]


async def test_full_batch_waits_no_longer() -> None:
    """The window is an hour; the batch is full at four."""
    live = annealing(window_s=3600.0, batch_max=4)

    async with asyncio.timeout(30):
        placed = await asyncio.gather(
            *(live.router.placed(QUERY, Shape(prompt_tokens=1000)) for _ in range(8))
        )

    assert set(Counter(one.node for one in placed).values()) == {2}


async def test_request_alone_is_placed_when_the_window_closes() -> None:
    """As it would be without others."""
    async with asyncio.timeout(30):
        assert (await annealing().router.placed(QUERY)).node == "nodes/a"


async def test_each_request_hears_of_its_own_failure() -> None:
    """One that cannot be placed spoils nobody's batch."""
    live = annealing()

    async with asyncio.timeout(30):
        good, unknown, wished = await asyncio.gather(
            live.router.placed(QUERY),
            live.router.placed(RouteQuery("models/other")),
            live.router.placed(
                QUERY, Shape(prompt_tokens=9, wishes=Wishes(cost_max=1.0))
            ),
            return_exceptions=True,
        )

    assert not isinstance(good, BaseException)
    assert not isinstance(wished, BaseException)
    assert isinstance(unknown, ModelUnknown)


async def test_caller_that_gave_up_holds_up_nobody() -> None:
    """Its place is not planned for."""
    live = annealing()
    gone = asyncio.ensure_future(live.router.placed(QUERY))
    await asyncio.sleep(0)
    gone.cancel()

    async with asyncio.timeout(30):
        placed = await live.router.placed(QUERY)

    assert placed.node == "nodes/a"
    assert gone.cancelled()


async def test_full_nodes_refuse_a_batch_too() -> None:
    """The queue's limit is the same as for one request."""
    live = Live(RoutingSettings(strategy="annealing", queue_factor=1.0, seed=1))
    live.join("a", slots=1)
    live.router.counted(live.router.choose(QUERY)).__enter__()

    async with asyncio.timeout(30):
        found = await asyncio.gather(
            *(live.router.placed(QUERY) for _ in range(2)), return_exceptions=True
        )

    assert [type(one) for one in found] == [QueueFull, QueueFull]


async def test_requests_of_other_queries_are_planned_apart() -> None:
    """A plan is of one slate; nobody is sent where only another may go."""
    live = annealing()
    live.join("south", region="south")
    bound = replace(QUERY, regions=frozenset({"south"}))
    shape = Shape(prompt_tokens=4000)

    async with asyncio.timeout(30):
        placed = await asyncio.gather(
            *(live.router.placed(query, shape) for query in (QUERY, bound) * 4)
        )

    assert {one.node for one in placed[1::2]} == {"nodes/south"}
