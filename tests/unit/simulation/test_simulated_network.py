"""The network: what is lost, what comes twice, and what a caller hears of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import grpc
import pytest

from coordinator.simulation.channel import UNREAD_MAX, Endpoint, MemoryChannel
from coordinator.simulation.link import Link, LinkConditions
from coordinator.simulation.process import Process
from coordinator.simulation.server import MemoryServer
from coordinator.simulation.virtual_loop import VirtualLoop, run_virtual
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.kit.errors import (
    DeadlineExceeded,
    FederationError,
    FieldInvalid,
    FieldRequired,
    Internal,
    RoleNotAllowed,
    Unavailable,
)
from federated_router.kit.identity import Identity, Role, current_identity

SERVICE = pb2.DESCRIPTOR.services_by_name["AggregationService"]
CALLERS = {method.name: frozenset({Role.NODE}) for method in SERVICE.methods}
STREAMED = 3 * UNREAD_MAX
CALLERS["AbortRound"] = frozenset({Role.OPERATOR})


@dataclass
class Desk(aggregation_pb2_grpc.AggregationServiceServicer):
    """Counts calls; waits before it answers."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = CALLERS
    waits_s: float = 0.0
    streams: int = 3
    streamed: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def GetRound(  # noqa: N802 - named by the contract.
        self, request: pb2.GetRoundRequest, _: grpc.aio.ServicerContext
    ) -> pb2.GetRoundResponse:
        """Return the name that was asked for."""
        if request.name == "rounds/broken":
            raise ValueError("no error of this system")
        self.begun.append(current_identity().member)
        await asyncio.sleep(self.waits_s)
        self.ended.append(request.name)
        return pb2.GetRoundResponse(round=pb2.Round(name=request.name))

    async def WatchRound(  # noqa: N802 - named by the contract.
        self, _request: pb2.WatchRoundRequest, _: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb2.WatchRoundResponse, None]:
        """Stream numbered messages, then wait."""
        for number in range(self.streams):
            self.streamed.append(f"{number}")
            yield pb2.WatchRoundResponse(round=pb2.Round(name=f"{number}"))
        await asyncio.sleep(self.waits_s)


@dataclass
class Net:
    """One caller, one server and what lies between."""

    desk: Desk
    process: Process
    stub: aggregation_pb2_grpc.AggregationServiceStub
    defects: list[str]

    async def ask(self, name: str = "rounds/r", timeout_s: float = 10.0) -> str:
        """Ask for a round."""
        request = pb2.GetRoundRequest(name=name)
        response = await self.stub.GetRound(request, timeout=timeout_s)
        return str(response.round.name)


def meet(
    work: Callable[[Net], Awaitable[None]],
    *,
    waits_s: float = 0.0,
    streams: int = 3,
    **conditions: float,
) -> Net:
    """Run `work` on a network of these conditions and return it."""
    met: list[Net] = []

    async def world(_: VirtualLoop) -> None:
        process, defects = Process("coordinator"), list[str]()
        desk = Desk(waits_s=waits_s, streams=streams)
        endpoint = Endpoint()
        endpoint.server = MemoryServer(
            [(SERVICE, desk)], process=process, defects=defects
        )
        channel = MemoryChannel(
            endpoint,
            caller=Identity(Role.NODE, "n1", "test"),
            link=Link(LinkConditions(**conditions), Random(1)),  # noqa: S311
        )
        stub = aggregation_pb2_grpc.AggregationServiceStub(channel.as_channel())
        net = Net(desk, process, stub, defects)
        met.append(net)
        await work(net)
        await asyncio.sleep(100.0)
        process.kill("over")
        await process.died()

    run_virtual(world, work_s=0.01)
    return met[0]


async def refusal(call: Awaitable[object]) -> type[FederationError] | None:
    """Return the class of the error that the call ends in; None for an answer."""
    try:
        await call
    except FederationError as error:
        return type(error)
    return None


def test_call_reaches_the_handler_as_its_caller_and_comes_back() -> None:
    """Names are those of connections, so the server must know whose call it is."""

    async def work(net: Net) -> None:
        assert await net.ask() == "rounds/r"

    assert meet(work).desk.begun == ["node/n1"]


def test_lost_request_is_never_carried_out() -> None:
    """A caller cannot tell it from a lost answer; the coordinator can."""

    async def work(net: Net) -> None:
        assert await refusal(net.ask()) is Unavailable

    assert meet(work, request_loss=1.0).desk.ended == []


def test_lost_answer_was_carried_out() -> None:
    """This is why every step must be safe to repeat."""

    async def work(net: Net) -> None:
        assert await refusal(net.ask()) is Unavailable

    assert meet(work, response_loss=1.0).desk.ended == ["rounds/r"]


def test_repeated_request_arrives_twice_and_is_answered_once() -> None:
    """A network that repeats itself must not make a round count twice."""

    async def work(net: Net) -> None:
        assert await net.ask() == "rounds/r"

    assert meet(work, duplicate=1.0).desk.ended == ["rounds/r", "rounds/r"]


@pytest.mark.parametrize(("hang_up", "ended"), [(1.0, 0), (0.0, 1)])
def test_caller_that_gives_up_may_or_may_not_stop_the_handler(
    hang_up: float, ended: int
) -> None:
    """The coordinator may learn of it at any await, or never."""

    async def work(net: Net) -> None:
        assert await refusal(net.ask(timeout_s=2.0)) is DeadlineExceeded

    assert len(meet(work, waits_s=5.0, hang_up=hang_up).desk.ended) == ended


def test_dead_coordinator_fails_the_calls_that_it_was_answering() -> None:
    """Nobody waits for a process that is gone."""

    async def work(net: Net) -> None:
        asking = asyncio.create_task(net.ask())
        await asyncio.sleep(1.0)
        net.process.kill("killed")
        assert await refusal(asking) is Unavailable
        assert await refusal(net.ask()) is Unavailable

    assert meet(work, waits_s=5.0).desk.ended == []


def test_stream_gives_its_messages_in_order_until_the_coordinator_dies() -> None:
    """A watcher must notice a death, and not wait for the next message for ever."""

    async def work(net: Net) -> None:
        call = net.stub.WatchRound(pb2.WatchRoundRequest(name="rounds/-"))
        names = [(await call.read()).round.name for _ in range(3)]
        assert names == ["0", "1", "2"]
        net.process.kill("killed")
        assert await refusal(call.read()) is Unavailable

    meet(work, waits_s=50.0)


def test_stream_that_ends_by_itself_ends_for_its_reader() -> None:
    """The reader gets gRPC's own mark of an end."""

    async def work(net: Net) -> None:
        call = net.stub.WatchRound(pb2.WatchRoundRequest(name="rounds/-"))
        for _ in range(3):
            await call.read()
        assert await call.read() is grpc.aio.EOF

    meet(work)


def test_broken_stream_is_unavailable() -> None:
    """Members watch again after a pause; one that holds gives its first message."""
    heard: list[type[FederationError] | None] = []

    async def work(net: Net) -> None:
        call = net.stub.WatchRound(pb2.WatchRoundRequest(name="rounds/-"))
        heard.append(await refusal(call.read()))

    meet(work, stream_break=1.0)
    meet(work, stream_break=0.0)

    assert heard == [Unavailable, None]


def test_stream_that_nobody_reads_makes_its_writer_wait() -> None:
    """A watcher that stands still must not fill the coordinator's memory."""

    async def work(net: Net) -> None:
        call = net.stub.WatchRound(pb2.WatchRoundRequest(name="rounds/-"))
        await call.read()
        await asyncio.sleep(10.0)
        assert len(net.desk.streamed) == UNREAD_MAX + 1
        for _ in range(STREAMED - 1):
            await call.read()
        assert len(net.desk.streamed) == STREAMED

    meet(work, streams=STREAMED)


def test_callers_are_admitted_as_the_interceptor_would() -> None:
    """A role that may not call, and a field that is missing, are refused alike."""

    async def work(net: Net) -> None:
        abort = pb2.AbortRoundRequest(name="rounds/r", cause="none")
        assert await refusal(net.stub.AbortRound(abort)) is RoleNotAllowed
        assert await refusal(net.ask("")) is FieldRequired

    assert meet(work).desk.begun == []


def test_exception_that_no_daemon_has_is_a_defect_of_the_run() -> None:
    """It would be an INTERNAL error and a line in a log; here it fails the run."""

    async def work(net: Net) -> None:
        assert await refusal(net.ask("rounds/broken")) is Internal

    (defect,) = meet(work).defects

    assert "no error of this system" in defect


@pytest.mark.parametrize(
    "conditions",
    [{"request_loss": 1.5}, {"duplicate": -0.1}, {"bytes_per_s": 0.0}],
)
def test_link_of_impossible_conditions_is_refused(
    conditions: dict[str, float],
) -> None:
    """A probability beyond 1 would silently mean always."""
    with pytest.raises(FieldInvalid):
        LinkConditions(**conditions)
