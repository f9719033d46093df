"""The registry with a clock: who is present now, and who hears of a loss."""

import asyncio

import pytest

from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import LeaseLost, LimitReached, NodeUnknown
from federated_router.registry.membership import Load, Member, Offer
from federated_router.registry.registry import Registry, RegistrySettings

LEASE_S = 6.0


@pytest.fixture
def clock() -> ManualClock:
    """Return time that the test moves."""
    return ManualClock()


@pytest.fixture
def registry(clock: ManualClock) -> Registry:
    """Return a registry of at most two nodes."""
    return Registry(RegistrySettings(lease_s=LEASE_S, nodes_max=2), clock)


def join(registry: Registry, name: str = "nodes/n1") -> Member:
    """Register a node."""
    return registry.register(
        name=name,
        address="a:1",
        region="north",
        offers=[Offer("models/m", 128, private=False, slots=2)],
    )


def present(registry: Registry) -> list[str]:
    """Return who is there."""
    return [member.name for member in registry.present()]


async def test_lapsed_node_is_absent_without_any_sweep(
    registry: Registry, clock: ManualClock
) -> None:
    """Presence is decided at the look, so no caller sees the dead as present."""
    join(registry)
    await clock.advance(LEASE_S - 0.001)
    before = present(registry)

    await clock.advance(0.001)

    assert (before, present(registry)) == (["nodes/n1"], [])


async def test_renewals_keep_a_node_for_ever(
    registry: Registry, clock: ManualClock
) -> None:
    """Renewing within the lease is all that a node owes."""
    member = join(registry)

    for _ in range(20):
        await clock.advance(LEASE_S * 0.9)
        registry.renew(member.name, member.lease_id, Load(running=1))

    assert present(registry) == ["nodes/n1"]
    assert registry.lease_remaining_s(
        registry.present().member("nodes/n1")
    ) == pytest.approx(LEASE_S)


async def test_late_renewal_is_refused_and_registering_helps(
    registry: Registry, clock: ManualClock
) -> None:
    """A node that was away comes back under a new lease."""
    member = join(registry)
    await clock.advance(LEASE_S)

    with pytest.raises(LeaseLost):
        registry.renew(member.name, member.lease_id, Load())

    assert join(registry).lease_id != member.lease_id
    assert present(registry) == ["nodes/n1"]


async def test_place_of_a_lapsed_node_is_free(
    registry: Registry, clock: ManualClock
) -> None:
    """The limit counts who is there and not who was."""
    join(registry, "nodes/n1")
    join(registry, "nodes/n2")
    with pytest.raises(LimitReached):
        join(registry, "nodes/n3")

    await clock.advance(LEASE_S)

    assert join(registry, "nodes/n3").name == "nodes/n3"


async def test_every_loss_is_heard_once(registry: Registry, clock: ManualClock) -> None:
    """Listeners close connections; twice would close the successor's."""
    gone: list[str] = []
    registry.on_gone(gone.append)
    first, second = join(registry, "nodes/n1"), join(registry, "nodes/n2")

    registry.deregister(first.name, first.lease_id)
    registry.deregister(first.name, first.lease_id)
    await clock.advance(LEASE_S)
    registry.present()
    registry.present()

    assert gone == ["nodes/n1", second.name]


async def test_replaced_registration_is_heard_as_a_loss(
    registry: Registry, clock: ManualClock
) -> None:
    """A restarted node may have another address: the old channel must go."""
    del clock
    gone: list[str] = []
    registry.on_gone(gone.append)
    old = join(registry)

    join(registry)
    registry.deregister(old.name, old.lease_id)

    assert gone == ["nodes/n1"]
    assert present(registry) == ["nodes/n1"]


async def test_sweep_tells_listeners_well_within_a_lease(
    registry: Registry, clock: ManualClock
) -> None:
    """Nobody looks at an idle router, and its listeners must hear all the same."""
    gone: list[str] = []
    registry.on_gone(gone.append)
    join(registry)
    sweeping = asyncio.create_task(registry.sweep())
    await asyncio.sleep(0)

    for _ in range(7):
        await clock.advance(LEASE_S / 6)

    sweeping.cancel()
    assert gone == ["nodes/n1"]


async def test_drain_of_a_lapsed_node_is_unknown(
    registry: Registry, clock: ManualClock
) -> None:
    """What is gone cannot be drained."""
    join(registry)
    await clock.advance(LEASE_S)

    with pytest.raises(NodeUnknown):
        registry.drain("nodes/n1")


def test_leases_cannot_be_guessed(registry: Registry) -> None:
    """Whoever names a lease must have been told it."""
    leases = {join(registry).lease_id for _ in range(50)}

    assert len(leases) == 50
    assert min(map(len, leases)) >= 16
