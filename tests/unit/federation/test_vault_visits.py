"""How often a member visits its vault in a round, and that it never believes old words.

A visit is a transaction in another thread; a hundred members of one machine would spend
more on them than on their cryptography.
"""

from collections import Counter

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from federated_router.federation.round_view import RoundState
from federated_router.federation.vault_rows import Answer, RecordState
from federated_router.kit.errors import RoundStateWrong, StoreUnavailable
from tests.support.round_coordinator import MemoryCoordinator
from tests.support.round_member import RunningMember

VISITS_MAX = 9
"""Others, join, charge, contribution, check, answer, end; and two to spare."""


@pytest.fixture
def visits(
    members: list[RunningMember], monkeypatch: pytest.MonkeyPatch
) -> Counter[str]:
    """Count the transactions of the first member's vault by name."""
    counted: Counter[str] = Counter()
    database = members[0].vault.database
    attempt = database._attempt

    async def noted(name: str, work: object) -> object:
        counted[name] += 1
        return await attempt(name, work)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "_attempt", noted)
    return counted


async def play(members: list[RunningMember], coordinator: MemoryCoordinator) -> None:
    """Play a round to its end, each member asking about others as a daemon does."""
    for end in (
        None,
        coordinator.end_joining,
        coordinator.end_revealing,
        coordinator.end_collecting,
        coordinator.end_checking,
        lambda: coordinator.end(RoundState.PUBLISHED),
    ):
        round_ = end() if end else coordinator.round
        for running in members:
            await running.member.settle_others(round_.name)
            await running.member.act(round_)


async def test_whole_round_takes_few_visits(
    members: list[RunningMember],
    coordinator: MemoryCoordinator,
    visits: Counter[str],
) -> None:
    """Each word is one, and nothing is read that was just written."""
    await play(members, coordinator)

    assert visits["unfinished_rounds"] == 1
    assert visits["find_small_round"] == 0
    assert {"join_round", "store_contribution", "store_check", "store_answer"} <= set(
        visits
    )
    assert visits.total() <= VISITS_MAX


async def test_record_is_read_again_after_a_write_of_unknown_outcome(
    members: list[RunningMember],
    coordinator: MemoryCoordinator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A write that timed out may have taken effect; what was kept would not know."""
    vault, name = members[0].vault, coordinator.round.name
    await members[0].member.act(coordinator.round)
    kept = await vault.find_small(name)
    write = vault.database.write

    async def lost(transaction: str, work: object) -> object:
        await write(transaction, work)  # type: ignore[arg-type]
        raise StoreUnavailable("The answer was lost.")

    monkeypatch.setattr(vault.database, "write", lost)
    with pytest.raises(StoreUnavailable):
        await vault.end(name)

    assert kept is not None
    with pytest.raises(RoundStateWrong):
        await vault.find_small(name)


async def test_kept_record_is_what_the_file_says(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """After each word the record in memory equals the one that a restart would read."""
    vault, name = members[0].vault, coordinator.round.name
    seen: list[RecordState] = []
    for end in (
        None,
        coordinator.end_joining,
        coordinator.end_revealing,
        coordinator.end_collecting,
        coordinator.end_checking,
    ):
        round_ = end() if end else coordinator.round
        for running in members:
            await running.member.act(round_)
        kept = await vault.find_small(name)
        (read,) = await vault.unfinished()

        assert kept == read
        seen.append(read.state)

    assert seen == [
        RecordState.JOINED,
        RecordState.JOINED,
        RecordState.CONTRIBUTED,
        RecordState.CONTRIBUTED,
        RecordState.ANSWERED,
    ]


async def test_answer_on_disk_stands_whatever_is_kept(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """What is kept spares visits; a write reads the file all the same."""
    vault, name = members[0].vault, coordinator.round.name
    for end in (
        None,
        coordinator.end_joining,
        coordinator.end_revealing,
        coordinator.end_collecting,
    ):
        round_ = end() if end else coordinator.round
        for running in members:
            await running.member.act(round_)
    before = await vault.find_small(name)
    stored = await vault.store_answer(name, Answer(b"sum", b"signature"))
    vault._kept = before

    again = await vault.store_answer(name, Answer(b"sum", b"another signature"))

    assert again == stored
    kept = await vault.find_small(name)
    assert kept is not None
    assert kept.answer == stored


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE member_bodies SET body = X'00'",
        "UPDATE member_bodies SET batch = X'00'",
        "REPLACE INTO member_bodies SELECT number, X'00', X'00' FROM member_rounds",
    ],
)
async def test_schema_refuses_another_contribution_even_past_the_code(
    members: list[RunningMember], coordinator: MemoryCoordinator, statement: str
) -> None:
    """A defect above the table must fail a statement and not a promise."""
    vault = members[0].vault
    for end in (None, coordinator.end_joining, coordinator.end_revealing):
        round_ = end() if end else coordinator.round
        for running in members:
            await running.member.act(round_)

    with pytest.raises(IntegrityError):
        async with vault.database.transaction("attack") as connection:
            await connection.execute(text(statement))
