"""The driver: when a member acts, tries again, and lets a round go."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from federated_router.federation.backoff import Backoff
from federated_router.federation.participant import Participant, random_jitter
from federated_router.federation.round_view import Round, RoundState
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    FederationError,
    RosterMismatch,
    RoundStateWrong,
    StoreUnavailable,
    Unavailable,
)
from tests.support.round_coordinator import CATALOGUE, NOISE, ROUND

JOINING = Round(
    name=ROUND,
    state=RoundState.JOINING,
    catalogue=CATALOGUE,
    noise=NOISE,
    participation_min=0.8,
)
REVEALING = replace(JOINING, state=RoundState.REVEALING)
BACKOFF = Backoff(least_s=1.0, most_s=8.0)


class ScriptedRounds:
    """A stream that tests push rounds and failures into."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Round | FederationError | None] = asyncio.Queue()
        self.opened = 0
        self.closed = 0

    async def watch(self) -> AsyncGenerator[Round | None, None]:
        """Yield what is pushed, until a failure is."""
        self.opened += 1
        try:
            while True:
                item = await self.queue.get()
                if isinstance(item, FederationError):
                    raise item
                yield item
        finally:
            self.closed += 1


class RecordedSteps:
    """Steps that note what they were asked, and fail as told."""

    def __init__(self) -> None:
        self.acted: list[RoundState] = []
        self.settled: list[str] = []
        self.failures: list[FederationError] = []
        self.unrecovered: list[FederationError] = []
        self.recovered = 0

    async def recover(self) -> None:
        """Note it, and fail if a failure waits."""
        self.recovered += 1
        if self.unrecovered:
            raise self.unrecovered.pop(0)

    async def act(self, round_: Round) -> None:
        """Note it, and fail if a failure waits."""
        self.acted.append(round_.state)
        if self.failures:
            raise self.failures.pop(0)

    async def settle_others(self, current: str) -> None:
        """Note it."""
        self.settled.append(current)


@asynccontextmanager
async def running(
    rounds: ScriptedRounds, steps: RecordedSteps, clock: ManualClock
) -> AsyncIterator[None]:
    """Run a participant without jitter while the test acts."""
    participant = Participant(
        steps=steps, watcher=rounds, backoff=BACKOFF, clock=clock, jitter=lambda: 1.0
    )
    task = asyncio.create_task(participant.run())
    await clock.advance(0)
    yield
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def push(
    rounds: ScriptedRounds, clock: ManualClock, item: Round | FederationError | None
) -> None:
    """Let the coordinator say something, and the member hear it."""
    rounds.queue.put_nowait(item)
    await clock.advance(0)


async def test_sign_of_life_does_not_repeat_a_step(clock: ManualClock) -> None:
    """Each repeated message of a hundred members would otherwise be a hundred calls."""
    rounds, steps = ScriptedRounds(), RecordedSteps()

    async with running(rounds, steps, clock):
        await push(rounds, clock, JOINING)
        await push(rounds, clock, JOINING)
        await push(rounds, clock, REVEALING)

    assert steps.acted == [RoundState.JOINING, RoundState.REVEALING]
    assert steps.recovered == 1


async def test_vault_that_does_not_answer_at_the_start_is_asked_again(
    clock: ManualClock,
) -> None:
    """A busy disk must not end the daemon, nor may a round begin before recovery."""
    rounds, steps = ScriptedRounds(), RecordedSteps()
    steps.unrecovered = [StoreUnavailable("The vault is slow.") for _ in range(2)]

    async with running(rounds, steps, clock):
        await push(rounds, clock, JOINING)
        assert (steps.recovered, steps.acted) == (1, [])
        await clock.advance(BACKOFF.most_s)
        assert (steps.recovered, steps.acted) == (2, [])
        await clock.advance(BACKOFF.most_s)

    assert steps.recovered == 3
    assert steps.acted == [RoundState.JOINING]


async def test_passing_failure_is_tried_again_after_a_pause(
    clock: ManualClock,
) -> None:
    """A state may be over before the next sign of life, so the member tries itself."""
    rounds, steps = ScriptedRounds(), RecordedSteps()
    steps.failures = [Unavailable("away"), Unavailable("away")]

    async with running(rounds, steps, clock):
        await push(rounds, clock, JOINING)
        assert len(steps.acted) == 1
        await clock.advance(1.0)
        assert len(steps.acted) == 2
        await clock.advance(1.0)
        assert len(steps.acted) == 2
        await clock.advance(1.0)

    assert len(steps.acted) == 3


async def test_retry_uses_what_is_newest_by_then(clock: ManualClock) -> None:
    """Repeating a step of a state that has passed only earns a refusal."""
    rounds, steps = ScriptedRounds(), RecordedSteps()
    steps.failures = [Unavailable("away")]

    async with running(rounds, steps, clock):
        await push(rounds, clock, JOINING)
        await push(rounds, clock, REVEALING)
        await clock.advance(1.0)

    assert steps.acted == [RoundState.JOINING, RoundState.REVEALING]


@pytest.mark.parametrize("refusal", [RosterMismatch("no"), RoundStateWrong("late")])
async def test_refused_round_is_left_alone_and_the_daemon_lives(
    clock: ManualClock, refusal: FederationError
) -> None:
    """A wrong coordinator must not end a node that serves requests."""
    rounds, steps = ScriptedRounds(), RecordedSteps()
    steps.failures = [refusal]

    async with running(rounds, steps, clock):
        await push(rounds, clock, JOINING)
        await push(rounds, clock, JOINING)
        await clock.advance(60.0)

    assert steps.acted == [RoundState.JOINING]


async def test_broken_stream_is_opened_again_after_a_growing_pause(
    clock: ManualClock,
) -> None:
    """A coordinator that is away is asked less and less often, within bounds."""
    rounds, steps = ScriptedRounds(), RecordedSteps()
    gaps: list[float] = []

    async with running(rounds, steps, clock):
        for _ in range(5):
            await push(rounds, clock, Unavailable("away"))
            before, waited = rounds.opened, 0.0
            while rounds.opened == before:
                await clock.advance(1.0)
                waited += 1.0
            gaps.append(waited)

    assert gaps == [1.0, 2.0, 4.0, 8.0, 8.0]


async def test_stream_that_spoke_starts_the_pauses_over(clock: ManualClock) -> None:
    """One restart a day must not add up to the longest pause."""
    rounds, steps = ScriptedRounds(), RecordedSteps()

    async with running(rounds, steps, clock):
        await push(rounds, clock, Unavailable("away"))
        await clock.advance(1.0)
        await push(rounds, clock, JOINING)
        await push(rounds, clock, Unavailable("away"))
        await clock.advance(1.0)
        opened = rounds.opened

    assert opened == 3


async def test_every_stream_is_closed(clock: ManualClock) -> None:
    """An abandoned call would stay open at the coordinator."""
    rounds, steps = ScriptedRounds(), RecordedSteps()

    async with running(rounds, steps, clock):
        await push(rounds, clock, Unavailable("away"))
        await clock.advance(1.0)

    assert rounds.opened == rounds.closed == 2


async def test_without_a_round_old_ones_are_still_settled(
    clock: ManualClock,
) -> None:
    """A coordinator with an empty store must not leave batches frozen for ever."""
    rounds, steps = ScriptedRounds(), RecordedSteps()

    async with running(rounds, steps, clock):
        await push(rounds, clock, None)

    assert steps.settled == [""]
    assert steps.acted == []


def test_delays_differ_and_stay_within_bounds() -> None:
    """All members see a coordinator fail in the same moment."""
    delays = {BACKOFF.delay_s(3, jitter=random_jitter()) for _ in range(50)}

    assert len(delays) > 10
    assert all(2.0 <= delay < 4.0 for delay in delays)
    assert BACKOFF.delay_s(10_000, jitter=0.0) == 4.0
