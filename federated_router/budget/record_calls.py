"""The ledger's calls on what it remembers: the audit log, reports, stored answers."""

from dataclasses import dataclass

from federated_router.budget import transactions
from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.answers import Answer
from federated_router.budget.calls import LedgerCalls, check_page_size
from federated_router.budget.chain import ChainedEntry, ChainHead
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.budget.reservation import RequestId, Reservation, replay
from federated_router.budget.rows import LedgerRows, Spending

ANSWERS_DELETED_MAX = 200
"""How many answers one transaction deletes, so that no reserve waits long behind it."""


@dataclass(frozen=True, slots=True)
class SpendingReport:
    """What an account was charged in a window or over its lifetime."""

    account: Account
    spending: tuple[Spending, ...]
    dearest: tuple[Reservation, ...]


class RecordCalls(LedgerCalls):
    """Memory of the ledger."""

    async def head(self) -> ChainHead:
        """Return the last place of the audit log's chain."""
        return await self._read("ledger.head", lambda rows: rows.head())

    async def list_entries(
        self, *, after: int = 0, page_size: int
    ) -> tuple[ChainedEntry, ...]:
        """Return journal entries after that place, in order."""
        check_page_size(page_size)
        return await self._read(
            "ledger.list_entries",
            lambda rows: rows.entries(after=after, count_max=page_size),
        )

    async def checkpoint(self, signer: CheckpointSigner) -> Checkpoint | None:
        """Sign the newest entry; return its checkpoint, None while there is no entry.

        An entry that is signed already keeps its checkpoint.
        """

        def work(rows: LedgerRows) -> Checkpoint | None:
            head, last = rows.head(), rows.last_checkpoint()
            if last is not None and last.head.sequence == head.sequence:
                return last
            if head.sequence == 0:
                return None
            signed = signer.sign(head, now_s=self._clock.now_s())
            rows.insert_checkpoint(signed)
            return signed

        return await self._write("ledger.checkpoint", work)

    async def list_checkpoints(
        self, *, after: int = 0, page_size: int
    ) -> tuple[Checkpoint, ...]:
        """Return checkpoints of entries after that place, in order."""
        check_page_size(page_size)
        return await self._read(
            "ledger.list_checkpoints",
            lambda rows: rows.checkpoints(after=after, count_max=page_size),
        )

    async def report(
        self, name: AccountName, *, lifetime: bool, count_max: int
    ) -> SpendingReport:
        """Return what the account was charged, in this window or over its lifetime."""

        def work(rows: LedgerRows) -> SpendingReport:
            account = transactions.account(rows, name, now_s=self._clock.now_s())
            since_s = 0.0 if lifetime else account.window_start_s
            return SpendingReport(
                account,
                rows.spending(name, since_s=since_s),
                rows.dearest(name, since_s=since_s, count_max=count_max),
            )

        return await self._read("ledger.report", work)

    async def stored_answer(
        self, request_id: RequestId, *, body_digest: bytes, cache_key: bytes | None
    ) -> Answer | None:
        """Return what this request published, or what the same question was answered.

        A request id that was used is never answered from another request. Raises
        RequestIdReused where it was used with another body.
        """

        def work(rows: LedgerRows) -> Answer | None:
            now_s = self._clock.now_s()
            earlier = rows.reservation(request_id)
            if earlier is not None:
                replay(earlier, body_digest=body_digest)
                return rows.answer(request_id, now_s=now_s)
            if cache_key is None:
                return None
            return rows.cached_answer(cache_key, now_s=now_s)

        return await self._read("ledger.stored_answer", work)

    async def delete_answers(self, *, bytes_max: int) -> int:
        """Delete expired answers, then the oldest beyond the limit; return how many."""
        deleted = 0
        while True:
            count = await self._write(
                "ledger.delete_answers",
                lambda rows: rows.delete_answers(
                    now_s=self._clock.now_s(),
                    bytes_max=bytes_max,
                    count_max=ANSWERS_DELETED_MAX,
                ),
            )
            deleted += count
            if count < ANSWERS_DELETED_MAX:
                return deleted
