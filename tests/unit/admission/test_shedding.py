"""Requests that are refused before the nodes are full."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from federated_router.admission.ask import Priority
from federated_router.admission.settings import ShedSettings
from federated_router.admission.shedding import Shedding, shed_probability
from federated_router.kit.errors import Overloaded

SETTINGS = ShedSettings(power=5.0, low=0.5, normal=0.05, high=0.0)
DRAWS = 20_000
FALSE_ALARMS = 1e-9
"""How often the frequency test fails although all is right, by the binomial's tails."""


def chance(seed: int) -> Callable[[], float]:
    """Return independent numbers in [0, 1), the same for a seed."""
    return random.Random(seed).random  # noqa: S311 - to be repeated.


def refused(shedding: Shedding, priority: Priority, saturation: float) -> int:
    """Return how many of `DRAWS` requests are refused."""
    count = 0
    for _ in range(DRAWS):
        try:
            shedding.check(priority, saturation)
        except Overloaded:
            count += 1
    return count


def is_plausible(count: int, probability: float) -> bool:
    """Return whether a frequency is that of the probability, but for false alarms."""
    binomial = stats.binom(DRAWS, probability)
    tail = min(binomial.cdf(count), binomial.sf(count - 1))
    return bool(2 * tail >= FALSE_ALARMS)


def thinned(uniform: Callable[[], float]) -> Callable[[], float]:
    """Return a source that draws too seldom below one: the broken variant."""
    return lambda: uniform() ** 0.9


@pytest.mark.parametrize("saturation", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("priority", [Priority.LOW, Priority.NORMAL])
def test_the_refused_share_is_the_stated_one(
    priority: Priority, saturation: float
) -> None:
    """min(1, factor * saturation ** power), as the configuration says."""
    seed = 20_261_122
    count = refused(Shedding(SETTINGS, chance(seed)), priority, saturation)

    assert is_plausible(count, SETTINGS.factor(priority) * saturation**5), seed


def test_the_frequency_test_sees_a_source_that_is_not_uniform() -> None:
    """A test of chance that no error can fail would prove nothing."""
    uniform = thinned(chance(1))

    count = refused(Shedding(SETTINGS, uniform), Priority.LOW, 0.8)

    assert not is_plausible(count, 0.5 * 0.8**5)


def test_a_refusal_says_how_long_to_wait() -> None:
    """Whoever comes back at once makes it worse."""
    with pytest.raises(Overloaded) as error:
        Shedding(SETTINGS, lambda: 0.0).check(Priority.LOW, 2.0)

    assert error.value.retry_after_s is not None
    assert error.value.metadata == {"priority": "low"}


def test_the_highest_priority_is_not_shed_at_all() -> None:
    """A factor of 0 leaves the queue's own limits to decide."""
    Shedding(SETTINGS, lambda: 0.0).check(Priority.HIGH, 1000.0)


def test_nothing_is_shed_when_switched_off() -> None:
    """The switch holds for every priority."""
    off = ShedSettings(enabled=False, low=1.0)

    Shedding(off, lambda: 0.0).check(Priority.LOW, 1000.0)


@given(
    low=st.floats(0, 10),
    normal=st.floats(0, 10),
    saturation=st.floats(0, 1e6),
    power=st.floats(0.1, 64),
)
def test_a_lower_priority_is_never_safer(
    low: float, normal: float, saturation: float, power: float
) -> None:
    """Probabilities lie in [0, 1] and fall with priority, at any saturation."""
    low, normal = max(low, normal), min(low, normal)
    settings = ShedSettings(power=power, low=low, normal=normal, high=0.0)

    shed = [shed_probability(settings, one, saturation) for one in Priority]

    assert all(0 <= one <= 1 for one in shed)
    assert shed == sorted(shed, reverse=True)


def test_a_configuration_that_sheds_the_urgent_first_is_refused() -> None:
    """It would be a mistake, so it is told at the start."""
    with pytest.raises(ValidationError, match="higher priority"):
        ShedSettings(low=0.1, normal=0.2)
