"""The releases: a number, a vector of counts, and the choice of one candidate.

Decides which inputs a mechanism takes, and draws; refuses to know what a release costs
in which account. All noise is opendp's: exact on integers and on the finest lattice of
doubles, with randomness from the operating system; no float noise is ever added.

Whoever calls has charged the step before. Inputs are refused before anything is drawn;
such a refusal tells about the input, so it must reach nobody but the caller whose data
it is. A release takes up to a second (counts) or ten milliseconds; call it in a thread.
How long exactly depends on what is drawn, and timing is not hidden.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Protocol, cast

import opendp.prelude as dp

from federated_router.kit.errors import FieldInvalid, Internal
from federated_router.privacy.measure import ZCDP, step_rho, step_units
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    SelectionStep,
)

NUMBER_MAX = 1e15
COUNT_MAX = 1 << 53
"""So far below 2^63, where opendp would stop without a word, that noise of the largest
scale, 10^9, reaches it with probability below exp(-10^9)."""
COUNTS_MAX = 4096
CANDIDATES_MAX = 4096

_ROUNDING = Fraction(1, 10**9)
_MEASUREMENTS_KEPT = 256

# The samplers carry machine-readable proofs but live behind opendp's "contrib" flag.
dp.enable_features("contrib")


class _Bounded(Protocol):
    """A measurement that states what it loses when its input moves by a distance."""

    def map(self, d_in: float) -> float:
        """Return the loss in the measurement's own measure, rounded up."""


def release_number(
    value: float,
    *,
    lower: float | Fraction,
    upper: float | Fraction,
    step: GaussianStep | LaplaceStep,
) -> float:
    """Return `value`, clamped to [lower, upper], with noise; it may lie outside.

    The sensitivity in `step` is the curator's claim about how `value` was computed;
    `upper - lower` always is a true one. Exact bounds are rounded inwards to doubles,
    so that this stays so; pass a decimal's fraction rather than its double.

    Raises:
        FieldInvalid: a value or bound that is no finite number of at most 10^15 in
            magnitude, bounds with no double between them, or a step that costs more
            or less than a ledger can hold.
    """
    step_units(step, ZCDP)
    _require_number("value", value)
    for field, bound in (("lower", lower), ("upper", upper)):
        if not isinstance(bound, Fraction):
            _require_number(field, bound)
        elif abs(bound) > NUMBER_MAX:
            raise FieldInvalid(f"{field} lies beyond 1e15.", field=field)
    least, most = _at_least(Fraction(lower)), -_at_least(-Fraction(upper))
    if least > most:
        raise FieldInvalid("upper must lie above lower.", field="upper")
    return float(_number_noise(step)(float(min(max(value, least), most))))


def release_counts(
    counts: Sequence[int], step: GaussianStep | DiscreteLaplaceStep
) -> list[int]:
    """Return each count with whole noise of its own, drawn from integers; may be < 0.

    Raises:
        FieldInvalid: no counts or more than 4096; a count that is no whole number of
            at most 2^53 in magnitude; a sensitivity below 1, which whole numbers
            cannot have; a step that costs more or less than a ledger can hold.
    """
    step_units(step, ZCDP)
    _require_length("counts", len(counts), COUNTS_MAX)
    for count in counts:
        _require_count(count)
    _require_whole_sensitivity(step)
    return [int(noised) for noised in _count_noise(step)(list(counts))]


def select(scores: Sequence[float], step: SelectionStep) -> int:
    """Return the index of one candidate, drawn with weight exp(score / temperature).

    Which candidates there are, and their order, must be public.

    Raises:
        FieldInvalid: no candidates or more than 4096; a score that is no finite
            number of at most 10^15 in magnitude; a step that costs more or less than
            a ledger can hold.
    """
    step_units(step, ZCDP)
    _require_length("scores", len(scores), CANDIDATES_MAX)
    for score in scores:
        _require_number("scores", score)
    return int(_selector(step)([float(score) for score in scores]))


@lru_cache(maxsize=_MEASUREMENTS_KEPT)
def _number_noise(step: GaussianStep | LaplaceStep) -> Callable[[float], float]:
    domain = dp.atom_domain(T=float, nan=False)
    metric = dp.absolute_distance(T=float)
    scale = _at_least(step.scale)
    if isinstance(step, GaussianStep):
        measurement = dp.m.make_gaussian(domain, metric, scale=scale)
    else:
        measurement = dp.m.make_laplace(domain, metric, scale=scale)
    _require_bound(measurement, step)
    return cast("Callable[[float], float]", measurement)


@lru_cache(maxsize=_MEASUREMENTS_KEPT)
def _count_noise(
    step: GaussianStep | DiscreteLaplaceStep,
) -> Callable[[list[int]], list[int]]:
    # opendp's default integer has 32 bits and would saturate silently.
    domain = dp.vector_domain(dp.atom_domain(T=dp.i64))
    scale = _at_least(step.scale)
    if isinstance(step, GaussianStep):
        metric = dp.l2_distance(T=float)
        measurement = dp.m.make_gaussian(domain, metric, scale=scale)
    else:
        metric = dp.l1_distance(T=float)
        measurement = dp.m.make_laplace(domain, metric, scale=scale)
    _require_bound(measurement, step)
    return cast("Callable[[list[int]], list[int]]", measurement)


@lru_cache(maxsize=_MEASUREMENTS_KEPT)
def _selector(step: SelectionStep) -> Callable[[list[float]], int]:
    domain = dp.vector_domain(dp.atom_domain(T=float, nan=False))
    metric = dp.linf_distance(T=float, monotonic=step.monotonic)
    measurement = dp.m.make_noisy_max(
        domain,
        metric,
        dp.zero_concentrated_divergence(),
        scale=_at_least(step.temperature),
    )
    _require_bound(measurement, step)
    return cast("Callable[[list[float]], int]", measurement)


def _at_least(exact: Fraction) -> float:
    """Return the least double that is not below `exact`: noise is never less."""
    nearest = float(exact)
    return nearest if nearest >= exact else math.nextafter(nearest, math.inf)


def _require_bound(
    measurement: _Bounded,
    step: GaussianStep | LaplaceStep | DiscreteLaplaceStep | SelectionStep,
) -> None:
    """Raise Internal unless opendp's own bound is the one that is charged.

    Its map computes in doubles and rounds up, hence the tolerance. The charge needs
    none: it follows from exact parameters, and the scale drawn with is no smaller.
    """
    if isinstance(step, GaussianStep):
        distance, expected = math.sqrt(step.sensitivity_squared), step_rho(step)
    elif isinstance(step, SelectionStep):
        distance, expected = float(step.sensitivity), step_rho(step)
    else:
        # Laplace measurements state their pure epsilon.
        distance, expected = float(step.sensitivity), step.sensitivity / step.scale
    bound = Fraction(measurement.map(distance))
    if abs(bound - expected) > _ROUNDING * expected:
        raise Internal(
            "The noise library's bound is not what this step is charged; check the "
            "versions that are installed."
        )


def _require_number(field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldInvalid(f"{field} must be a number.", field=field)
    if not -NUMBER_MAX <= value <= NUMBER_MAX:
        raise FieldInvalid(f"{field} must lie between -1e15 and 1e15.", field=field)


def _require_count(count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int):
        raise FieldInvalid("counts must be whole numbers.", field="counts")
    if abs(count) > COUNT_MAX:
        raise FieldInvalid("counts must lie between -2^53 and 2^53.", field="counts")


def _require_length(field: str, length: int, most: int) -> None:
    if not 1 <= length <= most:
        raise FieldInvalid(f"{field} must hold 1 to {most} values.", field=field)


def _require_whole_sensitivity(step: GaussianStep | DiscreteLaplaceStep) -> None:
    if isinstance(step, GaussianStep):
        field, sensitivity = "sensitivity_squared", step.sensitivity_squared
    else:
        field, sensitivity = "sensitivity", step.sensitivity
    if sensitivity < 1:
        raise FieldInvalid(
            "One protected unit moves whole counts by at least 1.", field=field
        )
