"""What is simulated: how many members, how bad the world is, and from which seed.

Decides the ranges of every figure and who among the members is what; the same plan
casts the same parts. Refuses to know how parts are played.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from coordinator.priors.settings import CatalogueSettings
from coordinator.simulation.attack import Attack
from coordinator.simulation.disk import Fault
from coordinator.simulation.link import LinkConditions
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX, ROSTER_SIZE_MIN
from federated_router.federation.round_view import RoundState
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Role

ROUNDS_MAX: Final = 100
COHORT_SIZE_MIN: Final = 2
SLOW_BYTES_PER_S: Final = 64_000.0
"""What a slow link carries; about a DSL line's way up."""

SLOW_LATENCY_S: Final = (0.5, 3.0)
_VANISHING: Final = (
    RoundState.JOINING,
    RoundState.REVEALING,
    RoundState.COLLECTING,
    RoundState.CHECKING,
    RoundState.OPENING,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConditions:
    """How often a process dies at a write, and how often a write fails.

    Probabilities in [0, 1] per write, each time before or after the commit alike.
    """

    crash: float = 0.0
    failure: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTimes:
    """The terms of rounds that the simulation varies; seconds are virtual."""

    joining_s: float = 20.0
    revealing_s: float = 15.0
    collecting_s: float = 45.0
    checking_s: float = 45.0
    summing_s: float = 30.0
    opening_s: float = 45.0
    validating_s: float = 30.0
    resume_grace_s: float = 15.0

    @property
    def total_s(self) -> float:
        """How long a round that nothing disturbs may last."""
        return (
            self.joining_s
            + self.revealing_s
            + self.collecting_s
            + self.checking_s
            + self.summing_s
            + self.opening_s
            + self.validating_s
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPlan:
    """One run. Everything but the cryptography's own randomness follows from it.

    `vanishing`, `late` and `slow` count members, drawn among the honest ones where they
    vanish or come late. `attackers` says how many members attack in which way.
    `noise_scale` is the standard deviation that guaranteed honest shares sum to; with
    `exact` nobody draws noise. `cohort_size` is the least size of a cohort, 0 for none;
    four in five of a cohort must survive, and all of these but one may collude.
    `fault_at` is one fault of the coordinator's store at one write, counted from 1 over
    the whole run. `clock_jumps` wall clocks jump by up to `clock_jump_s_max`, forward
    or back. With `share_rosters` a roster that one member verified is believed by the
    others (`shared_roster`). A `catalogue` is for whoever records requests itself;
    without one there is one model for each round. Raises FieldInvalid for what nobody
    can play.
    """

    seed: int
    members: int
    rounds: int = 3
    noise_scale: float = 8.0
    exact: bool = False
    participation_min: float = 0.8
    slot_max: int = 10_000
    cohort_size: int = 0
    vanishing: int = 0
    late: int = 0
    slow: int = 0
    attackers: Mapping[Attack, int] = field(default_factory=dict)
    link: LinkConditions = field(default_factory=LinkConditions)
    coordinator_store: StoreConditions = field(default_factory=StoreConditions)
    member_store: StoreConditions = field(default_factory=StoreConditions)
    fault_at: tuple[int, Fault] | None = None
    clock_jumps: int = 0
    clock_jump_s_max: float = 30.0
    times: RoundTimes = field(default_factory=RoundTimes)
    downtime_s: float = 3.0
    work_s: float = 0.05
    share_rosters: bool = False
    catalogue: CatalogueSettings | None = None

    def __post_init__(self) -> None:
        """Refuse numbers out of range, and more parts than members."""
        sizes = ROSTER_SIZE_MIN <= self.members <= ROSTER_SIZE_MAX
        _require(
            sizes, "members", f"from {ROSTER_SIZE_MIN} to {ROSTER_SIZE_MAX:,} members"
        )
        _require(1 <= self.rounds <= ROUNDS_MAX, "rounds", f"1 to {ROUNDS_MAX} rounds")
        _require(
            self.cohort_size == 0
            or COHORT_SIZE_MIN <= self.cohort_size <= self.members,
            "cohort_size",
            f"cohorts of 0, or of {COHORT_SIZE_MIN} up to all members",
        )
        counts = (self.vanishing, self.late, self.slow, *self.attackers.values())
        _require(min(counts) >= 0, "members", "no part with fewer than 0 members")
        cast_members = self.vanishing + self.late + sum(self.attackers.values())
        _require(cast_members <= self.members, "members", "as many members as parts")
        _require(self.slow <= self.members, "slow", "at most all members slow")
        chances = (self.coordinator_store, self.member_store)
        _require(
            all(0 <= one.crash + one.failure <= 1 for one in chances),
            "store",
            "probabilities that add up to at most 1",
        )
        times = (self.downtime_s, self.work_s, self.clock_jump_s_max)
        _require(min(times) >= 0 and self.work_s > 0, "work_s", "times above 0 s")
        _require(self.clock_jumps >= 0, "clock_jumps", "0 jumps and more")

    def dice(self, purpose: str) -> Random:
        """Return dice of this purpose's own, the same for the same seed."""
        return Random(f"{self.seed} {purpose}")  # noqa: S311 - to be repeated.

    @property
    def cohort_survivors_min(self) -> int:
        """How many of a cohort must survive; 0 without cohorts."""
        return -(-4 * self.cohort_size // 5)

    @property
    def crashes(self) -> bool:
        """Whether the coordinator may die."""
        return self.fault_at is not None or self.coordinator_store.crash > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one member plays.

    It vanishes for good when it first sees `vanishes_in` of round `vanishes_at`, and
    comes so many seconds after the first round opened.
    """

    name: str
    index: int
    attack: Attack = Attack.NONE
    vanishes_in: RoundState | None = None
    vanishes_at: int = 0
    arrives_s: float = 0.0
    slow: bool = False

    @property
    def role(self) -> Role:
        """Return the role in its certificate."""
        return Role(self.name.partition("/")[0])

    @property
    def peer_id(self) -> str:
        """Return the id in its certificate."""
        return self.name.partition("/")[2]

    @property
    def honest(self) -> bool:
        """Whether it keeps to the protocol."""
        return self.attack is Attack.NONE


def cast_parts(plan: SimulationPlan) -> tuple[Part, ...]:
    """Return every member's part; one member in ten is a router, the others nodes."""
    dice = plan.dice("parts")
    order = list(range(plan.members))
    dice.shuffle(order)
    attacks = [
        attack for attack, count in sorted(plan.attackers.items()) for _ in range(count)
    ]
    slow = set(dice.sample(range(plan.members), plan.slow))
    parts: dict[int, Part] = {}
    for place, index in enumerate(order):
        attack = attacks[place] if place < len(attacks) else Attack.NONE
        honest_place = place - len(attacks)
        vanishes = 0 <= honest_place < plan.vanishing
        comes_late = 0 <= honest_place - plan.vanishing < plan.late
        parts[index] = Part(
            name=_name(index),
            index=index,
            attack=attack,
            vanishes_in=dice.choice(_VANISHING) if vanishes else None,
            vanishes_at=dice.randrange(plan.rounds) if vanishes else 0,
            arrives_s=dice.uniform(0, 2 * plan.times.total_s) if comes_late else 0.0,
            slow=index in slow,
        )
    return tuple(parts[index] for index in range(plan.members))


def link_of(plan: SimulationPlan, part: Part) -> LinkConditions:
    """Return the conditions of a member's link."""
    if not part.slow:
        return plan.link
    low_s, high_s = SLOW_LATENCY_S
    usual = plan.link
    return LinkConditions(
        latency_s_min=low_s,
        latency_s_max=high_s,
        bytes_per_s=SLOW_BYTES_PER_S,
        request_loss=usual.request_loss,
        response_loss=usual.response_loss,
        duplicate=usual.duplicate,
        stream_break=usual.stream_break,
        hang_up=usual.hang_up,
    )


def _name(index: int) -> str:
    role = "router" if index % 10 == 0 else "node"
    return f"{role}/m{index:04d}"


def _require(holds: bool, field_name: str, needed: str) -> None:  # noqa: FBT001
    if not holds:
        raise FieldInvalid(f"A simulation needs {needed}.", field=field_name)
