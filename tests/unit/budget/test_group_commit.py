"""Calls that wait run together, and each is told its own outcome."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from federated_router.budget.sql.group_commit import GroupCommit, GroupLimits, Outcome
from federated_router.kit.errors import NotNow, QueueFull

QUEUE_MAX = 6
BATCH_MAX = 4
TIMEOUT_S = 0.2


class Gate:
    """Runs batches, each when it is let; remembers them."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = asyncio.Event()

    async def run(self, calls: Sequence[str]) -> Sequence[Outcome]:
        """Run a batch: a call of "bad" raises, others return themselves in capitals."""
        self.batches.append(list(calls))
        await self.open.wait()
        if "broken" in calls:
            raise NotNow("The whole batch failed.")
        return [
            Outcome(error=NotNow("bad")) if call == "bad" else Outcome(call.upper())
            for call in calls
        ]


@pytest.fixture
def gate() -> Gate:
    """Return a gate that is closed."""
    return Gate()


@pytest.fixture
async def group(gate: Gate) -> AsyncIterator[GroupCommit[str]]:
    """Return a queue before the gate."""
    limits = GroupLimits(queue_max=QUEUE_MAX, batch_max=BATCH_MAX, timeout_s=TIMEOUT_S)
    made: GroupCommit[str] = GroupCommit(gate.run, limits)
    yield made
    gate.open.set()
    await made.close()


async def submitted(group: GroupCommit[str], *calls: str) -> list["asyncio.Task[str]"]:
    """Submit calls, and let them reach the queue."""
    tasks = [asyncio.create_task(group.submit(call)) for call in calls]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_calls_that_wait_share_a_batch_of_limited_size(
    group: GroupCommit[str], gate: Gate
) -> None:
    """A lone call goes at once; those that come meanwhile go together, in order."""
    first = await submitted(group, "a")
    later = await submitted(group, "b", "c", "d", "e", "f")
    gate.open.set()

    answers = await asyncio.gather(*first, *later)

    assert answers == ["A", "B", "C", "D", "E", "F"]
    assert gate.batches == [["a"], ["b", "c", "d", "e"], ["f"]]


async def test_error_of_one_call_is_its_own(
    group: GroupCommit[str], gate: Gate
) -> None:
    """Who refuses takes nobody along."""
    await submitted(group, "a")
    tasks = await submitted(group, "b", "bad", "c")
    gate.open.set()

    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert told[0] == "B"
    assert isinstance(told[1], NotNow)
    assert told[2] == "C"


async def test_failed_batch_is_told_to_all_of_it_and_to_nobody_else(
    group: GroupCommit[str], gate: Gate
) -> None:
    """After a batch that failed the next one runs."""
    gate.open.set()
    with pytest.raises(NotNow):
        await group.submit("broken")

    assert await group.submit("a") == "A"


async def test_full_queue_refuses_before_anything_runs(
    group: GroupCommit[str], gate: Gate
) -> None:
    """A caller that is refused may repeat at once, or elsewhere: nothing happened."""
    running = await submitted(group, "a")
    waiting = await submitted(group, *"bcdefg")

    with pytest.raises(QueueFull) as caught:
        await group.submit("h")

    gate.open.set()
    await asyncio.gather(*running, *waiting)
    assert caught.value.metadata == {"queue_max": str(QUEUE_MAX)}
    assert caught.value.retry_after_s is not None
    assert "h" not in [call for batch in gate.batches for call in batch]
    assert await group.submit("i") == "I"


async def test_call_cancelled_before_its_batch_does_not_run(
    group: GroupCommit[str], gate: Gate
) -> None:
    """Nobody wants it any more, and it holds up nobody."""
    running = await submitted(group, "a")
    gone, stays = await submitted(group, "b", "c")
    gone.cancel()
    await asyncio.sleep(0)
    gate.open.set()

    assert await asyncio.gather(*running, stays) == ["A", "C"]
    assert gate.batches == [["a"], ["c"]]


async def test_call_cancelled_in_its_batch_leaves_the_batch_alone(
    group: GroupCommit[str], gate: Gate
) -> None:
    """A caller that leaves stops waiting; the others are told as if it had stayed."""
    running = await submitted(group, "a")
    gate.open.set()
    await asyncio.gather(*running)
    gate.open.clear()
    gone, stays = await submitted(group, "b", "c")
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    gate.open.set()

    assert await stays == "C"
    assert ["b", "c"] in gate.batches or gate.batches[1:] == [["b"], ["c"]]


async def test_call_waits_no_longer_than_the_limit(
    group: GroupCommit[str], gate: Gate
) -> None:
    """Each wait ends, in the batch as before it; what never began does not run."""
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    running = await submitted(group, "a")
    waiting = await submitted(group, "b")

    told = await asyncio.gather(*running, *waiting, return_exceptions=True)

    assert [type(one) for one in told] == [TimeoutError, TimeoutError]
    assert loop.time() - begin_s < 5 * TIMEOUT_S
    gate.open.set()
    assert await group.submit("c") == "C"
    assert gate.batches == [["a"], ["c"]]


async def test_each_call_has_its_own_deadline(
    group: GroupCommit[str], gate: Gate
) -> None:
    """A call that comes later is given up later."""
    early = await submitted(group, "a")
    await asyncio.sleep(TIMEOUT_S / 2)
    late = await submitted(group, "b")

    await asyncio.wait(early)
    was_waiting = not late[0].done()
    gate.open.set()

    assert was_waiting
    assert await late[0] == "B"
    assert isinstance(early[0].exception(), TimeoutError)
