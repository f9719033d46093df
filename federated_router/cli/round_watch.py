"""`round watch`: a round as it goes, one line for each change.

Decides what is worth a line. The stream repeats a round as a sign of life, so only
what differs is told; it ends with the round, or after the caller's time. A coordinator
that goes away once a round was seen is waited for: rounds outlive it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime

import grpc

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.api.v1 import aggregation_pb2_grpc as pb_grpc
from federated_router.cli.round_story import ENDED, progress_line, state_name
from federated_router.kit.errors import DeadlineExceeded, RoundUnknown

Tell = Callable[[pb.Round], None]
_OPEN_TIMEOUT_S = 10.0
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE})
AWAY_PAUSE_S = 1.0


async def follow(
    channel: grpc.aio.Channel, name: str, *, tell: Tell, timeout_s: float
) -> pb.Round:
    """Tell each change of a round until it ends; return it as it ended.

    Raises:
        RoundUnknown: the newest was asked for and there is none.
        DeadlineExceeded: it had not ended after `timeout_s`.
    """
    last: pb.Round | None = None
    try:
        async with (
            asyncio.timeout(timeout_s),
            aclosing(_lasting(channel, name)) as changes,
        ):
            async for last in changes:
                tell(last)
                if last.state in ENDED:
                    return last
    except TimeoutError:
        known = f"{last.name} is {state_name(last.state)}" if last else "none is seen"
        raise DeadlineExceeded(
            f"The round had not ended after {timeout_s:g} s: {known}."
        ) from None
    raise RoundUnknown("The coordinator has no round; open one: `round start`.")


def change_line(one: pb.Round, now: datetime | None = None) -> str:
    """Return one change: when, where the round stands, how far it came."""
    at = now or datetime.now(tz=UTC)
    return f"{at:%H:%M:%S}  {state_name(one.state):<10}  {progress_line(one)}".rstrip()


async def _lasting(
    channel: grpc.aio.Channel, name: str
) -> AsyncGenerator[pb.Round, None]:
    """Yield changes of the round that is seen first, across restarts."""
    seen = pb.Round()
    while True:
        try:
            async with aclosing(_changes(channel, name, seen)) as changes:
                async for seen in changes:
                    yield seen
        except grpc.aio.AioRpcError as error:
            if not seen.name or error.code() not in _AWAY:
                raise
        else:
            return
        await asyncio.sleep(AWAY_PAUSE_S)


async def _changes(
    channel: grpc.aio.Channel, name: str, seen: pb.Round
) -> AsyncGenerator[pb.Round, None]:
    """Yield a round whenever it differs from `seen`, the last look at it."""
    call = pb_grpc.AggregationServiceStub(channel).WatchRound(
        pb.WatchRoundRequest(name=name)
    )
    try:
        async for message in call:
            one = message.round
            if not message.HasField("round"):
                return
            if seen.name and one.name != seen.name:
                # A newer round hides the one that was watched; ask how that ended.
                yield await _asked(channel, seen.name)
                return
            if one != seen:
                seen = one
                yield one
    finally:
        call.cancel()


async def _asked(channel: grpc.aio.Channel, name: str) -> pb.Round:
    response: pb.GetRoundResponse = await pb_grpc.AggregationServiceStub(
        channel
    ).GetRound(pb.GetRoundRequest(name=name), timeout=_OPEN_TIMEOUT_S)
    return response.round
