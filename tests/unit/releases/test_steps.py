"""From a request's bounds to the mechanism that is charged and drawn."""

from fractions import Fraction
from math import inf, nan, sqrt
from statistics import fmean

import pytest

from federated_router.api.v1 import release_pb2 as pb
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    SelectionStep,
)
from federated_router.releases.steps import discrete_laplace_deviation, drawing_of

GAUSSIAN, LAPLACE = pb.NOISE_MECHANISM_GAUSSIAN, pb.NOISE_MECHANISM_LAPLACE


def number(
    mechanism: pb.NoiseMechanism, lower: str = "-1.5", upper: str = "2.5"
) -> pb.ReleaseNumberRequest:
    """Return a release of 1 with noise of scale 3."""
    return pb.ReleaseNumberRequest(
        number=pb.BoundedNumber(value=1, lower=lower, upper=upper),
        mechanism=mechanism,
        scale="3",
    )


def counts(
    mechanism: pb.NoiseMechanism, *, entries: int = 2, most: int = 3
) -> pb.ReleaseCountsRequest:
    """Return a release of four counts with noise of scale 3."""
    return pb.ReleaseCountsRequest(
        counts=[1, 2, 3, 4],
        entries_per_record_max=entries,
        count_per_record_max=most,
        mechanism=mechanism,
        scale="3",
    )


def test_number_moves_at_most_between_its_bounds() -> None:
    """The sensitivity is their distance, to the last digit."""
    assert drawing_of(number(GAUSSIAN)).step == GaussianStep(
        sensitivity_squared=Fraction(16), scale=Fraction(3)
    )
    assert drawing_of(number(LAPLACE, "0.1", "0.4")).step == LaplaceStep(
        sensitivity=Fraction(3, 10), scale=Fraction(3)
    )


def test_counts_move_in_as_many_entries_as_a_record_has() -> None:
    """L2 for Gaussian noise, L1 for Laplace noise."""
    assert drawing_of(counts(GAUSSIAN)).step == GaussianStep(
        sensitivity_squared=Fraction(2 * 9), scale=Fraction(3)
    )
    assert drawing_of(counts(LAPLACE)).step == DiscreteLaplaceStep(
        sensitivity=Fraction(6), scale=Fraction(3)
    )


def test_choice_is_the_exponential_mechanism() -> None:
    """Sensitivity and temperature as stated."""
    drawing = drawing_of(
        pb.SelectOptionRequest(
            scores=[0, 500], sensitivity="0.5", temperature="2", monotonic=True
        )
    )

    assert drawing.step == SelectionStep(
        sensitivity=Fraction(1, 2), temperature=Fraction(2), monotonic=True
    )
    assert drawing.draw() == pb.SelectOptionResponse(option=1)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0, 1000.0])
def test_stated_deviation_is_that_of_the_mass(scale: float) -> None:
    """Against the sum over the distribution itself."""
    reach = int(60 * scale) + 60
    weights = [2.718281828459045 ** (-abs(x) / scale) for x in range(-reach, reach + 1)]
    second = sum(
        w * x * x for w, x in zip(weights, range(-reach, reach + 1), strict=True)
    )

    assert discrete_laplace_deviation(scale) == pytest.approx(
        sqrt(second / sum(weights)), rel=1e-9
    )


def test_drawn_counts_have_the_stated_deviation() -> None:
    """2,000 draws; a wrong scale by half would be 20 standard errors away."""
    request = counts(LAPLACE, entries=1, most=1)
    drawing = drawing_of(request)
    stated = drawing.draw().standard_deviation  # type: ignore[union-attr]

    noise = []
    for _ in range(500):
        response = drawing.draw()
        assert isinstance(response, pb.ReleaseCountsResponse)
        noise += [
            noised - true
            for noised, true in zip(response.counts, request.counts, strict=True)
        ]

    assert abs(fmean(noise)) < 6 * stated / sqrt(2000)
    assert 0.8 < sqrt(fmean(x * x for x in noise)) / stated < 1.2


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (number(GAUSSIAN, "1", "1"), "number.upper"),
        (number(GAUSSIAN, "2", "1"), "number.upper"),
        (number(GAUSSIAN, "-", "1"), "number.lower"),
        (number(GAUSSIAN, "--1", "1"), "number.lower"),
        (number(GAUSSIAN, "0", "1e3"), "number.upper"),
        (counts(GAUSSIAN, entries=0), "entries_per_record_max"),
        (counts(GAUSSIAN, entries=5), "entries_per_record_max"),
        (counts(GAUSSIAN, most=0), "count_per_record_max"),
    ],
)
def test_bounds_that_say_nothing_are_refused(
    request_: pb.ReleaseNumberRequest | pb.ReleaseCountsRequest, field: str
) -> None:
    """A sensitivity of nothing would be a charge of nothing."""
    with pytest.raises(FieldInvalid) as caught:
        drawing_of(request_)

    assert caught.value.metadata["field"] == field


@pytest.mark.parametrize("value", [nan, inf, -inf, 1e300])
def test_number_that_is_none_is_refused_before_anything_is_drawn(value: float) -> None:
    """It would come out as itself, whatever the noise."""
    request = number(GAUSSIAN)
    request.number.value = value

    with pytest.raises(FieldInvalid):
        drawing_of(request).draw()
