"""The shards of a model as the router lists them, made values of the pipeline.

Decides what a listed shard means; refuses to know whether it can be reached.
"""

from collections.abc import AsyncIterator

from federated_router.api.v1 import registry_pb2 as pb
from federated_router.api.v1 import registry_pb2_grpc as pb_grpc
from federated_router.kit.grpc_client import translated_errors
from node.shards.layers import LayerRange
from node.shards.planning import ShardAt

PAGES_MAX = 10
_PAGE_SIZE = 1000


async def listed_shards(
    registry: pb_grpc.NodeRegistryServiceStub, model: str, *, timeout_s: float
) -> AsyncIterator[pb.Shard]:
    """Yield the shards of `models/NAME`; at most `PAGES_MAX` pages are read.

    Raises:
        FederationError: the router does not answer.
    """
    token = ""
    for _ in range(PAGES_MAX):
        request = pb.ListShardsRequest(
            model=model, page_size=_PAGE_SIZE, page_token=token
        )
        async with translated_errors():
            response = await registry.ListShards(request, timeout=timeout_s)
        for shard in response.shards:
            yield shard
        token = response.next_page_token
        if not token:
            return


def shard_at(shard: pb.Shard) -> ShardAt:
    """Return a listed shard as the planner takes it."""
    offer = shard.offer
    return ShardAt(
        node=shard.node,
        address=shard.address,
        layers=LayerRange(offer.first_layer, offer.end_layer),
        slots=offer.slots,
        context_tokens_max=offer.context_tokens_max,
        frame_tokens_max=offer.frame_tokens_max,
        token_ms=offer.token_ms,
    )


def is_same(found: pb.ShardOffer, listed: pb.ShardOffer) -> bool:
    """Return whether a node runs the layers that it is listed with."""
    return (found.model_digest, found.first_layer, found.end_layer) == (
        listed.model_digest,
        listed.first_layer,
        listed.end_layer,
    )
