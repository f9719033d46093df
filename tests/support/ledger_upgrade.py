"""What an upgrade from revisions 1 and 2 must keep; each database inherits these tests.

A subclass's module provides the fixture `url`, the address of an empty database.
"""

from pathlib import Path

from federated_router.budget.entries import EntryKind
from federated_router.budget.reservation import (
    Owner,
    ReleaseCause,
    RequestId,
    ReservationState,
)
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import ManualClock
from tests.support.ledger_v1 import BALANCES, TIME_S, write_v1
from tests.support.ledger_v2 import ANSWER, write_v2
from tests.support.ledger_world import (
    DATASET,
    OWNER,
    USER,
    Balance,
    assert_chained,
    balance,
    balances_told_by,
    journal,
    request,
)


class LedgerUpgrade:
    """The promises of later revisions to ledgers of earlier ones."""

    __test__ = False

    async def test_upgraded_ledger_has_the_same_balances_and_a_whole_chain(
        self, url: str, tmp_path: Path
    ) -> None:
        """An upgrade spends nothing and forgives nothing; the old log is chained."""
        await write_v1(url, tmp_path)

        store = await SqlLedgerStore.open(url, clock=ManualClock(TIME_S))

        entries = await journal(store)
        assert {name: await balance(store, name) for name in BALANCES} == BALANCES
        assert balances_told_by(entries) == BALANCES
        assert [one.sequence for one in entries] == list(range(1, 10))
        assert "Zoë" in entries[2].entry.detail
        assert {one.entry.time_s for one in entries} == {TIME_S}
        await assert_chained(store)
        await store.close()

    async def test_upgraded_ledger_goes_on_where_it_was(
        self, url: str, tmp_path: Path
    ) -> None:
        """Old holds settle, new requests are numbered after the old, once for all."""
        await write_v1(url, tmp_path)
        store = await SqlLedgerStore.open(url, clock=ManualClock(TIME_S))

        held = await store.get_reservation(RequestId("r2"))
        await store.commit(RequestId("r2"), owner=OWNER, steps=100)
        await store.reserve(request("new", charges=((DATASET, 1), (USER, 1))))
        page = await store.list_reservations(DATASET, page_size=10)

        ids = [one.request_id for one in page.reservations]
        released = page.reservations[2]
        assert held.owner == Owner("router-1", "boot-1")
        assert ids == ["new", "r4", "r3", "r2", "r1"]
        assert released.state is ReservationState.RELEASED
        assert released.cause is ReleaseCause.QUEUE_FULL
        assert await balance(store, DATASET) == Balance(234, 100, 234)
        assert (await journal(store))[-1].entry.kind is EntryKind.RESERVED
        await assert_chained(store)
        await store.close()

    async def test_reservation_of_an_older_revision_allows_all_that_it_holds(
        self, url: str, tmp_path: Path
    ) -> None:
        """Nobody wrote down how far it went: what is left of it is charged in full."""
        await write_v2(url, tmp_path)
        store = await SqlLedgerStore.open(url, clock=ManualClock(TIME_S + 1))

        found = [
            await store.get_reservation(RequestId(one))
            for one in ("r1", "r2", "r3", "r4")
        ]
        (expired,) = await store.expire_due()

        assert [one.steps_bound for one in found] == [100, 100, 100, 10]
        assert [one.steps_charged for one in found] == [7, 0, 0, 10]
        assert expired.steps_charged == 100
        assert await balance(store, DATASET) == Balance(234, 0, 234)
        await assert_chained(store)
        await store.close()

    async def test_upgraded_ledger_keeps_answers_and_takes_bounds(
        self, url: str, tmp_path: Path
    ) -> None:
        """What was published is served on, and new requests go by instalments."""
        await write_v2(url, tmp_path)
        store = await SqlLedgerStore.open(url, clock=ManualClock(TIME_S))

        answer = await store.stored_answer(
            RequestId("r1"), body_digest=bytes(32), cache_key=None
        )
        await store.reserve(request("new", charges=((DATASET, 1),), steps_bound=4))
        await store.bound(RequestId("new"), owner=OWNER, steps=9)
        orphans = await store.settle_orphans(Owner(OWNER.instance, "boot-9"))

        assert answer is not None
        assert answer.content == ANSWER
        assert [one.steps_charged for one in orphans] == [100, 9]
        assert await balance(store, DATASET) == Balance(243, 0, 243)
        await store.close()

    async def test_upgrade_happens_once(self, url: str, tmp_path: Path) -> None:
        """A ledger keeps its identity: a chain made anew would hide a change."""
        await write_v1(url, tmp_path)
        first = await SqlLedgerStore.open(url, clock=ManualClock(TIME_S))
        head = await first.head()
        await first.close()

        second = await SqlLedgerStore.open(url, clock=ManualClock(TIME_S))

        assert await second.head() == head
        await second.close()
