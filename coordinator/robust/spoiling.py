"""How many cohorts poisoners spoil when the beacon places them.

Decides the probability that at least half of the cohorts hold a poisoner, and how many
poisoners cannot do that wherever they are. Refuses to know what a spoiled cohort does
to an estimate (`influence`).
"""

import numpy as np
from numpy.typing import NDArray

from federated_router.privacy.cohorts import cohort_sizes

Reals = NDArray[np.float64]


def poisoners_tolerated(cohorts: int) -> int:
    """Return how many poisoners leave most cohorts clean, wherever they are.

    Each spoils one cohort at most, and fewer than half of them may be spoiled.
    """
    return max(0, (cohorts - 1) // 2)


def half_spoiled_probability(*, roster: int, cohort: int, poisoners: int) -> float:
    """Return the probability that at least half of the cohorts hold a poisoner.

    Poisoners are placed like everybody: a uniformly random partition. Cohorts are
    filled one after the other, each from those who are left (hypergeometric). Floating
    point; relative error below 1e-9, enough for a figure that is shown and compared
    with a threshold of two digits.
    """
    sizes = cohort_sizes(roster, cohort)
    enough = -(-len(sizes) // 2)
    if poisoners < enough:
        return 0.0
    logs = _log_factorials(roster)
    # placed[r, j]: r poisoners are still to be placed, j cohorts are spoiled.
    placed = np.zeros((poisoners + 1, enough + 1))
    placed[poisoners, 0] = 1.0
    left = roster
    for size in sizes:
        placed = _fill(placed, left=left, size=size, logs=logs)
        left -= size
    return float(min(1.0, placed[:, enough].sum()))


def _fill(placed: Reals, *, left: int, size: int, logs: Reals) -> Reals:
    """Return the probabilities after one more cohort; the last column is "enough"."""
    after = np.zeros_like(placed)
    poisoners = len(placed) - 1
    for here in range(min(size, poisoners) + 1):
        remaining = np.arange(here, poisoners + 1)
        chance = _hypergeometric(here, remaining, left=left, size=size, logs=logs)
        moved = placed[here:] * chance[:, None]
        stay = slice(0, poisoners + 1 - here)
        if here == 0:
            after[stay] += moved
            continue
        after[stay, 1:] += moved[:, :-1]
        after[stay, -1] += moved[:, -1]
    return after


def _hypergeometric(
    here: int, remaining: NDArray[np.int64], *, left: int, size: int, logs: Reals
) -> Reals:
    """Return P(`here` of `remaining` poisoners among `left` fall into `size`)."""
    others, taken = left - remaining, size - here
    possible = (others >= taken) & (remaining <= left)
    others = np.where(possible, others, taken)
    ways = (
        _log_binomial(remaining, here, logs)
        + _log_binomial(others, taken, logs)
        - _log_binomial(np.array([left]), size, logs)
    )
    chance: Reals = np.where(possible, np.exp(ways), 0.0)
    return chance


def _log_binomial(many: NDArray[np.int64], few: int, logs: Reals) -> Reals:
    result: Reals = logs[many] - logs[few] - logs[many - few]
    return result


def _log_factorials(largest: int) -> Reals:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest + 1)))])
