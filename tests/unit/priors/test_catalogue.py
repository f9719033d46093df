"""The layout of contributions: one slot, one meaning."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.blocks import Block
from federated_router.priors.buckets import LATENCY_BOUNDS_MS
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import (
    BanditSums,
    Cell,
    CellCounts,
    Contents,
    HoldoutSums,
)
from federated_router.priors.layouts import weights_of
from tests.unit.priors.strategies import contents_over

SMALL = Catalogue(
    version=1,
    models=("models/a", "models/b"),
    regions=("eu", "us"),
    latency_bounds_ms=(1.0, 2.0, 4.0),
    slot_max=100,
)
WHOLE = replace(
    SMALL,
    tiers=("standard", "private"),
    blocks=tuple(Block),
    patterns=("code", "chat"),
    features=3,
)


@given(contents_over(WHOLE))
def test_encoded_contents_decode_to_themselves(contents: Contents) -> None:
    """Within the bounds nothing is lost; weights follow from the latency counts."""
    encoding = WHOLE.encode(contents)

    decoded = WHOLE.decode(encoding.values)

    weights = {
        cell: weights_of(counts) for cell, counts in contents.performance.items()
    }
    assert decoded == replace(contents, weights=weights)
    assert encoding.left_out == encoding.clipped == 0


@given(contents_over(WHOLE))
def test_published_contents_lie_in_the_same_slots_again(contents: Contents) -> None:
    """Stores keep slots, readers want contents: there and back nothing changes."""
    values = WHOLE.encode(contents).values

    assert WHOLE.flatten(WHOLE.decode(values)) == values


def test_absent_keys_count_as_zero() -> None:
    """A member that served nothing contributes as many slots as any other."""
    encoding = WHOLE.encode(Contents())

    assert encoding.values == (0,) * WHOLE.statistic_slots


def test_performance_block_alone_lies_as_it_always_did() -> None:
    """Stored sums of before blocks and tiers keep their meaning."""
    cells = {
        cell: CellCounts((4 * at, 4 * at + 1, 4 * at + 2, 4 * at + 3), 7)
        for at, cell in enumerate(SMALL.cells)
    }

    values = SMALL.encode(Contents(performance=cells)).values

    assert values == (0, 1, 2, 3, 7, 4, 5, 6, 7, 7, 8, 9, 10, 11, 7, 12, 13, 14, 15, 7)


def test_blocks_stand_in_one_order_however_they_are_named() -> None:
    """Two operators who list the same blocks mean the same slots."""
    shuffled = replace(WHOLE, blocks=tuple(reversed(Block)))

    assert shuffled.columns == WHOLE.columns
    assert list(shuffled.spans) == list(Block)


def test_spans_cover_every_slot_once() -> None:
    """What one block's reader takes no other block's reader takes."""
    covered = [
        slot for span in WHOLE.spans.values() for slot in range(span.start, span.stop)
    ]

    assert covered == list(range(WHOLE.statistic_slots))
    assert len(WHOLE.noise_factors) == len(WHOLE.slot_bounds) == len(covered)
    assert WHOLE.vector_length == WHOLE.statistic_slots + 1


def test_cells_lie_in_order_and_failures_after_the_latencies() -> None:
    """Stored sums of earlier rounds are read by this order for ever."""
    cell = Cell("models/b", "eu")
    contents = Contents(performance={cell: CellCounts((0, 0, 1, 0), 1)})

    values = SMALL.encode(contents).values

    start = 5 * SMALL.cells.index(cell)
    assert SMALL.cells[2] == cell
    assert [at for at, value in enumerate(values) if value] == [start + 2, start + 4]


def test_every_performance_slot_has_exactly_one_meaning() -> None:
    """Each count of each cell fills one slot, and no other count fills it too."""
    ones = [
        *(CellCounts(tuple(row), 0) for row in np.eye(4, dtype=int).tolist()),
        CellCounts((0, 0, 0, 0), 1),
    ]
    filled = [
        [at for at, value in enumerate(SMALL.encode(contents).values) if value]
        for contents in (
            Contents(performance={cell: counts})
            for cell in SMALL.cells
            for counts in ones
        )
    ]

    assert filled == [[slot] for slot in range(SMALL.statistic_slots)]


def test_requests_outside_the_catalogue_are_counted_as_left_out() -> None:
    """Silence would make a member believe that they were published."""
    stranger = Cell("models/unknown", "eu")
    contents = Contents(performance={stranger: CellCounts((1, 2, 0, 0), 3)})

    encoding = SMALL.encode(contents)

    assert encoding.left_out == 6
    assert not any(encoding.values)


def test_counts_beyond_the_bound_are_clipped_and_counted() -> None:
    """The bound is what the headroom of the sum was computed with."""
    contents = Contents(performance={SMALL.cells[0]: CellCounts((150, 0, 0, 0), 0)})

    encoding = SMALL.encode(contents)

    assert max(encoding.values) == 100
    assert encoding.clipped == 50


@given(contents_over(WHOLE, scale=1000))
def test_no_member_fills_a_slot_beyond_its_bounds(contents: Contents) -> None:
    """Headroom and plausibility rest on these bounds, for either sign."""
    values = WHOLE.encode(contents).values

    assert all(
        low <= value <= high
        for value, (low, high) in zip(values, WHOLE.slot_bounds, strict=True)
    )


@pytest.mark.parametrize(
    "contents",
    [
        Contents(performance={WHOLE.cells[0]: CellCounts((1, 2), 0)}),
        Contents(performance={WHOLE.cells[0]: CellCounts((-1, 0, 0, 0), 0)}),
        Contents(performance={WHOLE.cells[0]: CellCounts((0,) * 4, 0, energy=-1)}),
        Contents(bandits={"models/a": BanditSums((0,) * 5, (0,) * 3)}),
        Contents(bandits={"models/a": BanditSums((0,) * 6, (0,) * 4)}),
        Contents(holdout=HoldoutSums(-1, 0)),
    ],
)
def test_contents_that_are_no_counts_are_refused(contents: Contents) -> None:
    """Other buckets or features would shift every later slot."""
    with pytest.raises(FieldInvalid):
        WHOLE.encode(contents)


def test_sum_of_another_length_is_refused() -> None:
    """A count of members left in front would shift every meaning by one."""
    with pytest.raises(FieldInvalid):
        SMALL.decode([0] * SMALL.vector_length)


@pytest.mark.parametrize("field", list(Catalogue.__dataclass_fields__))
def test_digest_covers_every_field(field: str) -> None:
    """Members who read a field differently must not be on one roster."""
    changed = {
        "version": 2,
        "models": ("models/b", "models/a"),
        "regions": ("us", "eu"),
        "tiers": ("private", "standard"),
        "latency_bounds_ms": (1.0, 2.0, 4.5),
        "slot_max": 101,
        "blocks": tuple(Block)[:-1],
        "token_unit": 17.0,
        "cost_unit": 0.5,
        "energy_unit_j": 9.0,
        "carbon_unit_g_per_kwh": 17.0,
        "patterns": ("chat", "code"),
        "patterns_version": 1,
        "features_version": 1,
        "features": 4,
        "feature_norm_squared": 65,
        "reward_max": 9,
        "requests_per_user_max": 1,
        "samples_min": 1,
    }

    other = replace(WHOLE, **{field: changed[field]})  # type: ignore[arg-type]

    assert other.sha256 != WHOLE.sha256


def test_order_and_noise_of_the_blocks_are_frozen() -> None:
    """Stored sums are read by this order, and docs/priors.md states these factors."""
    default = replace(
        WHOLE, latency_bounds_ms=LATENCY_BOUNDS_MS, features=16, slot_max=10_000
    )

    told = {
        name: (block.value, factor)
        for name, (block, factor) in default.quantities.items()
    }

    assert list(told.items()) == [
        ("latency", ("performance", 1)),
        ("failures", ("performance", 1)),
        ("tokens", ("tokens", 64)),
        ("cost", ("cost", 64)),
        ("energy", ("energy", 64)),
        ("weight", ("weights", 2)),
        ("weighted_latency", ("weights", 29)),
        ("pattern_successes", ("patterns", 1)),
        ("pattern_failures", ("patterns", 1)),
        ("carbon_requests", ("carbon", 2)),
        ("carbon_intensity", ("carbon", 74)),
        ("bandit_gram", ("bandit", 91)),
        ("bandit_moment", ("bandit", 91)),
        ("holdout_requests", ("holdout", 2)),
        ("holdout_advantage", ("holdout", 74)),
    ]
