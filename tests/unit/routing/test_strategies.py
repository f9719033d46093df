"""Strategies by name, composed in configuration, and switched under load."""

import asyncio
from collections import Counter

import pytest
from pydantic import ValidationError

from federated_router.kit.errors import FieldInvalid
from federated_router.routing.candidate import NodeFacts, Shape
from federated_router.routing.settings import (
    RoutingSettings,
    ScorerSettings,
    StrategySettings,
)
from federated_router.routing.strategies import STRATEGIES, strategies_of
from tests.unit.routing.placing import QUERY, Live

GREEN = StrategySettings(
    name="green",
    description="Clean regions, while they are free.",
    scorers=(
        ScorerSettings(name="carbon", weight=3.0),
        ScorerSettings(name="free_slots"),
    ),
    picker="best",
    filters=("queue_below_limit", "carbon_known"),
)


def test_every_strategy_that_is_promised_is_there() -> None:
    """Names are what operators and configuration use."""
    assert set(STRATEGIES) == {
        "round_robin",
        "weighted_round_robin",
        "least_connections",
        "random",
        "fastest_response",
        "power_of_two",
        "prefix_affinity",
        "federated_priors",
        "annealing",
    }
    assert all(one.description for one in STRATEGIES.values())
    assert [name for name, one in STRATEGIES.items() if one.batched] == ["annealing"]


def test_composed_strategy_decides_by_its_parts() -> None:
    """Cleanest first; load moves it on; who cannot say is passed over."""
    live = Live(RoutingSettings(strategy="green", strategies=(GREEN,), seed=1))
    for name, region in (("a", "coal"), ("b", "hydro"), ("c", "nobody-knows")):
        live.join(name, region=region, slots=1)
    live.router.know(NodeFacts(carbon_intensity={"coal": 500.0, "hydro": 400.0}))

    first = live.router.choose(QUERY)
    for _ in range(4):
        live.router.counted(first).__enter__()
    told = live.router.explain(QUERY)

    assert first.node == "nodes/b"
    assert told.chosen is not None
    assert told.chosen.node == "nodes/a"
    assert told.strategy == "green"
    assert [one.rejected_by for one in told.candidates] == ["", "", "carbon_known"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"picker": "beast"}, "routing.strategies[0].picker"),
        ({"filters": ("trust_everybody",)}, "routing.strategies[0].filters[0]"),
        ({"name": "random"}, "routing.strategies[0].name"),
        (
            {"scorers": (ScorerSettings(name="carbon"), ScorerSettings(name="magic"))},
            "routing.strategies[0].scorers[1].name",
        ),
    ],
)
def test_part_that_is_not_there_is_refused_at_the_start(
    change: dict[str, object], field: str
) -> None:
    """By the field that names it, and with the names there are."""
    with pytest.raises(FieldInvalid) as raised:
        strategies_of((GREEN.model_copy(update=change),))

    assert raised.value.metadata["field"] == field


def test_composed_strategy_cannot_leave_out_what_callers_were_promised() -> None:
    """Trust, region, privacy and breakers are no matter of taste."""
    bare = GREEN.model_copy(update={"filters": ()})

    filters = strategies_of((bare,))["green"].filter_names

    assert filters == (
        "offers_private",
        "trusted",
        "region_allowed",
        "context_fits",
        "not_draining",
        "breaker_closed",
        "not_failed_before",
    )


@pytest.mark.parametrize(
    "change", [{"name": "Green"}, {"scorers": ()}, {"description": ""}, {"speed": 1}]
)
def test_malformed_strategy_is_refused(change: dict[str, object]) -> None:
    """With the configuration, before anything starts."""
    told = {**GREEN.model_dump(), **change}

    with pytest.raises(ValidationError):
        StrategySettings.model_validate(told)


async def test_strategy_is_switched_under_load_without_dropping_a_request() -> None:
    """Every request is placed, counted and uncounted, whatever is in force."""
    live = Live()
    live.join("a", "b", "c", slots=4)
    served: Counter[str] = Counter()

    async def request(number: int) -> None:
        shape = Shape(prompt_tokens=600, prefix=(number % 5,))
        one = await live.router.placed(QUERY, shape)
        with live.router.counted(one, shape) as counted:
            await asyncio.sleep(0.001 * (number % 3))
            counted.prefilled()
            await asyncio.sleep(0)
        served[one.node] += 1

    async def switch() -> None:
        for _ in range(5):
            for name in STRATEGIES:
                live.router.set_strategy(name)
                await asyncio.sleep(0.0005)

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(switch())
        for number in range(600):
            tasks.create_task(request(number))
            if number % 20 == 0:
                await asyncio.sleep(0.0005)

    assert served.total() == 600
    assert all(live.router.in_flight(f"nodes/{name}") == 0 for name in "abc")
    assert not live.router._memory.loads.unread_tokens
