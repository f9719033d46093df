"""Cohorts cover the roster once, are large enough, and are drawn without favour."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from federated_router.crypto import cohorts
from federated_router.crypto.transcript import RosterHash, RoundAttempt
from federated_router.kit.errors import FieldInvalid

BEACON = bytes(range(32))
ERROR_RATE = 1e-6


@given(holders=st.integers(1, 400), size=st.integers(0, 60), seed=st.binary())
def test_every_holder_is_in_one_cohort_of_at_least_the_size(
    holders: int, size: int, seed: bytes
) -> None:
    """Sizes differ by at most one; a roster below the size is one cohort."""
    attempt = RoundAttempt("rounds/a", 0)
    roster = RosterHash(hashlib.sha256(seed).digest())

    drawn = cohorts.assign(attempt, roster, BEACON, holders=holders, size=size)

    sizes = [len(cohort) for cohort in drawn]
    everyone = [number for cohort in drawn for number in cohort]
    assert sorted(everyone) == list(range(1, holders + 1))
    assert all(list(cohort) == sorted(cohort) for cohort in drawn)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(size, holders)
    assert len(drawn) == cohorts.count(holders, size)


def test_without_a_size_the_roster_is_one_cohort(
    attempt: RoundAttempt, roster: RosterHash
) -> None:
    """As many rounds run without cohorts."""
    drawn = cohorts.assign(attempt, roster, BEACON, holders=5, size=0)

    assert drawn == ((1, 2, 3, 4, 5),)


def test_division_follows_from_round_roster_and_beacon(
    attempt: RoundAttempt, roster: RosterHash
) -> None:
    """Whatever changes, another division of 100; nothing else enters."""
    other = RosterHash(bytes(32))
    divisions = {
        cohorts.assign(
            RoundAttempt("rounds/b", 0), roster, BEACON, holders=100, size=9
        ),
        cohorts.assign(attempt, other, BEACON, holders=100, size=9),
        cohorts.assign(attempt, roster, bytes(32), holders=100, size=9),
        cohorts.assign(attempt, roster, BEACON, holders=100, size=9),
    }

    assert len(divisions) == 4
    assert cohorts.assign(attempt, roster, BEACON, holders=100, size=9) in divisions


def divisions(rounds: int) -> list[cohorts.Cohorts]:
    """Divide six holders into three cohorts under many names."""
    roster = RosterHash(bytes(32))
    return [
        cohorts.assign(
            RoundAttempt("rounds/u", number), roster, BEACON, holders=6, size=2
        )
        for number in range(rounds)
    ]


def wrapped(rounds: int) -> list[cohorts.Cohorts]:
    """Divide them by a shuffle whose numbers wrap around: the broken variant."""
    generator = np.random.default_rng(6)
    made = []
    for _ in range(rounds):
        order = list(range(1, 7))
        cohorts._shuffle(order, (n % 6 for n in generator.integers(0, 8, 50).tolist()))
        made.append(tuple(tuple(sorted(order[first::3])) for first in range(3)))
    return made


def place_p_value(drawn: list[cohorts.Cohorts]) -> float:
    """Return the p-value that every holder is in every cohort equally often."""
    table = np.zeros((6, 3), dtype=np.int64)
    for division in drawn:
        for number, cohort in enumerate(division):
            table[np.array(cohort) - 1, number] += 1
    return float(stats.chisquare(table.reshape(-1)).pvalue)


def pair_p_value(drawn: list[cohorts.Cohorts]) -> float:
    """Return the p-value that any two holders share a cohort equally often."""
    together = np.zeros((6, 6), dtype=np.int64)
    for division in drawn:
        for low, high in division:
            together[low - 1, high - 1] += 1
    return float(stats.chisquare(together[np.triu_indices(6, 1)]).pvalue)


def test_divisions_favour_no_holder_no_cohort_and_no_pair() -> None:
    """12,000 divisions; false alarms at most 1e-6 each, were the seeds not fixed."""
    drawn = divisions(12_000)

    assert place_p_value(drawn) > ERROR_RATE
    assert pair_p_value(drawn) > ERROR_RATE


def test_shuffle_whose_numbers_wrap_around_would_be_noticed() -> None:
    """Three bits for six places, without refusing the last two, at the same size."""
    assert place_p_value(wrapped(12_000)) < ERROR_RATE


def test_words_that_favour_small_numbers_pass_by() -> None:
    """2^32 is no multiple of 6: the last four words are refused, not wrapped."""
    assert cohorts._below(6, iter([2**32 - 1, 2**32 - 4, 2**32 - 5])) == 5


@pytest.mark.parametrize(("holders", "size"), [(0, 2), (-1, 0), (5, -1)])
def test_impossible_divisions_are_refused(
    holders: int, size: int, attempt: RoundAttempt, roster: RosterHash
) -> None:
    """By name, as every bad input."""
    with pytest.raises(FieldInvalid):
        cohorts.assign(attempt, roster, BEACON, holders=holders, size=size)
