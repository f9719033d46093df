"""Layouts that mean nothing, or do not fit, are refused in configuration's words."""

import time
from dataclasses import replace

import pytest

from federated_router.kit.errors import FieldInvalid, HeadroomExceeded
from federated_router.priors import limits
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.headroom import refuse_overflow

LAYOUT = Catalogue(
    version=1,
    models=("models/a", "models/b"),
    regions=("eu", "us"),
    latency_bounds_ms=(1.0, 2.0, 4.0),
    slot_max=100,
)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"models": ()}, "models"),
        ({"models": ("models/a", "models/a")}, "models"),
        ({"regions": ("",)}, "regions"),
        ({"tiers": ()}, "tiers"),
        ({"tiers": ("standard", "standard")}, "tiers"),
        ({"latency_bounds_ms": ()}, "latency_bounds_ms"),
        ({"latency_bounds_ms": (2.0, 1.0)}, "latency_bounds_ms"),
        ({"latency_bounds_ms": (0.0, 1.0)}, "latency_bounds_ms"),
        ({"latency_bounds_ms": (5e-324, 1.0)}, "latency_bounds_ms"),
        ({"latency_bounds_ms": (1.0, 1e300)}, "latency_bounds_ms"),
        ({"latency_bounds_ms": (1.0, float("inf"))}, "latency_bounds_ms"),
        ({"latency_bounds_ms": (float("nan"), 1.0)}, "latency_bounds_ms"),
        (
            {"latency_bounds_ms": tuple(float(n) for n in range(1, 258))},
            "latency_bounds_ms",
        ),
        ({"slot_max": 0}, "slot_max"),
        ({"slot_max": limits.SLOT_MAX_LIMIT + 1}, "slot_max"),
        ({"version": 0}, "version"),
        ({"blocks": ()}, "blocks"),
        ({"blocks": (Block.TOKENS,)}, "blocks"),
        ({"blocks": (Block.PERFORMANCE, Block.PERFORMANCE)}, "blocks"),
        ({"blocks": ("performance",)}, "blocks"),
        ({"blocks": (Block.PERFORMANCE, Block.PATTERNS)}, "patterns"),
        ({"token_unit": 0.0}, "token_unit"),
        ({"cost_unit": float("nan")}, "cost_unit"),
        ({"energy_unit_j": float("inf")}, "energy_unit_j"),
        ({"carbon_unit_g_per_kwh": -1.0}, "carbon_unit_g_per_kwh"),
        ({"features": 0}, "features"),
        ({"features": limits.FEATURES_MAX + 1}, "features"),
        ({"feature_norm_squared": 0}, "feature_norm_squared"),
        ({"reward_max": 0}, "reward_max"),
        ({"requests_per_user_max": -1}, "requests_per_user_max"),
        (
            {"requests_per_user_max": limits.USER_REQUESTS_LIMIT + 1},
            "requests_per_user_max",
        ),
        ({"samples_min": -1}, "samples_min"),
        ({"features_version": -1}, "features_version"),
        ({"patterns_version": -1}, "patterns_version"),
    ],
)
def test_layout_without_one_meaning_is_refused_by_its_field(
    change: dict[str, object], field: str
) -> None:
    """Two members that read a layout differently would add apples to pears."""
    with pytest.raises(FieldInvalid) as refused:
        replace(LAYOUT, **change)  # type: ignore[arg-type]

    assert refused.value.metadata["field"] == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"models": tuple(f"models/{n}" for n in range(3000))}, "models"),
        ({"regions": tuple(f"r{n}" for n in range(3000))}, "regions"),
        ({"tiers": tuple(f"t{n}" for n in range(3000))}, "tiers"),
        (
            {
                "models": tuple(f"models/{n}" for n in range(64)),
                "regions": tuple(f"r{n}" for n in range(64)),
                "latency_bounds_ms": tuple(float(n) for n in range(1, 101)),
            },
            "latency_bounds_ms",
        ),
        (
            {
                "blocks": (Block.PERFORMANCE, Block.PATTERNS),
                "patterns": tuple(f"p{n}" for n in range(1 << 16)),
            },
            "patterns",
        ),
        (
            {
                "models": tuple(f"models/{n}" for n in range(1024)),
                "blocks": (Block.PERFORMANCE, Block.BANDIT),
            },
            "models",
        ),
    ],
)
def test_layout_that_does_not_fit_names_the_axis_to_shorten(
    change: dict[str, object], field: str
) -> None:
    """An operator must know what to change."""
    with pytest.raises(FieldInvalid) as refused:
        replace(LAYOUT, **change)  # type: ignore[arg-type]

    assert refused.value.metadata["field"] == field


def test_largest_vector_is_taken_and_one_slot_more_is_not() -> None:
    """The limit itself is within."""
    patterns = tuple(f"p{n}" for n in range((limits.VECTOR_SLOTS_MAX - 5) // 2))
    layout = Catalogue(
        version=1,
        models=("models/a",),
        regions=("eu",),
        latency_bounds_ms=(1.0, 2.0, 3.0, 4.0),
        slot_max=1,
        blocks=(Block.PERFORMANCE, Block.PATTERNS),
        patterns=patterns,
    )

    assert layout.statistic_slots == limits.VECTOR_SLOTS_MAX
    with pytest.raises(FieldInvalid, match=str(limits.VECTOR_SLOTS_MAX)):
        replace(layout, latency_bounds_ms=(1.0, 2.0, 3.0, 4.0, 5.0))


def test_huge_layout_is_refused_before_anything_of_it_is_built() -> None:
    """A message of a few hundred kilobytes must not cost a member its memory."""
    begin_s = time.perf_counter()

    with pytest.raises(FieldInvalid):
        replace(
            LAYOUT,
            models=tuple(f"models/{n}" for n in range(2048)),
            blocks=tuple(Block),
            patterns=tuple(f"p{n}" for n in range(1 << 16)),
        )

    assert time.perf_counter() - begin_s < 5.0


@pytest.mark.parametrize(
    "chosen",
    [
        tuple(Block),
        *((Block.PERFORMANCE, b) for b in Block if b is not Block.PERFORMANCE),
    ],
)
def test_slots_are_counted_as_they_are_laid_out(chosen: tuple[Block, ...]) -> None:
    """The count that refuses and the layout that is built must agree."""
    layout = replace(LAYOUT, blocks=chosen, patterns=("code", "chat", "other"))

    counted = limits.slots_by_block(layout)

    assert counted == {one.block: one.slots for one in layout.layouts}


def test_headroom_is_that_of_the_tightest_slot() -> None:
    """Sums of steps reach 64 times further than counts, and so does their noise."""
    layout = replace(LAYOUT, slot_max=10_000, blocks=(Block.PERFORMANCE, Block.ENERGY))

    refuse_overflow(layout, members=400, noise_sigma=10.0)
    refuse_overflow(
        replace(layout, blocks=(Block.PERFORMANCE,)), members=1500, noise_sigma=1e6
    )
    with pytest.raises(HeadroomExceeded):
        refuse_overflow(layout, members=450, noise_sigma=10.0)
    with pytest.raises(HeadroomExceeded):
        refuse_overflow(layout, members=400, noise_sigma=1e6)
