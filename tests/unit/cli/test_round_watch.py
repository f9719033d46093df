"""`round watch` over a scripted stream: what is told, and when it ends."""

from collections.abc import AsyncIterator, Callable, Sequence

import grpc
import pytest

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.cli import round_watch
from federated_router.cli.round_watch import follow
from federated_router.kit.errors import DeadlineExceeded, RoundUnknown

JOINING, PUBLISHED = pb.Round.STATE_JOINING, pb.Round.STATE_PUBLISHED
Item = pb.Round | Exception | None


class Stream:
    """One call of WatchRound: rounds, an error, or None for no round."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self.cancelled = False

    async def __aiter__(self) -> AsyncIterator[pb.WatchRoundResponse]:
        for item in self._items:
            if isinstance(item, Exception):
                raise item
            yield pb.WatchRoundResponse(round=item)

    def cancel(self) -> None:
        """Note that the call was ended."""
        self.cancelled = True


class ScriptedChannel:
    """A channel on which each watch plays the next script."""

    def __init__(self, *scripts: Sequence[Item], asked: pb.Round | None = None) -> None:
        self.streams = [Stream(script) for script in scripts]
        self.watches = 0
        self._asked = asked

    def unary_stream(self, *_: object, **__: object) -> Callable[..., Stream]:
        """Return the door to WatchRound."""

        def call(_: object) -> Stream:
            self.watches += 1
            return self.streams[self.watches - 1]

        return call

    def unary_unary(self, *_: object, **__: object) -> Callable[..., object]:
        """Return the door to GetRound."""

        async def call(_: object, *, timeout: float) -> pb.GetRoundResponse:  # noqa: ASYNC109
            assert timeout > 0
            return pb.GetRoundResponse(round=self._asked)

        return call

    def stream_unary(self, *_: object, **__: object) -> None:
        """Return a door that nobody opens."""


def a_round(state: pb.Round.State, *, joined: int = 0, name: str = "a") -> pb.Round:
    """Return a round as the stream shows it."""
    return pb.Round(name=f"rounds/{name}", state=state, joined_count=joined)


def away() -> grpc.aio.AioRpcError:
    """Return what a call sees when its server is killed."""
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_watch, "AWAY_PAUSE_S", 0.0)


async def watched(channel: ScriptedChannel, *, timeout_s: float = 5.0) -> list[str]:
    """Return what was told, as state and number of those who joined."""
    told: list[str] = []

    def tell(one: pb.Round) -> None:
        told.append(f"{one.name}:{one.state}:{one.joined_count}")

    await follow(channel, "rounds/-", tell=tell, timeout_s=timeout_s)
    return told


async def test_signs_of_life_are_not_told_and_the_call_is_ended() -> None:
    """A line is a change; the same round again is none."""
    channel = ScriptedChannel(
        [
            a_round(JOINING),
            a_round(JOINING),
            a_round(JOINING, joined=1),
            a_round(PUBLISHED, joined=1),
            a_round(PUBLISHED, joined=2),
        ]
    )

    told = await watched(channel)

    assert told == [
        f"rounds/a:{JOINING}:0",
        f"rounds/a:{JOINING}:1",
        f"rounds/a:{PUBLISHED}:1",
    ]
    assert channel.streams[0].cancelled


async def test_coordinator_that_dies_is_waited_for_and_nothing_is_told_twice() -> None:
    """Rounds outlive their coordinator, and so does the watch."""
    channel = ScriptedChannel(
        [a_round(JOINING), away()],
        [away()],
        [a_round(JOINING), a_round(PUBLISHED)],
    )

    told = await watched(channel)

    assert told == [f"rounds/a:{JOINING}:0", f"rounds/a:{PUBLISHED}:0"]
    assert channel.watches == 3


async def test_coordinator_that_was_never_there_is_an_error_at_once() -> None:
    """Waiting for a wrong address would help nobody."""
    with pytest.raises(grpc.aio.AioRpcError):
        await watched(ScriptedChannel([away()]))


async def test_end_of_a_round_hidden_by_a_newer_one_is_asked_for() -> None:
    """The watch stays with the round it began with."""
    channel = ScriptedChannel(
        [a_round(JOINING), a_round(JOINING, name="b")],
        asked=a_round(PUBLISHED, joined=4),
    )

    assert (await watched(channel))[-1] == f"rounds/a:{PUBLISHED}:4"


async def test_no_round_at_all_says_how_to_open_one() -> None:
    """An empty federation is not a failure of the connection."""
    with pytest.raises(RoundUnknown, match="round start"):
        await watched(ScriptedChannel([None]))


async def test_round_that_does_not_end_in_time_says_where_it_stands() -> None:
    """The coordinator stays away for longer than the caller waits."""
    channel = ScriptedChannel(
        [a_round(JOINING), away()], *([away()] for _ in range(10**4))
    )

    with pytest.raises(DeadlineExceeded, match="joining"):
        await watched(channel, timeout_s=0.05)
