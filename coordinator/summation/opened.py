"""What was opened: one sum for each cohort that had enough survivors.

Decides which facts of an opened round are handed on. Refuses to know how it was opened
(`opening`) and what of it is believed (`plausibility`, `validation`).
"""

from dataclasses import dataclass, field

from federated_router.crypto.ckks import Integers
from federated_router.crypto.transcript import MemberName


@dataclass(frozen=True, slots=True)
class OpenedCohort:
    """One cohort's sum, unchecked: every slot, the count slot first.

    `number` counts from 1; `members` is how many the cohort has, `survivors` how many
    of them are in the sum.
    """

    number: int
    members: int
    survivors: int
    slots: Integers = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenedRound:
    """The opened cohorts by number, and the holders whose answers were wrong."""

    cohorts: tuple[OpenedCohort, ...]
    liars: tuple[MemberName, ...] = ()
