"""From a request to the mechanism that it asks for: sensitivity, scale, drawing.

Decides the sensitivity from the bounds that the request states. Refuses to know
budgets. The charge follows from the step alone; no request can name it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import exp, expm1, sqrt

from federated_router.api.v1 import release_pb2 as pb
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.mechanisms import release_counts, release_number, select
from federated_router.privacy.policy import decimal_of
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    SelectionStep,
)

ReleaseRequest = (
    pb.ReleaseNumberRequest | pb.ReleaseCountsRequest | pb.SelectOptionRequest
)
ReleaseResponse = (
    pb.ReleaseNumberResponse | pb.ReleaseCountsResponse | pb.SelectOptionResponse
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A step to charge, and what draws the answer; drawing blocks its thread.

    `unpublished` is the answer to who only asks the price.
    """

    step: GaussianStep | LaplaceStep | DiscreteLaplaceStep | SelectionStep
    draw: Callable[[], ReleaseResponse]
    unpublished: ReleaseResponse


def drawing_of(request: ReleaseRequest) -> Drawing:
    """Return what a request asks for; raise FieldInvalid."""
    match request:
        case pb.ReleaseNumberRequest():
            return _number(request)
        case pb.ReleaseCountsRequest():
            return _counts(request)
        case _:
            return _selection(request)


def _number(request: pb.ReleaseNumberRequest) -> Drawing:
    lower = _signed_decimal(request.number.lower, "number.lower")
    upper = _signed_decimal(request.number.upper, "number.upper")
    if lower >= upper:
        raise FieldInvalid("upper must lie above lower.", field="number.upper")
    scale, width = _fraction(request.scale, "scale"), upper - lower
    step: GaussianStep | LaplaceStep
    if request.mechanism == pb.NOISE_MECHANISM_GAUSSIAN:
        step = GaussianStep(sensitivity_squared=width**2, scale=scale)
        deviation = float(scale)
    else:
        step = LaplaceStep(sensitivity=width, scale=scale)
        deviation = sqrt(2) * float(scale)

    def draw() -> pb.ReleaseNumberResponse:
        value = release_number(
            request.number.value, lower=lower, upper=upper, step=step
        )
        return pb.ReleaseNumberResponse(value=value, standard_deviation=deviation)

    return Drawing(step, draw, pb.ReleaseNumberResponse(standard_deviation=deviation))


def _counts(request: pb.ReleaseCountsRequest) -> Drawing:
    entries, most = request.entries_per_record_max, request.count_per_record_max
    if not 1 <= entries <= len(request.counts):
        raise FieldInvalid(
            "A record appears in 1 to all of the counts.",
            field="entries_per_record_max",
        )
    if most < 1:
        raise FieldInvalid(
            "A record adds at least 1 to a count.", field="count_per_record_max"
        )
    scale = _fraction(request.scale, "scale")
    step: GaussianStep | DiscreteLaplaceStep
    if request.mechanism == pb.NOISE_MECHANISM_GAUSSIAN:
        step = GaussianStep(
            sensitivity_squared=Fraction(entries * most**2), scale=scale
        )
        deviation = float(scale)
    else:
        step = DiscreteLaplaceStep(sensitivity=Fraction(entries * most), scale=scale)
        deviation = discrete_laplace_deviation(float(scale))

    def draw() -> pb.ReleaseCountsResponse:
        noised = release_counts(list(request.counts), step)
        return pb.ReleaseCountsResponse(counts=noised, standard_deviation=deviation)

    return Drawing(step, draw, pb.ReleaseCountsResponse(standard_deviation=deviation))


def _selection(request: pb.SelectOptionRequest) -> Drawing:
    step = SelectionStep(
        sensitivity=_fraction(request.sensitivity, "sensitivity"),
        temperature=_fraction(request.temperature, "temperature"),
        monotonic=request.monotonic,
    )

    def draw() -> pb.SelectOptionResponse:
        return pb.SelectOptionResponse(option=select(list(request.scores), step))

    return Drawing(step, draw, pb.SelectOptionResponse())


def discrete_laplace_deviation(scale: float) -> float:
    """Return the standard deviation of whole Laplace noise of this scale.

    Mass ~ q^|x| with q = exp(-1/scale) has variance 2q / (1-q)^2 (Inusah and Kozubowski
    2006, "A discrete analogue of the Laplace distribution").
    """
    ratio = exp(-1 / scale)
    return sqrt(2 * ratio) / -expm1(-1 / scale)


def _fraction(text: str, field: str) -> Fraction:
    return Fraction(decimal_of(text, field=field))


def _signed_decimal(text: str, field: str) -> Fraction:
    sign = -1 if text.startswith("-") else 1
    return sign * _fraction(text.removeprefix("-"), field)
