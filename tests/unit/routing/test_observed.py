"""What a router saw itself: means that age, and limits on what is kept."""

from dataclasses import dataclass

import numpy as np
import pytest

from federated_router.routing.observed import Observed
from federated_router.routing.served import Served
from federated_router.routing.settings import ObservationSettings

SITE = ("nodes/a", "models/m")


def observed(half_life_s: float = 100.0) -> Observed:
    """Return an empty record."""
    return Observed(
        ObservationSettings(
            half_life_s=half_life_s, samples=1.0, completion_tokens=50.0
        )
    )


@dataclass(frozen=True)
class Told:
    """What is expected at one site."""

    total_ms: float
    weight: float


def expected_at(known: Observed, tokens: float, *, now_s: float) -> Told | None:
    """Return what is expected at the site; None where it was not seen."""
    found = known.expected((SITE,), np.array([float(tokens)]), now_s=now_s)
    told = Told(float(found.total_ms[0]), float(found.weight[0]))
    return None if np.isnan(told.total_ms) else told


def streamed(first_ms: float, token_ms: float, tokens: int) -> Served:
    """Return a streamed answer."""
    return Served(
        succeeded=True,
        total_ms=first_ms + token_ms * (tokens - 1),
        first_token_ms=first_ms,
        completion_tokens=tokens,
    )


def test_time_is_that_of_the_first_token_and_of_each_after() -> None:
    """Answers of another length are expected to take another time."""
    known = observed()
    for tokens in (11, 51, 101):
        known.observe(SITE, streamed(200.0, 10.0, tokens), now_s=0.0)

    short, long = (expected_at(known, tokens, now_s=0.0) for tokens in (10, 100))

    assert short is not None
    assert long is not None
    assert short.total_ms == pytest.approx(200.0 + 10 * 10.0)
    assert long.total_ms == pytest.approx(200.0 + 100 * 10.0)


def test_whole_answers_count_by_the_token() -> None:
    """A unary call tells no first token; its time is its tokens'."""
    known = observed()
    known.observe(
        SITE, Served(succeeded=True, total_ms=500.0, completion_tokens=50), now_s=0.0
    )

    expected = expected_at(known, 100, now_s=0.0)

    assert expected is not None
    assert expected.total_ms == pytest.approx(1000.0)


def test_what_was_seen_counts_half_after_a_half_life() -> None:
    """An hour-old answer must not outvote one of this minute."""
    known = observed(half_life_s=10.0)
    known.observe(SITE, streamed(900.0, 0.0, 1), now_s=0.0)
    known.observe(SITE, streamed(300.0, 0.0, 1), now_s=10.0)

    expected = expected_at(known, 1, now_s=10.0)

    assert expected is not None
    assert expected.total_ms == pytest.approx((0.5 * 900 + 300) / 1.5)


def test_weight_falls_with_age_and_the_figure_stays() -> None:
    """What is old is believed less; it does not become another figure."""
    known = observed(half_life_s=10.0)
    for _ in range(9):
        known.observe(SITE, streamed(100.0, 0.0, 1), now_s=0.0)

    found = [expected_at(known, 1, now_s=age) for age in (0.0, 10.0, 1000.0)]

    weights = [one.weight for one in found if one]
    assert weights == pytest.approx([9 / 10, 4.5 / 5.5, 0.0], abs=1e-6)
    assert {round(one.total_ms, 6) for one in found if one} == {100.0}


def test_node_that_never_answered_takes_for_ever() -> None:
    """Its refusals were quick; that is no speed."""
    known = observed()
    known.observe(SITE, Served(succeeded=False, total_ms=2.0), now_s=0.0)

    expected = expected_at(known, 10, now_s=0.0)

    assert expected is not None
    assert expected.total_ms == float("inf")
    assert 0.0 < expected.weight < 1.0


def test_tokens_to_expect_move_to_what_the_model_answers() -> None:
    """And never beyond what the request admits."""
    known = observed()
    before = known.completion_tokens("models/m", 0)
    for _ in range(200):
        known.observe(SITE, streamed(1.0, 1.0, 400), now_s=0.0)

    assert before == 50.0
    assert known.completion_tokens("models/m", 0) == pytest.approx(398, abs=2)
    assert known.completion_tokens("models/m", 32) == 32


def test_sites_that_left_are_forgotten() -> None:
    """What is kept follows who is there."""
    known = observed()
    for number in range(100):
        known.observe(
            (f"nodes/{number}", "models/m"),
            Served(succeeded=True, total_ms=1.0),
            now_s=0.0,
        )

    known.keep_only({("nodes/7", "models/m")})

    assert list(known._sites) == [("nodes/7", "models/m")]
    found = known.expected((SITE, ("nodes/7", "models/m")), np.ones(2), now_s=0.0)
    assert np.isnan(found.total_ms).tolist() == [True, False]
