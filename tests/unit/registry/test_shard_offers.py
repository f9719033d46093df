"""What nodes may offer of models' layers, and what leaders of pipelines are shown."""

import random
from typing import cast

import grpc
import pytest

from federated_router.api.v1 import registry_pb2 as pb
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.registry.service import RegistryServicer
from federated_router.registry.shard_offers import LAYERS_MAX, SHARDS_MAX

NOBODY = cast("grpc.aio.ServicerContext", None)
DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def clock() -> ManualClock:
    """Return the registry's clock."""
    return ManualClock(start_s=1000.0)


@pytest.fixture
def servicer(clock: ManualClock) -> RegistryServicer:
    """Return the service over an empty registry."""
    registry = Registry(RegistrySettings(lease_s=6.0), clock)
    return RegistryServicer(registry, clock, in_flight=lambda _: 0)


def offer(model: str = "models/m", **changes: object) -> pb.ShardOffer:
    """Return a sound offer."""
    made = pb.ShardOffer(
        model=model,
        model_digest=DIGEST,
        first_layer=2,
        end_layer=4,
        slots=8,
        context_tokens_max=128,
        frame_tokens_max=64,
        token_ms=1.5,
    )
    for field, value in changes.items():
        setattr(made, field, value)
    return made


async def register(
    servicer: RegistryServicer, node: str, *offers: pb.ShardOffer, lease_id: str = ""
) -> str:
    """Register a node as itself; return its lease."""
    set_current_identity(Identity(Role.NODE, node, "a.example"))
    entry = pb.Node(
        name=f"nodes/{node}", address=f"{node}:1", region="north", shards=offers
    )
    response = await servicer.RegisterNode(
        pb.RegisterNodeRequest(node=entry, lease_id=lease_id), NOBODY
    )
    return response.lease_id


async def listed(servicer: RegistryServicer, model: str = "") -> list[pb.Shard]:
    """Return all shards, put together from small pages."""
    found: list[pb.Shard] = []
    token = ""
    while not found or token:
        page = await servicer.ListShards(
            pb.ListShardsRequest(model=model, page_size=2, page_token=token), NOBODY
        )
        found += page.shards
        token = page.next_page_token
        if not page.shards:
            break
    return found


async def test_shard_is_listed_as_it_was_offered(servicer: RegistryServicer) -> None:
    """With where it is; the node itself shows it too, and no model."""
    await register(servicer, "n1", offer())

    (shard,) = await listed(servicer)

    assert (shard.node, shard.address) == ("nodes/n1", "n1:1")
    assert shard.offer == offer()
    node = (await servicer.GetNode(pb.GetNodeRequest(name="nodes/n1"), NOBODY)).node
    assert list(node.shards) == [offer()]
    assert not node.models


async def test_shards_come_by_model_and_layer_each_once(
    servicer: RegistryServicer,
) -> None:
    """Whatever the order of registration and the size of pages."""
    rows = [
        (f"models/{model}", first, first + 2, f"n{at}")
        for at, (model, first) in enumerate(
            (model, first) for model in ("a", "b") for first in (0, 2, 10)
        )
    ]
    for model, first, end, node in random.sample(rows, len(rows)):
        await register(servicer, node, offer(model, first_layer=first, end_layer=end))

    found = [
        (one.offer.model, one.offer.first_layer, one.offer.end_layer, one.node)
        for one in await listed(servicer)
    ]
    assert found == [(model, a, b, f"nodes/{node}") for model, a, b, node in rows]
    only = await listed(servicer, "models/b")
    assert {one.offer.model for one in only} == {"models/b"}
    assert len(only) == 3


async def test_draining_and_lapsed_nodes_are_not_listed(
    servicer: RegistryServicer, clock: ManualClock
) -> None:
    """A pipeline must not begin where it could not end."""
    await register(servicer, "n1", offer())
    await register(servicer, "n2", offer())

    await servicer.DrainNode(pb.DrainNodeRequest(name="nodes/n1"), NOBODY)
    assert [one.node for one in await listed(servicer)] == ["nodes/n2"]

    await clock.advance(7.0)
    assert await listed(servicer) == []


async def test_draining_node_that_changes_its_offers_drains_on(
    servicer: RegistryServicer,
) -> None:
    """Only a process that knows no lease begins anew."""
    lease = await register(servicer, "n1", offer())
    await servicer.DrainNode(pb.DrainNodeRequest(name="nodes/n1"), NOBODY)

    await register(servicer, "n1", offer("models/other"), lease_id=lease)
    assert await listed(servicer) == []

    await register(servicer, "n1", offer())
    assert len(await listed(servicer)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": "m"}, "model"),
        ({"model": "models/auto"}, "model"),
        ({"model_digest": ""}, "model_digest"),
        ({"model_digest": DIGEST.upper()}, "model_digest"),
        ({"model_digest": DIGEST + "0"}, "model_digest"),
        ({"first_layer": -1}, "first_layer"),
        ({"first_layer": LAYERS_MAX}, "first_layer"),
        ({"end_layer": 2}, "end_layer"),
        ({"end_layer": LAYERS_MAX + 1}, "end_layer"),
        ({"slots": 0}, "slots"),
        ({"context_tokens_max": -1}, "context_tokens_max"),
        ({"frame_tokens_max": 0}, "frame_tokens_max"),
        ({"token_ms": -0.1}, "token_ms"),
        ({"token_ms": float("nan")}, "token_ms"),
        ({"token_ms": float("inf")}, "token_ms"),
    ],
)
async def test_senseless_offer_names_its_field(
    servicer: RegistryServicer, changes: dict[str, object], field: str
) -> None:
    """No leader must ever have to plan with it."""
    with pytest.raises(FieldInvalid) as refused:
        await register(servicer, "n1", offer("models/other"), offer(**changes))  # type: ignore[arg-type]

    assert refused.value.metadata["field"] == f"node.shards[1].{field}"


async def test_one_range_of_a_model_and_not_too_many_shards(
    servicer: RegistryServicer,
) -> None:
    """A sequence names the model, not the range; and the entry's size is bounded."""
    with pytest.raises(FieldInvalid) as twice:
        await register(servicer, "n1", offer(), offer(first_layer=0, end_layer=1))
    with pytest.raises(FieldInvalid) as many:
        await register(
            servicer, "n1", *(offer(f"models/m{n}") for n in range(SHARDS_MAX + 1))
        )

    assert twice.value.metadata["field"] == "node.shards[1].model"
    assert many.value.metadata["field"] == "node.shards"


async def test_node_that_offers_nothing_is_refused(servicer: RegistryServicer) -> None:
    """It could only be a mistake."""
    with pytest.raises(FieldInvalid) as refused:
        await register(servicer, "n1")

    assert refused.value.metadata["field"] == "node.models"


async def test_foreign_page_token_or_model_is_refused_or_empty(
    servicer: RegistryServicer,
) -> None:
    """Nothing a caller sends may fail inside."""
    await register(servicer, "n1", offer())

    with pytest.raises(FieldInvalid):
        await servicer.ListShards(pb.ListShardsRequest(model="m"), NOBODY)
    with pytest.raises(FieldInvalid):
        await servicer.ListShards(pb.ListShardsRequest(page_size=-1), NOBODY)
    assert await listed(servicer, "models/unknown") == []
