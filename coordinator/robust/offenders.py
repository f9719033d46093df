"""Who misbehaves again and again.

Decides what counts against a member in a round, and how surprising it is over several.
Refuses to punish: an operator looks, asks and revokes. A liar or an inconsistent dealer
is proven by its signature (or by a fault of its machine). An outlying cohort is no
proof: it says that one of its members differs, and honest members that are much larger
than others, or serve what nobody else serves, are in outlying cohorts more often.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coordinator.robust.chance import trials_tail
from federated_router.crypto.transcript import MemberName


@dataclass(frozen=True, slots=True)
class Conduct:
    """One member in one round that was opened.

    `outlying`: its cohort was an outlier. `outlying_chance`: the part of the opened
    cohorts that were, 0 where it was in none; a member placed by chance is in one
    with that probability.
    """

    member: MemberName
    lied: bool
    inconsistent: bool
    outlying: bool
    outlying_chance: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One member over its newest rounds.

    `outlying_tail` is the probability that a member placed by chance is in an outlying
    cohort as often or more; 1 without any. With many members some are small by chance:
    compare it with 0.05 divided by the number of members.
    """

    member: MemberName
    rounds: int
    lies: int
    inconsistencies: int
    outlying: int
    outlying_tail: float


def conduct(
    roster: Sequence[MemberName],
    *,
    liars: Iterable[MemberName],
    inconsistent: Iterable[MemberName],
    cohorts: Mapping[int, Sequence[MemberName]],
    outlying: Iterable[int],
) -> tuple[Conduct, ...]:
    """Return how each member of a roster behaved.

    `cohorts` are the survivors of each opened cohort by number, `outlying` the numbers
    of those that are outliers.
    """
    lied, dealt, apart = set(liars), set(inconsistent), set(outlying)
    chance = len(apart) / len(cohorts) if cohorts else 0.0
    cohort_of = {name: number for number, part in cohorts.items() for name in part}
    return tuple(
        Conduct(
            member=name,
            lied=name in lied,
            inconsistent=name in dealt,
            outlying=cohort_of.get(name) in apart,
            outlying_chance=chance if name in cohort_of else 0.0,
        )
        for name in roster
    )


def standing(member: MemberName, rounds: Sequence[Conduct]) -> Standing:
    """Return what a member's rounds add up to."""
    outlying = sum(one.outlying for one in rounds)
    return Standing(
        member=member,
        rounds=len(rounds),
        lies=sum(one.lied for one in rounds),
        inconsistencies=sum(one.inconsistent for one in rounds),
        outlying=outlying,
        outlying_tail=trials_tail([one.outlying_chance for one in rounds], outlying),
    )
