"""What a simulated run showed, as facts for tables, plots and programs.

Decides the figures and their units. Refuses to print and to draw (`screen`, `plots`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from coordinator.simulation import checks
from coordinator.simulation.attack import LYING, Attack
from coordinator.simulation.checks import Evidence
from coordinator.simulation.witness import Made, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one round took: virtual and processor seconds, bytes, deaths.

    Bytes are those of one member in one direction, the mean over all members and the
    most of any, watching included.
    """

    virtual_s: float
    cpu_s: float
    member_work_s: float
    sent_bytes_mean: float
    sent_bytes_max: int
    received_bytes_mean: float
    received_bytes_max: int
    coordinator_deaths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """One round.

    `participation` is contributions per joined member. `noise_sigma` is what the
    publication states, `error_rms` what the published counts differ by from the honest
    counts of the survivors, `poison_max` the largest part of it that attackers added.
    The last three are None where nothing was published.
    """

    name: str
    state: str
    end_cause: str
    joined: int
    roster: int
    contributed: int
    answered: int
    participation: float
    body_bytes: int
    states_s: Mapping[str, float]
    liars_planted: int
    liars_named: int
    dealers_named: int
    cohorts: int
    noise_sigma: float | None
    error_rms: float | None
    error_max: int | None
    poison_max: int | None
    spent: Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackReport:
    """What the members of one attack achieved over all rounds.

    `accepted` counts contributions of theirs in sums that were published, `refused`
    the reasons that they heard, `named` in how many rounds one of them was named.
    `rounds_unpublished` counts every round that was not, whoever spoilt it.
    """

    attack: str
    members: int
    accepted: int
    named: int
    rounds_unpublished: int
    sum_changed_by_max: int
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationReport:
    """A whole run; `violations` is empty where everything held that must."""

    seed: int
    members: int
    exact: bool
    rosters_shared: bool
    rounds: tuple[RoundReport, ...]
    attacks: tuple[AttackReport, ...]
    violations: tuple[str, ...]
    virtual_s: float
    cpu_s: float
    wall_s: float

    @property
    def published(self) -> int:
        """How many rounds were published."""
        return sum(1 for one in self.rounds if one.state == State.PUBLISHED.value)

    def to_json(self) -> dict[str, object]:
        """Return the report as JSON's values."""
        return asdict(self)


def round_report(evidence: Evidence, round_: Round, spent: Spent) -> RoundReport:
    """Return what one round showed."""
    held = evidence.witness.held(checks.digests_of(round_))
    published = next(
        (one for one in evidence.published if one.round_name == round_.name), None
    )
    error = None
    if published is not None and held:
        error = checks.sums_of(published) - _total([made.counts for made in held])
    joined, contributed = len(round_.members), len(round_.contributions)
    return RoundReport(
        name=round_.name,
        state=round_.state.value,
        end_cause=round_.end_cause,
        joined=joined,
        roster=len(round_.roster),
        contributed=contributed,
        answered=evidence.witness.answered(round_.name),
        participation=contributed / joined if joined else 0.0,
        body_bytes=round_.contribution_bytes if round_.roster else 0,
        states_s=_states_s(round_),
        liars_planted=_liars(evidence, round_),
        liars_named=len(round_.liars),
        dealers_named=len(round_.inconsistent),
        cohorts=len(round_.open_cohorts),
        noise_sigma=None if published is None else published.noise_standard_deviation,
        error_rms=None if error is None else float(np.sqrt(np.mean(error**2.0))),
        error_max=None if error is None else int(np.abs(error).max()),
        poison_max=None if error is None else _poison_max(held),
        spent=spent,
    )


def attack_reports(
    evidence: Evidence, rounds: tuple[RoundReport, ...]
) -> tuple[AttackReport, ...]:
    """Return what each kind of attacker achieved, in the order of names."""
    casts = Counter(part.attack for part in evidence.parts if not part.honest)
    return tuple(
        _attack_report(evidence, rounds, attack, members)
        for attack, members in sorted(casts.items())
    )


def _attack_report(
    evidence: Evidence, rounds: tuple[RoundReport, ...], attack: Attack, members: int
) -> AttackReport:
    names = {part.name for part in evidence.parts if part.attack is attack}
    published = [one for one in evidence.rounds if one.state is State.PUBLISHED]
    by_round = [
        [
            made
            for made in evidence.witness.held(checks.digests_of(one))
            if made.member in names
        ]
        for one in published
    ]
    return AttackReport(
        attack=attack.value,
        members=members,
        accepted=sum(map(len, by_round)),
        named=sum(
            1 for one in evidence.rounds if names & {*one.liars, *one.inconsistent}
        ),
        rounds_unpublished=sum(
            1 for one in rounds if one.state != State.PUBLISHED.value
        ),
        sum_changed_by_max=max(map(_poison_max, by_round), default=0),
        refused=dict(sorted(evidence.witness.refusals[attack].items())),
    )


def _states_s(round_: Round) -> dict[str, float]:
    """Return how long the round stood in each state, by the coordinator's clock."""
    history = round_.history
    return {
        entry.state.value: round(after.enter_s - entry.enter_s, 3)
        for entry, after in pairwise(history)
    }


def _liars(evidence: Evidence, round_: Round) -> int:
    """Return how many holders checked or answered in this round with a lie."""
    said = {*evidence.witness.checks, *evidence.witness.answers}
    lied = {
        member
        for name, member in said
        if name == round_.name and evidence.attacks[member] in LYING
    }
    return len(lied)


def _poison_max(held: list[Made]) -> int:
    if not held:
        return 0
    return int(np.abs(_total([made.poison for made in held])).max())


def _total(vectors: list[Vector]) -> Vector:
    total: Vector = np.sum(vectors, axis=0)
    return total
