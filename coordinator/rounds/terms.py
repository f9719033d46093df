"""What is agreed when a round opens, and what follows from it for a roster.

Decides how many members must contribute, and which noise they owe. Refuses to know
who they are and how far the round came.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from coordinator.rounds.state import State
from federated_router.crypto import quantise
from federated_router.crypto.packed_shamir import (
    ROSTER_SIZE_MAX,
    ROSTER_SIZE_MIN,
    Thresholds,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.catalogue import Catalogue
from federated_router.privacy.noise import share_sigma, sum_sigma
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
            State.SUMMING: self.summing_s,
            State.OPENING: self.opening_s,
            State.VALIDATING: self.validating_s,
        }.get(state, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was agreed when the round opened; nothing of it ever changes.

    `members_expected` ends joining early and is 0 to wait for the deadline.
    `noise_scale` is the standard deviation that the guaranteed honest shares sum to.
    `colluders_max` is None for a third of the roster.
    """

    catalogue: Catalogue
    participation_min: float
    members_min: int
    members_max: int
    members_expected: int
    noise_scale: float
    sensitivity_squared: int
    colluders_max: int | None
    durations: Durations

    def contributors_min(self, joined: int) -> int:
        """Return how many of so many joined members must contribute.

        Exact for decimal ratios: 0.55 of 100 is 55, where floats would say 56.
        """
        return math.ceil(Fraction(repr(self.participation_min)) * joined)


@dataclass(frozen=True, slots=True)
class NoiseTerms:
    """What members must know to draw their shares of the noise."""

    scale: float
    survivors_min: int
    colluders_max: int
    sensitivity_squared: int


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
    quantise.refuse_overflow(
        [quantise.SlotScale(0.0, float(terms.catalogue.slot_max), 1.0)],
        members=terms.members_max,
        noise_sigma_steps=max(
            _noise_sigma(terms, terms.members_min),
            _noise_sigma(terms, terms.members_max),
        ),
    )


def _noise_sigma(terms: Terms, members: int) -> float:
    """Return the deviation of the whole noise if all of so many members contribute."""
    noise = noise_terms(terms, joined=members, holders=members)
    if noise.survivors_min > members:
        return 0.0
    share = share_sigma(
        sigma_total=noise.scale,
        survivors_min=noise.survivors_min,
        colluders_max=noise.colluders_max,
    )
    return sum_sigma(share_sigma=share, contributors=members)


def noise_terms(terms: Terms, *, joined: int, holders: int) -> NoiseTerms:
    """Return the terms of the noise for a roster of `holders` out of `joined`.

    The scale is the agreed one, or as much more as a large roster needs so that each
    share of it is no smaller than the sampler may draw.
    """
    corrupt = Thresholds.for_roster(holders).corrupt
    colluders = corrupt if terms.colluders_max is None else terms.colluders_max
    survivors = survivors_min(
        terms, joined=joined, holders=holders, colluders_max=colluders
    )
    least = SHARE_SIGMA_MIN * math.sqrt(survivors - colluders) * _ROUNDING
    return NoiseTerms(
        scale=max(terms.noise_scale, least),
        survivors_min=survivors,
        colluders_max=colluders,
        sensitivity_squared=terms.sensitivity_squared,
    )


def _require(holds: bool, field_name: str, allowed: str) -> None:  # noqa: FBT001
    if not holds:
        raise FieldInvalid(f"{field_name} must be {allowed}.", field=field_name)


def survivors_min(
    terms: Terms, *, joined: int, holders: int, colluders_max: int
) -> int:
    """Return how many must contribute, for participation, opening and noise alike."""
    return max(
        terms.contributors_min(joined),
        terms.members_min,
        Thresholds.for_roster(holders).reconstruct,
        colluders_max + 1,
    )
