"""The numbers in a round's terms, with anything in them that a message can carry.

Terms decide how much noise hides a member. What passes must be within its floor.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.kit.errors import FederationError
from tests.support.round_member import FLOOR
from tests.unit.aggregation_fuzz.mutations import bounded
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


TERMS = st.builds(
    Numbers,
    scale=st.one_of(st.floats(1.0, 100.0), NUMBERS),
    participation=st.one_of(st.floats(0.4, 1.1), NUMBERS),
    survivors=near(3, 30),
    colluders=near(1, 30),
    joined=near(4, 30),
    slot_max=near(1000, 30),
)


@few
@given(terms=TERMS, bounds=st.lists(NUMBERS, max_size=4))
def test_terms_of_any_numbers_are_refused_or_protect_the_member(
    told: Told, terms: Numbers, bounds: list[float]
) -> None:
    """NaN, infinities, negative and huge: what is accepted is within the floor."""
    message = pb2.Round()
    message.CopyFrom(told.shown)
    message.noise.scale, message.participation_min = terms.scale, terms.participation
    message.noise.survivors_min = terms.survivors
    message.noise.colluders_max = terms.colluders
    message.joined_count, message.catalogue.slot_max = terms.joined, terms.slot_max
    if bounds:
        message.catalogue.latency_bounds_ms[:] = bounds

    with bounded():
        try:
            read(message, told.listing, told.own, told.stage)
        except FederationError:
            return
    assert terms.scale >= FLOOR.noise_scale_min
    assert FLOOR.participation_min <= terms.participation <= 1
    assert FLOOR.colluders(4) <= terms.colluders < terms.survivors <= 4
