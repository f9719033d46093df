"""A node whose every answer a test writes: the peer that no real node can be."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager
from typing import ClassVar

import grpc

from federated_router.api.v1 import (
    decoding_pb2,
    decoding_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc as pb_grpc
from federated_router.kit.config import ServerSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import Health, ServiceBinding, build_server
from federated_router.kit.identity import Role
from tests.support.fix_pki import DOMAIN, Pki

Events = AsyncGenerator[pb.GenerateResponse, None]
Script = Callable[[pb.Generation, grpc.aio.ServicerContext], Events]
OnGrant = Callable[[int], Awaitable[None]]
MODEL = "models/m"


def started(node: str = "nodes/n1") -> pb.GenerateResponse:
    """Return a first event."""
    return pb.GenerateResponse(started=pb.Started(node=node, model=MODEL))


def chunk(text: str = "a") -> pb.GenerateResponse:
    """Return one token's event."""
    return pb.GenerateResponse(chunk=pb.Chunk(text=text, token_ids=[1]))


def finished(tokens: int = 2) -> pb.GenerateResponse:
    """Return a last event."""
    return pb.GenerateResponse(
        finished=pb.Finished(
            reason=pb.FINISH_REASON_END, prompt_tokens=3, completion_tokens=tokens
        )
    )


class ScriptedNode(pb_grpc.InferenceServiceServicer):
    """Plays `script` for each call, and remembers who came and who was cancelled."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "Generate": frozenset({Role.ROUTER}),
        "Complete": frozenset({Role.ROUTER}),
        "ListModels": frozenset({Role.ROUTER}),
    }
    UNTIMED: ClassVar[frozenset[str]] = frozenset({"Complete"})

    def __init__(self, node_id: str) -> None:
        self.id = node_id
        self.name = f"nodes/{node_id}"
        self.requests: list[pb.Generation] = []
        self.cancelled = 0
        self.credit = ScriptedCredit()
        self.leave: Callable[[], Awaitable[object]]
        self.script: Script = self.answer

    async def answer(self, _: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        """Answer two tokens."""
        yield started(self.name)
        yield chunk("a")
        yield chunk("b")
        yield finished(2)

    async def Generate(  # noqa: N802 - named by the contract.
        self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> Events:
        """Play the script.

        A call that is cancelled while it waits for the script ends in CancelledError;
        one cancelled while gRPC writes is closed where it yields, by GeneratorExit.
        """
        self.requests.append(request.generation)
        try:
            async with aclosing(self.script(request.generation, context)) as events:
                async for event in events:
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    async def Complete(  # noqa: N802 - named by the contract.
        self, request: pb.CompleteRequest, context: grpc.aio.ServicerContext
    ) -> pb.CompleteResponse:
        """Play the script to its end."""
        self.requests.append(request.generation)
        whole = pb.CompleteResponse()
        async with aclosing(self.script(request.generation, context)) as events:
            async for event in events:
                if event.HasField("started"):
                    whole.started.CopyFrom(event.started)
                elif event.HasField("chunk"):
                    whole.text += event.chunk.text
                else:
                    whole.finished.CopyFrom(event.finished)
        return whole


class ScriptedCredit(decoding_pb2_grpc.PrivateDecodingServiceServicer):
    """Takes every grant for a scripted node, unless `on_grant` refuses it.

    `heard` are the calls, `taken` those that were answered.
    """

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "ExtendGrant": frozenset({Role.ROUTER})
    }

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.taken: list[int] = []
        self.on_grant: OnGrant | None = None

    @property
    def tokens(self) -> int:
        """Return the largest grant taken so far."""
        return max(self.taken, default=0)

    async def ExtendGrant(  # noqa: N802 - named by the contract.
        self, request: decoding_pb2.ExtendGrantRequest, _: grpc.aio.ServicerContext
    ) -> decoding_pb2.ExtendGrantResponse:
        """Remember the grant."""
        self.heard.append(request.tokens_granted)
        if self.on_grant is not None:
            await self.on_grant(request.tokens_granted)
        self.taken.append(request.tokens_granted)
        return decoding_pb2.ExtendGrantResponse(tokens_granted=self.tokens)


@asynccontextmanager
async def scripted_node(
    pki: Pki, node_id: str, router_address: str
) -> AsyncIterator[ScriptedNode]:
    """Serve a scripted node and register it; it renews no lease."""
    node, tls = ScriptedNode(node_id), pki.standing(Role.NODE, node_id)
    service = pb.DESCRIPTOR.services_by_name["InferenceService"]
    bound = build_server(
        settings=ServerSettings(),
        tls=tls,
        trust_domain=DOMAIN,
        bindings=[
            ServiceBinding(service, node),
            ServiceBinding(
                decoding_pb2.DESCRIPTOR.services_by_name["PrivateDecodingService"],
                node.credit,
            ),
        ],
        health_state=Health([]),
    )
    await bound.server.start()
    channel = Channels(tls, trust_domain=DOMAIN).open(router_address, role=Role.ROUTER)
    try:
        registry = registry_pb2_grpc.NodeRegistryServiceStub(channel)
        lease = await registry.RegisterNode(
            registry_pb2.RegisterNodeRequest(
                node=registry_pb2.Node(
                    name=node.name,
                    address=bound.address,
                    region="north",
                    models=[
                        registry_pb2.ModelOffer(
                            model=MODEL,
                            context_tokens_max=512,
                            private_support=pb.PRIVATE_SUPPORT_OFFERED,
                            slots=4,
                        )
                    ],
                )
            ),
            timeout=30,
        )
        farewell = registry_pb2.DeregisterNodeRequest(
            name=node.name, lease_id=lease.lease_id
        )
        node.leave = lambda: registry.DeregisterNode(farewell, timeout=30)
        yield node
    finally:
        await channel.close()
        await bound.server.stop(0)
