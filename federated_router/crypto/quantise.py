"""Turn statistics into clipped integers and back, and refuse sums that would wrap.

Decides the grid, the headroom and the count that travels with every vector. Refuses to
know what a slot means and how noise is drawn; noise is added to the integers before
`with_count`, so that the count stays exact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto.ckks import SUM_BOUND, Integers
from federated_router.kit.errors import (
    CiphertextMalformed,
    FieldInvalid,
    HeadroomExceeded,
)

NOISE_TAIL_SIGMAS = 16.0
"""What noise may take of the headroom; beyond it lies less than 2^-180."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SlotScale:
    """The grid of one slot: values are clipped to [low, high] and counted in steps."""

    low: float
    high: float
    step: float

    def __post_init__(self) -> None:
        """Refuse a grid that is empty, not finite, or too fine for a sum's slot."""
        finite = all(map(math.isfinite, (self.low, self.high, self.step)))
        if not (finite and self.low < self.high and self.step > 0):
            raise FieldInvalid("A slot needs low < high and step > 0.", field="scale")
        if max(abs(self.low), abs(self.high)) / self.step >= SUM_BOUND:
            raise HeadroomExceeded("The step is too fine for one contribution.")

    @property
    def bound_steps(self) -> int:
        """Return the largest magnitude that one contribution can have."""
        return max(abs(round(self.low / self.step)), abs(round(self.high / self.step)))


def quantise(values: Sequence[float] | Reals, scales: Sequence[SlotScale]) -> Integers:
    """Return each value, clipped, as the nearest whole number of its slot's steps.

    Raises:
        FieldInvalid: another number of values than slots, or a value that is NaN.
    """
    reals = np.asarray(values, dtype=np.float64)
    _refuse_other_length(len(reals), scales)
    if bool(np.isnan(reals).any()):
        raise FieldInvalid("A statistic is not a number.", field="values")
    low, high, step = _columns(scales)
    return np.rint(np.clip(reals, low, high) / step).astype(np.int64)


def restore(sums: Integers, scales: Sequence[SlotScale]) -> Reals:
    """Return opened sums in the units of the statistics."""
    _refuse_other_length(len(sums), scales)
    _, _, step = _columns(scales)
    return sums.astype(np.float64) * step


def with_count(steps: Integers) -> Integers:
    """Return the vector as it is encrypted: a count of 1, then the slots."""
    return np.concatenate([np.ones(1, dtype=np.int64), steps])


def without_count(sums: Integers, *, accepted: int, slots: int) -> Integers:
    """Return the `slots` sums behind the count, once the count is as expected.

    Raises:
        CiphertextMalformed: the count is not the number of accepted members, or a
            place that nobody fills is not zero. Some contribution is not what its
            sender signed for, so that nothing of the sum may be published.
    """
    count, behind = int(sums[0]), sums[1 + slots :]
    if count != accepted or bool(behind.any()):
        raise CiphertextMalformed(
            "The opened sum does not count the accepted members.",
            field="contributions",
            metadata={"accepted": str(accepted), "counted": str(count)},
        )
    return sums[1 : 1 + slots]


def refuse_overflow(
    scales: Sequence[SlotScale], *, members: int, noise_sigma_steps: float
) -> None:
    """Refuse a round whose sum might wrap; call before it opens.

    `noise_sigma_steps` is the standard deviation of the whole sum's noise, as if every
    member contributed.

    Raises:
        HeadroomExceeded: with the needed and the available range as metadata.
    """
    widest = max((scale.bound_steps for scale in scales), default=0)
    if not 0 <= noise_sigma_steps < SUM_BOUND:
        raise HeadroomExceeded("The noise alone could wrap the sum around.")
    needed = members * max(widest, 1) + math.ceil(NOISE_TAIL_SIGMAS * noise_sigma_steps)
    if needed >= SUM_BOUND:
        raise HeadroomExceeded(
            "The sum could wrap around; take larger steps or smaller cohorts.",
            metadata={
                "needed": str(needed),
                "available": str(SUM_BOUND),
                "members": str(members),
            },
        )


def _columns(scales: Sequence[SlotScale]) -> tuple[Reals, Reals, Reals]:
    table = np.array([(scale.low, scale.high, scale.step) for scale in scales])
    low, high, step = table.reshape(-1, 3).T
    return low, high, step


def _refuse_other_length(length: int, scales: Sequence[SlotScale]) -> None:
    if length != len(scales):
        raise FieldInvalid(
            f"The catalogue has {len(scales)} slots; {length} values were given.",
            field="values",
        )
