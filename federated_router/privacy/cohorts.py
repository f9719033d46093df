"""How many colluders a random cohort holds at most.

Decides the tail of the hypergeometric distribution that members and coordinator reckon
with, in whole numbers. Refuses to know how cohorts are drawn, who is in them, and what
is added to protect them.

Of `roster` members `corrupt` collude, and the beacon splits all of them into cohorts of
`cohort` members or a few more. A cohort without an honest member has nothing to
protect and is not counted; that is why at least one honest share of noise is certain
wherever somebody is protected, without any probability: the member's own.
"""

import math
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import Final

from federated_router.kit.errors import FieldInvalid

BEACON_DRAWS: Final = 1 << 40
"""Beacons among which a hostile coordinator is assumed to choose.

It knows all revealed nonces before it names the roster, so that it may leave out
members until a beacon suits it and its colluders; each try costs one hash.
"""


def cohort_sizes(roster: int, cohort: int) -> tuple[int, ...]:
    """Return the sizes of the cohorts, the larger ones first.

    As many cohorts as have at least `cohort` members each, as equal as possible; one
    cohort where `cohort` is 0 or the roster has fewer than two times as many. The same
    sizes as `crypto.cohorts.assign` draws.
    """
    if roster < 1 or cohort < 0:
        raise FieldInvalid(
            "Cohorts have at least one member, and a size of 0 or more.",
            field="cohort_size",
            metadata={"roster": str(roster), "cohort_size": str(cohort)},
        )
    count = max(1, roster // cohort) if cohort else 1
    size, larger = divmod(roster, count)
    return (size + 1,) * larger + (size,) * (count - larger)


def colluders_in_cohort_max(
    *,
    roster: int,
    corrupt: int,
    cohort: int,
    failure_probability: float,
    draws: int = BEACON_DRAWS,
) -> int:
    """Return the least t that no cohort's colluders exceed but with that probability.

    A union bound over the cohorts and over `draws` beacons among which an attacker may
    choose. `failure_probability` adds to the delta of whoever relies on t. Exact
    arithmetic: sums of binomial coefficients, compared as fractions.

    Raises:
        FieldInvalid: sizes, counts or the probability are out of range.
    """
    if not 0 <= corrupt <= roster:
        raise FieldInvalid(
            "Between none and all members of a roster collude.", field="colluders"
        )
    if not 0 < failure_probability < 1 or draws < 1:
        raise FieldInvalid(
            "The failure probability lies between 0 and 1, for at least one beacon.",
            field="failure_probability",
        )
    allowed = Fraction(repr(failure_probability)) / draws
    sizes = cohort_sizes(roster, cohort)
    return _colluders_max(roster, corrupt, sizes[0], sizes[-1], len(sizes), allowed)


def cohort_colluders_floor(
    *,
    roster: int,
    corrupt: int,
    cohort: int,
    survivors_min: int,
    failure_probability: float,
    draws: int = BEACON_DRAWS,
) -> int:
    """Return the fewest colluders that the noise of a cohort's sum must allow for.

    One less than the survivors always suffices: then each member's own noise protects
    it alone, and no probability is involved.
    """
    if survivors_min < 1:
        raise FieldInvalid(
            "A cohort's sum has at least one survivor.", field="cohort_survivors_min"
        )
    colluders = colluders_in_cohort_max(
        roster=roster,
        corrupt=corrupt,
        cohort=cohort,
        failure_probability=failure_probability,
        draws=draws,
    )
    return min(colluders, survivors_min - 1)


def byzantine_fraction_max(cohort: int) -> float:
    """Return the fraction of poisoners below which most cohorts are expected clean.

    1 - 0.5^(1/cohort): a cohort of so many members drawn at random holds no poisoner
    with probability one half.
    """
    if cohort < 1:
        raise FieldInvalid("A cohort has at least one member.", field="cohort_size")
    return 1.0 - math.pow(0.5, 1.0 / cohort)


@lru_cache(maxsize=4096)
def _colluders_max(  # noqa: PLR0917 - hashable arguments of a cache.
    roster: int,
    corrupt: int,
    larger: int,
    smaller: int,
    cohorts: int,
    allowed: Fraction,
) -> int:
    """Return the least t; `larger` - `smaller` is 0 or 1."""
    many = roster - smaller * cohorts
    counts = {larger: many or cohorts, smaller: cohorts - many}
    denominators = {size: comb(roster, size) for size in counts}
    exceeding = Fraction(0)
    for colluders in range(min(corrupt, larger - 1), 0, -1):
        # From here on `colluders` is tried as a number that a cohort might hold.
        for size, number in counts.items():
            if number and colluders < size:
                ways = comb(corrupt, colluders) * comb(
                    roster - corrupt, size - colluders
                )
                exceeding += Fraction(number * ways, denominators[size])
        if exceeding > allowed:
            return colluders
    return 0
