"""Between integer units of loss and the (epsilon, delta) that people ask for.

Decides budgets and reports; refuses to know events, accounts and time. A budget is
rounded down in decimal arithmetic, because it is a promise; a reported epsilon is a
float, because nothing is decided by it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.units import UNITS_MAX, UNITS_PER_RHO, units_down

_EXACT = Context(prec=50)
# What is subtracted from a limit is far above what 50 digits leave wrong of it.
_GUARD = Decimal("1e-30")
_DELTA_MIN = 1e-30
_DELTA_MAX = 0.5
_EPSILON_MAX = 1e6
# Orders are searched as ln(alpha - 1), from order 1.00003 to 2.6 billion.
_SEARCH_LOW, _SEARCH_HIGH = -10.5, 21.7
_GRID_POINTS = 120
_REFINEMENTS = 80
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenOrder:
    """One Renyi order, fixed when an account is created, and its limit.

    A gate that adds Renyi losses at this one order and compares them with `limit`
    is sound for adaptively chosen mechanisms (Feldman and Zrnic 2021). For Gaussian
    and exponential mechanisms it decides as the zCDP gate does.
    """

    alpha: float
    limit: float


def epsilon_of_units(units: int, *, delta: float) -> float:
    """Return the epsilon that `units` of zCDP mean at `delta`; 0 units mean 0.

    The conversion is that of Canonne, Kamath and Steinke 2020, "The Discrete
    Gaussian for Differential Privacy", corollary 13, minimised over orders; any
    order gives a valid bound, so an imperfect search only loosens the report.
    """
    _require_units(units)
    return epsilon_of_rho(units / UNITS_PER_RHO, delta=delta)


def epsilon_of_rho(rho: float, *, delta: float) -> float:
    """Return the epsilon that a zCDP loss of `rho` means at `delta`; 0 means 0."""
    if rho == 0:
        require_delta(delta)
        return 0.0
    return epsilon_of_curve(lambda alpha: rho * alpha, delta=delta)


def epsilon_of_curve(loss: Callable[[float], float], *, delta: float) -> float:
    """Return the epsilon of a mechanism whose Renyi loss at any order is `loss`."""
    require_delta(delta)
    log_delta = math.log(delta)

    def epsilon(position: float) -> float:
        alpha = 1.0 + math.exp(position)
        return loss(alpha) - _slack(alpha, log_delta)

    return max(0.0, epsilon(_minimiser(epsilon)))


def epsilon_of_renyi_units(units: int, *, order: float, delta: float) -> float:
    """Return the epsilon that `units` of Renyi loss at `order` mean at `delta`.

    Nothing is known of other orders, so the first unit already costs what the order
    does not carry: about ln(1/delta) / (order - 1). 0 units mean 0.
    """
    require_delta(delta)
    _require_units(units)
    if units == 0:
        return 0.0
    return max(0.0, units / UNITS_PER_RHO - _slack(order, math.log(delta)))


def budget_units(*, epsilon: Decimal, delta: Decimal) -> int:
    """Return the largest zCDP budget that implies (epsilon, delta), rounded down.

    Raises:
        FieldInvalid: epsilon or delta out of range, or a budget below one unit.
    """
    # The order comes from a float search; the bound at it is evaluated in decimals,
    # so that the floor is the floor of a proven figure.
    order = frozen_order(epsilon=epsilon, delta=delta).alpha
    loss = budget_loss(epsilon=epsilon, delta=delta, order=order)
    return units_down(_EXACT.divide(loss, Decimal(order)))


def budget_loss(*, epsilon: Decimal, delta: Decimal, order: float) -> Decimal:
    """Return the Renyi loss at `order` that implies (epsilon, delta), or a bit less.

    Raises:
        FieldInvalid: epsilon or delta out of range.
    """
    _require_budget(epsilon, delta)
    alpha = Decimal(order)
    above = _EXACT.subtract(alpha, Decimal(1))
    slack = _EXACT.subtract(
        _EXACT.divide(_EXACT.add(delta.ln(_EXACT), alpha.ln(_EXACT)), above),
        _EXACT.divide(above, alpha).ln(_EXACT),
    )
    return _EXACT.subtract(_EXACT.add(epsilon, slack), _GUARD)


def frozen_order(*, epsilon: Decimal, delta: Decimal) -> FrozenOrder:
    """Return the Renyi order at which an (epsilon, delta) budget buys most zCDP."""
    _require_budget(epsilon, delta)
    epsilon_float, log_delta = float(epsilon), math.log(float(delta))

    def negated_rho(position: float) -> float:
        alpha = 1.0 + math.exp(position)
        return -(epsilon_float + _slack(alpha, log_delta)) / alpha

    alpha = 1.0 + math.exp(_minimiser(negated_rho))
    return FrozenOrder(alpha=alpha, limit=epsilon_float + _slack(alpha, log_delta))


def _slack(alpha: float, log_delta: float) -> float:
    """Return how far the Renyi loss at `alpha` may exceed epsilon."""
    return (log_delta + math.log(alpha)) / (alpha - 1.0) - math.log1p(-1.0 / alpha)


def _minimiser(function: Callable[[float], float]) -> float:
    """Return where `function` is least: a grid, then a golden section around it."""
    step = (_SEARCH_HIGH - _SEARCH_LOW) / _GRID_POINTS
    grid = [_SEARCH_LOW + step * index for index in range(_GRID_POINTS + 1)]
    best = min(grid, key=function)
    low, high = best - step, best + step
    for _ in range(_REFINEMENTS):
        left = high - _GOLDEN * (high - low)
        right = low + _GOLDEN * (high - low)
        if function(left) <= function(right):
            high = right
        else:
            low = left
    return (low + high) / 2.0


def require_delta(delta: float) -> None:
    """Raise FieldInvalid unless delta lies in [1e-30, 0.5]; NaN does not."""
    if not _DELTA_MIN <= delta <= _DELTA_MAX:
        raise FieldInvalid("delta must lie between 1e-30 and 0.5.", field="delta")


def _require_units(units: int) -> None:
    if not 0 <= units <= UNITS_MAX:
        raise FieldInvalid("units must lie between 0 and 2^63 - 1.", field="units")


def _require_budget(epsilon: object, delta: object) -> None:
    if not (isinstance(epsilon, Decimal) and isinstance(delta, Decimal)):
        raise FieldInvalid("A budget is stated in decimals.", field="epsilon")
    if not delta.is_finite():
        raise FieldInvalid("delta must be a finite number.", field="delta")
    require_delta(float(delta))
    if not epsilon.is_finite() or not 0 < epsilon <= Decimal(_EPSILON_MAX):
        raise FieldInvalid("epsilon must lie above 0, at most 1e6.", field="epsilon")
