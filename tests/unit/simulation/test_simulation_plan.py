"""Plans: the same seed casts the same parts, and nobody plays the impossible."""

from dataclasses import replace

import pytest

from coordinator.simulation.attack import Attack
from coordinator.simulation.link import LinkConditions
from coordinator.simulation.plan import (
    SLOW_BYTES_PER_S,
    SimulationPlan,
    StoreConditions,
    cast_parts,
    link_of,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Role

PLAN = SimulationPlan(
    seed=7,
    members=40,
    vanishing=5,
    late=4,
    slow=6,
    attackers={Attack.LYING_HOLDER: 3, Attack.WRONG_COUNT: 2},
)


def test_plan_casts_as_many_of_each_part_as_it_says() -> None:
    """A report about five vanishing members must be about five."""
    parts = cast_parts(PLAN)

    assert len(parts) == 40
    assert sum(part.vanishes_in is not None for part in parts) == 5
    assert sum(part.arrives_s > 0 for part in parts) == 4
    assert sum(part.slow for part in parts) == 6
    attacks = [part.attack for part in parts if not part.honest]
    assert sorted(attacks) == [Attack.LYING_HOLDER] * 3 + [Attack.WRONG_COUNT] * 2


def test_same_seed_casts_the_same_parts_and_another_one_others() -> None:
    """A printed seed is worth nothing if it does not repeat the run."""
    again = cast_parts(PLAN)
    other = cast_parts(SimulationPlan(seed=8, members=40, vanishing=5))

    assert cast_parts(PLAN) == again
    assert [part.vanishes_in for part in other] != [part.vanishes_in for part in again]


def test_attackers_neither_vanish_nor_come_late() -> None:
    """What an attack achieves would otherwise depend on whether it was there."""
    attackers = [part for part in cast_parts(PLAN) if not part.honest]

    assert all(part.vanishes_in is None for part in attackers)
    assert all(part.arrives_s == 0.0 for part in attackers)


def test_members_are_nodes_and_routers_with_names_of_certificates() -> None:
    """Only those two roles take part in rounds."""
    parts = cast_parts(PLAN)

    assert {part.role for part in parts} == {Role.NODE, Role.ROUTER}
    assert len({part.name for part in parts}) == 40
    assert parts[1].peer_id == "m0001"


def test_slow_member_keeps_the_losses_of_its_link() -> None:
    """Slow links lose as much as fast ones."""
    plan = SimulationPlan(
        seed=1, members=3, slow=3, link=LinkConditions(request_loss=0.2)
    )

    conditions = link_of(plan, cast_parts(plan)[0])

    assert conditions.bytes_per_s == SLOW_BYTES_PER_S
    assert conditions.request_loss == 0.2


@pytest.mark.parametrize(
    "changes",
    [
        {"members": 2},
        {"members": 2000},
        {"rounds": 0},
        {"rounds": 101},
        {"vanishing": -1},
        {"vanishing": 3, "late": 3},
        {"slow": 6},
        {"attackers": {Attack.LYING_HOLDER: 6}},
        {"member_store": StoreConditions(crash=0.6, failure=0.6)},
        {"work_s": 0.0},
        {"clock_jumps": -1},
    ],
)
def test_plan_that_nobody_can_play_is_refused(changes: dict[str, object]) -> None:
    """Each limit is named before anything starts."""
    with pytest.raises(FieldInvalid) as refused:
        replace(SimulationPlan(seed=1, members=5), **changes)  # type: ignore[arg-type]

    assert refused.value.metadata["field"]


def test_dice_differ_by_purpose_and_not_by_who_asks_first() -> None:
    """Otherwise one more message of one member would change everybody's fate."""
    plan = SimulationPlan(seed=1, members=3)

    first = plan.dice("link a").random()

    assert plan.dice("link b").random() != first
    assert plan.dice("link a").random() == first
