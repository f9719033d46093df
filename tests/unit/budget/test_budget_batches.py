"""Calls of the ledger that share a transaction: one chain, and no shared blame."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from psycopg.errors import SerializationFailure
from sqlalchemy.exc import IntegrityError, OperationalError

from federated_router.budget import transactions
from federated_router.budget.entries import EntryKind
from federated_router.budget.reservation import RequestId
from federated_router.budget.rows import LedgerRows
from federated_router.budget.sql.batch import BatchPoint
from federated_router.budget.sql.batch_rows import BatchRows
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    AccountUnknown,
    BudgetExhausted,
    Internal,
    QueueFull,
    StoreUnavailable,
)
from tests.support.ledger_world import (
    DATASET,
    NOON_S,
    OWNER,
    USER,
    Balance,
    assert_chained,
    balance,
    balances_told_by,
    journal,
    request,
    terms,
)


class Turnstile:
    """Stops the writer at one point of a batch until it is let on."""

    def __init__(self) -> None:
        self.closed_at: BatchPoint | None = None
        self.reached = threading.Event()
        self.passed = threading.Event()
        self.points: list[BatchPoint] = []

    def __call__(self, point: BatchPoint) -> None:
        """Pass, or wait."""
        self.points.append(point)
        if point is self.closed_at:
            self.reached.set()
            self.passed.wait(30)

    def let_on(self) -> None:
        """Open for good."""
        self.closed_at = None
        self.passed.set()

    @property
    def commits(self) -> int:
        """How many transactions were committed."""
        return self.points.count(BatchPoint.AFTER_COMMIT)


@pytest.fixture
def turnstile() -> Turnstile:
    """Return a turnstile that is open."""
    return Turnstile()


@pytest.fixture
async def store(tmp_path: Path, turnstile: Turnstile) -> AsyncIterator[SqlLedgerStore]:
    """Return a ledger with one account and a short queue."""
    opened = await SqlLedgerStore.open(
        f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite3",
        clock=ManualClock(NOON_S),
        queue_max=8,
        batch_max=4,
        observe_batch=turnstile,
    )
    await opened.create_account(terms())
    yield opened
    turnstile.let_on()
    await opened.close()


async def gathered(
    store: SqlLedgerStore, turnstile: Turnstile, *calls: Callable[[], Awaitable[object]]
) -> list[object]:
    """Make calls while a batch runs, so that they wait together; return outcomes."""
    turnstile.closed_at = BatchPoint.BEGUN
    first = asyncio.create_task(store.create_account(terms()))
    await asyncio.to_thread(turnstile.reached.wait, 10)
    tasks = [asyncio.ensure_future(call()) for call in calls]
    await asyncio.sleep(0)
    turnstile.let_on()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_calls_that_wait_are_one_transaction(
    store: SqlLedgerStore, turnstile: Turnstile
) -> None:
    """One flush to disk for all of them, and each sees what the ones before did."""
    before = turnstile.commits

    answers = await gathered(
        store,
        turnstile,
        lambda: store.reserve(request("r1")),
        lambda: store.commit(RequestId("r1"), owner=OWNER, steps=3),
        lambda: store.reserve(request("r2")),
        lambda: store.reserve(request("r1")),
    )

    assert not [one for one in answers if isinstance(one, Exception)]
    assert turnstile.commits - before == 2
    assert await balance(store) == Balance(6, 200, 6)
    kinds = [one.entry.kind for one in await journal(store)]
    assert kinds[1:] == [EntryKind.RESERVED, EntryKind.COMMITTED, EntryKind.RESERVED]
    await assert_chained(store)


async def test_call_that_refuses_leaves_nothing_and_its_neighbours_stand(
    store: SqlLedgerStore, turnstile: Turnstile
) -> None:
    """The last units go to whoever came first; the refused one moves no balance."""
    answers = await gathered(
        store,
        turnstile,
        lambda: store.reserve(request("r1", steps_max=400)),
        lambda: store.reserve(request("r2", steps_max=200)),
        lambda: store.reserve(request("r3", charges=((DATASET, 1), (USER, 1)))),
        lambda: store.reserve(request("r4", steps_max=100)),
    )

    assert isinstance(answers[1], BudgetExhausted)
    assert isinstance(answers[2], AccountUnknown)
    assert answers[1].metadata["held_by"] == "r1"
    assert await balance(store) == Balance(0, 1000, 0)
    await assert_chained(store)


async def test_call_that_fails_half_way_is_taken_back(
    store: SqlLedgerStore, turnstile: Turnstile
) -> None:
    """Also what it wrote before it raised, in every table and in the chain."""

    def half(rows: LedgerRows) -> None:
        transactions.reserve(rows, request("half"), now_s=NOON_S)
        before = rows.accounts([DATASET])[DATASET]
        rows.insert_account(before.__class__(terms=terms(USER), window_start_s=NOON_S))
        raise ZeroDivisionError

    answers = await gathered(
        store,
        turnstile,
        lambda: store.reserve(request("r1")),
        lambda: store._write("half", half),
        lambda: store.reserve(request("r2")),
    )

    assert isinstance(answers[1], ZeroDivisionError)
    assert await balance(store) == Balance(0, 400, 0)
    told = balances_told_by(await journal(store))
    assert told == {DATASET: Balance(0, 400, 0)}
    with pytest.raises(AccountUnknown):
        await store.get_account(USER)
    await assert_chained(store)


async def test_row_that_the_database_refuses_is_its_callers_alone(
    store: SqlLedgerStore, turnstile: Turnstile
) -> None:
    """The others of the batch are run again, one by one, and stand."""

    def defect(rows: LedgerRows) -> None:
        before = rows.accounts([DATASET])[DATASET]
        rows.save_account(
            before,
            before.__class__(
                terms=before.terms, window_start_s=NOON_S, spent_units=10**6
            ),
        )

    answers = await gathered(
        store,
        turnstile,
        lambda: store.reserve(request("r1")),
        lambda: store._write("defect", defect),
        lambda: store.reserve(request("r2")),
    )

    assert isinstance(answers[1], Internal)
    assert not isinstance(answers[0], Exception)
    assert not isinstance(answers[2], Exception)
    assert await balance(store) == Balance(0, 400, 0)
    await assert_chained(store)


async def test_text_that_no_database_holds_is_its_callers_alone(
    store: SqlLedgerStore, turnstile: Turnstile
) -> None:
    """Half a character in a request's id fails that request, and no neighbour."""
    answers = await gathered(
        store,
        turnstile,
        lambda: store.reserve(request("r1")),
        lambda: store.reserve(request("half \ud800")),
        lambda: store.reserve(request("r2")),
    )

    assert isinstance(answers[1], Internal)
    assert not isinstance(answers[0], Exception)
    assert not isinstance(answers[2], Exception)
    assert await balance(store) == Balance(0, 400, 0)
    await assert_chained(store)


async def test_batch_that_conflicts_is_run_again_from_the_start(
    tmp_path: Path,
) -> None:
    """A database may ask for that; each call then still happens once."""
    conflicts = [SerializationFailure(), SerializationFailure()]

    def conflict(point: BatchPoint) -> None:
        if point is BatchPoint.BEFORE_COMMIT and conflicts:
            raise OperationalError(None, None, conflicts.pop())

    store = await SqlLedgerStore.open(
        f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite3",
        clock=ManualClock(NOON_S),
        observe_batch=conflict,
    )

    await asyncio.gather(
        store.create_account(terms()),
        store.reserve(request("r1")),
        store.reserve(request("r2")),
    )

    assert conflicts == []
    assert await balance(store) == Balance(0, 400, 0)
    assert len(await journal(store)) == 3
    await assert_chained(store)
    await store.close()


async def test_lone_row_that_the_database_refuses_is_an_internal_error(
    store: SqlLedgerStore,
) -> None:
    """A defect is not an outage: to repeat the call would not help."""

    def negative(rows: LedgerRows) -> None:
        before = rows.accounts([DATASET])[DATASET]
        rows.save_account(
            before,
            before.__class__(terms=before.terms, window_start_s=NOON_S, spent_units=-1),
        )

    with pytest.raises(Internal) as caught:
        await store._write("negative", negative)

    assert isinstance(caught.value.__cause__, IntegrityError)
    assert await balance(store) == Balance(0, 0, 0)


async def test_ledger_with_too_many_waiting_calls_refuses(
    store: SqlLedgerStore, turnstile: Turnstile
) -> None:
    """Overload is told at once, holds nothing and charges nothing."""
    answers = await gathered(
        store,
        turnstile,
        *(
            lambda n=n: store.reserve(
                request(f"r{n}", charges=((DATASET, 1),), steps_max=1)
            )
            for n in range(12)
        ),
    )

    refused = [one for one in answers if isinstance(one, QueueFull)]
    assert len(refused) == 4
    assert await balance(store) == Balance(0, 8, 0)


async def test_caller_that_leaves_stops_nothing(
    store: SqlLedgerStore, turnstile: Turnstile
) -> None:
    """A reserve whose caller is cancelled in its batch is whole, and so are others."""
    turnstile.closed_at = BatchPoint.STAGED
    gone = asyncio.create_task(store.reserve(request("r1")))
    await asyncio.to_thread(turnstile.reached.wait, 10)
    later = asyncio.create_task(store.reserve(request("r2")))
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    turnstile.let_on()
    await later

    assert await balance(store) == Balance(0, 400, 0)
    assert (await store.reserve(request("r1"))).outcome.value == "replayed"
    await assert_chained(store)


async def test_call_that_waits_too_long_is_told_that_its_outcome_is_unknown(
    tmp_path: Path,
) -> None:
    """The same request may be repeated, and is then held once."""
    turnstile = Turnstile()
    store = await SqlLedgerStore.open(
        f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite3",
        clock=ManualClock(NOON_S),
        timeout_s=0.2,
        observe_batch=turnstile,
    )
    await store.create_account(terms())
    turnstile.closed_at = BatchPoint.BEFORE_COMMIT

    with pytest.raises(StoreUnavailable) as caught:
        await store.reserve(request())
    turnstile.let_on()
    await asyncio.sleep(0.1)
    again = await store.reserve(request())

    assert caught.value.metadata["transaction"] == "ledger.reserve"
    assert again.outcome.value == "replayed"
    assert await balance(store) == Balance(0, 200, 0)
    await store.close()


async def test_question_about_many_rows_is_refused_after_a_write(
    store: SqlLedgerStore,
) -> None:
    """The database could not see what the call has staged: a wrong answer."""

    def careless(rows: LedgerRows) -> None:
        transactions.reserve(rows, request(), now_s=NOON_S)
        rows.holders(DATASET, count_max=1)

    with pytest.raises(Internal):
        await store._write("careless", careless)

    assert await balance(store) == Balance(0, 0, 0)


async def test_read_that_writes_is_refused(store: SqlLedgerStore) -> None:
    """A view that only reads cannot move a balance by mistake."""

    def sly(rows: LedgerRows) -> None:
        transactions.reserve(rows, request(), now_s=NOON_S)

    with pytest.raises(StoreUnavailable):
        await store._read("sly", sly)

    assert await balance(store) == Balance(0, 0, 0)


async def test_batch_reads_each_row_once(
    store: SqlLedgerStore, turnstile: Turnstile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls on one account and on each other's requests share what was read."""
    reads: list[int] = []
    real = BatchRows._read_accounts

    def counted(rows: BatchRows, names: object) -> None:
        known = len(rows._accounts)
        real(rows, names)  # type: ignore[arg-type]
        if len(rows._accounts) != known:
            reads.append(len(rows._accounts) - known)

    monkeypatch.setattr(BatchRows, "_read_accounts", counted)

    await gathered(
        store,
        turnstile,
        *(lambda n=n: store.reserve(request(f"r{n}")) for n in range(4)),
    )

    assert reads == [1, 1]  # The batch before, and this one.
