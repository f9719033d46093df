"""What a history of steps amounts to, by several methods of composition, for people.

Decides the figures of a report and says of each what it is worth; refuses to decide
anything by them. The only theorem about adaptively chosen steps is the account's limit,
which the gate keeps. What was spent so far is a figure at a moment that depended on the
answers: an estimate, by whatever method.

A report takes milliseconds, with Gaussian or Laplace steps up to some seconds; call it
in a thread.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.accountant import (
    epsilon_of_curve,
    epsilon_of_rho,
    require_delta,
)
from federated_router.privacy.gaussian import gaussian_epsilon
from federated_router.privacy.laplace import REALS, renyi_estimate
from federated_router.privacy.measure import (
    ZCDP,
    bounded_range,
    step_loss,
    step_rho,
    token_range,
)
from federated_router.privacy.pld import pld_epsilon, pld_refusal
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    NoisedSumStep,
    SelectionStep,
    Step,
    TokenStep,
)

STEPS_MAX = 1000
"""Different steps in one report; above, only the zCDP row has a figure."""

_ZCDP_NOTE = (
    "the sum of rho, as epsilon: an estimate of what was spent so far; the theorem is "
    "the account's limit"
)
_RDP_NOTE = "best of many orders: an estimate, because the order follows the history"
_PLD_NOTE = (
    "an estimate: tight only if all steps were fixed before the first answer; discrete "
    "Gaussian noise is taken for continuous"
)
_BASIC_NOTE = (
    "losses added one by one, for comparison; Gaussian steps share delta, their noise "
    "taken for continuous"
)
_ADVANCED_NOTE = (
    "Kairouz, Oh and Viswanath 2017, theorem 3.5, for comparison; half of delta is "
    "shared by the Gaussian steps, if there are any, their noise taken for continuous"
)


@dataclass(frozen=True, slots=True)
class Composition:
    """One method's epsilon for a history, or None, and what the figure is worth."""

    method: str
    epsilon: float | None
    note: str


def compositions(
    charged: Iterable[tuple[Step, int]], *, delta: float
) -> tuple[Composition, ...]:
    """Return the rows zcdp, rdp, pld, basic and advanced for steps and their counts.

    Raises:
        FieldInvalid: a negative count, or delta outside [1e-30, 0.5].
    """
    require_delta(delta)
    history = _history(charged)
    zcdp = Composition("zcdp", epsilon_of_rho(_rho(history), delta=delta), _ZCDP_NOTE)
    if not history:
        rows = (("rdp", _RDP_NOTE), ("pld", _PLD_NOTE))
        pairs = (*rows, ("basic", _BASIC_NOTE), ("advanced", _ADVANCED_NOTE))
        return (zcdp, *(Composition(method, 0.0, note) for method, note in pairs))
    return (
        zcdp,
        _row("rdp", _rdp_epsilon, _RDP_NOTE, history, delta),
        _pld_row(history, delta),
        _row("basic", _basic_epsilon, _BASIC_NOTE, history, delta),
        _row("advanced", _advanced_epsilon, _ADVANCED_NOTE, history, delta),
    )


def pure_epsilon(step: Step) -> float | None:
    """Return the largest loss that any outcome of `step` has; None if unbounded."""
    match step:
        case TokenStep():
            return float(token_range(step))
        case SelectionStep():
            return float(bounded_range(step))
        case LaplaceStep() | DiscreteLaplaceStep():
            return float(step.sensitivity / step.scale)
        case GaussianStep() | NoisedSumStep():
            return None


def _history(charged: Iterable[tuple[Step, int]]) -> Mapping[Step, int]:
    history: Counter[Step] = Counter()
    for step, count in charged:
        if count < 0:
            raise FieldInvalid(
                "A step never ran a negative number of times.", field="count"
            )
        history[step] += count
    return +history


def _row(
    method: str,
    epsilon: Callable[[Mapping[Step, int], float], float],
    note: str,
    history: Mapping[Step, int],
    delta: float,
) -> Composition:
    if len(history) > STEPS_MAX:
        return Composition(
            method, None, f"not computed: over {STEPS_MAX} different steps"
        )
    return Composition(method, epsilon(history, delta), note)


def _pld_row(history: Mapping[Step, int], delta: float) -> Composition:
    refusal = pld_refusal(history, delta=delta)
    if refusal is not None:
        return Composition("pld", None, refusal)
    return Composition("pld", pld_epsilon(history, delta=delta), _PLD_NOTE)


def _rho(history: Mapping[Step, int]) -> float:
    return math.fsum(
        count * float(step_loss(step, ZCDP)) for step, count in history.items()
    )


def _rdp_epsilon(history: Mapping[Step, int], delta: float) -> float:
    """Return epsilon at the best order; exact losses, not rounded up to units."""
    laplace: list[tuple[float, float, int]] = []
    rho = 0.0
    for step, count in history.items():
        match step:
            case LaplaceStep():
                shift = float(step.sensitivity / step.scale)
                laplace.append((shift, float(REALS), count))
            case DiscreteLaplaceStep():
                shift = float(step.sensitivity / step.scale)
                laplace.append((shift, float(1 / step.scale), count))
            case _:
                rho += count * float(step_rho(step))

    def loss(order: float) -> float:
        return order * rho + math.fsum(
            count * renyi_estimate(shift=shift, spacing=spacing, order=order)
            for shift, spacing, count in laplace
        )

    return epsilon_of_curve(loss, delta=delta)


def _basic_epsilon(history: Mapping[Step, int], delta: float) -> float:
    return math.fsum(
        count * epsilon for epsilon, count in _single_epsilons(history, delta)
    )


def _advanced_epsilon(history: Mapping[Step, int], delta: float) -> float:
    """Return the heterogeneous bound; never more than basic composition."""
    has_delta = any(pure_epsilon(step) is None for step in history)
    slack = delta / 2 if has_delta else delta
    singles = _single_epsilons(history, slack)
    squares = math.fsum(count * epsilon**2 for epsilon, count in singles)
    mean = math.fsum(
        count * epsilon * math.tanh(epsilon / 2) for epsilon, count in singles
    )
    logarithm = min(
        math.log(math.e + math.sqrt(squares) / slack), math.log(1.0 / slack)
    )
    return min(
        _basic_epsilon(history, delta), mean + math.sqrt(2 * squares * logarithm)
    )


def _single_epsilons(
    history: Mapping[Step, int], delta: float
) -> list[tuple[float, int]]:
    """Return each step's epsilon and count; steps without a pure one share delta."""
    sharing = sum(
        count for step, count in history.items() if pure_epsilon(step) is None
    )
    return [
        (_single_epsilon(step, delta / max(1, sharing)), count)
        for step, count in history.items()
    ]


def _single_epsilon(step: Step, delta: float) -> float:
    """Return the epsilon of one run; a Gaussian's is exact (Balle and Wang 2018)."""
    match step:
        case GaussianStep():
            ratio = math.sqrt(step.scale**2 / step.sensitivity_squared)
            return gaussian_epsilon(ratio, delta=delta)
        case NoisedSumStep():
            return epsilon_of_rho(float(step_rho(step)), delta=delta)
        case _:
            pure = pure_epsilon(step)
            return pure if pure is not None else math.inf
