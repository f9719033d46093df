"""Steps of every kind, and reports of a few, for the tests of this folder."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

from federated_router.privacy.report import Composition, compositions
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    NoisedSumStep,
    SelectionStep,
    Step,
    TokenStep,
)

TOKEN = TokenStep(
    slots=7,
    clip=Decimal("0.66"),
    temperature=Decimal(1),
    multiplier=1,
    records_per_subject=1,
)
_parameter = st.integers(1, 10**18).map(lambda units: Fraction(units, 10**9))
_squared = st.integers(1, 10**36).map(lambda units: Fraction(units, 10**18))
_clip = st.integers(2 * 10**13, 10**18 - 1).map(
    lambda units: Decimal(units).scaleb(-18)
)
_tau = st.integers(10**15, 10**18 - 1).map(lambda units: Decimal(units).scaleb(-18))
_count = st.integers(1, 2**63 - 1)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        TokenStep,
        slots=st.integers(1, 4096),
        clip=_clip,
        temperature=_tau,
        multiplier=st.sampled_from([1, 4]),
        records_per_subject=st.integers(1, 1000),
    ),
    st.builds(GaussianStep, sensitivity_squared=_squared, scale=_parameter),
    st.builds(LaplaceStep, sensitivity=_parameter, scale=_parameter),
    st.builds(DiscreteLaplaceStep, sensitivity=_parameter, scale=_parameter),
    st.builds(
        SelectionStep,
        sensitivity=_parameter,
        temperature=_parameter,
        monotonic=st.booleans(),
    ),
    st.builds(
        NoisedSumStep,
        sensitivity_squared=_count,
        share_sigma=st.floats(1.4, 2.0**40),
        shares_min=_count,
        length=_count,
    ),
)


def gaussian(scale: float) -> Step:
    """Return Gaussian noise for sensitivity 1, of the scale that `scale` prints as."""
    return GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction(str(scale)))


def laplace(scale: float) -> Step:
    """Return Laplace noise for sensitivity 1, of the scale that `scale` prints as."""
    return LaplaceStep(sensitivity=Fraction(1), scale=Fraction(str(scale)))


def rows_of(*charged: tuple[Step, int], delta: float = 1e-6) -> dict[str, Composition]:
    """Return a history's report by method."""
    return {row.method: row for row in compositions(charged, delta=delta)}


def epsilon_by(method: str, *charged: tuple[Step, int], delta: float = 1e-6) -> float:
    """Return the figure of one method, which must have one."""
    epsilon = rows_of(*charged, delta=delta)[method].epsilon
    assert epsilon is not None
    return epsilon
