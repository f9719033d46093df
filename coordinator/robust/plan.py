"""Which cohorts a federation of these sizes can have, if any.

Decides the size of cohorts, how many of a cohort must survive and how many of them are
taken for colluders. Refuses combinations under which either poisoners or colluders get
their way, and says which number to change. Refuses to know rounds.

Small cohorts withstand more poisoners: more of them stay clean. Large cohorts need less
noise: more honest members share it. The plan takes the largest cohorts that withstand
the assumed poisoners, and refuses where they hold too few honest shares.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from coordinator.robust.settings import RobustSettings
from coordinator.robust.spoiling import half_spoiled_probability, poisoners_tolerated
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.cohorts import (
    byzantine_fraction_max,
    cohort_colluders_floor,
)

COHORT_SIZE_MIN: Final = 3
"""Below, the sum of a cohort is as good as one member's contribution."""

COHORTS_MIN: Final = 3
"""A median of fewer follows whoever poisons one."""


@dataclass(frozen=True, slots=True)
class CohortPlan:
    """Cohorts for every roster of the federation; `size` 0 is one cohort of all.

    A cohort's sum is opened from `survivors_min` survivors on, of whom at most
    `colluders_max` collude, except with `failure_probability` a round (0: certain).
    `byzantine_tolerated` poisoners of the smallest roster cannot spoil half of its
    cohorts wherever they are; each larger roster has at least as many cohorts.
    """

    size: int
    survivors_min: int
    colluders_max: int
    byzantine_tolerated: int
    failure_probability: float


ONE_COHORT: Final = CohortPlan(0, 0, 0, 0, 0.0)
"""The whole roster is one cohort: least noise, and no robustness at all."""


def plan(settings: RobustSettings, *, members_min: int, members_max: int) -> CohortPlan:
    """Return the cohorts for rosters of `members_min` to `members_max`.

    Raises:
        FieldInvalid: no size of cohorts withstands the poisoners, or those that do
            hold too few honest shares of noise; with the numbers as metadata.
    """
    if not settings.byzantine_fraction:
        return ONE_COHORT
    rosters = range(members_min, members_max + 1)
    robust = [
        size
        for size in _sizes(settings, members_min)
        if _robust(settings, size, rosters)
    ]
    if not robust:
        raise _too_byzantine(settings, members_min)
    for size in robust:
        survivors, colluders = _private(settings, size, rosters)
        if survivors - colluders >= settings.honest_min:
            certain = colluders == min(
                survivors - 1, colluders_of(settings, members_max)
            )
            return CohortPlan(
                size=size,
                survivors_min=survivors,
                colluders_max=colluders,
                byzantine_tolerated=poisoners_tolerated(members_min // size),
                failure_probability=0.0 if certain else settings.failure_probability,
            )
    raise _too_few_honest(settings, robust[0], rosters)


def _sizes(settings: RobustSettings, members_min: int) -> list[int]:
    """Return the sizes that withstand the fraction on average, the largest first."""
    return [
        size
        for size in range(members_min // COHORTS_MIN, COHORT_SIZE_MIN - 1, -1)
        if settings.byzantine_fraction < byzantine_fraction_max(size)
    ]


def _robust(settings: RobustSettings, size: int, rosters: range) -> bool:
    """Whether the assumed poisoners rarely spoil half of the cohorts.

    Chance varies most in small rosters, so those up to two cohorts more than the least
    are looked at, and the largest.
    """
    looked_at = {*rosters[: 2 * size + 1], rosters[-1]}
    fraction = Fraction(repr(settings.byzantine_fraction))
    return all(
        half_spoiled_probability(
            roster=roster, cohort=size, poisoners=math.ceil(fraction * roster)
        )
        <= settings.spoiled_probability_max
        for roster in looked_at
    )


def _private(settings: RobustSettings, size: int, rosters: range) -> tuple[int, int]:
    """Return the survivors that a cohort needs, and its colluders at most."""
    participation = Fraction(repr(settings.cohort_participation_min))
    survivors = max(2, math.ceil(participation * size))
    return survivors, max(
        cohort_colluders_floor(
            roster=roster,
            corrupt=colluders_of(settings, roster),
            cohort=size,
            survivors_min=survivors,
            failure_probability=settings.failure_probability,
        )
        for roster in rosters
    )


def colluders_of(settings: RobustSettings, roster: int) -> int:
    """Return how many of a roster are assumed to reveal their noise, rounded up."""
    return math.ceil(Fraction(repr(settings.colluders_fraction)) * roster)


def _too_byzantine(settings: RobustSettings, members_min: int) -> FieldInvalid:
    least = byzantine_fraction_max(COHORT_SIZE_MIN)
    return FieldInvalid(
        f"No cohorts withstand a Byzantine fraction of {settings.byzantine_fraction:g} "
        f"in rosters of {members_min}: cohorts of {COHORT_SIZE_MIN} bear less than "
        f"{least:.3f}, and less in small rosters. Lower byzantine_fraction, raise "
        "members_min, or set byzantine_fraction to 0 for no cohorts.",
        field="byzantine_fraction",
        metadata={
            "byzantine_fraction": f"{settings.byzantine_fraction:g}",
            "members_min": str(members_min),
        },
    )


def _too_few_honest(
    settings: RobustSettings, largest: int, rosters: range
) -> FieldInvalid:
    survivors, colluders = _private(settings, largest, rosters)
    needed = _least_private(settings, largest + 1, rosters)
    private = f"take cohorts of {needed}" if needed else "are in no cohort"
    return FieldInvalid(
        f"A Byzantine fraction of {settings.byzantine_fraction:g} allows cohorts of at "
        f"most {largest}, of which {survivors - colluders} members are certainly "
        f"honest; {settings.honest_min} honest shares of noise {private}. Lower "
        "byzantine_fraction, colluders_fraction or honest_min.",
        field="honest_min",
        metadata={
            "cohort_size_max": str(largest),
            "cohort_size_needed": str(needed or "none"),
            "honest": str(survivors - colluders),
            "honest_min": str(settings.honest_min),
        },
    )


def _least_private(
    settings: RobustSettings, smallest: int, rosters: range
) -> int | None:
    """Return the least size with enough honest shares, at the ends of the range."""
    ends = range(rosters[0], rosters[-1] + 1, max(1, len(rosters) - 1))
    for size in range(smallest, rosters[0] + 1):
        survivors, colluders = _private(settings, size, ends)
        if survivors - colluders >= settings.honest_min:
            return size
    return None
