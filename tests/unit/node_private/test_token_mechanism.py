"""The token mechanism on known answers, and on what models should never produce."""

import inspect
import math
import secrets
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from federated_router.kit.errors import Internal
from federated_router.privacy.policy import PrivatePolicy
from node.private.token_mechanism import TokenWeights, candidates, token_weights

Array = NDArray[np.float64]

PUBLIC = np.array([2.0, 1.0, 0.9, -1.0])
SLOTS = np.array([[2.5, 0.0, 0.9, -1.0], [2.0, 3.0, 0.9, -3.0], [9.0, -9.0, 9.0, 9.0]])
TWO_LIVE = np.array([True, True, False])


@pytest.fixture(name="three")
def _three(paper: PrivatePolicy) -> PrivatePolicy:
    return replace(paper, slots=3, clip=Decimal("0.5"))


def _weigh(
    policy: PrivatePolicy, public: Array, slots: Array, live: NDArray[np.bool_]
) -> TokenWeights:
    ids = candidates(policy, public)
    return token_weights(
        policy, token_ids=ids, public=public[ids], slots=slots[:, ids], live=live
    )


def _probabilities(weights: TokenWeights, vocabulary: int) -> Array:
    total = sum(weights.weights)
    found = np.zeros(vocabulary)
    for token_id, weight in zip(weights.token_ids, weights.weights, strict=True):
        found[token_id] = weight / total
    return found


@pytest.mark.parametrize(
    ("temperature", "top_k", "live", "expected"),
    [
        ("1", 4, TWO_LIVE, [0.61393139, 0.19118021, 0.17298701, 0.02190138]),
        ("0.8", 2, TWO_LIVE, [0.69545221, 0.16177864, 0.14276915, 0.0]),
        ("1", 4, ~(TWO_LIVE | True), [0.57125308, 0.21015227, 0.19015363, 0.02844102]),
    ],
)
def test_distribution_matches_the_reference(
    three: PrivatePolicy,
    temperature: str,
    top_k: int,
    live: NDArray[np.bool_],
    expected: list[float],
) -> None:
    """Known answers; the tolerance is the rounding of logits to 2^-16."""
    policy = replace(three, temperature=Decimal(temperature), top_k=top_k)

    found = _probabilities(_weigh(policy, PUBLIC, SLOTS, live), 4)

    assert found == pytest.approx(expected, abs=3e-6)


def test_null_slot_contributes_exactly_nothing(three: PrivatePolicy) -> None:
    """Null is a mask: what the model computes for a null slot has no way in."""
    other = SLOTS.copy()
    other[2] = [-100.0, math.nan, math.inf, 50.0]

    assert _weigh(three, PUBLIC, SLOTS, TWO_LIVE) == _weigh(
        three, PUBLIC, other, TWO_LIVE
    )


@pytest.mark.parametrize(
    ("poison", "same_as"),
    [
        (math.nan, PUBLIC[1]),
        (math.inf, PUBLIC[1] + 0.5),
        (-math.inf, PUBLIC[1] - 0.5),
        (1e300, PUBLIC[1] + 0.5),
    ],
)
def test_broken_logits_move_a_token_by_at_most_the_clip(
    three: PrivatePolicy, poison: float, same_as: float
) -> None:
    """A NaN in one record's row must not blank the sum, nor an infinity own it."""
    poisoned, clean = SLOTS.copy(), SLOTS.copy()
    poisoned[0, 1], clean[0, 1] = poison, same_as

    assert _weigh(three, PUBLIC, poisoned, TWO_LIVE) == _weigh(
        three, PUBLIC, clean, TWO_LIVE
    )


def test_masked_public_tokens_are_never_candidates(three: PrivatePolicy) -> None:
    """A grammar or a ban is expressed on the public row; records cannot lift it."""
    public = np.array([-math.inf, 1.0, math.nan, -1.0])

    assert candidates(three, public).tolist() == [1, 3]


def test_candidates_reach_below_the_top_k_by_twice_the_sensitivity(
    three: PrivatePolicy,
) -> None:
    """2C/B = 1/3: a token 0.3 below the k-th may be lifted past it, 0.4 may not."""
    policy = replace(three, top_k=2)
    public = np.array([5.0, 4.0, 3.7, 3.6, 0.0])

    assert candidates(policy, public).tolist() == [0, 1, 2]


def test_top_k_beyond_the_vocabulary_takes_all_of_it(three: PrivatePolicy) -> None:
    """Masks may leave fewer tokens than k."""
    policy = replace(three, top_k=1000)

    assert candidates(policy, PUBLIC).tolist() == [0, 1, 2, 3]


def test_a_public_row_without_tokens_is_an_internal_error(
    three: PrivatePolicy,
) -> None:
    """The public row is no secret, so failing on it tells nothing."""
    with pytest.raises(Internal):
        candidates(three, np.full(4, math.nan))


@pytest.mark.parametrize("gap", [50.0, 200.0, 5000.0, 1e30])
def test_every_candidate_stays_possible(three: PrivatePolicy, gap: float) -> None:
    """float32 softmax is exactly 0 at 104 nats: a support that records could shift."""
    public = np.array([gap, 0.0, 0.0, 0.0])

    weights = _weigh(three, public, np.tile(public, (3, 1)), TWO_LIVE).weights

    assert min(weights) >= 2**160
    assert max(weights) == 2**256


def test_weights_are_exponentials_to_46_bits(three: PrivatePolicy) -> None:
    """The charge relies on this precision; math.exp of a rounded quotient has it."""
    public = np.array([0.0, -1.0, -7.25, -63.0])

    weights = _weigh(three, public, np.tile(public, (3, 1)), ~TWO_LIVE & False).weights

    logs = [math.log(weight) - 256 * math.log(2) for weight in weights]
    assert logs == pytest.approx(public.tolist(), rel=1e-13, abs=2e-14)


def test_shapes_other_than_the_policy_are_refused(three: PrivatePolicy) -> None:
    """A missing row would change the divisor's meaning."""
    with pytest.raises(Internal):
        _weigh(three, PUBLIC, SLOTS[:2], TWO_LIVE[:2])


def test_draw_is_the_inverse_of_the_cumulative_weights() -> None:
    """Every integer below the sum belongs to exactly one token."""
    weights = TokenWeights((3, 5, 8), (2, 1, 3))

    drawn = [weights.draw(random_below=lambda _, at=at: at) for at in range(6)]  # type: ignore[misc]

    assert drawn == [3, 3, 5, 8, 8, 8]


def test_randomness_comes_from_the_operating_system_by_default() -> None:
    """A seeded generator would let anyone who knows the seed subtract the noise."""
    default = inspect.signature(TokenWeights.draw).parameters["random_below"].default

    assert default == secrets.randbelow


def test_weights_never_appear_in_a_repr(three: PrivatePolicy) -> None:
    """Probabilities are exact functions of the records; tracebacks print reprs."""
    weights = _weigh(three, PUBLIC, SLOTS, TWO_LIVE)

    assert str(weights.weights[0]) not in repr(weights)


def test_float32_logits_of_a_large_vocabulary_are_accepted(
    paper: PrivatePolicy,
) -> None:
    """The shape of production: 150 000 tokens, of which about k are weighed."""
    policy = replace(paper, top_k=100)
    generator = np.random.default_rng(5)
    public = generator.normal(size=150_000, scale=3).astype(np.float32)
    ids = candidates(policy, public)

    weights = token_weights(
        policy,
        token_ids=ids,
        public=public[ids],
        slots=np.tile(public[ids], (7, 1)),
        live=np.ones(7, dtype=np.bool_),
    )

    assert 100 <= len(weights.token_ids) < 200
    assert weights.draw() in weights.token_ids
