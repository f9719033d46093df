"""The measures of privacy loss that an account may count in, and a step's cost in each.

Decides what a step costs and how much an (epsilon, delta) budget holds: as rho of zero-
concentrated differential privacy, or as Renyi loss at one order that is frozen when the
account is created. Refuses to know accounts, balances and how often a step ran.

Adding costs in one measure and comparing the sum with a limit is sound for mechanisms,
parameters and stopping times chosen adaptively (Feldman and Zrnic 2021, "Individual
Privacy Accounting via a Renyi Filter"; for rho the same rule holds at every order). To
accept what fits at *some* order is not: which order fits would depend on the answers.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import assert_never

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.accountant import (
    budget_loss,
    budget_units,
    epsilon_of_renyi_units,
    epsilon_of_units,
    frozen_order,
)
from federated_router.privacy.laplace import REALS, concentrated_bound, renyi_bound
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    NoisedSumStep,
    SelectionStep,
    Step,
    TokenStep,
)
from federated_router.privacy.units import units_down, units_up

TOKEN_UNITS_MIN = 10_000
ORDER_MIN, ORDER_MAX = 1.00001, 1e10
_COSTS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Measure:
    """How losses are counted: Renyi loss at `order`, or zCDP's rho where it is None.

    The order is the exact binary fraction that the double holds; store it as such.
    """

    order: float | None = None

    def __post_init__(self) -> None:
        if self.order is None:
            return
        if not ORDER_MIN <= self.order <= ORDER_MAX:
            raise FieldInvalid(
                "A Renyi order is a number between 1.00001 and 1e10.", field="order"
            )


ZCDP = Measure()


def measure_for(*, epsilon: Decimal, delta: Decimal) -> Measure:
    """Return the Renyi measure in which this budget admits most Gaussian releases.

    Freeze it when the account is created; a later choice could depend on answers.
    """
    return Measure(order=frozen_order(epsilon=epsilon, delta=delta).alpha)


def limit_units(*, epsilon: Decimal, delta: Decimal, measure: Measure) -> int:
    """Return the largest loss that implies (epsilon, delta), rounded down.

    Raises:
        FieldInvalid: epsilon or delta out of range, or a budget below one unit, as
            where epsilon is small and the order too low for it.
    """
    if measure.order is None:
        return budget_units(epsilon=epsilon, delta=delta)
    return units_down(budget_loss(epsilon=epsilon, delta=delta, order=measure.order))


def epsilon_of(units: int, measure: Measure, *, delta: float) -> float:
    """Return the epsilon that `units` of this measure mean at `delta`; 0 means 0."""
    if measure.order is None:
        return epsilon_of_units(units, delta=delta)
    return epsilon_of_renyi_units(units, order=measure.order, delta=delta)


@lru_cache(maxsize=_COSTS_KEPT)
def step_units(step: Step, measure: Measure) -> int:
    """Return what one run of `step` costs, rounded up to a whole unit.

    Never less than the exact loss. Kept for the steps in use, so that the gate only
    adds and compares.

    Raises:
        FieldInvalid: the cost lies outside [1 unit, a ledger column], or is that of
            a token below 10^4 units of rho.
    """
    if isinstance(step, TokenStep):
        _require_token_cost(step)
    return units_up(step_loss(step, measure))


def step_loss(step: Step, measure: Measure) -> Fraction | Decimal:
    """Return the loss of one run in nats: exact, or within 10^-39 above it."""
    order = measure.order
    match step:
        case LaplaceStep():
            return _laplace_loss(step, REALS, order)
        case DiscreteLaplaceStep():
            return _laplace_loss(step, 1 / step.scale, order)
        case _:
            rho = step_rho(step)
            return rho if order is None else Fraction(order) * rho


def step_rho(
    step: TokenStep | GaussianStep | SelectionStep | NoisedSumStep,
) -> Fraction:
    """Return the exact rho of a step whose Renyi loss is bounded by order * rho.

    Gaussian: Bun and Steinke 2016, proposition 1.6. Selection and tokens: a mechanism
    of bounded range eta is eta^2/8-zCDP (Cesar and Rogers 2021, "Bounding,
    Concentrating, and Truncating"), with eta = 2 sensitivity / temperature, or half of
    it where scores move one way only (Dong, Durfee and Rogers 2020).
    """
    match step:
        case TokenStep():
            return token_range(step) ** 2 / 8
        case GaussianStep():
            return step.sensitivity_squared / (2 * step.scale**2)
        case SelectionStep():
            return bounded_range(step) ** 2 / 8
        case NoisedSumStep():
            return _noised_sum_rho(step)
    assert_never(step)


def bounded_range(step: SelectionStep) -> Fraction:
    """Return eta, the range of the selection's privacy loss; also its pure epsilon."""
    eta = step.sensitivity / step.temperature
    return eta if step.monotonic else 2 * eta


def token_range(step: TokenStep) -> Fraction:
    """Return the bounded range of one token's privacy loss; also its pure epsilon.

    Arithmetic of InvisibleInk, arXiv 2507.02974: the utility moves by C/B. One
    person's m records move it m times as far; a retrieved record evicts another and
    moves it twice as far.
    """
    per_slot = Fraction(step.clip) / (step.slots * Fraction(step.temperature))
    distance = math.isqrt(step.multiplier) * step.records_per_subject * per_slot
    return 2 * distance


def _laplace_loss(
    step: LaplaceStep | DiscreteLaplaceStep, spacing: Fraction, order: float | None
) -> Decimal:
    shift = step.sensitivity / step.scale
    if order is None:
        return concentrated_bound(shift=shift, spacing=spacing)
    return renyi_bound(shift=shift, spacing=spacing, order=Fraction(order))


def _require_token_cost(step: TokenStep) -> None:
    """Refuse tokens so cheap that the sampler's rounding would show.

    The rounding (relative error 2^-46 of a weight) must vanish in the slack between
    this bound and the exact loss.
    """
    units = units_up(step_rho(step))
    if units < TOKEN_UNITS_MIN:
        raise FieldInvalid(
            f"A token of this policy costs {units} units; at least {TOKEN_UNITS_MIN} "
            "are needed. Use fewer slots, a larger clip or a lower temperature.",
            field="clip",
        )


def _noised_sum_rho(step: NoisedSumStep) -> Fraction:
    """Bound the loss of a sum of discrete Gaussians, which is nearly a Gaussian's.

    Kairouz, Liu and Steinke 2021, "The Distributed Discrete Gaussian Mechanism",
    theorem 1: loss Delta^2 / (2 n sigma^2) + tau d / 4 with
    tau = 10 sum_k exp(-2 pi^2 sigma^2 k / (k+1)) <= 10 (n-1) exp(-pi^2 sigma^2).
    """
    variance = step.shares_min * Fraction(step.share_sigma) ** 2
    decay = math.exp(-(math.pi**2) * step.share_sigma**2)
    tau = 10 * (step.shares_min - 1) * Fraction(math.nextafter(decay * 1.000001, 1.0))
    return step.sensitivity_squared / (2 * variance) + tau * step.length / 4
