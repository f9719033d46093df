"""What operators read of a shard in one line."""

from federated_router.api.v1 import registry_pb2 as pb
from federated_router.cli.shards import shard_row


def test_row_names_model_layers_and_node() -> None:
    """Layers are shown as they are counted, the last one included."""
    offer = pb.ShardOffer(
        model="models/big",
        model_digest="0123456789" * 6 + "abcd",
        first_layer=12,
        end_layer=24,
        slots=8,
        context_tokens_max=4096,
        frame_tokens_max=512,
        token_ms=3.14159,
    )

    row = shard_row(pb.Shard(node="nodes/n7", address="n7:1", offer=offer))

    assert row == ("big", "12-23", "nodes/n7", "3.14", 8, 4096, "01234567")
