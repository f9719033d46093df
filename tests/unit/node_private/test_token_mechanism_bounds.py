"""The privacy loss of one token, computed exactly, never exceeds its charge.

No sampling here: the distributions of two neighbouring inputs are compared as exact
integer weights. A deliberately broken mechanism exceeds the same bounds.
"""

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from federated_router.privacy.charge import token_rho
from federated_router.privacy.policy import PrivatePolicy
from node.private.token_mechanism import TokenWeights, candidates, token_weights

ORDERS = (1.001, 2.0, 4.0, 16.0, 64.0)
ROUNDING = 1e-12

Array = NDArray[np.float64]
Live = NDArray[np.bool_]


@st.composite
def policies(draw: st.DrawFn) -> PrivatePolicy:
    """Draw policies from nearly free to ruinous."""
    return PrivatePolicy(
        name="drawn",
        slots=draw(st.integers(1, 12)),
        clip=Decimal(draw(st.integers(5, 800))) / 100,
        temperature=Decimal(draw(st.integers(3, 20))) / 10,
        top_k=draw(st.integers(1, 40)),
        tokens_max=1,
        row_tokens_max=1,
    )


@st.composite
def logits(draw: st.DrawFn, policy: PrivatePolicy) -> tuple[Array, Array, Live]:
    """Draw a public row, the slots' rows and which are live; some values broken."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    vocabulary = draw(st.integers(2, 40))
    spread = draw(st.sampled_from([0.0, 0.1, 3.0, 40.0]))
    public = generator.normal(size=vocabulary, scale=spread)
    reach = draw(st.sampled_from([0.01, 1.0, 10.0, 1000.0]))
    slots = public + generator.normal(size=(policy.slots, vocabulary), scale=reach)
    broken = draw(st.sampled_from([math.nan, math.inf, -math.inf, 0.0]))
    slots[generator.random(slots.shape) < 0.05] = broken
    live = generator.random(policy.slots) < 0.8
    return public, slots, live


@given(data=st.data(), policy=policies())
@settings(max_examples=150, deadline=None)
def test_replacing_a_slot_by_null_costs_at_most_the_charge(
    data: st.DataObject, policy: PrivatePolicy
) -> None:
    """Renyi divergence <= alpha rho at every order, ratio <= e^eta, both ways."""
    public, slots, live = data.draw(logits(policy))
    slot = data.draw(st.integers(0, policy.slots - 1))
    present, absent = live.copy(), live.copy()
    present[slot], absent[slot] = True, False

    left = _weigh(policy, public, slots, present)
    right = _weigh(policy, public, slots, absent)

    _assert_within(left, right, rho=float(token_rho(policy)))


@given(data=st.data(), policy=policies())
@settings(max_examples=100, deadline=None)
def test_replacing_a_slot_by_another_record_costs_four_times_that(
    data: st.DataObject, policy: PrivatePolicy
) -> None:
    """Retrieval by content exchanges records, so that its charge has a factor 4."""
    public, slots, live = data.draw(logits(policy))
    slot = data.draw(st.integers(0, policy.slots - 1))
    other = slots.copy()
    other[slot] = 2 * public - slots[slot]
    present = live.copy()
    present[slot] = True

    left = _weigh(policy, public, slots, present)
    right = _weigh(policy, public, other, present)

    _assert_within(left, right, rho=float(token_rho(replace(policy, multiplier=4))))


def test_the_bound_is_tight_and_a_doubled_sensitivity_breaks_it() -> None:
    """The test above has teeth: half the vocabulary up, half down."""
    policy = PrivatePolicy(
        name="tight",
        slots=7,
        clip=Decimal("0.66"),
        temperature=Decimal(1),
        top_k=40,
        tokens_max=1,
        row_tokens_max=1,
    )
    rho = float(token_rho(policy))
    public = np.zeros(40)
    slots = np.tile(np.where(np.arange(40) < 20, 100.0, -100.0), (7, 1))
    one, two = np.arange(7) < 1, np.arange(7) < 2
    none = np.zeros(7, dtype=np.bool_)

    left, far = (
        _log_probabilities(_weigh(policy, public, slots, x)) for x in (one, two)
    )
    right = _log_probabilities(_weigh(policy, public, slots, none))

    assert 0.98 * 2 * rho < _renyi(left, right, 2.0) <= 2 * rho
    assert _renyi(far, right, 2.0) > 3.8 * 2 * rho


@given(data=st.data(), policy=policies())
@settings(max_examples=60, deadline=None)
def test_the_order_of_slots_does_not_change_a_single_bit(
    data: st.DataObject, policy: PrivatePolicy
) -> None:
    """Integers add alike in any order; floats on a device do not."""
    public, slots, live = data.draw(logits(policy))
    order = np.array(data.draw(st.permutations(range(policy.slots))))

    assert _weigh(policy, public, slots, live) == _weigh(
        policy, public, slots[order], live[order]
    )


@given(data=st.data(), policy=policies())
@settings(max_examples=60, deadline=None)
def test_the_support_does_not_depend_on_any_record(
    data: st.DataObject, policy: PrivatePolicy
) -> None:
    """One token that only one neighbour can emit is an infinite loss."""
    public, slots, live = data.draw(logits(policy))
    assume(live.any())

    with_records = _weigh(policy, public, slots, live)
    without = _weigh(policy, public, slots, ~live & live)

    assert with_records.token_ids == without.token_ids
    assert min(with_records.weights) > 0


def _weigh(
    policy: PrivatePolicy, public: Array, slots: Array, live: Live
) -> TokenWeights:
    ids = candidates(policy, public)
    return token_weights(
        policy, token_ids=ids, public=public[ids], slots=slots[:, ids], live=live
    )


def _log_probabilities(weights: TokenWeights) -> Array:
    total = math.log(sum(weights.weights))
    return np.array([math.log(weight) - total for weight in weights.weights])


def _renyi(left: Array, right: Array, alpha: float) -> float:
    """Return D_alpha(left || right) in nats, from log probabilities."""
    terms = alpha * left + (1 - alpha) * right
    peak = float(terms.max())
    return (peak + math.log(float(np.exp(terms - peak).sum()))) / (alpha - 1)


def _assert_within(left: TokenWeights, right: TokenWeights, *, rho: float) -> None:
    assert left.token_ids == right.token_ids
    first, second = _log_probabilities(left), _log_probabilities(right)
    # log of a 256-bit integer is good to 1e-13 or so; small orders amplify it.
    for alpha in ORDERS:
        slack = ROUNDING / (alpha - 1) + ROUNDING * max(1.0, float(-first.min()))
        assert _renyi(first, second, alpha) <= alpha * rho + slack
        assert _renyi(second, first, alpha) <= alpha * rho + slack
    eta = math.sqrt(8 * rho)
    assert float(np.abs(first - second).max()) <= eta + 1e-11
