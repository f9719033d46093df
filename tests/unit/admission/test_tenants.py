"""What a tenant may, and how many places there are."""

import pytest
from pydantic import ValidationError

from federated_router.admission.ask import Lane, Priority, priority_of
from federated_router.admission.capacity import FRESH_S, Capacity
from federated_router.admission.settings import AdmissionSettings, TenantSettings
from federated_router.admission.tenants import Tenants
from federated_router.kit.clock import ManualClock
from federated_router.registry.membership import (
    AUTO,
    Member,
    Membership,
    NodeState,
    Offer,
)

TENANTS = Tenants(
    [
        TenantSettings(match="batch-*", priority_max="low"),
        TenantSettings(match="clinic-?", priority_max="high", weight=2.0),
        TenantSettings(match="*", tokens_per_minute=1000),
    ]
)


@pytest.mark.parametrize(
    ("tenant", "asked", "has"),
    [
        ("batch-7", Priority.HIGH, Priority.LOW),
        ("clinic-1", Priority.HIGH, Priority.HIGH),
        ("clinic-1", Priority.LOW, Priority.LOW),
        ("clinic-12", Priority.HIGH, Priority.NORMAL),
    ],
)
def test_a_priority_is_lowered_and_never_raised(
    tenant: str, asked: Priority, has: Priority
) -> None:
    """Else everybody would ask for the highest."""
    assert TENANTS.lowered(tenant, asked) is has


def test_the_first_pattern_that_matches_holds() -> None:
    """Order is the one rule of precedence."""
    assert TENANTS.of("batch-7").tokens_per_minute is None
    assert TENANTS.of("somebody").tokens_per_minute == 1000


def test_without_patterns_nobody_has_a_rate_and_all_are_alike() -> None:
    """A router that is told nothing limits nobody's rate."""
    tenants = Tenants(())

    assert not tenants.has_rates
    assert tenants.lowered("anybody", Priority.HIGH) is Priority.NORMAL


@pytest.mark.parametrize("number", [0, 2, 7, -1])
def test_a_priority_that_is_not_said_is_normal(number: int) -> None:
    """Unknown numbers of the contract gain nothing."""
    assert priority_of(number) is Priority.NORMAL


@pytest.mark.parametrize(
    "key", [{"match": "A b"}, {"weight": 0.0}, {"requests_per_minute": 0}]
)
def test_a_wrong_configuration_of_a_tenant_is_refused(key: dict[str, object]) -> None:
    """What cannot hold is told at the start."""
    with pytest.raises(ValidationError):
        AdmissionSettings.model_validate({"tenants": [key]})


def member(name: str, *offers: Offer, state: NodeState = NodeState.READY) -> Member:
    """Return a node."""
    return Member(name, "host:1", "eu", offers, "lease", 1e12, state)


def offer(model: str, slots: int, *, private: bool = False) -> Offer:
    """Return what a node serves."""
    return Offer(model, 1024, private, slots)


NODES = Membership(
    {
        "nodes/1": member("nodes/1", offer("models/a", 4), offer("models/b", 2)),
        "nodes/2": member("nodes/2", offer("models/a", 3, private=True)),
        "nodes/3": member("nodes/3", offer("models/a", 9), state=NodeState.DRAINING),
    }
)


@pytest.mark.parametrize(
    ("lane", "places"),
    [
        (Lane("models/a"), 14),
        (Lane("models/b"), 4),
        (Lane(AUTO), 18),
        (Lane("models/a", private=True), 6),
        (Lane(AUTO, private=True), 6),
        (Lane("models/unknown"), 0),
    ],
)
def test_places_are_the_slots_of_nodes_that_take_work(lane: Lane, places: int) -> None:
    """Draining nodes have none, and private requests need private nodes."""
    assert Capacity(lambda: NODES, ManualClock(), 2.0)(lane) == places


def test_a_node_that_nothing_is_sent_to_has_no_places() -> None:
    """While its breaker is open its slots are nobody's."""
    capacity = Capacity(lambda: NODES, ManualClock(), 1.0, lambda n: n == "nodes/2")

    assert capacity(Lane(AUTO)) == 3
    assert capacity(Lane("models/b")) == 0


def test_a_small_factor_leaves_one_place() -> None:
    """A node that is there serves somebody."""
    assert Capacity(lambda: NODES, ManualClock(), 0.01)(Lane("models/b")) == 1


async def test_a_node_that_came_counts_a_moment_later() -> None:
    """No count is older than the stated time."""
    present = [Membership({})]
    clock = ManualClock()
    capacity = Capacity(lambda: present[0], clock, 1.0)
    assert capacity(Lane()) == 0

    present[0] = NODES
    await clock.advance(2 * FRESH_S)

    assert capacity(Lane()) == 9
