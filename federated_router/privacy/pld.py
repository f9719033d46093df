"""The numerical privacy loss distribution of Gaussian and Laplace steps, for reports.

Decides which histories it can be computed for and how finely; refuses to decide
anything else. A gate must never ask it: to stop when a privacy loss distribution
crosses a bound is unsound once parameters may depend on answers (Honkela, Koskela,
Tran and Raisa 2026, arXiv 2602.06756). dp-accounting, which takes a second to import,
is imported when the first figure is asked for.
"""

import math
from collections.abc import Mapping

from federated_router.privacy.measure import ZCDP, step_loss
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    Step,
)

_SUPPORTED = GaussianStep | LaplaceStep | DiscreteLaplaceStep
LAPLACE_STEPS_MAX = 32
DISCRETE_SENSITIVITY_MAX = 1000
_GRID_HALF = 50_000
_INTERVAL_MAX = 0.02
_FINEST_PARTS = 4
_TAIL = 10.0  # exp(-50), in standard deviations of the loss.
_TRUNCATED_MASS = 1e-12  # Composing cuts off 10^-15 each time.


def pld_refusal(charged: Mapping[Step, int], *, delta: float) -> str | None:
    """Return why no figure is computed for this history, or None."""
    if not all(isinstance(step, _SUPPORTED) for step in charged):
        return "not computed: it knows Gaussian and Laplace steps only"
    if delta < _TRUNCATED_MASS:
        return "not computed: delta lies below the mass that is truncated, 1e-12"
    laplace = _laplace(charged)
    if len(laplace) > LAPLACE_STEPS_MAX:
        return f"not computed: more than {LAPLACE_STEPS_MAX} different Laplace steps"
    if any(_is_too_wide(step) for step in laplace):
        return "not computed: a discrete Laplace sensitivity is no whole number to 1000"
    return _grid_refusal(charged)


def pld_epsilon(charged: Mapping[Step, int], *, delta: float) -> float:
    """Return epsilon at `delta` for steps that were all fixed before the first ran.

    Pessimistic on a grid of at most 10^5 points on either side of 0 (Doroshenko et
    al. 2022, "Connect the Dots"), apart from Gaussian steps on counts, whose discrete
    noise it takes for continuous. Ask `pld_refusal` first. Takes up to some seconds.
    """
    from dp_accounting.pld import (  # noqa: PLC0415 Only reports pay for the import.
        privacy_loss_distribution as distributions,
    )

    interval = _interval(charged)
    composed = distributions.identity(value_discretization_interval=interval)
    squared = math.fsum(
        count * step.sensitivity_squared / step.scale**2
        for step, count in charged.items()
        if isinstance(step, GaussianStep)
    )
    if squared:
        # Gaussian steps compose to one Gaussian exactly.
        composed = composed.compose(
            distributions.from_gaussian_mechanism(
                squared**-0.5, value_discretization_interval=interval
            )
        )
    for step, count in _laplace(charged).items():
        if isinstance(step, LaplaceStep):
            single = distributions.from_laplace_mechanism(
                1 / _shift(step), value_discretization_interval=interval
            )
        else:
            single = distributions.from_discrete_laplace_mechanism(
                1 / float(step.scale),
                sensitivity=int(step.sensitivity),
                value_discretization_interval=interval,
                use_connect_dots=True,
            )
        composed = composed.compose(single.self_compose(count))
    return float(composed.get_epsilon_for_delta(delta))


def _grid_refusal(charged: Mapping[Step, int]) -> str | None:
    interval = _interval(charged)
    if interval > _INTERVAL_MAX:
        return "not computed: the loss is too large for a grid of 100,000"
    if any(_shift(step) < _FINEST_PARTS * interval for step in _laplace(charged)):
        return "not computed: the smallest step is too fine for a grid of 100,000"
    return None


def _laplace(
    charged: Mapping[Step, int],
) -> dict[LaplaceStep | DiscreteLaplaceStep, int]:
    return {
        step: count
        for step, count in charged.items()
        if isinstance(step, LaplaceStep | DiscreteLaplaceStep)
    }


def _shift(step: LaplaceStep | DiscreteLaplaceStep) -> float:
    """Return the step's largest loss, its pure epsilon."""
    return float(step.sensitivity / step.scale)


def _is_too_wide(step: LaplaceStep | DiscreteLaplaceStep) -> bool:
    return isinstance(step, DiscreteLaplaceStep) and (
        step.sensitivity.denominator != 1 or step.sensitivity > DISCRETE_SENSITIVITY_MAX
    )


def _interval(charged: Mapping[Step, int]) -> float:
    """Return the grid's interval, so that the whole loss fits it with its tails."""
    rho = math.fsum(
        count * float(step_loss(step, ZCDP)) for step, count in charged.items()
    )
    return (rho + _TAIL * math.sqrt(2 * rho)) / _GRID_HALF
