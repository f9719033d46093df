"""Stored public answers: found before a node is asked, kept only when whole."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from federated_router.admission.ask import Priority
from federated_router.admission.visit import Admitted
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache.entries import CacheKey
from federated_router.kit.errors import NodeLost
from federated_router.proxy.asked import Asked
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.public_answers import PublicAnswers
from federated_router.routing.candidate import PLAIN, RouteQuery
from federated_router.sensitivity.levels import Sensitivity
from tests.unit.proxy.proxy_fakes import FakeAnswers, FakeFootprints

EVENTS = [
    pb.GenerateResponse(started=pb.Started(node="nodes/a", model="models/a")),
    pb.GenerateResponse(
        chunk=pb.Chunk(text="a", logprobs=[pb.TokenLogprob(token_id=1)])
    ),
    pb.GenerateResponse(
        chunk=pb.Chunk(text="b", logprobs=[pb.TokenLogprob(token_id=2)])
    ),
    pb.GenerateResponse(finished=pb.Finished(completion_tokens=2)),
]
WHOLE = pb.CompleteResponse(
    started=EVENTS[0].started,
    text="ab",
    finished=EVENTS[-1].finished,
    logprobs=[pb.TokenLogprob(token_id=1), pb.TokenLogprob(token_id=2)],
)


def asked() -> Asked:
    """Return a request that was let in."""
    return Asked(
        generation=pb.Generation(request_id="r"),
        tenant="alice",
        sensitivity=Sensitivity.INTERNAL,
        query=RouteQuery(model="models/a"),
        shape=PLAIN,
        deadline=Deadline(time.monotonic() + 60),
        place=Admitted(Priority.NORMAL),
    )


class World:
    """A store, what it is asked, and the events that a node would send."""

    def __init__(self, *, bytes_max: int = 1000) -> None:
        self.kept, self.footprints = FakeAnswers(), FakeFootprints()
        self.answers = PublicAnswers(self.kept, self.footprints, bytes_max=bytes_max)
        self.made = 0

    def key(self, of: Asked) -> CacheKey:
        """Return the request's key."""
        key = self.answers.key(of)
        assert key is not None
        return key

    async def make(self, _: Asked) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Answer as a node does."""
        self.made += 1
        for event in EVENTS:
            yield event

    async def stream(self, of: Asked) -> list[pb.GenerateResponse]:
        """Return all events that a caller gets."""
        events = self.answers.stream(of, self.key(of), self.make)
        return [event async for event in events]


async def test_answer_is_kept_and_streamed_again() -> None:
    """The second time no node is asked, and the words are the same."""
    world = World()

    first, second = await world.stream(asked()), await world.stream(asked())

    assert first == EVENTS
    assert [event.WhichOneof("event") for event in second] == [
        "started",
        "chunk",
        "finished",
    ]
    assert second[1].chunk.text == "ab"
    assert [one.token_id for one in second[1].chunk.logprobs] == [1, 2]
    assert world.made == 1
    assert world.footprints.cached == ["alice"]


async def test_stored_answer_takes_nothing_of_a_tenants_rate() -> None:
    """No node worked for it."""
    world, again = World(), asked()
    await world.stream(asked())

    await world.stream(again)

    assert again.place is not None
    assert again.place.tokens == 0


async def test_whole_answer_is_kept_as_streamed_ones_are() -> None:
    """Both calls find each other's answers."""
    world = World()

    async def make(_: Asked) -> pb.CompleteResponse:
        raise AssertionError("it is stored")

    await world.stream(asked())
    found = await world.answers.complete(asked(), world.key(asked()), make)

    assert found == WHOLE


@pytest.mark.parametrize("events", [1, 2, 3])
async def test_answer_that_its_caller_left_is_abandoned(events: int) -> None:
    """Others who wait for it must be told that it will not come."""
    world = World()
    stream = world.answers.stream(asked(), world.key(asked()), world.make)

    async with aclosing(stream):
        for _ in range(events):
            await anext(stream)

    assert world.kept.stored == {}
    assert world.kept.abandoned == [b"r"]


async def test_answer_that_failed_is_abandoned() -> None:
    """Of either call."""
    world = World()

    async def lose(_: Asked) -> pb.CompleteResponse:
        raise NodeLost("gone")

    with pytest.raises(NodeLost):
        await world.answers.complete(asked(), world.key(asked()), lose)

    assert world.kept.abandoned == [b"r"]


async def test_answer_beyond_the_limit_is_streamed_and_not_kept() -> None:
    """Memory is bounded, whatever nodes send."""
    world = World(bytes_max=30)

    events = await world.stream(asked())

    assert events == EVENTS
    assert world.kept.stored == {}
    assert world.kept.abandoned == [b"r"]
