"""Nodes as a registry sees them: each holds its lease by the product's own agent.

Run as `python -m tests.bench.leases PKI ROUTER NODE_ADDRESS NODE_ID...`. All of them
name the address of the one server that answers for all.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from federated_router.api.v1 import inference_pb2
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from node.agent import Agent
from node.config import RegistrationSettings
from tests.bench.answering_node import MODEL
from tests.bench.bench_identities import DOMAIN, Identities

REGIONS = ("north", "south", "east", "west")
SLOTS = 800
"""Of all nodes together: no load waits for a place, however many nodes there are."""


def node_message(node_id: str, address: str, *, slots: int) -> pb.Node:
    """Return what a node offers."""
    offer = pb.ModelOffer(
        model=MODEL,
        context_tokens_max=4096,
        private_support=inference_pb2.PRIVATE_SUPPORT_OFFERED,
        slots=slots,
    )
    region = REGIONS[sum(node_id.encode()) % len(REGIONS)]
    return pb.Node(
        name=f"nodes/{node_id}", address=address, region=region, models=[offer]
    )


async def hold_all(
    identities: Identities, router: str, address: str, node_ids: Sequence[str]
) -> None:
    """Hold every node's lease until stopped."""
    slots = max(1, SLOTS // len(node_ids))
    async with asyncio.TaskGroup() as group:
        for node_id in node_ids:
            tls = identities.tls(Role.NODE, node_id)
            agent = Agent(
                channel=Channels(tls, trust_domain=DOMAIN).open(
                    router, role=Role.ROUTER
                ),
                settings=RegistrationSettings(router_address=router),
                node=node_message(node_id, address, slots=slots),
                load=pb.NodeLoad,
            )
            group.create_task(agent.run())


if __name__ == "__main__":
    uvloop.run(
        hold_all(Identities(Path(sys.argv[1])), sys.argv[2], sys.argv[3], sys.argv[4:])
    )
