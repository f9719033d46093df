"""A member joins only rounds that can sum what it records, on its own terms."""

from dataclasses import replace
from typing import Any

import pytest

from federated_router.federation.batch import Batch
from federated_router.federation.fitness import fits
from federated_router.federation.records import FailureCause, Units
from federated_router.federation.statistics import Statistics
from federated_router.federation.statistics_settings import StatisticsSettings
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell
from federated_router.priors.features import (
    FEATURE_COUNT,
    FEATURE_NORM,
    FEATURES_VERSION,
)
from federated_router.priors.patterns import PATTERNS, PATTERNS_VERSION

CATALOGUE = Catalogue(
    version=1,
    models=("models/a",),
    regions=("eu",),
    slot_max=1000,
    blocks=tuple(Block),
    patterns=PATTERNS,
    patterns_version=PATTERNS_VERSION,
    features_version=FEATURES_VERSION,
    features=FEATURE_COUNT,
    feature_norm_squared=FEATURE_NORM**2,
)


def misfit(statistics: Statistics, catalogue: Catalogue) -> str | None:
    """Return the field for which a member refuses rounds of a catalogue, if any."""
    try:
        statistics.require_fitting(catalogue)
    except FieldInvalid as refused:
        return refused.metadata["field"]
    return None


def test_default_member_fits_a_catalogue_of_every_block() -> None:
    """The defaults of both sides are one set of units."""
    assert misfit(Statistics(), CATALOGUE) is None
    assert misfit(StatisticsSettings().statistics(), CATALOGUE) is None


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("token_unit", {"token_unit": 1.0}),
        ("cost_unit", {"cost_unit": 1.0}),
        ("energy_unit_j", {"energy_unit_j": 1.0}),
        ("carbon_unit_g_per_kwh", {"carbon_unit_g_per_kwh": 1.0}),
        ("features_version", {"features_version": FEATURES_VERSION + 1}),
        ("patterns_version", {"patterns_version": PATTERNS_VERSION + 1}),
        ("feature_norm_squared", {"feature_norm_squared": 35}),
        ("reward_max", {"reward_max": 7}),
        ("features", {"features": 14}),
        ("latency_bounds_ms", {"latency_bounds_ms": (3.0,)}),
        ("requests_per_user_max", {"requests_per_user_max": 8}),
    ],
)
def test_round_that_means_something_else_is_refused(
    field: str, change: dict[str, Any]
) -> None:
    """Steps of another size would be added to others' as if they were the same."""
    refused = misfit(Statistics(), replace(CATALOGUE, **change))

    assert refused == field


def test_units_of_blocks_that_are_not_summed_do_not_matter() -> None:
    """A federation that sums latencies alone need not agree on a currency."""
    performance = replace(CATALOGUE, blocks=(Block.PERFORMANCE,), cost_unit=1.0)
    everything = replace(CATALOGUE, cost_unit=1.0)

    assert misfit(Statistics(), performance) is None
    assert misfit(Statistics(), everything) == "cost_unit"


@pytest.mark.parametrize(("kept", "promised"), [(0, 8), (9, 8), (8, 0)])
def test_round_with_another_promise_to_users_is_refused(
    kept: int, promised: int
) -> None:
    """A member keeps at most what is promised, and demands at least what it keeps."""
    statistics = Statistics(requests_per_user_max=kept)

    with pytest.raises(FieldInvalid, match="of one user"):
        statistics.require_fitting(replace(CATALOGUE, requests_per_user_max=promised))


@pytest.mark.parametrize(("kept", "promised"), [(0, 0), (8, 8), (3, 8)])
def test_member_that_keeps_the_promise_fits(kept: int, promised: int) -> None:
    """Keeping less than is promised is sound."""
    statistics = Statistics(requests_per_user_max=kept)

    promise = replace(CATALOGUE, requests_per_user_max=promised)

    assert misfit(statistics, promise) is None


@pytest.mark.parametrize(
    "earlier",
    [
        Batch((1.0,), {}, requests_per_user_max=4),
        Batch((1.0, 2.0), {}, Units(token=1.0), 4),
        Batch((1.0, 2.0), {}),
        Batch((1.0, 2.0), {}, requests_per_user_max=5),
        Batch((1.0, 2.0), {}, requests_per_user_max=4, features_version=0),
        Batch((1.0, 2.0), {}, requests_per_user_max=4, patterns_version=0),
    ],
)
def test_batch_recorded_otherwise_does_not_fit(earlier: Batch) -> None:
    """After a change of configuration old numbers mean something else."""
    recording = Batch((1.0, 2.0), {}, requests_per_user_max=4)

    assert not fits(earlier, recording)
    assert fits(recording, recording)


def test_settings_reach_the_statistics() -> None:
    """Each limit of the section is the one that is enforced."""
    settings = StatisticsSettings(cells_max=1, requests_per_user_max=2, cost_unit=0.5)
    statistics = settings.statistics()

    statistics.fail(Cell("models/a", "eu"), FailureCause.ENGINE)

    assert statistics.balance().clipped == 1
    assert statistics.units == Units(cost=0.5)


@pytest.mark.parametrize("unit", [0.0, -1.0, float("inf"), float("nan")])
def test_unit_in_which_nothing_can_be_measured_is_refused(unit: float) -> None:
    """Division by it would make every request count as the most, or as none."""
    with pytest.raises(FieldInvalid):
        Units(energy_j=unit)
