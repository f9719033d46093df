"""What is said to be saved follows from points of quality and taking by hand."""

import pytest

from tests.evaluate.mmlu import STRONG, WEAK
from tests.evaluate.savings import Point, Saving, least_taken
from tests.evaluate.tariffs import ACTIVE_BILLIONS, answered, read_tokens

WEAK_SHARE = 0.1


def saving(*points: Point) -> Saving:
    """Return two divisions of the same points."""
    return Saving([points, points], WEAK_SHARE)


def test_between_two_settings_requests_are_mixed() -> None:
    """Halfway in quality is halfway in what is taken, from one point to the next."""
    curve = [Point(0.0, 0.1), Point(0.6, 0.3), Point(1.0, 1.0)]

    assert least_taken(curve, 0.3) == pytest.approx(0.2)
    assert least_taken(curve, 0.8) == pytest.approx(0.65)
    assert least_taken(curve, 0.6) == pytest.approx(0.3)


def test_nothing_is_saved_where_only_always_strong_is_good_enough() -> None:
    """A quality that no setting reaches takes all that always-strong does."""
    assert least_taken([Point(0.9, 0.5), Point(0.95, 0.8)], 1.0) == 1.0


def test_choices_no_better_than_a_coin_save_nothing_against_it() -> None:
    """A point on the line from always-weak to always-strong is a coin's."""
    coin = saving(Point(0.5, 0.5 + 0.5 * WEAK_SHARE))

    assert coin.saved_to_random(0.95) == pytest.approx(0)
    assert coin.saved(0.95) == pytest.approx(0.05 * (1 - WEAK_SHARE))


def test_choices_worse_than_a_coin_do_not_hide_it() -> None:
    """Where the only setting is below the line, mixing around it is worse than it."""
    worse = saving(Point(0.2, 0.8))

    assert worse.saved(0.95) < 0.05 * (1 - WEAK_SHARE)
    assert worse.saved_to_random(0.95) < 0


def test_better_choices_save_more() -> None:
    """At 95 %, between (.9, .5) and (1, 1) requests take .75 of always-strong."""
    found = saving(Point(0.9, 0.5))

    assert found.saved(0.95) == pytest.approx(0.25)
    assert found.saved_to_random(0.95) == pytest.approx(1 - 0.75 / 0.955)
    assert found.spread(0.95) == pytest.approx(0)


def test_energy_follows_active_parameters_and_tokens() -> None:
    """Four bytes are a token, and a model of twice the parameters takes twice."""
    taken = answered("four" * 100, intensity=400.0)

    assert read_tokens("four" * 100) == 100
    ratio = ACTIVE_BILLIONS[STRONG] / ACTIVE_BILLIONS[WEAK]
    assert taken.strong.joules == pytest.approx(ratio * taken.weak.joules)
    assert taken.strong.joules == pytest.approx(280 * (0.79 + 211 * 0.0216))
    assert taken.strong.co2e_mg == pytest.approx(taken.strong.joules / 9)
