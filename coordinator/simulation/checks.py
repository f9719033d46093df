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
from coordinator.simulation.attack import Attack
from coordinator.simulation.plan import Part, SimulationPlan
from coordinator.simulation.witness import Vector, Witness
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

    @property
    def all_deal_honestly(self) -> bool:
        """Whether everybody's shares belong to their ciphertexts."""
        spoilers = {Attack.BAD_SHARES, Attack.UNREADABLE_SHARES}
        return spoilers.isdisjoint(self.attacks.values())


def violations(evidence: Evidence) -> list[str]:
    """Return every sentence about what must not be."""
    return [found for check in _CHECKS for found in check(evidence)]


def sums_of(priors: Priors) -> Vector:
    """Return published counts in slot order."""
    cells = [priors.performance[cell] for cell in priors.catalogue.cells]
    rows = [(*counts.latency_counts, counts.failures) for counts in cells]
    return np.array(rows, dtype=np.int64).reshape(-1)


def digests_of(round_: Round) -> list[bytes]:
    """Return the digests of the contributions that were summed."""
    return [round_.contributions[name].sha256 for name in round_.survivors]


def may_be_open(round_: Round, witness: Witness) -> bool:
    """Return whether anybody could have opened the sum, by the answers that left."""
    if not round_.roster:
        return False
    return witness.answered(round_.name) >= round_.thresholds.reconstruct


def _sums_are_exact(evidence: Evidence) -> Iterator[str]:
    """Every published sum is the accepted contributions, each once, to the integer."""
    rounds: dict[str, Round] = {one.name: one for one in evidence.rounds}
    for priors in evidence.published:
        round_ = rounds.get(priors.round_name)
        if round_ is None:
            yield f"revision {priors.revision} is of a round that nobody opened"
            continue
        held = evidence.witness.held(digests_of(round_))
        if len(held) != len(round_.survivors) or not all(made.known for made in held):
            yield f"{round_.name} was published with a contribution of unknown content"
            continue
        expected = sum((made.total for made in held), np.zeros_like(held[0].total))
        if not np.array_equal(sums_of(priors), expected):
            yield f"{round_.name}: the published sum is not that of its contributions"
        if priors.members != len(round_.survivors):
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
    """Say who is honest and said two nonces, contributions or answers in a round."""
    witness = evidence.witness
    for what, said in (
        ("nonces", witness.nonces),
        ("contributions", witness.bodies),
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
    """No state outlasts its deadline, where no clock jumped and nobody was killed."""
    if evidence.plan.clock_jumps or evidence.plan.crashes:
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
    """Who is named as a liar has lied, where all shares belong to their ciphertexts."""
    if not evidence.all_deal_honestly:
        return
    for round_ in evidence.rounds:
        for member in round_.liars:
            if evidence.attacks[member] is not Attack.LYING_HOLDER:
                yield f"{round_.name} names {member}, who told the truth"


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
    _nothing_broke,
)
