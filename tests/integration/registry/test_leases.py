"""Leases on a real router whose clock the test moves: who is listed, and until when."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.api.v1 import registry_pb2_grpc as pb_grpc
from federated_router.app import build
from federated_router.kit import errors
from federated_router.kit.clock import ManualClock
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from federated_router.registry.registry import RegistrySettings
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, generation, router_settings
from tests.support.running import running

LEASE_S = 6.0


@pytest.fixture
def clock() -> ManualClock:
    """Return time that the test moves."""
    return ManualClock()


@pytest.fixture
async def timed(
    pki: Pki, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[RouterSetting]:
    """Run a router on the test's clock."""
    settings = router_settings(pki, tmp_path).model_copy(
        update={"registry": RegistrySettings(lease_s=LEASE_S, pause_s_max=0.0)}
    )
    daemon = await build(settings, clock)
    async with running(daemon), AsyncExitStack() as stack:
        yield RouterSetting(pki, daemon.address, stack)


class Node:
    """A node that only registers, renews and leaves, when the test says so."""

    def __init__(self, stub: pb_grpc.NodeRegistryServiceStub, name: str) -> None:
        self._stub = stub
        self.name = name
        self.lease_id = ""

    async def register(self, name: str = "", region: str = "north") -> float:
        """Register; return the lease in seconds."""
        offer = pb.ModelOffer(
            model="models/m",
            context_tokens_max=64,
            private_support=inference.PRIVATE_SUPPORT_REFUSED,
            slots=1,
        )
        node = pb.Node(
            name=name or self.name, address="a:1", region=region, models=[offer]
        )
        async with translated_errors():
            response = await self._stub.RegisterNode(
                pb.RegisterNodeRequest(node=node), timeout=30
            )
        self.lease_id = response.lease_id
        return float(response.lease_duration.ToTimedelta().total_seconds())

    async def renew(self, lease_id: str = "") -> None:
        """Say that it is alive."""
        async with translated_errors():
            await self._stub.RenewLease(
                pb.RenewLeaseRequest(
                    name=self.name,
                    lease_id=lease_id or self.lease_id,
                    load=pb.NodeLoad(requests_running=2, requests_waiting=1),
                ),
                timeout=30,
            )

    async def leave(self, lease_id: str = "") -> None:
        """End the lease."""
        async with translated_errors():
            await self._stub.DeregisterNode(
                pb.DeregisterNodeRequest(
                    name=self.name, lease_id=lease_id or self.lease_id
                ),
                timeout=30,
            )


async def node_of(router: RouterSetting, node_id: str) -> Node:
    """Return a node with its own certificate."""
    channel = await router.channel(Role.NODE, node_id)
    return Node(pb_grpc.NodeRegistryServiceStub(channel), f"nodes/{node_id}")


async def listed(router: RouterSetting) -> list[str]:
    """Return who is listed now."""
    response = await (await router.registry()).ListNodes(
        pb.ListNodesRequest(), timeout=30
    )
    return [node.name for node in response.nodes]


async def test_silent_node_is_gone_with_its_lease(
    timed: RouterSetting, clock: ManualClock
) -> None:
    """Not a moment later, and not a moment earlier."""
    node = await node_of(timed, "n1")
    lease_s = await node.register()

    await clock.advance(lease_s - 0.01)
    before = await listed(timed)
    await clock.advance(0.01)

    assert lease_s == LEASE_S
    assert (before, await listed(timed)) == (["nodes/n1"], [])


async def test_renewing_node_stays_and_shows_its_load(
    timed: RouterSetting, clock: ManualClock
) -> None:
    """Each renewal is a full lease from then on."""
    node = await node_of(timed, "n1")
    await node.register()
    for _ in range(5):
        await clock.advance(LEASE_S * 0.9)
        await node.renew()

    response = await (await timed.registry()).GetNode(
        pb.GetNodeRequest(name="nodes/n1"), timeout=30
    )

    shown = response.node
    assert (shown.load.requests_running, shown.load.requests_waiting) == (2, 1)
    left_s = shown.lease_expire_time.ToNanoseconds() / 1e9 - clock.now_s()
    assert left_s == pytest.approx(LEASE_S, abs=0.01)


async def test_late_node_registers_again(
    timed: RouterSetting, clock: ManualClock
) -> None:
    """LEASE_LOST tells exactly that, and the new lease works."""
    node = await node_of(timed, "n1")
    await node.register()
    await clock.advance(LEASE_S)

    with pytest.raises(errors.LeaseLost):
        await node.renew()
    await node.register()
    await node.renew()

    assert await listed(timed) == ["nodes/n1"]


async def test_older_process_of_a_name_loses(timed: RouterSetting) -> None:
    """Two processes with one certificate: the newer is the node."""
    older, newer = await node_of(timed, "n1"), await node_of(timed, "n1")
    await older.register()
    await newer.register()

    with pytest.raises(errors.LeaseLost):
        await older.renew()
    await older.leave()

    assert await listed(timed) == ["nodes/n1"]


async def test_node_speaks_for_itself_only(timed: RouterSetting) -> None:
    """The name must be the certificate's, whatever the lease."""
    victim, thief = await node_of(timed, "n1"), await node_of(timed, "n2")
    await victim.register()

    with pytest.raises(errors.RoleNotAllowed) as raised:
        await thief.register(name="nodes/n1")
    thief.name = "nodes/n1"
    with pytest.raises(errors.RoleNotAllowed):
        await thief.renew(victim.lease_id)
    with pytest.raises(errors.RoleNotAllowed):
        await thief.leave(victim.lease_id)

    assert raised.value.metadata["name"] == "nodes/n1"
    assert await listed(timed) == ["nodes/n1"]


async def test_farewell_takes_effect_at_once(timed: RouterSetting) -> None:
    """An orderly stop does not cost anybody a lease of errors."""
    node = await node_of(timed, "n1")
    await node.register()

    await node.leave()
    await node.leave()

    assert await listed(timed) == []


async def test_pages_are_walked_by_token(timed: RouterSetting) -> None:
    """Seven nodes in pages of three, each once, by name."""
    for number in range(7):
        await (await node_of(timed, f"n{number}")).register()
    registry = await timed.registry()

    sizes, names, token = [], [], ""
    while not names or token:
        response = await registry.ListNodes(
            pb.ListNodesRequest(page_size=3, page_token=token), timeout=30
        )
        sizes.append(len(response.nodes))
        names += [node.name for node in response.nodes]
        token = response.next_page_token

    assert sizes == [3, 3, 1]
    assert names == [f"nodes/n{number}" for number in range(7)]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (pb.GetNodeRequest(name="nodes/n9"), errors.NodeUnknown),
        (pb.GetNodeRequest(name="models/n9"), errors.FieldInvalid),
        (pb.DrainNodeRequest(name="nodes/n9"), errors.NodeUnknown),
        (pb.ListNodesRequest(page_size=-1), errors.FieldInvalid),
    ],
)
async def test_wrong_question_has_its_reason(
    timed: RouterSetting,
    request_: pb.GetNodeRequest | pb.DrainNodeRequest | pb.ListNodesRequest,
    error: type[errors.FederationError],
) -> None:
    """Unknown is not malformed."""
    registry = await timed.registry()
    asked = type(request_).__name__.removesuffix("Request")

    with pytest.raises(error):
        async with translated_errors():
            await getattr(registry, asked)(request_, timeout=30)


async def test_drained_node_renews_and_gets_nothing(timed: RouterSetting) -> None:
    """Alive, listed as draining, and not chosen."""
    node = await node_of(timed, "n1")
    await node.register()
    registry, stub = await timed.registry(), await timed.inference()

    response = await registry.DrainNode(
        pb.DrainNodeRequest(name="nodes/n1"), timeout=30
    )
    await node.renew()

    assert response.node.state == pb.Node.STATE_DRAINING
    with pytest.raises(errors.NoNodeAvailable):
        async with translated_errors():
            await stub.Complete(
                inference.CompleteRequest(generation=generation()), timeout=30
            )


async def test_bad_registration_is_refused_on_the_wire(timed: RouterSetting) -> None:
    """The reason and the field arrive at the node's log."""
    node = await node_of(timed, "n1")

    with pytest.raises(errors.FieldInvalid) as raised:
        await node.register(region="Up North")

    assert raised.value.metadata["field"] == "node.region"
    assert await listed(timed) == []
