"""What a node tells the router that a thousand tokens take, and from whom it learns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import ManualClock
from federated_router.priors.contents import PRIVATE_TIER, Cell
from node.engine.pieces import FinishReason
from node.statistics.costs import ModelCosts
from node.statistics.endings import EndedRequest, Ending, TokenCounts
from node.statistics.energy_sources import EnergySource
from node.statistics.recorder import RequestRecorder
from node.statistics.tariffs import (
    REQUESTS_REMEMBERED,
    TOKENS_MIN,
    ModelRates,
    Tariffs,
    moved,
)

MODEL = "models/a"
SAID = ModelRates(
    prompt_token_price=0.001, token_price=0.004, prompt_token_j=0.2, token_j=1.5
)


def ended(
    joules: float,
    *,
    source: EnergySource = EnergySource.MEASURED_RAPL,
    tier: str = "standard",
    prompt: int = 300,
    cached: int = 100,
    output: int = 200,
) -> EndedRequest:
    """Return a request that took so many joules."""
    return EndedRequest(
        cell=Cell(MODEL, "eu", tier),
        ending=Ending.END,
        counts=TokenCounts(prompt=prompt, cached=cached, output=output),
        duration_s=1.0,
        time_to_first_token_s=None,
        time_per_output_token_s=None,
        cost=0.0,
        energy_j={source: joules},
        co2e_g=None,
    )


def joules_of(tariff: pb.Tariff) -> tuple[float, float, int]:
    """Return what is said of energy."""
    return tariff.prompt_joules, tariff.completion_joules, tariff.energy_basis


def test_what_the_operator_says_of_a_token_is_told_of_a_thousand() -> None:
    """Prices and joules of prompts and answers apart."""
    tariff = Tariffs({MODEL: SAID}).of(MODEL)

    assert (tariff.prompt_cost, tariff.completion_cost) == (1.0, 4.0)
    assert joules_of(tariff) == (200.0, 1500.0, inference.ENERGY_BASIS_MODELLED)


def test_a_measurement_goes_before_what_is_said_and_what_is_modelled() -> None:
    """800 J over 400 tokens that were read or written: cached ones took none."""
    tariffs = Tariffs({MODEL: SAID})
    tariffs.add(ended(9.0, source=EnergySource.MODELLED))
    tariffs.add(ended(800.0))

    assert joules_of(tariffs.of(MODEL)) == (
        2000.0,
        2000.0,
        inference.ENERGY_BASIS_MEASURED,
    )


def test_watts_times_time_are_told_where_nothing_else_is_known() -> None:
    """A modelled figure is never told as a measurement."""
    tariffs = Tariffs({MODEL: ModelRates()})
    tariffs.add(ended(400.0, source=EnergySource.MODELLED))

    assert joules_of(tariffs.of(MODEL)) == (
        1000.0,
        1000.0,
        inference.ENERGY_BASIS_MODELLED,
    )


def test_private_requests_teach_nothing() -> None:
    """What everybody is told must not depend on what a private request took."""
    tariffs = Tariffs({MODEL: ModelRates()})
    tariffs.add(ended(800.0, tier=PRIVATE_TIER))
    assert tariffs.of(MODEL) == pb.Tariff()


def test_a_few_tokens_say_nothing_yet_and_unknown_models_never() -> None:
    """One short request on a busy machine would decide where thousands go."""
    tariffs = Tariffs({MODEL: ModelRates()})
    tariffs.add(ended(800.0, prompt=100, cached=100, output=TOKENS_MIN - 1))

    assert tariffs.of(MODEL) == pb.Tariff()
    assert tariffs.of("models/other") == pb.Tariff()


def test_the_mean_follows_the_last_requests() -> None:
    """After a few times the memory, what was before no longer shows."""
    tariffs = Tariffs({MODEL: ModelRates()})
    for _ in range(1000):
        tariffs.add(ended(800.0))
    for _ in range(10 * REQUESTS_REMEMBERED):
        tariffs.add(ended(400.0))

    assert tariffs.of(MODEL).prompt_joules == pytest.approx(1000.0, rel=1e-3)


@given(st.lists(st.just(0.0) | st.floats(1e-9, 1e6), min_size=1, max_size=50))
def test_the_mean_lies_among_what_was_seen(joules: list[float]) -> None:
    """No request pulls it beyond the least and the most."""
    tariffs = Tariffs({MODEL: ModelRates()})
    for one in joules:
        tariffs.add(ended(one))

    told = tariffs.of(MODEL).prompt_joules

    assert min(joules) / 0.4 * (1 - 1e-9) <= told <= max(joules) / 0.4 * (1 + 1e-9)


async def test_the_recorder_hands_over_every_request() -> None:
    """As it ended, with the energy that it was given."""
    tariffs, clock = Tariffs({MODEL: ModelRates()}), ManualClock()
    recorder = RequestRecorder(
        region="eu",
        statistics=Statistics(),
        clock=clock,
        costs={MODEL: ModelCosts(power_w=50.0)},
        tariffs=tariffs,
    )
    timing = recorder.begin(MODEL)
    await clock.advance(2.0)
    timing.progress(TokenCounts(prompt=50, output=200), finish=FinishReason.END)
    timing.answer()

    assert tariffs.of(MODEL).completion_joules == pytest.approx(400.0)


def test_only_a_move_that_matters_is_a_move() -> None:
    """A tenth of a figure, or where it comes from."""
    before = pb.Tariff(completion_joules=1000.0)
    measured = pb.Tariff(
        completion_joules=1000.0, energy_basis=inference.ENERGY_BASIS_MEASURED
    )

    assert not moved(before, before, share_min=0.1)
    assert not moved(before, pb.Tariff(completion_joules=1099.0), share_min=0.1)
    assert moved(before, pb.Tariff(completion_joules=1120.0), share_min=0.1)
    assert moved(before, measured, share_min=0.1)
    assert moved(pb.Tariff(), pb.Tariff(prompt_cost=0.001), share_min=0.1)
