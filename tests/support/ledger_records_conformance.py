"""What every ledger store must remember: answers, checkpoints, and who spent what."""

import asyncio
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated_router.budget.accounts import AccountName
from federated_router.budget.answers import Answer
from federated_router.budget.chain import ChainHead, genesis
from federated_router.budget.checkpoint import CheckpointSigner, is_genuine
from federated_router.budget.port import LedgerStore
from federated_router.budget.record_calls import ANSWERS_DELETED_MAX
from federated_router.budget.reservation import ReleaseCause, RequestId
from federated_router.budget.rows import Spending
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import AccountUnknown, FieldInvalid, RequestIdReused
from federated_router.privacy.renewal import RenewalPolicy
from tests.support.ledger_world import (
    DATASET,
    DAY_S,
    NOON_S,
    OWNER,
    USER,
    journal,
    request,
    terms,
)

SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
KEY = bytes(32)
BODY = hashlib.sha256(b"body").digest()
LASTS_S = 100.0
CHEAP, DEAR = '{"mechanism":"cheap"}', '{"mechanism":"dear"}'


def answer(
    request_id: str,
    content: bytes = b"\x00\xffanswer",
    *,
    cache_key: bytes | None = None,
    stored_s: float = NOON_S,
) -> Answer:
    """Return an answer that expires LASTS_S after it was stored."""
    return Answer(
        request_id=RequestId(request_id),
        content=content,
        stored_time_s=stored_s,
        expires_time_s=stored_s + LASTS_S,
        cache_key=cache_key,
    )


async def publish(store: LedgerStore, told: Answer) -> None:
    """Reserve for the answer's request, and commit with it."""
    await store.reserve(request(told.request_id, charges=((DATASET, 1),), steps_max=1))
    await store.commit(told.request_id, owner=OWNER, steps=1, answer=told)


async def kept(store: LedgerStore, request_id: str) -> Answer | None:
    """Return what the request itself published."""
    return await store.stored_answer(
        RequestId(request_id), body_digest=BODY, cache_key=None
    )


async def cached(store: LedgerStore, cache_key: bytes) -> Answer | None:
    """Return what a new request with the same question is answered."""
    return await store.stored_answer(
        RequestId("another"), body_digest=BODY, cache_key=cache_key
    )


async def spend(store: LedgerStore, request_id: str, event: str, steps: int) -> None:
    """Charge so many steps of an event to both accounts."""
    charges = ((DATASET, 2), (USER, 3))
    await store.reserve(request(request_id, charges=charges, event=event))
    await store.commit(RequestId(request_id), owner=OWNER, steps=steps)


class RecordsConformance:
    """The promises about what is remembered."""

    async def test_answer_is_replayed_to_its_request_until_it_expires(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A lost answer is had again for nothing, to the last bit."""
        await store.create_account(terms())
        told = answer("r1")
        await publish(store, told)

        assert await kept(store, "r1") == told
        assert await kept(store, "r2") is None
        await clock.advance(LASTS_S)
        assert await kept(store, "r1") is None

    async def test_answer_is_kept_with_the_commit_that_moved_and_no_other(
        self, store: LedgerStore
    ) -> None:
        """One charge is one answer, and what is not charged is not served."""
        await store.create_account(terms())
        first = answer("r1", b"first")
        await publish(store, first)
        await store.commit(
            RequestId("r1"), owner=OWNER, steps=1, answer=answer("r1", b"second")
        )
        await store.reserve(request("r2", steps_max=1))
        with pytest.raises(FieldInvalid):
            await store.commit(
                RequestId("r2"), owner=OWNER, steps=2, answer=answer("r2")
            )

        assert await kept(store, "r1") == first
        assert await kept(store, "r2") is None

    async def test_cached_answer_is_the_newest_that_is_fresh(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """The same public question is answered from what was published last."""
        await store.create_account(terms())
        await publish(store, answer("old", b"old", cache_key=KEY))
        newer = answer("new", b"new", cache_key=KEY, stored_s=NOON_S + 10)
        await publish(store, newer)
        await publish(store, answer("other", cache_key=b"k" * 32))
        await publish(store, answer("private"))

        assert await cached(store, KEY) == newer
        assert await cached(store, b"?" * 32) is None
        await clock.advance(LASTS_S)
        assert await cached(store, KEY) == newer
        await clock.advance(10)
        assert await cached(store, KEY) is None

    async def test_used_request_id_is_answered_from_no_other_request(
        self, store: LedgerStore
    ) -> None:
        """Who was charged and kept no answer gets none, whatever is cached."""
        await store.create_account(terms())
        await publish(store, answer("r1", cache_key=KEY))
        await store.reserve(request("r2"))

        told = await store.stored_answer(
            RequestId("r2"), body_digest=BODY, cache_key=KEY
        )

        assert told is None
        with pytest.raises(RequestIdReused):
            await store.stored_answer(
                RequestId("r1"), body_digest=bytes(32), cache_key=KEY
            )

    async def test_expired_answers_are_deleted_and_fresh_ones_stay(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """Whoever sweeps twice finds nothing the second time."""
        await store.create_account(terms())
        await publish(store, answer("r1"))
        await publish(store, answer("r2", stored_s=NOON_S + 1))
        await clock.advance(LASTS_S)

        assert await store.delete_answers(bytes_max=1000) == 1
        assert await store.delete_answers(bytes_max=1000) == 0
        assert await kept(store, "r2") is not None

    async def test_oldest_answers_go_where_there_are_too_many_bytes(
        self, store: LedgerStore
    ) -> None:
        """The limit is in bytes; exactly the limit is within it."""
        await store.create_account(terms())
        for number in range(5):
            await publish(store, answer(f"r{number}", bytes(10)))

        assert await store.delete_answers(bytes_max=50) == 0
        assert await store.delete_answers(bytes_max=25) == 3

        left = [await kept(store, f"r{number}") for number in range(5)]
        assert [one is not None for one in left] == [False] * 3 + [True] * 2

    async def test_more_answers_than_one_sweep_deletes_all_go(
        self, store: LedgerStore
    ) -> None:
        """A batch is a limit on one transaction, not on the promise."""
        count = ANSWERS_DELETED_MAX + 1
        await store.create_account(terms(limit_units=count))
        await asyncio.gather(
            *(publish(store, answer(f"r{number}")) for number in range(count))
        )

        assert await store.delete_answers(bytes_max=0) == count
        assert await store.delete_answers(bytes_max=0) == 0

    async def test_empty_ledger_has_an_identity_and_nothing_to_sign(
        self, store: LedgerStore
    ) -> None:
        """The first entry is chained to something that no other ledger has."""
        head = await store.head()

        assert head == genesis(head.ledger_id)
        assert len(head.ledger_id) == 16
        assert await store.checkpoint(SIGNER) is None
        assert await store.list_checkpoints(page_size=10) == ()

    async def test_checkpoint_signs_the_newest_entry_once(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A quiet ledger is not signed again, a changed one is."""
        await store.create_account(terms())
        first = await store.checkpoint(SIGNER)
        await clock.advance(5)
        again = await store.checkpoint(SIGNER)
        await store.reserve(request())
        second = await store.checkpoint(SIGNER)

        assert first is not None
        assert second is not None
        assert again == first
        assert is_genuine(first)
        assert is_genuine(second)
        assert second.head == await store.head()
        assert await store.list_checkpoints(page_size=10) == (first, second)
        assert await store.list_checkpoints(after=1, page_size=10) == (second,)
        assert await store.list_checkpoints(page_size=1) == (first,)

    async def test_pages_of_the_journal_are_complete_and_in_order(
        self, store: LedgerStore
    ) -> None:
        """An export by pages is the journal; the last place is the head."""
        await store.create_account(terms())
        for number in range(4):
            await store.reserve(request(f"r{number}"))

        whole = await journal(store)
        paged = [
            entry
            for after in (0, 2, 4, 6)
            for entry in await store.list_entries(after=after, page_size=2)
        ]

        head = await store.head()
        assert paged == whole
        assert [one.sequence for one in whole] == [1, 2, 3, 4, 5]
        assert head == ChainHead(head.ledger_id, 5, whole[-1].hash)

    async def test_report_adds_up_what_was_charged_by_event(
        self, store: LedgerStore
    ) -> None:
        """Holds and releases cost nothing; other accounts count for themselves."""
        await store.create_account(terms())
        await store.create_account(terms(USER, limit_units=2000))
        await spend(store, "r1", CHEAP, 5)
        await spend(store, "r2", DEAR, 90)
        await spend(store, "r3", CHEAP, 7)
        await store.reserve(request("held"))
        await store.reserve(request("freed"))
        await store.release(
            RequestId("freed"), owner=OWNER, cause=ReleaseCause.QUEUE_FULL
        )

        told = await store.report(DATASET, lifetime=True, count_max=2)
        user = await store.report(USER, lifetime=True, count_max=9)

        assert told.spending == (
            Spending(CHEAP, steps=12, requests=2, units=24),
            Spending(DEAR, steps=90, requests=1, units=180),
        )
        assert [one.request_id for one in told.dearest] == ["r2", "r3"]
        assert told.account == await store.get_account(DATASET)
        assert sum(one.units for one in user.spending) == 306
        assert [one.request_id for one in user.dearest] == ["r2", "r3", "r1"]

    async def test_report_of_a_window_begins_with_it(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """What the last window spent is in the lifetime's report alone."""
        for name in (DATASET, USER):
            await store.create_account(terms(name, renewal=RenewalPolicy.DAILY))
        await spend(store, "before", CHEAP, 5)
        await clock.advance(DAY_S)
        await spend(store, "after", CHEAP, 7)

        window = await store.report(DATASET, lifetime=False, count_max=9)
        lifetime = await store.report(DATASET, lifetime=True, count_max=9)

        assert window.spending == (Spending(CHEAP, steps=7, requests=1, units=14),)
        assert [one.request_id for one in window.dearest] == ["after"]
        assert sum(one.units for one in lifetime.spending) == 24
        assert [one.request_id for one in lifetime.dearest] == ["after", "before"]

    async def test_equally_dear_requests_are_told_oldest_first(
        self, store: LedgerStore
    ) -> None:
        """A report says the same on every database."""
        for name in (DATASET, USER):
            await store.create_account(terms(name))
        for request_id in ("b", "c", "a"):
            await spend(store, request_id, CHEAP, 1)

        told = await store.report(DATASET, lifetime=True, count_max=2)

        assert [one.request_id for one in told.dearest] == ["b", "c"]
        with pytest.raises(AccountUnknown):
            await store.report(
                AccountName("accounts/user-none"), lifetime=True, count_max=1
            )
