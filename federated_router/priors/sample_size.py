"""Which cells a member contributes, and which it keeps for a later round.

Decides by a noised count whether a cell has enough requests. Refuses to know where the
requests wait and what is contributed of them. Nobody else learns the answer: a cell
that is kept back is encrypted zeros and noise, as a cell that nobody asked for.

The count is noised because the answer changes what is published. With the plain test
n >= minimum, the one request that makes n reach 100 would move the sum by all 100, and
no noise of a few requests hides that. With n + N >= minimum, N a discrete Gaussian of
the round's whole noise scale that only this member draws and never tells, the answers
for all cells are one release of the vector of counts. One request moves that vector by
1, so the release costs one unit more in `Catalogue.sensitivity_squared`, and the sum is
charged as the release that follows it (adaptive composition). A request that is kept
back is in the test of each round that it waits for, and each such round pays.

What this does not do: it is no guarantee that a cell has `samples_min` requests, only
that it has about as many, give or take the noise. A request is kept back whole: what
it adds to patterns, carbon, bandit and holdout waits with its cell.
"""

from collections.abc import Mapping

from federated_router.priors.contents import Cell
from federated_router.privacy.noise import NoiseSource, discrete_gaussian


def cells_to_take(
    requests: Mapping[Cell, int],
    *,
    samples_min: int,
    noise_scale: float,
    noise: NoiseSource = discrete_gaussian,
) -> frozenset[Cell]:
    """Return the cells whose noised number of requests is at least `samples_min`.

    `requests` counts per cell what would be contributed, after each user was clipped;
    cells that it does not hold have nothing to take. `noise_scale` is the round's, on
    a slot of noise factor 1. With `samples_min` 0 every cell is taken without a draw.
    """
    cells = sorted(requests)
    if not samples_min or not cells:
        return frozenset(cells)
    drawn = noise(len(cells), noise_scale)
    return frozenset(
        cell
        for cell, error in zip(cells, drawn, strict=True)
        if requests[cell] + error >= samples_min
    )
