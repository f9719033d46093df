"""A coordinator that tells each member something else about the same round.

Roster and beacon are bound: members that see different ones never sum together. What a
slot means is agreed in the catalogue, and must be bound as well: members that count
into different slots make of the sum one slot for each.
"""

from dataclasses import replace

import pytest

from federated_router.federation.round_view import Round
from federated_router.kit.errors import FederationError
from federated_router.priors.catalogue import Catalogue
from tests.support import round_coordinator
from tests.support.round_coordinator import CELL, MemoryCoordinator
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks.steps import checked

MODELS = 4


def catalogue_for(index: int) -> Catalogue:
    """Return a layout whose one real model stands in the place of that number."""
    models = [f"models/nobody-has-{place}" for place in range(MODELS)]
    models[index] = CELL.model
    return Catalogue(
        version=1, models=tuple(models), regions=(CELL.region,), slot_max=1000
    )


async def act_each(victims: list[RunningMember], round_: Round) -> None:
    """Show every member the round with a layout of its own."""
    for index, running in enumerate(victims):
        await running.member.act(replace(round_, catalogue=catalogue_for(index)))


async def sum_apart(hostile: MemoryCoordinator, victims: list[RunningMember]) -> None:
    """Lead a whole round in which no two members see the same layout."""
    await act_each(victims, hostile.round)
    for end in (
        hostile.end_joining,
        hostile.end_revealing,
        hostile.end_collecting,
        hostile.end_checking,
    ):
        await act_each(victims, end())


def requests_by_place(
    hostile: MemoryCoordinator, monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Return what each model's place in the opened sum says, failures left out."""
    shown = catalogue_for(0)
    monkeypatch.setattr(round_coordinator, "CATALOGUE", shown)
    hostile.round = replace(hostile.round, catalogue=shown)
    counts = shown.decode(hostile.opened_sum())
    return [counts.performance[cell].successes for cell in shown.cells]


async def test_members_that_were_shown_different_layouts_never_open_a_sum(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """Somebody must refuse: at the roster, at the sets, or at the shares."""
    with pytest.raises(FederationError):
        await sum_apart(hostile, victims)

    assert len(hostile.answers) < hostile.roster.thresholds.reconstruct


async def test_members_with_one_layout_give_one_sum(
    hostile: MemoryCoordinator,
    victims: list[RunningMember],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same reading of an honest round finds the sum in one place."""
    hostile.round = replace(hostile.round, catalogue=catalogue_for(0))
    await checked(hostile, victims)
    opening = hostile.end_checking()
    for running in victims:
        await running.member.act(opening)

    assert requests_by_place(hostile, monkeypatch) == [10, 0, 0, 0]
