"""The node under a router benchmark: answers with bytes made beforehand.

Run as `python -m tests.bench.answering_node PKI ADDRESS NODE_ID [FIRST_MS TOKEN_MS]`.
It costs as little as a Python gRPC server over mTLS can, so that the router is what is
measured; without timing it answers at once.
"""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import uvloop

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.grpc_server import server_credentials
from federated_router.kit.identity import Role
from federated_router.kit.tls_files import TlsFiles
from tests.bench.bench_identities import Identities
from tests.bench.timing import Timing

SERVICE = "federated_router.api.v1.InferenceService"
MODEL = "models/bench"
TOKENS = 64
SHORT = 4
# As the product's servers: callers that are quiet for a while may say that they live.
PINGS = (
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)


def finished(tokens: int) -> pb.Finished:
    """Return the last event of an answer."""
    return pb.Finished(
        reason=pb.FINISH_REASON_END, prompt_tokens=12, completion_tokens=tokens
    )


def whole(node: str) -> bytes:
    """Return a short answer."""
    return pb.CompleteResponse(
        started=pb.Started(node=node, model=MODEL),
        text="a short answer.",
        finished=finished(SHORT),
    ).SerializeToString()


def events(node: str) -> list[bytes]:
    """Return a stream of as many chunks as tokens."""
    messages = [
        pb.GenerateResponse(started=pb.Started(node=node, model=MODEL)),
        *(
            pb.GenerateResponse(chunk=pb.Chunk(text=" word", token_ids=[index]))
            for index in range(TOKENS)
        ),
        pb.GenerateResponse(finished=finished(TOKENS)),
    ]
    return [message.SerializeToString() for message in messages]


def handlers(node: str, timing: Timing) -> grpc.GenericRpcHandler:
    """Return both methods, without any decoding."""
    answer, (started, *rest) = whole(node), events(node)
    tokens, end = rest[:-1], rest[-1]

    async def complete(_: bytes, __: grpc.aio.ServicerContext) -> bytes:
        await timing.first()
        return answer

    async def generate(_: bytes, __: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        yield started
        async for event in timing.paced(tokens):
            yield event
        yield end

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Complete": grpc.unary_unary_rpc_method_handler(complete),
            "Generate": grpc.unary_stream_rpc_method_handler(generate),
        },
    )


async def serve(
    identities: Identities, node_id: str, address: str, timing: Timing
) -> None:
    """Serve for ever."""
    server = grpc.aio.server(options=PINGS)
    server.add_generic_rpc_handlers((handlers(f"nodes/{node_id}", timing),))
    tls = identities.tls(Role.NODE, node_id)
    server.add_secure_port(address, server_credentials(TlsFiles(tls)))
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    pki, address, node_id, *milliseconds = sys.argv[1:]
    timing = Timing(*map(float, milliseconds))
    uvloop.run(serve(Identities(Path(pki)), node_id, address, timing))
