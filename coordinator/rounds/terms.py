"""What is agreed when a round opens, and what follows from it for a roster.

Decides how many members must contribute, how many must survive, and which noise they
owe. Refuses to know who they are and how far the round came.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from coordinator.rounds.state import State
from federated_router.crypto.packed_shamir import (
    ROSTER_SIZE_MAX,
    ROSTER_SIZE_MIN,
    Thresholds,
)
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.kit.errors import FieldInvalid
from federated_router.priors import headroom
from federated_router.priors.catalogue import Catalogue
from federated_router.privacy.noise import sum_sigma
from federated_router.privacy.step import SHARE_SIGMA_MIN

_ROUNDING: Final = 1 + 1e-9
"""Keeps a share at its minimum after a square root and a division."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long each state lasts at most, in seconds.

    After a restart of the coordinator a state lasts `resume_grace_s` more at least, so
    that an outage of its own does not end a round.
    """

    joining_s: float
    revealing_s: float
    collecting_s: float
    checking_s: float
    summing_s: float
    opening_s: float
    validating_s: float
    resume_grace_s: float

    def of(self, state: State) -> float:
        """Return the longest stay in a state that has not ended."""
        return {
            State.JOINING: self.joining_s,
            State.REVEALING: self.revealing_s,
            State.COLLECTING: self.collecting_s,
            State.CHECKING: self.checking_s,
            State.SUMMING: self.summing_s,
            State.OPENING: self.opening_s,
            State.VALIDATING: self.validating_s,
        }.get(state, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was agreed when the round opened; nothing of it ever changes.

    `members_expected` ends joining early and is 0 to wait for the deadline.
    `noise_scale` is the standard deviation that the guaranteed honest shares sum to.
    `colluders_max` is None for a third of the roster. `cohort_size` is 0 where the
    whole roster is one cohort; otherwise each cohort's sum opens by itself, if at least
    `cohort_survivors_min` of it survive, and hides one request behind the shares of all
    but `cohort_colluders_max` of these.
    """

    catalogue: Catalogue
    participation_min: float
    members_min: int
    members_max: int
    members_expected: int
    noise_scale: float
    colluders_max: int | None
    durations: Durations
    cohort_size: int = 0
    cohort_survivors_min: int = 0
    cohort_colluders_max: int = 0

    def contributors_min(self, joined: int) -> int:
        """Return how many of so many joined members must contribute.

        Exact for decimal ratios: 0.55 of 100 is 55, where floats would say 56.
        """
        return math.ceil(Fraction(repr(self.participation_min)) * joined)

    def sum_size_max(self, holders: int) -> int:
        """Return the most members that one opened sum can have."""
        if not self.cohort_size:
            return holders
        cohorts = max(1, holders // self.cohort_size)
        return -(-holders // cohorts)


def refuse_unsound(terms: Terms) -> None:
    """Refuse terms that the smallest or the largest roster could not keep.

    Raises:
        FieldInvalid: a ratio, a size or a share of the noise is out of range.
        HeadroomExceeded: the sum of the largest roster could wrap around.
    """
    _require(0 < terms.participation_min <= 1, "participation_min", "in (0, 1]")
    sizes = ROSTER_SIZE_MIN <= terms.members_min <= terms.members_max
    _require(sizes, "members_min", f"from {ROSTER_SIZE_MIN} to members_max")
    fits = terms.members_max <= ROSTER_SIZE_MAX
    _require(fits, "members_max", f"at most {ROSTER_SIZE_MAX}")
    expected = terms.members_expected
    known = expected == 0 or terms.members_min <= expected <= terms.members_max
    _require(known, "members_expected", "0, or from members_min to members_max")
    _refuse_unsound_cohorts(terms)
    _refuse_overflow(terms)


def _refuse_unsound_cohorts(terms: Terms) -> None:
    size, least = terms.cohort_size, terms.cohort_survivors_min
    if size == 0:
        unused = least == 0 and terms.cohort_colluders_max == 0
        _require(unused, "cohort_size", "at least 2 where cohorts have terms")
        return
    _require(
        2 <= size <= terms.members_min,  # noqa: PLR2004 - one alone is no cohort.
        "cohort_size",
        "0, or from 2 to members_min",
    )
    _require(2 <= least <= size, "cohort_survivors_min", "from 2 to cohort_size")  # noqa: PLR2004 - as above.
    hidden = 0 <= terms.cohort_colluders_max < least
    _require(hidden, "cohort_colluders_max", "below cohort_survivors_min")


def _refuse_overflow(terms: Terms) -> None:
    """Refuse sums that could wrap in any slot, for the smallest and largest roster."""
    for members in {terms.members_min, terms.members_max}:
        most = max(
            terms.sum_size_max(members),
            min(members, 2 * terms.cohort_size - 1) if terms.cohort_size else 0,
        )
        sigma = _noise_sigma(terms, members, summed=most)
        headroom.refuse_overflow(terms.catalogue, members=most, noise_sigma=sigma)


def _noise_sigma(terms: Terms, members: int, *, summed: int) -> float:
    """Return the noise of a sum of so many, on a slot of clip 1."""
    noise = noise_terms(terms, joined=members, holders=members)
    if noise.survivors_min > members:
        return 0.0
    return sum_sigma(share_sigma=noise.share_sigma, contributors=summed)


def noise_terms(terms: Terms, *, joined: int, holders: int) -> NoiseTerms:
    """Return the terms of the noise for a roster of `holders` out of `joined`.

    The scale is the agreed one, or as much more as a large roster needs so that each
    share of it is no smaller than the sampler may draw. Where there are cohorts the
    noise follows from theirs, and so many must survive as open a sum.
    """
    thresholds = Thresholds.for_roster(holders)
    agreed = terms.colluders_max
    colluders = thresholds.corrupt if agreed is None else agreed
    survivors = contributors_min(terms, joined=joined, holders=holders)
    noise = NoiseTerms(
        scale=terms.noise_scale,
        survivors_min=thresholds.reconstruct if terms.cohort_size else survivors,
        colluders_max=colluders,
        sensitivity_squared=terms.catalogue.sensitivity_squared,
        cohort_size=terms.cohort_size,
        cohort_survivors_min=terms.cohort_survivors_min,
        cohort_colluders_max=terms.cohort_colluders_max,
    )
    least = SHARE_SIGMA_MIN * math.sqrt(noise.honest_min) * _ROUNDING
    return replace(noise, scale=max(terms.noise_scale, least))


def contributors_min(terms: Terms, *, joined: int, holders: int) -> int:
    """Return how many must contribute, for participation, opening and noise alike.

    Where there are cohorts, noise is each cohort's affair, and the smallest roster may
    lose members like any other.
    """
    thresholds = Thresholds.for_roster(holders)
    agreed = terms.colluders_max
    colluders = thresholds.corrupt if agreed is None else agreed
    needed = max(terms.contributors_min(joined), thresholds.reconstruct)
    if terms.cohort_size:
        return needed
    return max(needed, terms.members_min, colluders + 1)


def _require(holds: bool, field_name: str, allowed: str) -> None:  # noqa: FBT001
    if not holds:
        raise FieldInvalid(f"{field_name} must be {allowed}.", field=field_name)
