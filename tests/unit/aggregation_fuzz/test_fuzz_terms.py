"""The numbers in a round's terms, with anything in them that a message can carry.

Terms decide how much noise hides a member. What passes must be within its floor.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.api.v1 import aggregation_pb2 as pb2
from tests.support.round_member import FLOOR
from tests.unit.aggregation_fuzz.mutations import taken
from tests.unit.aggregation_fuzz.told import Told, read

few = settings(max_examples=30, deadline=None)
NUMBERS = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e308, 5e-324, float("nan"), float("inf")]),
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a coordinator may write into the terms of a round."""

    scale: float
    participation: float
    survivors: int
    colluders: int
    joined: int
    slot_max: int


def near(honest: int, bits: int) -> st.SearchStrategy[int]:
    """Give numbers that are mostly close to what an honest round says."""
    return st.one_of(st.integers(-1, 2 * honest), st.integers(-(1 << bits), 1 << bits))


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "scale": st.one_of(st.floats(1.0, 100.0), NUMBERS),
        "participation": st.one_of(st.floats(0.4, 1.1), NUMBERS),
        "survivors": near(3, 30),
        "colluders": near(1, 30),
        "joined": near(4, 30),
        "slot_max": near(1000, 30),
    },
)
"""Some of the honest numbers, so that one check cannot hide what another lets pass."""


def shown_with(told: Told, terms: Numbers) -> pb2.Round:
    """Return the round as it is shown, with these numbers in its terms."""
    message = pb2.Round()
    message.CopyFrom(told.shown)
    message.noise.scale, message.participation_min = terms.scale, terms.participation
    message.noise.survivors_min = terms.survivors
    message.noise.colluders_max = terms.colluders
    message.joined_count, message.catalogue.slot_max = terms.joined, terms.slot_max
    return message


def honest(told: Told) -> Numbers:
    """Return the numbers of the round as it is shown."""
    return Numbers(
        scale=told.shown.noise.scale,
        participation=told.shown.participation_min,
        survivors=told.shown.noise.survivors_min,
        colluders=told.shown.noise.colluders_max,
        joined=told.shown.joined_count,
        slot_max=told.shown.catalogue.slot_max,
    )


def within_floor(terms: Numbers) -> bool:
    """Return whether noise of these terms hides the member as it demands."""
    return (
        terms.scale >= FLOOR.noise_scale_min
        and FLOOR.participation_min <= terms.participation <= 1
        and FLOOR.colluders(4) <= terms.colluders < terms.survivors <= 4
    )


def test_terms_within_the_floor_are_believed_and_one_step_below_refused(
    told: Told,
) -> None:
    """Without this every refusal of the fuzz could have another cause."""
    terms = honest(told)
    low = replace(terms, scale=math.nextafter(FLOOR.noise_scale_min, 0.0))

    believed, refused = (
        taken(lambda: read(shown_with(told, one), told.listing, told.own, told.stage))  # noqa: B023 - called at once.
        for one in (terms, low)
    )

    assert within_floor(terms)
    assert believed == told.roster
    assert refused is None


@few
@given(changes=CHANGES, bounds=st.lists(NUMBERS, max_size=4))
def test_terms_of_any_numbers_are_refused_or_protect_the_member(
    told: Told, changes: dict[str, Any], bounds: list[float]
) -> None:
    """NaN, infinities, negative and huge: what is accepted is within the floor."""
    terms = replace(honest(told), **changes)
    message = shown_with(told, terms)
    if bounds:
        message.catalogue.latency_bounds_ms[:] = bounds

    believed = taken(lambda: read(message, told.listing, told.own, told.stage))

    assert believed is None or within_floor(terms)
