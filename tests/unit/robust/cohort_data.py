"""Cohort sums of made-up members, from a seed."""

import numpy as np

from coordinator.robust.cohort_sums import CohortSums

COHORTS = 20
MEMBERS = 5
CELL_SLOTS = 25
SLOTS = 500
NOISE = 10.0

KINDS = ("alike", "unlike", "skewed", "rare")
"""How members differ: not at all; in size and taste by a half; by an order of magnitude
in size, with strong tastes; each model at one member of ten."""


def counts(kind: str, dice: np.random.Generator, *, members: int) -> np.ndarray:
    """Return members' counts (members, SLOTS): cells of 25 outcomes."""
    cells = SLOTS // CELL_SLOTS
    outcomes = dice.dirichlet(np.full(CELL_SLOTS, 0.7), cells) * CELL_SLOTS
    taste = {
        "alike": lambda: np.ones((members, cells)),
        "unlike": lambda: (
            dice.lognormal(0, 0.5, (members, 1)) * dice.gamma(2, 0.5, (members, cells))
        ),
        "skewed": lambda: (
            dice.lognormal(0, 1, (members, 1)) * dice.gamma(0.5, 2, (members, cells))
        ),
        "rare": lambda: 3.0 * (dice.random((members, cells)) < 0.1),
    }[kind]()
    mean = 20.0 * taste[:, :, None] * outcomes[None, :, :]
    return dice.poisson(mean).reshape(members, SLOTS)


def summed(
    values: np.ndarray, dice: np.random.Generator, *, noise: float = NOISE
) -> CohortSums:
    """Return the noised sums of cohorts of MEMBERS members each."""
    cohorts = len(values) // MEMBERS
    total = values.reshape(cohorts, MEMBERS, -1).sum(axis=1)
    drawn = dice.normal(0.0, noise * np.sqrt(MEMBERS), total.shape)
    return CohortSums(
        sums=total + np.rint(drawn).astype(np.int64),
        survivors=np.full(cohorts, MEMBERS),
        share_noise=np.full(total.shape[1], noise),
    )


def replaced(cohort_sums: CohortSums, poisoned: np.ndarray) -> CohortSums:
    """Return the sums with other values in the first cohorts."""
    sums = cohort_sums.sums.copy()
    sums[: len(poisoned)] = poisoned
    return CohortSums(
        sums=sums,
        survivors=cohort_sums.survivors,
        share_noise=cohort_sums.share_noise,
    )
