"""A roster verified once in a process: only for those who were shown the same bytes."""

from dataclasses import replace
from typing import cast

import pytest

from coordinator.simulation.plan import SimulationPlan
from coordinator.simulation.run import run_simulation
from coordinator.simulation.shared_roster import SharedRosters
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.member import Member
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.federation.round_view import (
    Announcement,
    RosterMember,
    Round,
    RoundState,
)
from federated_router.federation.verification import Roster, verify_roster
from federated_router.priors.catalogue import Catalogue

ROUND = Round(
    name="rounds/r",
    state=RoundState.COLLECTING,
    catalogue=Catalogue(version=1, models=("models/a",), regions=("eu",), slot_max=9),
    noise=NoiseTerms(
        scale=4.0, survivors_min=3, colluders_max=1, sensitivity_squared=1
    ),
    participation_min=0.8,
    roster_hash=RosterHash(b"hash"),
    beacon=b"beacon",
)
ROSTER = cast("Roster", object())
"""What a verification returned; only its identity matters here."""


def entry(name: str) -> RosterMember:
    """Return a member of a roster."""
    keys = PublicKeys(bytes(32), bytes(32))
    binding = KeyBinding(MemberName(f"node/{name}"), keys, 1, b"signature")
    return RosterMember(Announcement(binding, b"certificate"), b"commitment")


@pytest.mark.parametrize(
    "other",
    [
        replace(ROUND, name="rounds/other"),
        replace(ROUND, roster_hash=RosterHash(b"other")),
        replace(ROUND, beacon=b"other"),
        replace(ROUND, catalogue=replace(ROUND.catalogue, slot_max=8)),
    ],
)
def test_roster_that_differs_in_anything_is_verified_again(other: Round) -> None:
    """A coordinator that shows two members two rosters must be seen."""
    shared = SharedRosters()
    shared.keep(ROUND, ROSTER)

    assert shared.of(ROUND) is ROSTER
    assert shared.of(other) is None


def test_equal_rosters_are_one_in_memory_and_different_ones_are_not() -> None:
    """Hundreds of members in one process look at hundreds of equal rosters."""
    shared = SharedRosters()
    first, same, other = ((entry(name),) for name in ("a", "a", "b"))

    assert shared.interned(first) is first
    assert shared.interned(same) is first
    assert shared.interned(other) is other


@pytest.mark.parametrize(("shares", "verifications"), [(True, 1), (False, 4)])
def test_sharing_verifies_a_roster_once_and_publishes_the_same(
    monkeypatch: pytest.MonkeyPatch, *, shares: bool, verifications: int
) -> None:
    """The option saves work and nothing else: the sum stays exact."""
    seen: list[str] = []

    def counting(round_: Round, **facts: object) -> Roster:
        seen.append(round_.name)
        return verify_roster(round_, **facts)  # type: ignore[arg-type]

    monkeypatch.setattr(f"{Member.__module__}.verify_roster", counting)

    report = run_simulation(
        SimulationPlan(seed=1, members=4, rounds=1, exact=True, share_rosters=shares)
    )

    assert report.violations == ()
    assert report.published == 1
    assert len(seen) == verifications
