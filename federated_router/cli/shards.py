"""`node shards`: which layers of which models run where."""

from google.protobuf.json_format import MessageToDict

from federated_router.api.v1 import registry_pb2 as pb
from federated_router.api.v1 import registry_pb2_grpc as pb_grpc
from federated_router.cli.screen import print_json, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.identity import Role

_DIGITS = 8


def list_shards(
    federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False
) -> None:
    """List the shards of models that are split over several nodes."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.NodeRegistryServiceStub(channel).ListShards(
            pb.ListShardsRequest(page_size=1000), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_json(MessageToDict(response))
        return
    table(
        ("model", "layers", "node", "ms/token", "slots", "context", "digest"),
        [shard_row(shard) for shard in response.shards],
    )


def shard_row(shard: pb.Shard) -> tuple[object, ...]:
    """Return one shard as a row of a table."""
    offer = shard.offer
    first, last = offer.first_layer, offer.end_layer - 1
    return (
        offer.model.removeprefix("models/"),
        str(first) if first == last else f"{first}-{last}",
        shard.node,
        f"{offer.token_ms:.2f}",
        offer.slots,
        offer.context_tokens_max,
        offer.model_digest[:_DIGITS],
    )
