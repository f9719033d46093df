"""What a node may say of itself: its own name, an address, offers that make sense."""

from collections.abc import Sequence
from typing import cast

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid, RoleNotAllowed
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.registry.model_offers import MODELS_MAX
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.registry.service import RegistryServicer, _checked_address

NOBODY = cast("grpc.aio.ServicerContext", None)


@pytest.fixture
def servicer() -> RegistryServicer:
    """Return the service over an empty registry."""
    clock = ManualClock(start_s=1000.0)
    return RegistryServicer(
        Registry(RegistrySettings(lease_s=6.0), clock), clock, in_flight=lambda _: 3
    )


def offer(model: str = "models/m", **changes: int) -> pb.ModelOffer:
    """Return a sound offer."""
    made = pb.ModelOffer(
        model=model,
        context_tokens_max=128,
        private_support=inference.PRIVATE_SUPPORT_OFFERED,
        slots=4,
        tier="standard",
    )
    for field, value in changes.items():
        setattr(made, field, value)
    return made


def request(
    *,
    name: str = "nodes/n1",
    address: str = "a:1",
    region: str = "north",
    models: Sequence[pb.ModelOffer] = (),
) -> pb.RegisterNodeRequest:
    """Return a registration."""
    node = pb.Node(
        name=name, address=address, region=region, models=models or [offer()]
    )
    return pb.RegisterNodeRequest(node=node)


def speak_as(node_id: str) -> None:
    """Be a node for the rest of the test."""
    set_current_identity(Identity(Role.NODE, node_id, "a.example"))


async def test_registered_node_is_shown_as_it_said(servicer: RegistryServicer) -> None:
    """And with what only the router knows: state, load, count, end of the lease."""
    speak_as("n1")
    granted = await servicer.RegisterNode(request(), NOBODY)

    response = await servicer.GetNode(pb.GetNodeRequest(name="nodes/n1"), NOBODY)

    node = response.node
    assert (node.name, node.address, node.region) == ("nodes/n1", "a:1", "north")
    assert list(node.models) == [offer()]
    assert (node.state, node.requests_in_flight) == (pb.Node.STATE_READY, 3)
    assert node.lease_expire_time.seconds == 1006
    assert (granted.lease_duration.seconds, bool(granted.lease_id)) == (6, True)


@pytest.mark.parametrize("name", ["nodes/n2", "nodes/n10", "nodes/n1.x"])
async def test_node_speaks_for_itself_only(
    servicer: RegistryServicer, name: str
) -> None:
    """A stolen name would get another node's private requests."""
    speak_as("n1")

    with pytest.raises(RoleNotAllowed):
        await servicer.RegisterNode(request(name=name), NOBODY)
    with pytest.raises(RoleNotAllowed):
        await servicer.RenewLease(pb.RenewLeaseRequest(name=name, lease_id="x"), NOBODY)
    with pytest.raises(RoleNotAllowed):
        await servicer.DeregisterNode(
            pb.DeregisterNodeRequest(name=name, lease_id="x"), NOBODY
        )


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (request(address="a"), "node.address"),
        (request(address=":1"), "node.address"),
        (request(address="a:0"), "node.address"),
        (request(address="a:65536"), "node.address"),
        (request(address="a:²"), "node.address"),
        (request(region="North Pole"), "node.region"),
        (request(models=[offer("m")]), "node.models[0].model"),
        (request(models=[offer(), offer()]), "node.models[1].model"),
        (request(models=[offer("models/auto")]), "node.models[0].model"),
        (request(models=[offer(slots=-1)]), "node.models[0].slots"),
        (
            request(models=[offer(context_tokens_max=-1)]),
            "node.models[0].context_tokens_max",
        ),
        (
            request(models=[offer(f"models/m{n}") for n in range(MODELS_MAX + 1)]),
            "node.models",
        ),
    ],
)
async def test_senseless_registration_names_its_field(
    servicer: RegistryServicer, bad: pb.RegisterNodeRequest, field: str
) -> None:
    """A bad node must not reach the routing tables, where nobody could tell why."""
    speak_as("n1")

    with pytest.raises(FieldInvalid) as raised:
        await servicer.RegisterNode(bad, NOBODY)

    assert raised.value.metadata["field"] == field


@given(address=st.text(max_size=12) | st.from_regex(r"[a-z.]*:\w{1,6}", fullmatch=True))
def test_any_address_is_taken_or_refused(address: str) -> None:
    """Unicode has digits that are no numbers; none may become an inner failure."""
    try:
        _checked_address(address)
    except FieldInvalid:
        return

    host, _, port = address.rpartition(":")
    assert host
    assert port.isascii()
    assert 0 < int(port) < 65536


async def test_pages_show_every_node_once(servicer: RegistryServicer) -> None:
    """Small pages put together are the list."""
    for number in range(7):
        speak_as(f"n{number}")
        await servicer.RegisterNode(request(name=f"nodes/n{number}"), NOBODY)

    seen, token = [], ""
    while not seen or token:
        page = await servicer.ListNodes(
            pb.ListNodesRequest(page_size=3, page_token=token), NOBODY
        )
        seen += [node.name for node in page.nodes]
        token = page.next_page_token

    assert seen == [f"nodes/n{number}" for number in range(7)]
