"""What one federation's rounds cost: a few rounds, and the figures taken between them.

Decides what a figure is: the first round is apart, because it opens connections and
meets every member for the first time; of the others the median counts. Refuses to know
their names (`rounds`, `round_growth`).
"""

from dataclasses import dataclass, field, replace
from statistics import median

from federated_router.api.v1 import aggregation_pb2 as pb
from tests.bench.round_plan import Plan
from tests.bench.round_world import MeasuredWorld, MemberFigures, measured_world

MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class RoundCost:
    """One round. Processor seconds are of all processes of a side.

    `coordinator_peak_bytes` is the largest resident set from its begin to its end,
    `coordinator_begin_bytes` that at its begin.
    """

    seconds: float
    coordinator_cpu_s: float
    members_cpu_s: float
    sent_bytes: int
    received_bytes: int
    coordinator_begin_bytes: int
    coordinator_peak_bytes: int
    states_s: dict[str, float] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cost:
    """All rounds of a federation, and what its processes held."""

    plan: Plan
    rounds: tuple[RoundCost, ...]
    coordinator_idle_bytes: int
    member_vault_bytes: int
    member_rss_bytes: float

    @property
    def first(self) -> "Cost":
        """Return the first round alone."""
        return replace(self, rounds=self.rounds[:1])

    @property
    def later(self) -> tuple[RoundCost, ...]:
        """Return the rounds that count; the first one where there is no other."""
        return self.rounds[1:] or self.rounds

    @property
    def seconds(self) -> float:
        """Return the median of the rounds that count."""
        return median(one.seconds for one in self.later)

    @property
    def sent_per_member(self) -> float:
        """Return the bytes that a member's connection carried to the coordinator."""
        return median(one.sent_bytes for one in self.later) / self.plan.size

    @property
    def received_per_member(self) -> float:
        """Return the bytes that a member's connection carried from the coordinator."""
        return median(one.received_bytes for one in self.later) / self.plan.size

    @property
    def coordinator_rss_bytes(self) -> int:
        """Return what a round took of the coordinator's memory, at most.

        That is above what it held between rounds, with its connections open.
        """
        taken = (
            one.coordinator_peak_bytes - one.coordinator_begin_bytes
            for one in self.later
        )
        return round(median(taken))

    @property
    def coordinator_kept_bytes(self) -> int:
        """Return what the coordinator holds between rounds above its idle memory."""
        return self.rounds[-1].coordinator_begin_bytes - self.coordinator_idle_bytes

    def states_s(self) -> dict[str, float]:
        """Return the median stay in each state."""
        names = self.later[0].states_s
        return {
            name: median(one.states_s.get(name, 0.0) for one in self.later)
            for name in names
        }


async def measured(plan: Plan, *, rounds: int) -> Cost:
    """Run a federation for its first round and so many later ones."""
    async with measured_world(plan) as world:
        idle_bytes = world.coordinator_rss_bytes()
        start = before = await world.member_figures()
        found: list[RoundCost] = []
        for number in range(1 + rounds):
            cost, before = await _one_round(world, f"round-{number}", before)
            found.append(cost)
        grown = before.rss_bytes - start.rss_bytes
        return Cost(
            plan=plan,
            rounds=tuple(found),
            coordinator_idle_bytes=idle_bytes,
            member_vault_bytes=before.vault_bytes_max,
            member_rss_bytes=grown / plan.size,
        )


async def _one_round(
    world: MeasuredWorld, name: str, before: MemberFigures
) -> tuple[RoundCost, MemberFigures]:
    cpu_s, begin_bytes = world.coordinator_cpu_s(), world.coordinator_rss_bytes()
    world.forget_peak()
    seconds, ended = await world.run_round(name)
    coordinator_cpu_s = world.coordinator_cpu_s() - cpu_s
    after = await world.member_figures()
    cost = RoundCost(
        seconds=seconds,
        coordinator_cpu_s=coordinator_cpu_s,
        members_cpu_s=after.cpu_s - before.cpu_s,
        sent_bytes=after.sent - before.sent,
        received_bytes=after.received - before.received,
        coordinator_begin_bytes=begin_bytes,
        coordinator_peak_bytes=world.coordinator_rss_peak_bytes(),
        states_s=_states_s(ended),
    )
    return cost, after


def _states_s(ended: pb.Round) -> dict[str, float]:
    """Return how long the round stood in each state."""
    times = [entry.enter_time.ToNanoseconds() / 1e9 for entry in ended.history]
    names = [pb.Round.State.Name(entry.state) for entry in ended.history]
    return {
        name.removeprefix("STATE_").lower(): after - before
        for name, before, after in zip(names, times, times[1:], strict=False)
    }
