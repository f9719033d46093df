"""The terms of a round that a member takes part in, and the weakest that it accepts.

Decides when noise and participation protect this member, whether a sum could wrap
around, and how much noise is its own share. Refuses to know who is on the roster
(`verification`) and what happens after a refusal. Pure. Every refusal names the first
thing that is wrong.
"""

import math
from dataclasses import dataclass
from typing import Final

from federated_router.federation.noise_terms import NoiseTerms
from federated_router.federation.round_view import Round
from federated_router.kit.errors import NotNow
from federated_router.kit.names import resource_id
from federated_router.priors.headroom import refuse_overflow
from federated_router.privacy.cohorts import cohort_colluders_floor, cohort_sizes

COHORT_FAILURE_PROBABILITY: Final = 1e-9
"""Adds to the delta of every round with cohorts, unless a member sets another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The weakest terms under which this member takes part.

    `noise_scale_min` is a standard deviation in counts; `participation_min` a share of
    those who joined; `members_min` the smallest roster; `colluders_min` how many
    colluders the noise must allow for at least, None for a third of the roster. Where
    cohorts are drawn, `cohort_failure_probability` is how likely any of them may hold
    more colluders than its noise allows for.
    """

    noise_scale_min: float
    participation_min: float
    members_min: int
    colluders_min: int | None = None
    cohort_failure_probability: float = COHORT_FAILURE_PROBABILITY

    def colluders(self, members: int) -> int:
        """Return how many colluders the noise of such a roster must allow for."""
        if self.colluders_min is not None:
            return self.colluders_min
        return (members - 1) // 3


def verify_offer(round_: Round, floor: Floor) -> None:
    """Accept a round to join: enough noise, enough participation, a known layout.

    Raises:
        NotNow: weaker terms than the floor.
        FieldInvalid: a name that no round has.
    """
    resource_id(round_.name, "rounds")
    _verify_strength(round_, floor)


def verify_terms(round_: Round, floor: Floor, *, members: int) -> float:
    """Return this member's noise scale, once the final terms hold for `members`.

    Raises:
        NotNow: weaker terms than the floor.
        FieldInvalid: terms under which no honest share of noise is certain.
        HeadroomExceeded: a sum that could wrap around.
    """
    _verify_strength(round_, floor)
    terms = round_.noise
    if terms.survivors_min > members:
        raise _weak("it counts on more noise shares than members", "survivors_min")
    if terms.cohort_size:
        summed = _verify_cohorts(terms, floor, members=members)
    else:
        summed = members
        if terms.colluders_max < floor.colluders(members):
            raise _weak("the noise allows for too few colluders", "colluders_max")
    sigma = terms.share_sigma
    refuse_overflow(
        round_.catalogue, members=summed, noise_sigma=sigma * math.sqrt(summed)
    )
    return sigma


def _verify_cohorts(terms: NoiseTerms, floor: Floor, *, members: int) -> int:
    """Return the size of the largest cohort, once its noise allows for colluders."""
    if not 1 <= terms.cohort_survivors_min <= terms.cohort_size <= members:
        raise _weak("its cohorts cannot have so many survivors", "cohort_size")
    colluders = cohort_colluders_floor(
        roster=members,
        corrupt=floor.colluders(members),
        cohort=terms.cohort_size,
        survivors_min=terms.cohort_survivors_min,
        failure_probability=floor.cohort_failure_probability,
    )
    if terms.cohort_colluders_max < colluders:
        raise _weak("its cohorts allow for too few colluders", "cohort_colluders_max")
    largest, *_ = cohort_sizes(members, terms.cohort_size)
    return largest


def _verify_strength(round_: Round, floor: Floor) -> None:
    terms = round_.noise
    if not _strong(terms, floor):
        raise _weak("there is less noise than this member demands", "scale")
    if terms.sensitivity_squared != round_.catalogue.sensitivity_squared:
        raise _weak("its noise is measured against another layout", "sensitivity")
    if not floor.participation_min <= round_.participation_min <= 1:
        raise _weak("too small a part of the members may be summed", "participation")


def _strong(terms: NoiseTerms, floor: Floor) -> bool:
    return math.isfinite(terms.scale) and terms.scale >= floor.noise_scale_min


def _weak(what: str, check: str) -> NotNow:
    return NotNow(
        f"The terms of this round are refused: {what}.", metadata={"check": check}
    )
