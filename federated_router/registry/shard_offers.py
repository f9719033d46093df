"""Shards between contract and membership: what a node may offer, what is listed.

Decides which offers of layers make sense and in which order they are shown. Refuses to
know who may ask, and which chain of shards a pipeline takes: its leader decides that.
"""

import math
import re
from collections.abc import Collection, Iterable, Sequence

from federated_router.api.v1 import registry_pb2 as pb
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.names import resource_id
from federated_router.kit.pages import page_of
from federated_router.registry.membership import AUTO, Member, NodeState, Shard

SHARDS_MAX = 64
LAYERS_MAX = 10_000
TOKEN_MS_MAX = 3_600_000.0
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COUNTS = ("slots", "context_tokens_max", "frame_tokens_max")


def shards_of(node: pb.Node) -> list[Shard]:
    """Return the shards that a node offers; raise FieldInvalid, naming the field."""
    if len(node.shards) > SHARDS_MAX:
        raise FieldInvalid(f"At most {SHARDS_MAX} shards.", field="node.shards")
    taken: set[str] = set()
    for index, offer in enumerate(node.shards):
        _check(offer, f"node.shards[{index}]", taken)
        taken.add(offer.model)
    return [
        Shard(
            model=offer.model,
            digest=offer.model_digest,
            first_layer=offer.first_layer,
            end_layer=offer.end_layer,
            slots=offer.slots,
            context_tokens_max=offer.context_tokens_max,
            frame_tokens_max=offer.frame_tokens_max,
            token_ms=offer.token_ms,
        )
        for offer in node.shards
    ]


def _check(offer: pb.ShardOffer, path: str, taken: Collection[str]) -> None:
    resource_id(offer.model, "models", field=f"{path}.model")
    if offer.model == AUTO or offer.model in taken:
        raise FieldInvalid(
            f"Offer one range of each model, and none of '{AUTO}'.",
            field=f"{path}.model",
        )
    if _DIGEST.fullmatch(offer.model_digest) is None:
        raise FieldInvalid(
            "Expected SHA-256 in 64 hexadecimal digits.", field=f"{path}.model_digest"
        )
    if not 0 <= offer.first_layer < LAYERS_MAX:
        raise FieldInvalid(f"Use 0 to {LAYERS_MAX - 1}.", field=f"{path}.first_layer")
    if not offer.first_layer < offer.end_layer <= LAYERS_MAX:
        raise FieldInvalid(
            "Name one layer after the last, behind the first.",
            field=f"{path}.end_layer",
        )
    for name in _COUNTS:
        if getattr(offer, name) < 1:
            raise FieldInvalid("Use 1 or more.", field=f"{path}.{name}")
    if not (math.isfinite(offer.token_ms) and 0 <= offer.token_ms <= TOKEN_MS_MAX):
        raise FieldInvalid(
            f"Use 0 to {TOKEN_MS_MAX:.0f} milliseconds.", field=f"{path}.token_ms"
        )


def page_of_shards(
    members: Iterable[Member], *, model: str, size: int, token: str
) -> tuple[list[pb.Shard], str]:
    """Return a page of the shards of `model`, or of all, and the next page's token.

    Nodes that drain are left out: nothing new may begin there.
    """
    found = [
        (member, shard)
        for member in members
        if member.state is NodeState.READY
        for shard in member.shards
        if model in ("", shard.model)
    ]
    page, next_token = page_of(sorted(found, key=_key), _key, size=size, token=token)
    return [_listed(member, shard) for member, shard in page], next_token


def _key(found: tuple[Member, Shard]) -> str:
    member, shard = found
    return f"{shard.model}/{shard.first_layer:06d}/{shard.end_layer:06d}/{member.name}"


def _listed(member: Member, shard: Shard) -> pb.Shard:
    return pb.Shard(
        node=member.name, address=member.address, offer=_offer_message(shard)
    )


def shard_messages(shards: Sequence[Shard]) -> list[pb.ShardOffer]:
    """Return shards as their node offered them."""
    return [_offer_message(shard) for shard in shards]


def _offer_message(shard: Shard) -> pb.ShardOffer:
    return pb.ShardOffer(
        model=shard.model,
        model_digest=shard.digest,
        first_layer=shard.first_layer,
        end_layer=shard.end_layer,
        slots=shard.slots,
        context_tokens_max=shard.context_tokens_max,
        frame_tokens_max=shard.frame_tokens_max,
        token_ms=shard.token_ms,
    )
