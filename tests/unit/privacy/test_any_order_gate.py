"""A gate that accepts whatever fits at some order is unsound; ours are not.

Target (3, 1e-3). Two mechanisms with two outcomes each, the second chosen by the answer
of the first. At each step some Renyi order still fits the budget, and yet the exact
delta at epsilon 3 is 1.711e-3. The sequence was found by search and is kept for ever.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest

from federated_router.privacy.accountant import budget_loss
from federated_router.privacy.measure import ZCDP, Measure, limit_units, measure_for
from federated_router.privacy.units import UNITS_PER_RHO, units_up

EPSILON, DELTA = Decimal(3), Decimal("1e-3")
ORDERS = [3.0, 4.0, 6.0, 8.0, 16.0, 32.0, 64.0]


@dataclass(frozen=True)
class Coin:
    """A mechanism that says 0 with probability `here`, or `there` for a neighbour."""

    here: float
    there: float

    def renyi(self, order: float) -> float:
        """Return the Renyi loss at `order`, the larger of both directions."""
        return max(self._one_way(order), Coin(self.there, self.here)._one_way(order))

    def rho(self) -> float:
        """Return the zCDP loss: the largest of D / order, on a fine grid of orders."""
        orders = [1 + math.exp(position / 100) for position in range(-700, 400)]
        return max(self.renyi(order) / order for order in orders)

    def _one_way(self, order: float) -> float:
        pairs = ((self.here, self.there), (1 - self.here, 1 - self.there))
        moments = sum(p**order * q ** (1 - order) for p, q in pairs)
        return math.log(moments) / (order - 1)


FIRST = Coin(0.99101477, 0.99454907)
AFTER_ZERO = Coin(0.99596767, 0.99984712)
AFTER_ONE = Coin(0.92332629, 0.06875)


def _fitting_orders(*coins: Coin) -> list[float]:
    """Return the orders at which the sum of losses keeps (EPSILON, DELTA)."""
    return [
        order
        for order in ORDERS
        if sum(coin.renyi(order) for coin in coins)
        <= budget_loss(epsilon=EPSILON, delta=DELTA, order=order)
    ]


def _exact_delta() -> Fraction:
    """Return sum of max(0, P - e^3 Q) over the four ways that the game can end."""
    bound = Fraction(math.exp(3))
    ends = []
    for coin, here, there in (
        (AFTER_ZERO, FIRST.here, FIRST.there),
        (AFTER_ONE, 1 - FIRST.here, 1 - FIRST.there),
    ):
        ends.append((here * coin.here, there * coin.there))
        ends.append((here * (1 - coin.here), there * (1 - coin.there)))
    losses = (Fraction(p) - bound * Fraction(q) for p, q in ends)
    return sum((max(Fraction(0), loss) for loss in losses), start=Fraction(0))


def test_the_sequence_breaks_its_promise() -> None:
    """The joint distribution of both answers is 1.711 times past the stated delta."""
    assert float(_exact_delta()) == pytest.approx(1.711375e-3, rel=1e-6)


def test_a_gate_that_asks_for_any_order_accepts_every_step() -> None:
    """Which order fits depends on the answer; that is the hole."""
    assert _fitting_orders(FIRST)
    assert _fitting_orders(FIRST, AFTER_ZERO) == [4.0]
    assert _fitting_orders(FIRST, AFTER_ONE) == [16.0]


def test_the_zcdp_gate_refuses_either_continuation() -> None:
    """The sum of rho covers all orders at once: .0126 and .380 or 2.21 against .381."""
    limit = limit_units(epsilon=EPSILON, delta=DELTA, measure=ZCDP)
    first, zero, one = (
        units_up(Fraction(coin.rho())) for coin in (FIRST, AFTER_ZERO, AFTER_ONE)
    )

    assert first <= limit
    assert first + zero > limit
    assert first + one > limit


@pytest.mark.parametrize("order", [None, *ORDERS])
def test_a_gate_at_one_frozen_order_refuses_a_continuation(order: float | None) -> None:
    """Whichever order is frozen; None stands for the one chosen for this budget."""
    measure = (
        measure_for(epsilon=EPSILON, delta=DELTA) if order is None else Measure(order)
    )
    assert measure.order is not None
    limit = limit_units(epsilon=EPSILON, delta=DELTA, measure=measure)
    first, zero, one = (
        units_up(Fraction(coin.renyi(measure.order)))
        for coin in (FIRST, AFTER_ZERO, AFTER_ONE)
    )

    assert first <= limit
    assert first + zero > limit or first + one > limit


def test_the_gate_compares_what_the_search_compared() -> None:
    """The limit of a frozen order is the budget of that order, rounded down."""
    limit = limit_units(epsilon=EPSILON, delta=DELTA, measure=Measure(16.0))

    assert limit == int(2.7888607506880807 * UNITS_PER_RHO)
