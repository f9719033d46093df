"""Counts of made-up requests, with the noise that a round adds."""

import numpy as np

from federated_router.priors.contents import Cell, CellCounts

BOUNDS = tuple(float(2**power) for power in range(26))
BUCKETS = len(BOUNDS) + 1


def counts(
    dice: np.random.Generator, shares: np.ndarray, *, requests: int, noise: float
) -> CellCounts:
    """Return a cell's noised counts of so many requests with these outcomes."""
    true = dice.multinomial(requests, shares)
    noised = true + np.rint(dice.normal(0.0, noise, len(true))).astype(np.int64)
    return CellCounts(tuple(int(one) for one in noised[:-1]), int(noised[-1]))


def shares(dice: np.random.Generator) -> np.ndarray:
    """Return outcome shares: buckets, and failures last."""
    return dice.dirichlet(np.full(BUCKETS + 1, 0.5))


def cell(number: int) -> Cell:
    """Return a cell of a model of its own."""
    return Cell(f"models/m{number}", "eu")
