"""Following published priors."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from federated_router.federation.backoff import Backoff
from federated_router.federation.priors_follower import PriorsFollower
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FederationError, PriorsUnknown, Unavailable
from federated_router.priors.contents import Contents
from federated_router.priors.publication import Priors
from tests.support.round_coordinator import CATALOGUE


def priors(revision: int) -> Priors:
    """Return priors of a revision."""
    return Priors(
        revision=revision,
        round_name=f"rounds/r{revision}",
        create_time_s=0.0,
        catalogue=CATALOGUE,
        members=4,
        noise_standard_deviation=4.0,
        contents=Contents(),
    )


class ScriptedPriors:
    """A source that tells what it was asked and yields what tests push."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Priors | FederationError | None] = asyncio.Queue()
        self.asked: list[int] = []
        self.kept: dict[int, Priors] = {}

    async def get(self, revision: int) -> Priors:
        """Return what is kept."""
        if revision not in self.kept:
            raise PriorsUnknown("No such revision.")
        return self.kept[revision]

    async def watch(self, after_revision: int) -> AsyncGenerator[Priors | None, None]:
        """Yield what is pushed, until a failure is."""
        self.asked.append(after_revision)
        while True:
            item = await self.queue.get()
            if isinstance(item, FederationError):
                raise item
            yield item


async def test_stream_resumes_after_the_last_revision_seen(
    clock: ManualClock,
) -> None:
    """A restart of the coordinator neither repeats nor loses a revision."""
    source, received = ScriptedPriors(), list[Priors]()

    async def receive(one: Priors) -> None:
        received.append(one)

    follower = PriorsFollower(
        source=source,
        receive=receive,
        backoff=Backoff(least_s=1.0, most_s=8.0),
        clock=clock,
    )
    task = asyncio.create_task(follower.run())

    for item in (priors(1), None, priors(2), Unavailable("away")):
        source.queue.put_nowait(item)
    await clock.advance(0)
    await clock.advance(1.0)
    source.queue.put_nowait(priors(2))
    source.queue.put_nowait(priors(5))
    await clock.advance(0)

    assert source.asked == [0, 2]
    assert [one.revision for one in received] == [1, 2, 5]
    assert follower.revision == 5
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_newcomer_is_given_earlier_revisions_first_and_in_order(
    clock: ManualClock,
) -> None:
    """A restarted router has a way back at once; what is no longer kept is left out."""
    source, received = ScriptedPriors(), list[int]()
    source.kept = {3: priors(3), 5: priors(5)}

    async def receive(one: Priors) -> None:
        received.append(one.revision)

    follower = PriorsFollower(
        source=source,
        receive=receive,
        backoff=Backoff(least_s=1.0, most_s=8.0),
        clock=clock,
        earlier=3,
    )
    task = asyncio.create_task(follower.run())

    source.queue.put_nowait(priors(6))
    source.queue.put_nowait(priors(7))
    await clock.advance(0)

    assert received == [3, 5, 6, 7]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
