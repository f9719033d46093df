"""Nodes that are dead but registered, or not there yet: what requests do meanwhile."""

import asyncio
import socket
import time
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import registry_pb2, registry_pb2_grpc
from federated_router.kit import errors
from federated_router.kit.grpc_client import Channels, translated_errors
from federated_router.kit.identity import Role
from federated_router.proxy.connections import NodeConnections, NodeUnreachable
from federated_router.registry.membership import NodeState
from federated_router.routing.candidate import Candidate
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.fix_router import RouterSetting, generation, private, router_in
from tests.support.scripted_node import MODEL

PATIENT = {"node_waits": {"longest_s": 20.0}}
PATIENCE_S = 30.0


def closed_port() -> str:
    """Return an address that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return f"127.0.0.1:{one.getsockname()[1]}"


def at(address: str) -> Candidate:
    """Return a node that is said to be there."""
    return Candidate(
        node="nodes/n1",
        address=address,
        model=MODEL,
        region="north",
        state=NodeState.READY,
        private=True,
        context_tokens_max=512,
        slots=4,
        in_flight=0,
    )


async def register_dead(router: RouterSetting, node_id: str) -> None:
    """Register a node whose process is not there any more."""
    stub = registry_pb2_grpc.NodeRegistryServiceStub(
        await router.channel(Role.NODE, node_id)
    )
    offer = registry_pb2.ModelOffer(
        model=MODEL,
        context_tokens_max=512,
        private_support=pb.PRIVATE_SUPPORT_OFFERED,
        slots=4,
    )
    node = registry_pb2.Node(
        name=f"nodes/{node_id}", address=closed_port(), region="north", models=[offer]
    )
    await stub.RegisterNode(registry_pb2.RegisterNodeRequest(node=node), timeout=5)


async def complete(router: RouterSetting, asked: pb.Generation) -> pb.CompleteResponse:
    """Return a whole answer, errors translated."""
    stub = await router.inference()
    async with translated_errors():
        response: pb.CompleteResponse = await stub.Complete(
            pb.CompleteRequest(generation=asked), timeout=PATIENCE_S
        )
    return response


async def test_refused_connection_is_known_at_once(pki: Pki) -> None:
    """Nobody waits out the time for a process that is not there; nor the next."""
    channels = Channels(pki.tls(Role.ROUTER, "r1"), trust_domain=DOMAIN)
    dead = at(closed_port())
    async with NodeConnections(channels, connect_timeout_s=PATIENCE_S) as connections:
        begin_s = time.monotonic()
        for _ in range(3):
            with pytest.raises(NodeUnreachable):
                await connections.connected(dead)
        took_s = time.monotonic() - begin_s

    assert took_s < PATIENCE_S / 3


async def test_address_that_says_nothing_is_given_up_in_time(pki: Pki) -> None:
    """It neither refuses nor accepts: only the time limit tells."""
    channels = Channels(pki.tls(Role.ROUTER, "r1"), trust_domain=DOMAIN)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        async with NodeConnections(channels, connect_timeout_s=0.3) as connections:
            begin_s = time.monotonic()
            with pytest.raises(NodeUnreachable):
                await connections.connected(at(address))

    assert time.monotonic() - begin_s >= 0.3


async def test_node_that_listens_again_is_reached_at_once(pki: Pki) -> None:
    """A channel pauses after a refusal; a request does not stand in that pause."""
    node_address = closed_port()
    channels = Channels(pki.tls(Role.ROUTER, "r1"), trust_domain=DOMAIN)
    async with NodeConnections(channels, connect_timeout_s=5.0) as connections:
        for _ in range(4):
            with pytest.raises(NodeUnreachable):
                await connections.connected(at(node_address))
        port = int(node_address.rpartition(":")[2])
        dialled = asyncio.Event()

        def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialled.set()
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", port):
            with pytest.raises(NodeUnreachable):
                await connections.connected(at(node_address))

    assert dialled.is_set()


@pytest.mark.parametrize("whole", [True, False])
async def test_dead_nodes_are_passed_over_beyond_the_number_of_attempts(
    pki: Pki,
    tmp_path: Path,
    whole: bool,  # noqa: FBT001 - a parameter of the test.
) -> None:
    """Four dead nodes of five, one attempt and no retries: the fifth answers."""
    proxy = {"attempts_max": 1, "retries": {"share": 0.0, "per_second": 0.0}}
    async with router_in(pki, tmp_path, proxy=proxy) as router:
        for number in range(4):
            await register_dead(router, f"dead{number}")
        alive = await router.node("alive")
        stub = await router.inference()
        for number in range(8):
            asked = generation(f"r-{number}")
            if whole:
                response = await complete(router, asked)
                assert response.started.node == alive.name
            else:
                request = pb.GenerateRequest(generation=asked)
                events = [one async for one in stub.Generate(request, timeout=20)]
                assert events[-1].HasField("finished")

    assert len(alive.requests) == 8


@pytest.mark.parametrize("secret", [True, False])
async def test_request_waits_for_a_node_to_come(
    pki: Pki,
    tmp_path: Path,
    secret: bool,  # noqa: FBT001 - a parameter of the test.
) -> None:
    """A private one too: nothing of it is held or sent anywhere before."""
    async with router_in(pki, tmp_path, proxy=PATIENT) as router:
        await router.open_dataset()
        await register_dead(router, "dead")
        asked = private() if secret else generation()
        waiting = asyncio.create_task(complete(router, asked))
        await asyncio.sleep(0.5)
        held_meanwhile = (await router.account()).held_units
        assert not waiting.done()
        node = await router.node("n1")
        response = await waiting

    assert response.started.node == node.name
    assert held_meanwhile == 0


async def test_private_request_is_sent_to_one_node_however_long_it_waited(
    pki: Pki, tmp_path: Path
) -> None:
    """Waiting is before it is sent; once sent, a loss is a loss."""

    async def die(_: pb.Generation, context: grpc.aio.ServicerContext) -> object:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")
        yield

    async with router_in(pki, tmp_path, proxy=PATIENT) as router:
        await router.open_dataset()
        nodes = [await router.node("n1"), await router.node("n2")]
        for node in nodes:
            node.script = die  # type: ignore[assignment] # it never yields an event.
        with pytest.raises(errors.NodeLost):
            await complete(router, private())

    assert sum(len(node.requests) for node in nodes) == 1
