"""NodeRegistryService: between the contract and the registry."""

from collections.abc import Callable, Mapping
from typing import ClassVar, cast

import grpc

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.api.v1 import registry_pb2_grpc as pb_grpc
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FieldInvalid, RoleNotAllowed
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.names import check_id, resource_id
from federated_router.kit.pages import page_of
from federated_router.registry.membership import Load, Member, NodeState
from federated_router.registry.model_offers import (
    offer_messages,
    offers_of,
    weight_of,
)
from federated_router.registry.registry import Registry
from federated_router.registry.shard_offers import (
    page_of_shards,
    shard_messages,
    shards_of,
)

_NODE = frozenset({Role.NODE})
_READERS = frozenset({Role.CLIENT, Role.OPERATOR})
_STATES = {
    NodeState.READY: pb.Node.STATE_READY,
    NodeState.DRAINING: pb.Node.STATE_DRAINING,
}


TrustedWith = Callable[[str], int]
"""Says with how personal requests a node is trusted, a number of `Sensitivity`."""


def _nothing_said(_: str) -> int:
    return inference.SENSITIVITY_UNSPECIFIED


class RegistryServicer(pb_grpc.NodeRegistryServiceServicer):
    """Serves nodes and those who look at them.

    `in_flight` and `trusted_with` say of `nodes/ID` what only the router knows.
    """

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "RegisterNode": _NODE,
        "RenewLease": _NODE,
        "DeregisterNode": _NODE,
        "GetNode": _READERS,
        "ListNodes": _READERS,
        "ListShards": frozenset({Role.NODE, Role.OPERATOR}),
        "DrainNode": frozenset({Role.OPERATOR}),
    }
    ROUTINE: ClassVar[frozenset[str]] = frozenset({"RenewLease"})

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        in_flight: Callable[[str], int],
        *,
        trusted_with: TrustedWith = _nothing_said,
        user_epoch: str = "",
    ) -> None:
        self._trusted_with = trusted_with
        self._user_epoch = user_epoch
        self._registry = registry
        self._clock = clock
        self._in_flight = in_flight

    async def RegisterNode(
        self, request: pb.RegisterNodeRequest, _: grpc.aio.ServicerContext
    ) -> pb.RegisterNodeResponse:
        """Grant the calling node a lease."""
        node = request.node
        _check_own(node.name)
        if not node.models and not node.shards:
            raise FieldInvalid("Offer a model or a shard.", field="node.models")
        member = self._registry.register(
            name=node.name,
            address=_checked_address(node.address),
            region=_checked_region(node.region),
            offers=offers_of(node),
            weight=weight_of(node),
            shards=shards_of(node),
            held_lease_id=request.lease_id,
        )
        response = pb.RegisterNodeResponse(
            lease_id=member.lease_id, user_epoch=self._user_epoch
        )
        response.lease_duration.FromMilliseconds(int(self._registry.lease_s * 1000))
        return response

    async def RenewLease(
        self, request: pb.RenewLeaseRequest, _: grpc.aio.ServicerContext
    ) -> pb.RenewLeaseResponse:
        """Extend the calling node's lease."""
        _check_own(request.name)
        load = Load(
            running=request.load.requests_running,
            waiting=request.load.requests_waiting,
        )
        self._registry.renew(request.name, request.lease_id, load)
        response = pb.RenewLeaseResponse()
        response.lease_duration.FromMilliseconds(int(self._registry.lease_s * 1000))
        return response

    async def DeregisterNode(
        self, request: pb.DeregisterNodeRequest, _: grpc.aio.ServicerContext
    ) -> pb.DeregisterNodeResponse:
        """End the calling node's lease."""
        _check_own(request.name)
        self._registry.deregister(request.name, request.lease_id)
        return pb.DeregisterNodeResponse()

    async def GetNode(
        self, request: pb.GetNodeRequest, _: grpc.aio.ServicerContext
    ) -> pb.GetNodeResponse:
        """Return one node."""
        resource_id(request.name, "nodes")
        member = self._registry.present().member(request.name)
        return pb.GetNodeResponse(node=self._node(member))

    async def ListNodes(
        self, request: pb.ListNodesRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListNodesResponse:
        """Return a page of nodes."""
        page, token = page_of(
            list(self._registry.present()),
            lambda member: member.name,
            size=request.page_size,
            token=request.page_token,
        )
        nodes = [self._node(member) for member in page]
        return pb.ListNodesResponse(nodes=nodes, next_page_token=token)

    async def ListShards(
        self, request: pb.ListShardsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListShardsResponse:
        """Return a page of the shards that pipelines may use."""
        if request.model:
            resource_id(request.model, "models", field="model")
        shards, token = page_of_shards(
            self._registry.present(),
            model=request.model,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListShardsResponse(shards=shards, next_page_token=token)

    async def DrainNode(
        self, request: pb.DrainNodeRequest, _: grpc.aio.ServicerContext
    ) -> pb.DrainNodeResponse:
        """Send a node no new work."""
        resource_id(request.name, "nodes")
        return pb.DrainNodeResponse(node=self._node(self._registry.drain(request.name)))

    def _node(self, member: Member) -> pb.Node:
        node = pb.Node(
            name=member.name,
            address=member.address,
            region=member.region,
            models=offer_messages(member.offers),
            shards=shard_messages(member.shards),
            state=_STATES[member.state],
            load=pb.NodeLoad(
                requests_running=member.load.running,
                requests_waiting=member.load.waiting,
            ),
            requests_in_flight=self._in_flight(member.name),
            weight=member.weight,
            trusted_with=cast("inference.Sensitivity", self._trusted_with(member.name)),
        )
        expires_s = self._clock.now_s() + self._registry.lease_remaining_s(member)
        node.lease_expire_time.FromMilliseconds(int(expires_s * 1000))
        return node


def _check_own(name: str) -> None:
    if resource_id(name, "nodes") != current_identity().id:
        raise RoleNotAllowed(
            "A node speaks for itself only: the name must be the certificate's.",
            metadata={"name": name},
        )


def _checked_address(address: str) -> str:
    host, _, port = address.rpartition(":")
    is_number = port.isascii() and port.isdigit()
    if not host or not is_number or not 0 < int(port) < 65536:  # noqa: PLR2004 - ports.
        raise FieldInvalid("Expected 'host:port'.", field="node.address")
    return address


def _checked_region(region: str) -> str:
    check_id(region, field="node.region")
    return region
