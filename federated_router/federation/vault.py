"""What a member must not lose or say twice: its keys, and its words in each round.

Decides that everything is on disk before it is sent, and that the first word stands: a
restarted member sends the same nonce, the same contribution and the same answer, and a
second answer to a round cannot be written. Refuses to know what is sent and when.

One-time secrets are not here: a contribution is stored as it is sent, with the shares
already sealed, so that the secret dies in memory. An ended round keeps its name and
loses its content. The file belongs to its owner alone (0600) and is not encrypted.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, TypeVar

from sqlalchemy import URL, Connection

from federated_router.federation import vault_words as words
from federated_router.federation.credentials import Credentials
from federated_router.federation.round_view import Contribution
from federated_router.federation.statistics import Batch
from federated_router.federation.vault_keys import VaultKeys
from federated_router.federation.vault_records import VaultRecords
from federated_router.federation.vault_rows import (
    Answer,
    Check,
    RoundRecord,
    answer_columns,
    check_columns,
    contribution_columns,
)
from federated_router.federation.verification import Promise
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database

T = TypeVar("T")
MIGRATIONS: Final = "federated_router.federation.migrations"


class Vault:
    """The durable memory of one member, and of one process at a time.

    The small record that was read or written last is kept, so that a step which has
    nothing to write does not visit the file. Every write reads the file all the same.
    """

    def __init__(
        self,
        database: Database,
        *,
        credentials: Credentials,
        key_lifetime_s: float,
        clock: Clock,
    ) -> None:
        self._database = database
        self._credentials = credentials
        keys = VaultKeys(
            credentials=credentials, lifetime_s=key_lifetime_s, clock=clock
        )
        self._records = VaultRecords(keys)
        self._kept: RoundRecord | None = None

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        credentials: Credentials,
        key_lifetime_s: float,
        clock: Clock,
    ) -> Self:
        """Open the vault in `path`, making it first where there is none."""
        url = URL.create("sqlite+aiosqlite", database=str(path)).render_as_string()
        database = await Database.open(url, migrations=MIGRATIONS)
        return cls(
            database,
            credentials=credentials,
            key_lifetime_s=key_lifetime_s,
            clock=clock,
        )

    @property
    def database(self) -> Database:
        """The vault's file, for what lies beside the rounds."""
        return self._database

    async def close(self) -> None:
        """Let the running transaction end, and close."""
        await self._database.close()

    async def join(self, round_name: str) -> RoundRecord:
        """Return the record of a round, with a fresh nonce if it is the first time.

        Raises RoundStateWrong for a round that ended for this member.
        """

        def work(connection: Connection) -> RoundRecord:
            return self._records.joined(connection, round_name)

        return await self._said("join_round", round_name, work)

    async def find(self, round_name: str) -> RoundRecord | None:
        """Return the whole record of a round that this member joined.

        Raises RoundStateWrong for a round that ended for this member.
        """

        def work(connection: Connection) -> RoundRecord | None:
            return self._records.find_whole(connection, round_name)

        return await self._database.look("find_round", work)

    async def find_small(self, round_name: str) -> RoundRecord | None:
        """Return the record of a round, without batch and contribution; as `find`."""
        if self._kept is not None and self._kept.round_name == round_name:
            return self._kept

        def work(connection: Connection) -> RoundRecord | None:
            return self._records.find(connection, round_name)

        self._kept = await self._database.look("find_small_round", work)
        return self._kept

    async def unfinished(self) -> tuple[RoundRecord, ...]:
        """Return the small records of all rounds that have not ended, oldest first."""
        return await self._database.look("unfinished_rounds", self._records.unfinished)

    async def batches(self) -> tuple[tuple[str, Batch], ...]:
        """Return round and batch of what was frozen and has not ended, oldest first."""
        return await self._database.look("batches", self._records.batches)

    async def store_contribution(
        self, contribution: Contribution, *, batch: Batch, promise: Promise
    ) -> Contribution:
        """Write a contribution before it is sent; return the one that stands.

        Raises RosterMismatch if another one stands, for another roster.
        """
        name = contribution.round_name

        def work(connection: Connection) -> Contribution:
            known = self._records.require(connection, name)
            if not words.first_contribution(known, contribution):
                whole = self._records.find_whole(connection, name)
                return (whole and whole.contribution) or contribution
            self._records.insert_body(connection, contribution, batch)
            columns = contribution_columns(contribution, promise)
            self._records.update(connection, name, columns)
            return contribution

        return await self._said("store_contribution", name, work)

    async def store_check(self, round_name: str, check: Check) -> Check:
        """Write the one check before it is sent; return the one that stands.

        Raises ShareConflict or RoundStateWrong as `vault_words.first_check`; what
        stands stays then, and this check must not leave.
        """

        def work(connection: Connection) -> Check:
            known = self._records.require(connection, round_name)
            if words.first_check(known, check):
                self._records.update(connection, round_name, check_columns(check))
            return known.check or check

        return await self._said("store_check", round_name, work)

    async def store_answer(self, round_name: str, answer: Answer) -> Answer:
        """Write the one answer before it is sent; return the one that stands.

        Raises ShareConflict or RoundStateWrong as `vault_words.first_answer`; what
        stands stays then, and this answer must not leave.
        """

        def work(connection: Connection) -> Answer:
            known = self._records.require(connection, round_name)
            if words.first_answer(known, answer):
                self._records.update(connection, round_name, answer_columns(answer))
            return known.answer or answer

        return await self._said("store_answer", round_name, work)

    async def end(self, round_name: str) -> None:
        """Erase what was said in a round; its name stays, so that it stays ended."""
        self._kept = None

        def work(connection: Connection) -> None:
            self._records.erase(connection, round_name)

        await self._database.write("end_round", work)

    async def _said(
        self, transaction: str, round_name: str, work: Callable[[Connection], T]
    ) -> T:
        """Write what `work` says, and keep the record as the file then has it."""
        self._kept = None

        def said(connection: Connection) -> tuple[T, RoundRecord]:
            return work(connection), self._records.require(connection, round_name)

        answer, self._kept = await self._database.write(transaction, said)
        return answer
