"""Slots, queue and cancellation of the engine whose model another server runs."""

import asyncio
import time

import pytest

from federated_router.kit import errors
from node.engine.engine import Continuation, Priority, Sampling, Terms
from node.engine.limits import EngineLimits
from node.engine.pieces import FinishReason
from tests.support.running import eventually
from tests.support.scripted_openai import Asked, Reply
from tests.unit.node_openai.conftest import QUESTION, Ask, text_of

ONE = Sampling(tokens_max=1)


async def hangs(_: Asked, reply: Reply) -> None:
    """Say a word, then wait for ever."""
    await reply.begin()
    await reply.say("word")
    await reply.gone.wait()


async def answers(_: Asked, reply: Reply) -> None:
    """Answer at once."""
    await reply.begin()
    await reply.say("yes")
    await reply.finish()


async def test_reader_that_leaves_closes_the_connection_at_once(ask: Ask) -> None:
    """That is how the server learns to stop generating; the slot is free again."""
    async with ask(hangs) as served:
        answer = await served.begin()
        await anext(answer)
        assert served.engine.load().running == 1
        began_s = time.monotonic()
        await answer.aclose()
        await eventually(lambda: served.server.left == 1)
        await eventually(lambda: served.engine.load().running == 0)

    assert time.monotonic() - began_s < 1.0


async def test_reader_that_never_read_holds_nothing(ask: Ask) -> None:
    """A caller may be gone before its answer began, or drop it without a word."""
    async with ask(hangs) as served:
        closed = await served.begin()
        await closed.aclose()
        await served.begin()
        await eventually(lambda: served.engine.load().running == 0)
        assert [piece async for piece in closed] == []


async def test_no_more_requests_reach_the_server_than_there_are_slots(
    ask: Ask,
) -> None:
    """Two run, one waits, the next is told to come back; a free slot goes on."""
    async with ask(hangs) as served:
        running = [await served.begin() for _ in range(2)]
        waiting = await served.begin()
        with pytest.raises(errors.QueueFull):
            await served.begin()
        await eventually(lambda: len(served.server.asked) == 2)
        load = served.engine.load()
        assert (load.running, load.waiting, load.slots) == (2, 1, 2)

        await running[0].aclose()

        assert (await anext(waiting)).text == "word"
        assert len(served.server.asked) == 3
        for answer in (*running, waiting):
            await answer.aclose()


async def test_urgent_request_passes_one_that_waits(ask: Ask) -> None:
    """The priority of the contract is kept here; the server knows none."""
    one_slot = EngineLimits(slots=1, private_slots=1, waiting_max=2)
    async with ask(hangs, limits=one_slot) as served:
        first = await served.begin()
        low = await served.engine.begin(QUESTION, ONE, Terms(priority=Priority.LOW))
        high = await served.engine.begin(QUESTION, ONE, Terms(priority=Priority.HIGH))
        await first.aclose()

        assert (await anext(high)).text == "word"

        assert served.engine.load().waiting == 1
        await high.aclose()
        assert (await anext(low)).text == "word"
        await low.aclose()


async def test_answer_of_another_node_is_not_gone_on_with(ask: Ask) -> None:
    """The API cannot say how an answer begins: a router must hear it, not guess."""
    async with ask(hangs) as served:
        begun = Continuation((70,))

        with pytest.raises(errors.ContinuationNotOffered):
            await served.engine.begin(QUESTION, ONE, continuation=begun)

        assert served.server.asked == []
        assert served.engine.load().running == 0


async def test_deadline_ends_the_wait_for_a_slot(ask: Ask) -> None:
    """Nothing is sent for somebody who does not wait any more."""
    async with ask(hangs) as served:
        running = [await served.begin() for _ in range(2)]
        await eventually(lambda: len(served.server.asked) == 2)
        terms = Terms(deadline_s=time.monotonic() + 0.05)
        late = await served.engine.begin(QUESTION, ONE, terms)

        with pytest.raises(errors.DeadlineExceeded):
            await anext(late)

        assert served.engine.load().waiting == 0
        assert len(served.server.asked) == 2
        for answer in running:
            await answer.aclose()


async def test_many_requests_end_and_leave_nothing(ask: Ask) -> None:
    """Answers, refusals, cuts and farewells, as they come."""
    count = 0

    async def script(asked: Asked, reply: Reply) -> None:
        nonlocal count
        count += 1
        match count % 4:
            case 0:
                await answers(asked, reply)
            case 1:
                await reply.refuse(500)
            case 2:
                reply.writer.transport.abort()
            case _:
                await hangs(asked, reply)

    async with ask(script, idle_timeout_s=0.2) as served:
        outcomes: list[str] = []
        while len(outcomes) < 40:
            try:
                pieces, _ = await served.answer()
                outcomes.append(text_of(pieces))
            except errors.Unavailable:
                outcomes.append("unavailable")
        await eventually(lambda: served.engine.load().running == 0)
        assert served.engine.load().waiting == 0
        assert served.engine._running == set()

    assert outcomes.count("yes") == 10
    assert outcomes.count("unavailable") == 30


async def test_stop_ends_every_answer_and_takes_no_other(ask: Ask) -> None:
    """An orderly end waits for no foreign server."""
    async with ask(hangs) as served:
        running = [await served.begin() for _ in range(2)]
        waiting = await served.begin()
        first = await anext(running[0])
        async with asyncio.timeout(30):
            await served.engine.stop()
        rest = [piece async for piece in running[0]]
        never = [piece async for piece in waiting]
        with pytest.raises(errors.Draining):
            await served.begin()

    assert first.finish is None
    assert rest[-1].finish is FinishReason.CANCELLED
    assert never[-1].finish is FinishReason.CANCELLED
