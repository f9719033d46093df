"""The peer of the router benchmark: a grpc.aio proxy that passes bytes, and no more.

Run as `python -m tests.bench.raw_proxy PKI ADDRESS NODE_ADDRESS NODE_ID`. It speaks
mTLS on both sides and knows no identity, no route, no limit, no log: a floor.
"""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import uvloop

from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import server_credentials
from federated_router.kit.identity import Role
from federated_router.kit.tls_files import TlsFiles
from tests.bench.answering_node import PINGS, SERVICE
from tests.bench.bench_identities import DOMAIN, Identities

PROXY_ID = "raw-proxy"


def handlers(channel: grpc.aio.Channel) -> grpc.GenericRpcHandler:
    """Return both methods, passed on."""
    upstream_complete = channel.unary_unary(f"/{SERVICE}/Complete")
    upstream_generate = channel.unary_stream(f"/{SERVICE}/Generate")

    async def complete(request: bytes, _: grpc.aio.ServicerContext) -> bytes:
        response: bytes = await upstream_complete(request)
        return response

    async def generate(
        request: bytes, _: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        async for event in upstream_generate(request):
            yield event

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Complete": grpc.unary_unary_rpc_method_handler(complete),
            "Generate": grpc.unary_stream_rpc_method_handler(generate),
        },
    )


async def serve(identities: Identities, address: str, node: str, node_id: str) -> None:
    """Serve for ever."""
    tls = identities.tls(Role.ROUTER, PROXY_ID)
    channel = Channels(tls, trust_domain=DOMAIN).open(
        node, role=Role.NODE, peer_id=node_id
    )
    server = grpc.aio.server(options=PINGS)
    server.add_generic_rpc_handlers((handlers(channel),))
    server.add_secure_port(address, server_credentials(TlsFiles(tls)))
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(Identities(Path(sys.argv[1])), *sys.argv[2:5]))
