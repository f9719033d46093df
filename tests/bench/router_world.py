"""The processes of the router benchmark: node, leases, router, and the peer.

Router and peer have the first processor, everything else the last one. The router is
the product as it is configured for production: logs to a file, metrics served, a
ledger opened, and as many leases renewed as there are nodes.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from federated_router.api.v1 import registry_pb2, registry_pb2_grpc
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from tests.bench.bench_identities import DOMAIN, Identities
from tests.bench.pinning import cores, pin, process
from tests.bench.raw_proxy import PROXY_ID
from tests.bench.timing import Timing

NODES = 100
NODE_IDS = tuple(f"node-{number:03d}" for number in range(1, NODES + 1))
START_TIMEOUT_S = 60.0
AT_ONCE = Timing()


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers calls; `process` is what is charged with their cost."""

    name: str
    channel: grpc.aio.Channel
    process: psutil.Process

    def cpu_s(self) -> float:
        """Return the processor seconds that the process has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class RouterWorld:
    """The three ways to an answer."""

    direct: Target
    routed: Target
    peer: Target

    @property
    def targets(self) -> tuple[Target, ...]:
        """Return them in the order in which they take turns."""
        return (self.direct, self.routed, self.peer)


@asynccontextmanager
async def router_world(
    folder: Path, timing: Timing = AT_ONCE, *, nodes: int = NODES
) -> AsyncIterator[RouterWorld]:
    """Start everything, and yield once every one of so many nodes is registered."""
    node_ids = NODE_IDS[:nodes]
    identities = _identities(folder / "pki", node_ids)
    node, router, peer, metrics = addresses(4)
    configuration = folder / "router.toml"
    configuration.write_text(_router_toml(identities, folder, router, metrics))
    ours, theirs = two_cores()
    pki = str(identities.folder)
    commands = {
        "node": (
            *("tests.bench.answering_node", pki, node, NODE_IDS[0]),
            *(str(timing.first_ms), str(timing.token_ms)),
        ),
        "router": ("federated_router", "--config", str(configuration)),
        "peer": ("tests.bench.raw_proxy", pki, peer, node, NODE_IDS[0]),
        "leases": ("tests.bench.leases", pki, router, node, *node_ids),
    }
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(
                process(
                    (sys.executable, "-m", *command),
                    log=folder / f"{name}.log",
                    core=ours if name in {"router", "peer"} else theirs,
                )
            )
            for name, command in commands.items()
        }
        pin(theirs)
        channels = Channels(identities.tls(Role.CLIENT, "load"), trust_domain=DOMAIN)
        world = RouterWorld(
            *(
                Target(
                    name,
                    channels.open(address, role=role),
                    psutil.Process(running[of].pid),
                )
                for name, address, role, of in (
                    ("direct", node, Role.NODE, "node"),
                    ("router", router, Role.ROUTER, "router"),
                    ("peer.raw_proxy", peer, Role.ROUTER, "peer"),
                )
            )
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await _all_registered(world.routed.channel, nodes)
                for target in world.targets:
                    await target.channel.channel_ready()
            yield world
        finally:
            for target in world.targets:
                await target.channel.close()


def _identities(folder: Path, node_ids: Sequence[str]) -> Identities:
    identities = Identities(folder)
    identities.issue_nodes(node_ids)
    identities.issue(Role.ROUTER, "router")
    identities.issue(Role.ROUTER, PROXY_ID)
    identities.issue(Role.CLIENT, "load")
    return identities


def _router_toml(
    identities: Identities, folder: Path, address: str, metrics: str
) -> str:
    tls = identities.tls(Role.ROUTER, "router")
    return f"""\
[tls]
certificate = "{tls.certificate}"
private_key = "{tls.private_key}"
authority = "{tls.authority}"

[server]
address = "{address}"
stop_grace_s = 1.0

[metrics]
address = "{metrics}"

[budget]
url = "sqlite+aiosqlite:///{folder.resolve() / "ledger.sqlite"}"
"""


def two_cores() -> tuple[int | None, int | None]:
    """Return the processor of the routers and that of the rest."""
    available = cores()
    return (available[0], available[-1]) if len(available) > 1 else (None, None)


def addresses(count: int) -> list[str]:
    """Return so many addresses that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    finally:
        for one in sockets:
            one.close()


async def _all_registered(channel: grpc.aio.Channel, nodes: int) -> None:
    stub = registry_pb2_grpc.NodeRegistryServiceStub(channel)
    while True:
        listed = await stub.ListNodes(
            registry_pb2.ListNodesRequest(page_size=nodes),
            timeout=START_TIMEOUT_S,
            wait_for_ready=True,
        )
        if len(listed.nodes) == nodes:
            return
        await asyncio.sleep(0.1)
