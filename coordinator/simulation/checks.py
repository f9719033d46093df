"""What must hold after every simulated run, whatever was lost, killed or forged.

Decides by what the witness noted and what the coordinator's disk says; gives sentences
about what is wrong, none where all is well. Pure.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from coordinator.simulation.attack import DEALING_BADLY, LYING, Attack
from coordinator.simulation.plan import Part, SimulationPlan
from coordinator.simulation.witness import Vector, Witness
from coordinator.summation.opened import OpenedCohort, OpenedRound
from coordinator.validation.judgement import JudgeSettings, judge
from federated_router.crypto import quantise
from federated_router.crypto.ckks import SLOTS
from federated_router.priors.publication import Priors

STATE_SLACK_S: Final = 5.0
"""How much longer than its deadline a state may stand: writes and their retries."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a check may read."""

    plan: SimulationPlan
    parts: tuple[Part, ...]
    witness: Witness
    rounds: tuple[Round, ...]
    published: tuple[Priors, ...]

    @property
    def attacks(self) -> Mapping[str, Attack]:
        """Return who attacks how."""
        return {part.name: part.attack for part in self.parts}


def violations(evidence: Evidence) -> list[str]:
    """Return every sentence about what must not be."""
    return [found for check in _CHECKS for found in check(evidence)]


def sums_of(priors: Priors) -> Vector:
    """Return published counts in slot order."""
    return np.array(priors.catalogue.flatten(priors.contents), dtype=np.int64)


def digests_of(round_: Round) -> list[bytes]:
    """Return the digests of the contributions that were summed."""
    return [round_.contributions[name].sha256 for name in round_.survivors]


def may_be_open(round_: Round, witness: Witness) -> bool:
    """Return whether anybody could have opened the sum, by the answers that left."""
    if not round_.roster:
        return False
    return witness.answered(round_.name) >= round_.thresholds.reconstruct


def estimated(round_: Round, witness: Witness) -> tuple[Vector, int] | None:
    """Return what a round publishes and for how many members, from the exact sums.

    Without cohorts it is the sum of all survivors, to the integer. Cohorts that hold a
    contribution of unknown content cannot be believed, and are left out. None where too
    little is left to publish.
    """
    sums = [
        OpenedCohort(number, len(round_.cohorts[number - 1]), len(part), slots)
        for number, part in round_.open_cohorts
        if (slots := _cohort_slots(round_, part, witness)) is not None
    ]
    judged = judge(
        round_,
        OpenedRound(tuple(sums)),
        earlier=None,
        pooled=(),
        settings=JudgeSettings(),
    )
    if not judged.values:
        return None
    return np.array(judged.values, dtype=np.int64), judged.members


def _cohort_slots(
    round_: Round, part: Sequence[str], witness: Witness
) -> Vector | None:
    """Return a cohort's exact sum, its count first; None where content is unknown."""
    digests = [
        round_.contributions[name].sha256 for name in round_.survivors if name in part
    ]
    held = witness.held(digests)
    if len(held) != len(part) or not all(made.known for made in held):
        return None
    total = sum((made.total for made in held), np.zeros_like(held[0].total))
    slots = np.zeros(round_.ciphertexts * SLOTS, dtype=np.int64)
    slots[: len(total) + 1] = quantise.with_count(total)
    slots[0] = len(held)
    return slots


def _sums_are_exact(evidence: Evidence) -> Iterator[str]:
    """Every publication is the accepted contributions, each once, to the integer."""
    rounds: dict[str, Round] = {one.name: one for one in evidence.rounds}
    for priors in evidence.published:
        round_ = rounds.get(priors.round_name)
        if round_ is None:
            yield f"revision {priors.revision} is of a round that nobody opened"
            continue
        expected = estimated(round_, evidence.witness)
        if expected is None:
            yield f"{round_.name} was published with a contribution of unknown content"
            continue
        sums, members = expected
        if not np.array_equal(sums_of(priors), sums):
            yield f"{round_.name}: the published sum is not that of its contributions"
        if priors.members != members:
            yield f"{round_.name}: published for another number of members"


def _only_published_rounds_are_published(evidence: Evidence) -> Iterator[str]:
    """Rejected and aborted rounds leave nothing; revisions count without a gap."""
    by_round = {priors.round_name: priors.revision for priors in evidence.published}
    for round_ in evidence.rounds:
        revision = by_round.get(round_.name)
        if (round_.state is State.PUBLISHED) != (revision is not None):
            yield f"{round_.name} is {round_.state}, and its revision is {revision}"
        elif revision is not None and revision != round_.priors_revision:
            yield f"{round_.name} names another revision than its publication"
    revisions = [priors.revision for priors in evidence.published]
    if revisions != list(range(1, len(revisions) + 1)):
        yield f"revisions are {revisions}"
    published = {(priors.revision, priors.round_name) for priors in evidence.published}
    for member, revision, name in evidence.witness.received:
        if (revision, name) not in published:
            yield f"{member} received revision {revision} of {name}, never published"


def _nobody_says_two_things(evidence: Evidence) -> Iterator[str]:
    """Say who is honest and said two different things of one kind in a round."""
    witness = evidence.witness
    for what, said in (
        ("nonces", witness.nonces),
        ("contributions", witness.bodies),
        ("checks", witness.checks),
        ("answers", witness.answers),
    ):
        for (name, member), values in said.items():
            honest = evidence.attacks[member] is Attack.NONE
            if honest and len(values) > 1:
                yield f"{member} said {len(values)} {what} in {name}"


def _requests_are_summed_once(evidence: Evidence) -> Iterator[str]:
    """No request is in two sums that anybody could have opened."""
    summed: dict[str, Vector] = {}
    for round_ in evidence.rounds:
        if not (round_.survivors and may_be_open(round_, evidence.witness)):
            continue
        for made in evidence.witness.held(digests_of(round_)):
            before = summed.get(made.member, np.zeros_like(made.counts))
            summed[made.member] = before + made.counts
    for member, counts in summed.items():
        recorded = evidence.witness.recorded.get(member, np.zeros_like(counts))
        if evidence.attacks[member] is Attack.NONE and bool((counts > recorded).any()):
            yield f"{member}'s requests are in more than one opened sum"


def _rounds_end_in_time(evidence: Evidence) -> Iterator[str]:
    """No state outlasts its deadline, where nobody was killed; clocks may jump."""
    if evidence.plan.crashes:
        return
    for round_ in evidence.rounds:
        durations = round_.terms.durations
        for entry, after in pairwise(round_.history):
            stay_s = after.enter_s - entry.enter_s
            if stay_s > durations.of(entry.state) + STATE_SLACK_S:
                yield f"{round_.name} was {entry.state} for {stay_s:.1f} s"


def _enough_survive(evidence: Evidence) -> Iterator[str]:
    """Compare what is published with what participation and noise demand."""
    for round_ in evidence.rounds:
        if round_.state is not State.PUBLISHED:
            continue
        if len(round_.survivors) < round_.noise.survivors_min:
            yield f"{round_.name} was published with {len(round_.survivors)} members"


def _nobody_honest_is_named(evidence: Evidence) -> Iterator[str]:
    """Who is named as a liar has lied, and who is named as a dealer dealt badly."""
    for round_ in evidence.rounds:
        for member in round_.liars:
            if evidence.attacks[member] not in LYING:
                yield f"{round_.name} names {member}, who told the truth"
        for member in round_.inconsistent:
            if evidence.attacks[member] not in DEALING_BADLY:
                yield f"{round_.name} names {member}, whose shares are good"


def _survivors_contributed(evidence: Evidence) -> Iterator[str]:
    """Survivors are contributors, and none of them was named for its dealing."""
    for round_ in evidence.rounds:
        survivors = frozenset(round_.survivors)
        if not survivors <= frozenset(round_.contributors):
            yield f"{round_.name} sums somebody who did not contribute"
        if survivors & frozenset(round_.inconsistent):
            yield f"{round_.name} sums a contribution that cannot be opened"
        least = round_.terms.cohort_survivors_min
        if any(len(part) < least for _, part in round_.open_cohorts):
            yield f"{round_.name} opens a cohort of fewer than {least} survivors"


def _nothing_broke(evidence: Evidence) -> Sequence[str]:
    """No process ended by itself, and no handler raised what it should not."""
    return evidence.witness.defects


_CHECKS: Final[tuple[Callable[[Evidence], Iterator[str] | Sequence[str]], ...]] = (
    _sums_are_exact,
    _only_published_rounds_are_published,
    _nobody_says_two_things,
    _requests_are_summed_once,
    _rounds_end_in_time,
    _enough_survive,
    _nobody_honest_is_named,
    _survivors_contributed,
    _nothing_broke,
)
