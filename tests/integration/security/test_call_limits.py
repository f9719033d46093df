"""A limit on everything that comes in, and a test that reaches each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.app import build
from federated_router.kit.config import ServerSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role, dns_name
from federated_router.registry.registry import RegistrySettings
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.fix_router import generation, router_settings
from tests.support.raw_calls import Answer, call, method, unchecked_channel
from tests.support.running import running
from tests.support.scripted_node import Events, scripted_node, started

COMPLETE = method("InferenceService", "Complete")
LIST = method("InferenceService", "ListModels")
MESSAGE_BYTES_MAX = 64 * 1024


@asynccontextmanager
async def limited(
    pki: Pki, directory: Path, server: ServerSettings
) -> AsyncIterator[str]:
    """Run a router with other limits; give its address."""
    settings = router_settings(pki, directory).model_copy(update={"server": server})
    async with running(await build(settings)) as daemon:
        yield daemon.address


async def test_calls_beyond_the_limit_are_refused_at_once(
    pki: Pki, tmp_path: Path
) -> None:
    """A flood must not queue without bound; who is inside is served on."""
    server = ServerSettings(calls_max=2, stop_grace_s=0)
    client = Channels(pki.tls(Role.CLIENT, "alice"), trust_domain=DOMAIN)
    release = asyncio.Event()

    async def wait(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        await release.wait()

    async with (
        limited(pki, tmp_path, server) as address,
        scripted_node(pki, "n1", address) as node,
        client.open(address, role=Role.ROUTER) as channel,
    ):
        node.script = wait
        request = pb.CompleteRequest(generation=generation())
        inside = [
            asyncio.create_task(call(channel, COMPLETE, request)) for _ in range(2)
        ]
        async with asyncio.timeout(30):
            while len(node.requests) < 2:
                await asyncio.sleep(0.01)
        refused = await call(channel, LIST)
        release.set()
        await asyncio.gather(*inside)
        again = await call(channel, LIST)

    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert again == Answer(grpc.StatusCode.OK)


async def test_message_beyond_the_limit_is_refused(pki: Pki, tmp_path: Path) -> None:
    """Before it is read, so that its size costs nothing."""
    server = ServerSettings(message_bytes_max=MESSAGE_BYTES_MAX, stop_grace_s=0)
    tls = pki.tls(Role.CLIENT, "alice")
    credentials = grpc.ssl_channel_credentials(
        tls.authority.read_bytes(),
        tls.private_key.read_bytes(),
        tls.certificate.read_bytes(),
    )

    def request(size: int) -> pb.CompleteRequest:
        content = pb.Message(role=pb.ROLE_USER, content="x" * size)
        return pb.CompleteRequest(
            generation=pb.Generation(
                request_id="r", model="models/m", messages=[content]
            )
        )

    async with (
        limited(pki, tmp_path, server) as address,
        unchecked_channel(
            address, credentials, server_name=dns_name(DOMAIN, Role.ROUTER)
        ) as channel,
    ):
        over = await call(channel, COMPLETE, request(MESSAGE_BYTES_MAX))
        under = await call(channel, COMPLETE, request(MESSAGE_BYTES_MAX - 1024))

    assert over == Answer(grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert under.reason == "PROMPT_TOO_LONG"


async def test_registry_full_of_nodes_refuses_the_next(
    pki: Pki, tmp_path: Path
) -> None:
    """A limit on nodes keeps routing tables bounded."""
    settings = router_settings(pki, tmp_path).model_copy(
        update={"registry": RegistrySettings(nodes_max=1)}
    )
    async with (
        running(await build(settings)) as daemon,
        scripted_node(pki, "n1", daemon.address),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            async with scripted_node(pki, "n2", daemon.address):
                pass

    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
