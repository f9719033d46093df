"""A whole round with the members' own code and a coordinator in memory."""

from dataclasses import replace
from pathlib import Path

import pytest

from federated_router.federation.round_view import RosterMember, Round, RoundState
from federated_router.federation.vault_rows import Answer
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    FieldInvalid,
    RosterMismatch,
    RosterTooSmall,
    RoundStateWrong,
    ShareConflict,
    Unavailable,
)
from federated_router.privacy.noise import discrete_gaussian
from tests.support.round_coordinator import CELL, MemoryCoordinator
from tests.support.round_member import (
    NAMES,
    Certificates,
    RunningMember,
    start_member,
)


async def act_all(members: list[RunningMember], round_: Round) -> None:
    """Let every member see the round."""
    for running in members:
        await running.member.act(round_)


async def collect(members: list[RunningMember], coordinator: MemoryCoordinator) -> None:
    """Lead the round until everybody has contributed."""
    await act_all(members, coordinator.round)
    await act_all(members, coordinator.end_joining())
    await act_all(members, coordinator.end_revealing())


async def checked(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> Round:
    """Let everybody check what was dealt to it; return the round, OPENING."""
    await act_all(members, coordinator.end_collecting())
    return coordinator.end_checking()


async def test_sum_is_exact_without_noise(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """What is opened is the sum of the members' clipped counts, to the integer."""
    await collect(members, coordinator)

    await act_all(members, await checked(members, coordinator))

    opened = coordinator.round.catalogue.decode(coordinator.opened_sum()).performance[
        CELL
    ]
    assert opened.successes == 1 + 2 + 3 + 4
    assert opened.failures == 4


async def test_published_requests_are_never_told_again(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """A request contributes to one sum; the next round begins at zero."""
    await collect(members, coordinator)
    await act_all(members, await checked(members, coordinator))

    await act_all(members, coordinator.end(RoundState.PUBLISHED))

    assert [m.statistics.balance().published for m in members] == [2, 3, 4, 5]
    assert all(m.statistics.balance().pending == 0 for m in members)


async def test_round_aborted_before_opening_gives_the_requests_back(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Nobody learnt anything, so the next round may count them."""
    await collect(members, coordinator)

    await act_all(members, coordinator.end(RoundState.ABORTED))

    assert [m.statistics.balance().pending for m in members] == [2, 3, 4, 5]


async def test_rejected_round_spends_the_requests(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """The coordinator has seen that sum, so the same requests may not be in another."""
    await collect(members, coordinator)
    await act_all(members, await checked(members, coordinator))

    await act_all(members, coordinator.end(RoundState.REJECTED))

    assert [m.statistics.balance().discarded for m in members] == [2, 3, 4, 5]


async def test_member_that_was_not_accepted_does_not_check(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Own digest missing: the sum might be anybody's, so the holder keeps silent."""
    await collect(members, coordinator)
    coordinator.unaccepted = {"node/node-1"}  # type: ignore[arg-type]
    checking = coordinator.end_collecting()

    with pytest.raises(RosterMismatch) as refused:
        await members[0].member.act(checking)
    await members[0].member.act(coordinator.end_checking())

    assert refused.value.metadata["check"] == "contributors"
    assert coordinator.checks == {}
    assert coordinator.answers == {}


async def test_contributor_that_is_no_survivor_opens_the_others_sum_and_keeps_its_own(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Its requests were in no sum that anybody opened, so they are told again."""
    await collect(members, coordinator)
    coordinator.excluded = {"node/node-1"}  # type: ignore[arg-type]
    await act_all(members, await checked(members, coordinator))

    await act_all(members, coordinator.end(RoundState.PUBLISHED))

    assert len(coordinator.answers) == 4
    assert members[0].statistics.balance().pending == 2
    assert members[1].statistics.balance().published == 3


async def test_other_contributors_after_the_check_keep_the_holder_silent(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """A member answers about the one set that it checked, also after a restart."""
    await collect(members, coordinator)
    opening = await checked(members, coordinator)
    coordinator.unaccepted = {"router/router-1"}  # type: ignore[arg-type]
    members[0].member._holding.forget(opening.name)

    with pytest.raises(ShareConflict) as refused:
        await members[0].member.act(opening)

    assert refused.value.metadata["check"] == "contributors"
    assert coordinator.answers == {}


async def test_holder_that_did_not_check_does_not_answer(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """What a dealer gave it was never compared, so its answer could be wrong."""
    await collect(members, coordinator)
    coordinator.end_collecting()

    await members[0].member.act(coordinator.end_checking())

    assert coordinator.answers == {}


async def test_holder_killed_after_storing_its_check_repeats_it_and_answers(
    members: list[RunningMember],
    coordinator: MemoryCoordinator,
    certificates: Certificates,
    vaults: Path,
    clock: ManualClock,
) -> None:
    """The opened shares are fetched again; check and answer are the same words."""
    await collect(members, coordinator)
    checking = coordinator.end_collecting()
    await act_all(members, checking)
    first = coordinator.checks.pop("node/node-1")  # type: ignore[call-overload]
    await members[0].close()

    again = await start_member(
        certificates.credentials(NAMES[0]),
        client=coordinator.client(NAMES[0]),
        directory=vaults,
        clock=clock,
    )
    await again.member.act(checking)
    await act_all([again, *members[1:]], coordinator.end_checking())

    assert coordinator.checks["node/node-1"] == first  # type: ignore[index]
    slots = coordinator.opened_sum()
    opened = coordinator.round.catalogue.decode(slots).performance[CELL]
    assert opened.successes == 1 + 2 + 3 + 4
    await again.close()


async def test_rounds_that_never_end_make_room_for_new_ones(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """A coordinator cannot fill a vault; what never left its member is told again."""
    joining = coordinator.round
    members[0].member._rounds_unfinished_max = 2

    for number in range(5):
        name = f"rounds/endless-{number}"
        coordinator.round = replace(joining, name=name)
        await members[0].member.act(coordinator.round)

    unfinished = await members[0].vault.unfinished()
    assert [record.round_name for record in unfinished] == [
        "rounds/endless-3",
        "rounds/endless-4",
    ]


async def test_lost_response_makes_the_same_bytes_come_again(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """A retry after a lost response must not be a second ciphertext."""
    await act_all(members, coordinator.round)
    await act_all(members, coordinator.end_joining())
    collecting = coordinator.end_revealing()
    coordinator.lose_next_response = True

    with pytest.raises(Unavailable):
        await members[0].member.act(collecting)
    await members[0].member.act(collecting)

    first, second = coordinator.sent
    assert first == second


async def test_member_killed_before_sending_sends_what_it_had_stored(
    members: list[RunningMember],
    coordinator: MemoryCoordinator,
    certificates: Certificates,
    vaults: Path,
    clock: ManualClock,
) -> None:
    """Stored, then killed, then started again: byte for byte the same contribution."""
    await act_all(members, coordinator.round)
    await act_all(members, coordinator.end_joining())
    collecting = coordinator.end_revealing()
    await members[0].member.act(collecting)
    stored = coordinator.sent.pop()
    coordinator.contributions.clear()
    await members[0].close()

    again = await start_member(
        certificates.credentials(NAMES[0]),
        client=coordinator.client(NAMES[0]),
        directory=vaults,
        clock=clock,
    )
    await again.member.act(collecting)

    assert coordinator.sent == [stored]
    assert again.statistics.balance().frozen == 2
    await again.close()


async def test_holder_killed_after_storing_its_answer_repeats_it(
    members: list[RunningMember],
    coordinator: MemoryCoordinator,
    certificates: Certificates,
    vaults: Path,
    clock: ManualClock,
) -> None:
    """The answer on disk is the answer, also when it never left before."""
    await collect(members, coordinator)
    opening = await checked(members, coordinator)
    coordinator.lose_next_response = True
    with pytest.raises(Unavailable):
        await members[0].member.act(opening)
    first = coordinator.answers.pop("node/node-1")  # type: ignore[call-overload]
    await members[0].close()

    again = await start_member(
        certificates.credentials(NAMES[0]),
        client=coordinator.client(NAMES[0]),
        directory=vaults,
        clock=clock,
    )
    await again.member.act(opening)

    assert coordinator.answers["node/node-1"] == first  # type: ignore[index]
    await again.close()


async def test_second_different_answer_cannot_be_stored(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Two answers over two sets would open their difference."""
    await collect(members, coordinator)
    await act_all(members, await checked(members, coordinator))

    with pytest.raises(ShareConflict):
        await members[0].vault.store_answer(
            coordinator.round.name, Answer(b"other", b"signature")
        )


async def test_ended_round_is_never_joined_again(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """A coordinator that replays a name gets no second contribution under it."""
    joining = coordinator.round
    await collect(members, coordinator)
    await act_all(members, coordinator.end(RoundState.ABORTED))

    with pytest.raises(RoundStateWrong):
        await members[0].member.act(joining)


async def test_other_roster_after_contributing_is_refused(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """One contribution belongs to one roster, whatever the coordinator shows later."""
    await collect(members, coordinator)
    smaller = coordinator.round.roster[:3]
    coordinator.round = _with_roster(coordinator.round, smaller)

    with pytest.raises(RosterMismatch) as refused:
        await members[0].member.act(
            coordinator.with_recomputed_hashes(RoundState.COLLECTING)
        )

    assert refused.value.metadata["check"] == "roster_hash"


async def test_terms_lowered_after_contributing_are_refused(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """The noise was drawn for four survivors; later words cannot make it three."""
    four = replace(coordinator.round.noise, survivors_min=4)
    coordinator.round = replace(coordinator.round, noise=four)
    await collect(members, coordinator)
    three = replace(coordinator.round.noise, survivors_min=3)
    coordinator.round = replace(coordinator.round, noise=three)
    coordinator.excluded = {"node/node-4", "router/router-1"}  # type: ignore[arg-type]

    with pytest.raises(RosterTooSmall):
        await members[0].member.act(await checked(members, coordinator))

    assert coordinator.answers == {}


async def test_round_that_ended_unseen_is_settled_by_asking(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """A member that was away finds out what became of its contribution."""
    await collect(members, coordinator)
    coordinator.end(RoundState.ABORTED)

    await members[0].member.settle_others("rounds/r2")

    assert members[0].statistics.balance().pending == 2


async def test_round_that_nobody_knows_any_more_spends_the_requests(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Whether its sum was opened cannot be known, so the careful answer is yes."""
    await collect(members, coordinator)
    coordinator.known = False

    await members[0].member.settle_others("rounds/r2")

    assert members[0].statistics.balance().discarded == 2


async def test_foreign_latency_bounds_are_refused_before_joining(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Counts cannot be split over bounds at which they were not recorded."""
    odd = replace(coordinator.round.catalogue, latency_bounds_ms=(3.0, 5.0))

    with pytest.raises(FieldInvalid):
        await members[0].member.act(replace(coordinator.round, catalogue=odd))


async def test_contribution_carries_noise_of_its_share(
    certificates: Certificates,
    coordinator: MemoryCoordinator,
    vaults: Path,
    clock: ManualClock,
    members: list[RunningMember],
) -> None:
    """The product's own noise source is in force unless a test replaces it.

    With sigma 2.83 over 27 slots all-zero noise has probability below 1e-20.
    """
    await act_all(members[1:], coordinator.round)
    await members[0].close()
    noisy = await start_member(
        certificates.credentials(NAMES[0]),
        client=coordinator.client(NAMES[0]),
        directory=vaults,
        clock=clock,
        noise=discrete_gaussian,
    )
    everyone = [noisy, *members[1:]]
    await noisy.member.act(coordinator.round)
    await act_all(everyone, coordinator.end_joining())
    await act_all(everyone, coordinator.end_revealing())
    await act_all(everyone, await checked(everyone, coordinator))

    noise_free = coordinator.round.catalogue.decode(
        coordinator.opened_sum()
    ).performance[CELL]

    assert noise_free.latency_counts.count(0) < 25
    await noisy.close()


def _with_roster(round_: Round, roster: tuple[RosterMember, ...]) -> Round:
    return replace(round_, roster=roster)
