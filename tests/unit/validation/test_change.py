"""How much the outcomes moved, and that noise alone moves nothing."""

import numpy as np
import pytest

from coordinator.validation.change import NO_CHANGE, Change, Outcomes, change
from tests.unit.validation.cells import BOUNDS, BUCKETS, cell, counts, shares

NOISE = 15.0
REQUESTS = 1_000
ROUNDS = 200


def outcomes(
    dice: np.random.Generator,
    all_shares: list[np.ndarray],
    *,
    requests: int = REQUESTS,
    noise: float = NOISE,
) -> Outcomes:
    """Return noised counts of cells with these outcome shares."""
    found = {
        cell(number): counts(dice, one, requests=requests, noise=noise)
        for number, one in enumerate(all_shares)
    }
    return Outcomes(found, BOUNDS, noise)


def moved(one: Outcomes, other: Outcomes) -> Change:
    """Return what moved, by the default minimum."""
    return change(one, other, samples_min=100)


def disjoint(cells: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return outcomes that have nothing in common."""
    first, second = np.zeros(BUCKETS + 1), np.zeros(BUCKETS + 1)
    first[:5], second[10:15] = 0.2, 0.2
    return [first] * cells, [second] * cells


def test_first_round_has_moved_nothing() -> None:
    """Without priors before, no check that compares can fail."""
    now = outcomes(np.random.default_rng(1), [shares(np.random.default_rng(2))])

    assert change(None, now, samples_min=100) == NO_CHANGE


def test_noise_alone_moves_nothing() -> None:
    """The mean of what is found is near 1 although noise fills 28 slots twice.

    A plain distance, the broken variant, loses a third and would fail every round.
    """
    dice = np.random.default_rng(3)
    found, plain = [], []
    for _ in range(ROUNDS):
        truth = [shares(dice) for _ in range(4)]
        one, other = outcomes(dice, truth), outcomes(dice, truth)
        found.append(moved(one, other).stability.value)
        plain.append(1.0 - _plain_distance(one, other))

    assert float(np.mean(found)) > 0.97
    assert float(np.mean(plain)) < 0.75


def _plain_distance(one: Outcomes, other: Outcomes) -> float:
    pairs = [
        [
            np.array(
                [
                    *found.cells[cell(number)].latency_counts,
                    found.cells[cell(number)].failures,
                ]
            )
            for found in (one, other)
        ]
        for number in range(len(one.cells))
    ]
    return float(
        np.mean([0.5 * np.abs(a / a.sum() - b / b.sum()).sum() for a, b in pairs])
    )


def test_stability_does_not_fail_by_noise_alone() -> None:
    """A true distance of exactly 1 - threshold, 200 rounds: stated rate 1e-6 each.

    A plain distance, the broken variant, is beyond it in every round.
    """
    dice = np.random.default_rng(4)
    before, after = disjoint(2)
    half = [(one + other) / 2 for one, other in zip(before, after, strict=True)]
    failed = plain = 0
    for _ in range(ROUNDS):
        one, other = outcomes(dice, before), outcomes(dice, half)
        failed += moved(one, other).stability.below(0.5)
        plain += _plain_distance(one, other) > 0.5

    assert failed == 0
    assert plain > 0.9 * ROUNDS


def test_broken_round_fails_the_default_threshold() -> None:
    """Outcomes with nothing in common, plainly seen, leave no stability."""
    dice = np.random.default_rng(5)
    before, after = disjoint(3)

    found = moved(
        outcomes(dice, before, requests=20_000), outcomes(dice, after, requests=20_000)
    )

    assert found.stability.value < 0.02
    assert found.stability.below(0.1)
    assert found.converged == 0.0
    assert found.compared == 3


def test_converged_is_the_part_of_requests_in_unchanged_cells() -> None:
    """One cell of three times the requests stays, the other moves."""
    dice = np.random.default_rng(6)
    before, after = disjoint(2)
    one = outcomes(dice, before, requests=30_000)
    other = outcomes(dice, [before[0], after[1]], requests=30_000)
    third = outcomes(dice, [after[1]], requests=10_000)
    other.cells[cell(1)] = third.cells[cell(0)]  # type: ignore[index]

    found = moved(one, other)

    assert found.converged == pytest.approx(0.75, abs=0.01)
    assert found.stability.value == pytest.approx(0.75, abs=0.02)


def test_cells_that_noise_could_feign_and_other_buckets_are_not_compared() -> None:
    """Nothing is known of them; that is not a change."""
    dice = np.random.default_rng(7)
    before, after = disjoint(1)
    few = moved(
        outcomes(dice, before, requests=150), outcomes(dice, after, requests=150)
    )
    other = outcomes(dice, after)
    buckets = moved(
        outcomes(dice, before), Outcomes(other.cells, BOUNDS[:-1], other.noise)
    )

    assert (few.compared, few.stability.value) == (0, 1.0)
    assert (buckets.compared, buckets.stability.value) == (0, 1.0)


def test_performance_delta_is_the_change_of_the_success_ratio() -> None:
    """From no failures to a half, within what its deviation says."""
    dice = np.random.default_rng(8)
    good, bad = np.zeros(BUCKETS + 1), np.zeros(BUCKETS + 1)
    good[3], bad[3], bad[-1] = 1.0, 0.5, 0.5

    found = [
        moved(
            outcomes(dice, [good], requests=5_000),
            outcomes(dice, [bad], requests=5_000),
        ).performance_delta
        for _ in range(ROUNDS)
    ]

    values = np.array([one.value for one in found])
    assert float(values.mean()) == pytest.approx(-0.5, abs=0.01)
    assert float(values.std()) <= 1.1 * found[0].deviation
    assert all(one.below(-0.2) for one in found)
    assert not any(one.below(-0.5) for one in found)
