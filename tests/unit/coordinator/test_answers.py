"""Large answers: so many bytes at once, one to each member, and none for ever."""

import asyncio
from collections.abc import Callable
from typing import cast

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.rounds.answers import Answers
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import LimitReached

WAIT_S = 60.0
"""Longer than any test runs."""

A, B, C = (MemberName(f"node/{letter}") for letter in "abc")


class Call:
    """A context whose call ends when it is told to."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[object], None]] = []

    def add_done_callback(self, callback: Callable[[object], None]) -> None:
        """Keep what is called at the end."""
        self.callbacks.append(callback)

    def end(self) -> None:
        """End the call."""
        for callback in self.callbacks:
            callback(self)

    @property
    def context(self) -> grpc.aio.ServicerContext:
        """Return it as handlers get it."""
        return cast("grpc.aio.ServicerContext", self)


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_place_is_held_until_the_call_is_over() -> None:
    """A handler that has returned has an answer in gRPC's buffers still."""
    answers, call = Answers(bytes_max=10, timeout_s=WAIT_S), Call()
    await answers.until_read(A, 8, call.context)
    second = asyncio.ensure_future(answers.until_read(B, 8, Call().context))
    await settled()

    assert (answers.under_way, second.done()) == (8, False)
    call.end()
    await asyncio.wait_for(second, timeout=30)
    assert answers.under_way == 8


async def test_answer_larger_than_all_places_goes_alone() -> None:
    """A large roster must be given all the same, and nothing beside it."""
    answers = Answers(bytes_max=10, timeout_s=WAIT_S)
    async with answers.streamed(A, 1_000):
        beside = asyncio.ensure_future(answers.until_read(B, 1, Call().context))
        await settled()
        assert not beside.done()

    await asyncio.wait_for(beside, timeout=30)


async def test_small_answer_does_not_overtake_a_large_one() -> None:
    """Else a large roster would wait for as long as small answers come."""
    answers, call = Answers(bytes_max=10, timeout_s=WAIT_S), Call()
    await answers.until_read(A, 6, call.context)
    large = asyncio.ensure_future(answers.until_read(B, 9, Call().context))
    await settled()
    small = asyncio.ensure_future(answers.until_read(C, 1, Call().context))
    await settled()
    assert (large.done(), small.done()) == (False, False)

    call.end()
    await asyncio.gather(large, small)


async def test_member_has_one_answer_at_a_time() -> None:
    """One member that asks again and again must not take every place."""
    answers, call = Answers(bytes_max=10, timeout_s=WAIT_S), Call()
    await answers.until_read(A, 1, call.context)

    with pytest.raises(LimitReached):
        await answers.until_read(A, 1, Call().context)
    async with answers.streamed(B, 1):
        pass
    call.end()
    await answers.until_read(A, 1, Call().context)


async def test_turn_that_does_not_come_is_refused() -> None:
    """A caller hears to come back, and may; nothing stays taken for it."""
    answers, first = Answers(bytes_max=10, timeout_s=0.05), Call()
    await asyncio.create_task(answers.until_read(A, 10, first.context))
    with pytest.raises(LimitReached) as refused:
        await answers.until_read(B, 10, Call().context)
    assert refused.value.retry_after_s == 1.0

    first.end()
    second = Call()
    await answers.until_read(B, 10, second.context)
    assert answers.under_way == 10
    second.end()


async def test_answer_that_is_not_read_loses_its_call() -> None:
    """Members that do not read would otherwise keep every place for ever."""
    answers = Answers(bytes_max=10, timeout_s=0.05)

    async def unread() -> None:
        async with answers.streamed(A, 10):
            await asyncio.Event().wait()

    call = asyncio.create_task(unread())
    await asyncio.wait({call}, timeout=30)

    assert call.cancelled()
    assert answers.under_way == 0


async def test_answer_that_is_read_keeps_its_call() -> None:
    """What ends an unread call must not reach the next work of the same task."""
    answers, call = Answers(bytes_max=10, timeout_s=0.02), Call()
    await answers.until_read(A, 10, call.context)
    call.end()
    async with answers.streamed(A, 10):
        pass

    await asyncio.sleep(0.05)

    assert answers.under_way == 0


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 14), min_size=1, max_size=12),
    steps=st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=40),
)
def test_bytes_under_way_never_exceed_their_limit(
    sizes: list[int], steps: list[tuple[int, bool]]
) -> None:
    """Whoever is cancelled while waiting or while sending gives everything back."""
    most, left = asyncio.run(_jostle(sizes, steps))

    assert most <= 10
    assert left == 0


async def _jostle(sizes: list[int], steps: list[tuple[int, bool]]) -> tuple[int, int]:
    """Return the most bytes that were under way at once, and those left at the end."""
    answers, sent, most = Answers(bytes_max=10, timeout_s=WAIT_S), 0, 0
    doors = [asyncio.Event() for _ in sizes]

    async def ask(number: int) -> None:
        nonlocal sent, most
        size = min(sizes[number], 10)
        async with answers.streamed(MemberName(f"node/{number}"), size):
            sent += size
            most = max(most, sent)
            try:
                await doors[number].wait()
            finally:
                sent -= size

    calls = [asyncio.create_task(ask(number)) for number in range(len(sizes))]
    for number, cancelled in steps:
        if number < len(calls):
            calls[number].cancel() if cancelled else doors[number].set()
        await asyncio.sleep(0)
        assert answers.under_way <= 10
    for door in doors:
        door.set()
    await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), timeout=30)
    return most, answers.under_way
