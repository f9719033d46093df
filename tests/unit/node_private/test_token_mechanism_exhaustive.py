"""Every pair of neighbours on a small grid: the loss is never above the charge.

Three tokens, two slots, and for each record's logits every combination of values below,
at and beyond the clip, broken ones included. No random choice: what holds here holds
for all of these inputs, in both directions, at every order and in the worst case.
"""

import math
from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from federated_router.privacy.charge import token_rho
from federated_router.privacy.policy import PrivatePolicy
from node.private.token_mechanism import TokenWeights, candidates, token_weights

ORDERS = (1.001, 1.5, 2.0, 4.0, 16.0, 64.0)
SLACK = 1e-10
Array = NDArray[np.float64]

POLICY = PrivatePolicy(
    name="grid",
    slots=2,
    clip=Decimal("0.75"),
    temperature=Decimal("0.9"),
    top_k=2,
    tokens_max=1,
    row_tokens_max=1,
)
# As differences to the public row: beyond the clip, at it, inside, none, and broken.
DIFFERENCES = (-9.0, -0.75, 0.3, 0.0, 0.75, math.inf, math.nan)
PUBLIC = ((0.0, 0.0, 0.0), (2.0, 0.0, -2.0), (0.0, -0.7, -1.6), (0.0, -math.inf, 1.0))
OTHERS = ((0.0, 0.0, 0.0), (0.75, -0.75, 9.0), (-9.0, 9.0, 0.1))


def _weights(public: Array, slots: Array, live: tuple[bool, bool]) -> TokenWeights:
    ids = candidates(POLICY, public)
    return token_weights(
        POLICY,
        token_ids=ids,
        public=public[ids],
        slots=slots[:, ids],
        live=np.array(live),
    )


def _logs(weights: TokenWeights) -> Array:
    total = math.log(sum(weights.weights))
    return np.array([math.log(one) - total for one in weights.weights])


def _pairs(public: Array) -> Iterator[tuple[Array, Array]]:
    """Yield log probabilities with and without each record, beside each other one."""
    for other in OTHERS:
        beside = public + np.array(other)
        absent = _logs(_weights(public, np.vstack((beside, beside)), (False, True)))
        for record in product(DIFFERENCES, repeat=public.size):
            with np.errstate(invalid="ignore"):  # A masked token minus infinity.
                slots = np.vstack((public + np.array(record), beside))
            yield _logs(_weights(public, slots, (True, True))), absent


def _renyi(left: Array, right: Array, alpha: float) -> float:
    terms = alpha * left + (1 - alpha) * right
    peak = float(terms.max())
    return (peak + math.log(float(np.exp(terms - peak).sum()))) / (alpha - 1)


@pytest.mark.parametrize("row", PUBLIC, ids=str)
def test_no_pair_of_neighbours_loses_more_than_the_charge(
    row: tuple[float, ...],
) -> None:
    """D_alpha <= alpha rho at six orders, and no token's odds move by more than e^eta.

    The largest loss found is close to the bound, so the grid holds the worst case.
    """
    rho = float(token_rho(POLICY))
    eta = math.sqrt(8 * rho)
    worst, pairs = 0.0, 0

    for left, right in _pairs(np.array(row)):
        pairs += 1
        for one, two in ((left, right), (right, left)):
            worst = max(worst, float((one - two).max()))
            for alpha in ORDERS:
                assert _renyi(one, two, alpha) <= alpha * rho + SLACK / (alpha - 1)

    assert pairs == len(OTHERS) * len(DIFFERENCES) ** len(row)
    assert 0.5 * eta < worst <= eta + 1e-9
