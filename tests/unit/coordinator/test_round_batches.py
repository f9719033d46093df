"""Events that share a transaction: none disturbs another, or is told too early."""

import asyncio
from typing import Final

import pytest

from coordinator.rounds import events, lifecycle
from coordinator.rounds.inbox import Told, batch_of
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from federated_router.kit.errors import (
    NotOnRoster,
    RoundStateWrong,
    ShareConflict,
    StoreUnavailable,
)
from tests.support import round_script as script
from tests.support.coordinator_world import CoordinatorWorld

MANY: Final = 30
NOW_S: Final = script.START_S


def told(event: events.Event, *, name: RoundName = script.NAME) -> Told:
    """Return an event that waits."""
    return Told(name, event)


def taken(*waiting: Told, round_: Round | None = None, most: int = 100) -> list[Told]:
    """Return what of `waiting` one batch takes."""
    before = script.new_round() if round_ is None else round_
    batch = batch_of(before, waiting[0], waiting, now_s=NOW_S, most=most)
    return list(batch.taken)


def test_batch_leaves_the_round_where_its_events_one_by_one_leave_it() -> None:
    """Who shares a transaction must not be able to tell."""
    joins = [script.joined(index) for index in (1, 2, 3)]
    alone = script.new_round()
    for event in joins:
        alone = lifecycle.advance(alone, event, NOW_S)
    waiting = [told(event) for event in joins]

    batch = batch_of(
        script.new_round(), waiting[0], waiting, now_s=NOW_S, most=len(joins)
    )

    assert batch.after == alone
    assert batch.taken == tuple(waiting)


def test_refused_event_leaves_the_others_and_no_trace() -> None:
    """One member's wrong message must not cost a hundred others their turn."""
    good, other = told(script.joined(1)), told(script.joined(2))
    bad = told(script.revealed(3))

    batch = batch_of(script.new_round(), good, (good, bad, other), now_s=NOW_S, most=3)

    assert batch.taken == (good, other)
    assert set(batch.after.members) == {script.member(1), script.member(2)}
    assert isinstance(bad.error, RoundStateWrong | NotOnRoster)
    with pytest.raises(type(bad.error)):
        bad.outcome()


def test_batch_ends_with_the_event_that_ends_a_state() -> None:
    """What the end of a state costs is decided with nothing else at stake."""
    waiting = [told(script.joined(index)) for index in (1, 2, 3, 4)]
    early = told(script.revealed(1))

    batch = batch_of(
        script.new_round(), waiting[0], (*waiting, early), now_s=NOW_S, most=100
    )

    assert batch.after.state is State.REVEALING
    assert batch.before_last.state is State.JOINING
    assert batch.taken == tuple(waiting)
    assert not early.decided
    assert batch.without_last().after == batch.before_last


def test_operators_and_the_coordinator_itself_share_with_nobody() -> None:
    """An abort among joins must not take their transaction with it."""
    join, abort = told(script.joined(1)), told(events.AbortRequested("enough"))

    assert taken(join, abort) == [join]
    assert taken(abort, join) == [abort]


def test_batch_has_a_size_and_one_round() -> None:
    """A transaction must end; another round's event is not this one's."""
    waiting = [told(script.joined(index)) for index in (1, 2, 3)]
    stray = told(script.joined(2), name=RoundName("rounds/r2"))

    assert taken(*waiting, most=2) == waiting[:2]
    assert taken(waiting[0], stray, waiting[1]) == waiting[:1]


async def test_messages_that_wait_share_few_transactions(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction waits for the disk; a thousand members wait a few times."""
    name = await world.open_round(members_expected=0)
    conductor, save = world.core.conductor, world.core.conductor._store.save
    sizes: list[int] = []

    async def counted(before: Round, after: Round, **kinds: object) -> Round:
        sizes.append(len(after.members) - len(before.members))
        return await save(before, after, **kinds)  # type: ignore[arg-type]

    monkeypatch.setattr(conductor._store, "save", counted)
    conductor._writer._batch_max = 10
    rounds = await asyncio.gather(
        *(conductor.tell(name, script.joined(index)) for index in range(1, MANY + 1))
    )

    assert sum(sizes) == MANY
    assert max(sizes) == 10
    assert len(sizes) <= MANY / 10 + 1
    assert {round_.version for round_ in rounds} == set(range(1, len(sizes) + 1))


async def test_what_is_told_has_been_committed(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that was answered and a coordinator that forgot it would disagree."""
    name = await world.open_round(members_expected=0)
    conductor, save = world.core.conductor, world.core.conductor._store.save
    may_commit = asyncio.Event()

    async def held_up(before: Round, after: Round, **_: object) -> Round:
        await may_commit.wait()
        return await save(before, after)

    monkeypatch.setattr(conductor._store, "save", held_up)
    tells = [
        asyncio.ensure_future(conductor.tell(name, script.joined(index)))
        for index in (1, 2, 3)
    ]
    await asyncio.sleep(0.05)

    assert not any(tell.done() for tell in tells)
    assert not (await conductor.get(name)).members
    may_commit.set()
    await asyncio.gather(*tells)
    assert set((await conductor._store.load(name)).members) == set(
        map(script.member, (1, 2, 3))
    )


async def test_caller_that_hangs_up_takes_nobody_with_it(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others' messages are stored by the next of them, each once."""
    name = await world.open_round(members_expected=0)
    conductor, save = world.core.conductor, world.core.conductor._store.save
    failures = 1

    async def hung_up(before: Round, after: Round, **_: object) -> Round:
        nonlocal failures
        stored = await save(before, after)
        if failures:
            failures -= 1
            raise asyncio.CancelledError
        return stored

    monkeypatch.setattr(conductor._store, "save", hung_up)
    found = await asyncio.gather(
        *(conductor.tell(name, script.joined(index)) for index in range(1, 11)),
        return_exceptions=True,
    )

    assert isinstance(found[0], asyncio.CancelledError)
    assert all(isinstance(one, Round) for one in found[1:])
    assert (await world.newest()).joined_count == 10
    assert not conductor._writer._waiting


async def test_message_that_no_store_takes_fails_alone(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that the schema refuses must not be retried at the others' expense."""
    name = await world.open_round(members_expected=0)
    conductor, save = world.core.conductor, world.core.conductor._store.save

    async def picky(before: Round, after: Round, **_: object) -> Round:
        if script.member(3) in after.members:
            raise ValueError("no such row")
        return await save(before, after)

    monkeypatch.setattr(conductor._store, "save", picky)
    found = await asyncio.gather(
        *(conductor.tell(name, script.joined(index)) for index in range(1, 6)),
        return_exceptions=True,
    )

    assert [type(one) for one in found].count(ValueError) == 1
    assert isinstance(found[2], ValueError)
    assert (await world.newest()).joined_count == 4


async def test_store_that_is_away_fails_everybody_once(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sender repeats its message; nobody waits for one time-out after another."""
    name = await world.open_round(members_expected=0)
    conductor = world.core.conductor
    calls = 0

    async def away(*_: object, **__: object) -> Round:
        nonlocal calls
        calls += 1
        raise StoreUnavailable("The database did not answer.")

    monkeypatch.setattr(conductor._store, "save", away)
    found = await asyncio.gather(
        *(conductor.tell(name, script.joined(index)) for index in range(1, 11)),
        return_exceptions=True,
    )

    assert all(isinstance(one, StoreUnavailable) for one in found)
    assert calls <= 2


async def test_second_word_that_waits_beside_the_first_is_refused(
    world: CoordinatorWorld,
) -> None:
    """The first word stands, also where both come in one transaction."""
    name = await world.open_round(members_expected=0)
    tell = world.core.conductor.tell
    same = script.joined(1)
    other = events.Joined(script.member(1), script.joined(2).entry)

    found = await asyncio.gather(
        tell(name, script.joined(3)),
        tell(name, same),
        tell(name, same),
        tell(name, other),
        return_exceptions=True,
    )

    assert isinstance(found[3], ShareConflict)
    assert all(isinstance(one, Round) for one in found[:3])
