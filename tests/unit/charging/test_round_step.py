"""The step that both ledgers charge: never less than what the noise leaves."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.measure import step_rho
from federated_router.privacy.round_step import round_step


def slotwise_rho(
    *, share_sigma: float, shares: int, moved: list[tuple[int, int]]
) -> float:
    """Return theorem 1 of Kairouz, Liu and Steinke slot by slot, as it is written.

    `moved` holds, per slot, its block's clip and by how much a user moves the slot.
    """
    total = 0.0
    for clip, distance in moved:
        sigma = share_sigma * clip
        tau = 10 * sum(
            math.exp(-2 * math.pi**2 * sigma**2 * k / (k + 1)) for k in range(1, shares)
        )
        total += distance**2 / (2 * shares * sigma**2) + tau / 4
    return total


@given(
    share_sigma=st.floats(1.5, 50.0),
    shares=st.integers(1, 60),
    blocks=st.lists(
        st.tuples(st.integers(1, 64), st.integers(1, 6)), min_size=1, max_size=6
    ),
    requests=st.integers(1, 4),
)
def test_one_step_covers_every_block_at_its_own_noise(
    share_sigma: float, shares: int, blocks: list[tuple[int, int]], requests: int
) -> None:
    """The user that moves one slot of each block by k clips, exactly and with tau."""
    moved = []
    for clip, slots in blocks:
        moved += [(clip, requests * clip)] + [(clip, 0)] * (slots - 1)

    step = round_step(
        share_sigma=share_sigma,
        shares_min=shares,
        sensitivity_squared=len(blocks) * requests**2,
        length=len(moved),
    )

    exact = slotwise_rho(share_sigma=share_sigma, shares=shares, moved=moved)
    assert float(step_rho(step)) >= exact * (1 - 1e-12)


def test_the_check_above_would_find_a_user_that_moves_more() -> None:
    """One request more than the step allows for costs more than it charges."""
    step = round_step(share_sigma=3.0, shares_min=5, sensitivity_squared=2, length=2)

    more = slotwise_rho(share_sigma=3.0, shares=5, moved=[(1, 2), (4, 8)])

    assert float(step_rho(step)) < more


@given(share_sigma=st.floats(1.5, 1e6), clip=st.integers(1, 1 << 20))
def test_noise_of_a_block_is_never_below_what_is_charged(
    share_sigma: float, clip: int
) -> None:
    """Members multiply in doubles; the charge allows for the rounding."""
    step = round_step(
        share_sigma=share_sigma, shares_min=1, sensitivity_squared=1, length=1
    )

    assert Fraction(share_sigma * clip) >= Fraction(step.share_sigma) * clip


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"share_sigma": 1.4}, "share_sigma"),
        ({"share_sigma": math.nan}, "share_sigma"),
        ({"shares_min": 0}, "shares_min"),
        ({"sensitivity_squared": 0}, "sensitivity_squared"),
        ({"length": 0}, "length"),
    ],
)
def test_terms_that_promise_nothing_have_no_price(
    changes: dict[str, float], field: str
) -> None:
    """Nobody honest, too little noise, nobody protected: refused, not charged 0."""
    terms = {"share_sigma": 3.0, "shares_min": 4, "sensitivity_squared": 1, "length": 9}

    with pytest.raises(FieldInvalid) as caught:
        round_step(**{**terms, **changes})  # type: ignore[arg-type]

    assert caught.value.metadata["field"] == field
