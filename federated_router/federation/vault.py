"""What a member must not lose or say twice: its keys, and its words in each round.

Decides that everything is on disk before it is sent, and that the first word stands: a
restarted member sends the same nonce, the same contribution and the same answer, and a
second answer to a round cannot be written. Refuses to know what is sent and when.

One-time secrets are not here: a contribution is stored as it is sent, with the shares
already sealed, so that the secret dies in memory. An ended round keeps its name and
loses its content. The file belongs to its owner alone (0600) and is not encrypted.
"""

from pathlib import Path
from typing import Final, Self, TypeVar

from sqlalchemy import URL, Connection, delete, insert, or_, select, update

from federated_router.crypto.beacon import draw_nonce
from federated_router.crypto.signing import MemberKeys
from federated_router.federation.credentials import Credentials
from federated_router.federation.round_view import Contribution
from federated_router.federation.statistics import Batch
from federated_router.federation.vault_rows import (
    KEYS,
    ROUNDS,
    SMALL_COLUMNS,
    Answer,
    Check,
    HeldKeys,
    RecordState,
    RoundRecord,
    held_keys,
    promise_columns,
    round_record,
    whole_record,
)
from federated_router.federation.verification import Promise
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database
from federated_router.kit.errors import (
    RosterMismatch,
    RoundStateWrong,
    ShareConflict,
)

T = TypeVar("T")
MIGRATIONS: Final = "federated_router.federation.migrations"

ENDED_ROUNDS_MAX: Final = 10_000
"""Names of ended rounds that are remembered; the oldest go first."""

_MARGIN_PART: Final = 4
"""Keys are replaced when less than one such part of their lifetime is left."""

_CONTENT: Final = (
    "keys_number",
    "nonce",
    "roster_hash",
    "survivors_min",
    "batch",
    "body",
    "body_sha256",
    "body_signature",
    "share_sum",
    "answer_signature",
    "contributors_min",
    "cohort_size",
    "cohort_survivors_min",
    "contributors_sha256",
    "combinations",
    "check_signature",
    "answered_own",
)


class Vault:
    """The durable memory of one member."""

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
        self._key_lifetime_s = key_lifetime_s
        self._clock = clock

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
            known = self._find(connection, round_name)
            if known is not None:
                return known
            held = self._current_keys(connection)
            connection.execute(
                insert(ROUNDS).values(
                    round_name=round_name,
                    state=RecordState.JOINED,
                    keys_number=held.number,
                    nonce=draw_nonce(),
                )
            )
            return self._require(connection, round_name)

        return await self._database.write("join_round", work)

    async def find(self, round_name: str) -> RoundRecord | None:
        """Return the whole record of a round that this member joined.

        Raises RoundStateWrong for a round that ended for this member.
        """

        def work(connection: Connection) -> RoundRecord | None:
            return self._find(connection, round_name, whole=True)

        return await self._database.look("find_round", work)

    async def find_small(self, round_name: str) -> RoundRecord | None:
        """Return the record of a round, without batch and contribution; as `find`."""

        def work(connection: Connection) -> RoundRecord | None:
            return self._find(connection, round_name)

        return await self._database.look("find_small_round", work)

    async def unfinished(self) -> tuple[RoundRecord, ...]:
        """Return the small records of all rounds that have not ended, oldest first."""

        def work(connection: Connection) -> tuple[RoundRecord, ...]:
            names = connection.scalars(
                select(ROUNDS.c.round_name)
                .where(ROUNDS.c.state != RecordState.ENDED)
                .order_by(ROUNDS.c.number)
            ).all()
            return tuple(self._require(connection, name) for name in names)

        return await self._database.look("unfinished_rounds", work)

    async def batches(self) -> tuple[tuple[str, Batch], ...]:
        """Return round and batch of what was frozen and has not ended, oldest first."""

        def work(connection: Connection) -> tuple[tuple[str, Batch], ...]:
            found = connection.execute(
                select(ROUNDS.c.round_name, ROUNDS.c.batch)
                .where(ROUNDS.c.state != RecordState.ENDED)
                .where(ROUNDS.c.batch.is_not(None))
                .order_by(ROUNDS.c.number)
            )
            return tuple((name, Batch.from_bytes(batch)) for name, batch in found)

        return await self._database.look("batches", work)

    async def store_contribution(
        self, contribution: Contribution, *, batch: Batch, promise: Promise
    ) -> Contribution:
        """Write a contribution before it is sent; return the one that stands.

        Raises RosterMismatch if another one stands, for another roster.
        """

        def work(connection: Connection) -> Contribution:
            contributed = self._require(connection, contribution.round_name).contributed
            if contributed is None:
                self._write(
                    connection,
                    contribution.round_name,
                    state=RecordState.CONTRIBUTED,
                    roster_hash=contribution.roster_hash,
                    **promise_columns(promise),
                    batch=batch.to_bytes(),
                    body=contribution.body,
                    body_sha256=contribution.sha256,
                    body_signature=contribution.signature,
                )
                return contribution
            if contributed.roster_hash != contribution.roster_hash:
                raise RosterMismatch(
                    "This member contributed to this round under another roster.",
                    metadata={"check": "roster_hash"},
                )
            known = self._find(connection, contribution.round_name, whole=True)
            return (known and known.contribution) or contribution

        return await self._database.write("store_contribution", work)

    async def store_check(self, round_name: str, check: Check) -> Check:
        """Write the one check before it is sent; return it.

        Raises:
            ShareConflict: a check of another contributor set, or another check of this
                one, stands. It stays, and this one must not leave.
            RoundStateWrong: this member did not contribute.
        """

        def work(connection: Connection) -> Check:
            known = self._require(connection, round_name)
            if known.check is not None:
                if (
                    known.check.combinations != check.combinations
                    or known.check.contributors_sha256 != check.contributors_sha256
                ):
                    raise ShareConflict(
                        "This member has checked this round differently."
                    )
                return known.check
            if known.contributed is None:
                raise RoundStateWrong("Who did not contribute does not check.")
            self._write(
                connection,
                round_name,
                contributors_sha256=check.contributors_sha256,
                combinations=check.combinations,
                check_signature=check.signature,
            )
            return check

        return await self._database.write("store_check", work)

    async def store_answer(self, round_name: str, answer: Answer) -> Answer:
        """Write the one answer before it is sent; return it.

        Raises:
            ShareConflict: another answer stands. It stays, and this one must not leave.
            RoundStateWrong: this member did not check what was dealt to it.
        """

        def work(connection: Connection) -> Answer:
            known = self._require(connection, round_name)
            if known.answer is not None:
                if known.answer.share_sum != answer.share_sum:
                    raise ShareConflict(
                        "This member has answered this round differently."
                    )
                return known.answer
            if known.check is None:
                raise RoundStateWrong("Who did not check its shares does not answer.")
            self._write(
                connection,
                round_name,
                state=RecordState.ANSWERED,
                share_sum=answer.share_sum,
                answer_signature=answer.signature,
                answered_own=int(answer.own_summed),
            )
            return answer

        return await self._database.write("store_answer", work)

    async def end(self, round_name: str) -> None:
        """Erase what was said in a round; its name stays, so that it stays ended."""

        def work(connection: Connection) -> None:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            connection.execute(
                update(ROUNDS)
                .where(ROUNDS.c.round_name == round_name)
                .where(ROUNDS.c.state != RecordState.ENDED)
                .values(state=RecordState.ENDED, **dict.fromkeys(_CONTENT))
            )
            self._forget_expired(connection)

        await self._database.write("end_round", work)

    def _current_keys(self, connection: Connection) -> HeldKeys:
        """Return keys that last long enough, drawing new ones when none do.

        A renewed certificate needs a new binding, and gets new keys with it.
        """
        now_s = self._clock.now_s()
        row = connection.execute(
            select(KEYS)
            .where(KEYS.c.not_after_s > now_s + self._key_lifetime_s / _MARGIN_PART)
            .where(KEYS.c.certificate_der == self._credentials.certificate_der)
            .order_by(KEYS.c.number.desc())
            .limit(1)
        ).first()
        if row is not None:
            return held_keys(row, member=self._credentials.member)
        keys = MemberKeys.generate()
        not_after_s = int(now_s + self._key_lifetime_s)
        announcement = self._credentials.announce(keys.public, not_after_s=not_after_s)
        number = connection.execute(
            insert(KEYS)
            .values(
                secret=keys.to_secret_bytes(),
                not_after_s=not_after_s,
                certificate_der=announcement.certificate_der,
                binding_signature=announcement.binding.signature,
            )
            .returning(KEYS.c.number)
        ).scalar_one()
        return HeldKeys(number, keys, announcement)

    def _find(
        self, connection: Connection, round_name: str, *, whole: bool = False
    ) -> RoundRecord | None:
        columns = ROUNDS.columns if whole else SMALL_COLUMNS
        row = connection.execute(
            select(*columns).where(ROUNDS.c.round_name == round_name)
        ).first()
        if row is None:
            return None
        if row.state == RecordState.ENDED:
            raise RoundStateWrong("This round has ended for this member.")
        keys = connection.execute(
            select(KEYS).where(KEYS.c.number == row.keys_number)
        ).one()
        held = held_keys(keys, member=self._credentials.member)
        return whole_record(row, held) if whole else round_record(row, held)

    def _require(self, connection: Connection, round_name: str) -> RoundRecord:
        record = self._find(connection, round_name)
        if record is None:
            raise RoundStateWrong("This member has not joined this round.")
        return record

    def _write(
        self,
        connection: Connection,
        round_name: str,
        **values: bytes | int | RecordState,
    ) -> None:
        connection.execute(
            update(ROUNDS).where(ROUNDS.c.round_name == round_name).values(**values)
        )

    def _forget_expired(self, connection: Connection) -> None:
        """Delete the oldest names beyond the limit, and keys that nothing needs."""
        newest = connection.scalar(
            select(ROUNDS.c.number).order_by(ROUNDS.c.number.desc()).limit(1)
        )
        connection.execute(
            delete(ROUNDS)
            .where(ROUNDS.c.number <= (newest or 0) - ENDED_ROUNDS_MAX)
            .where(ROUNDS.c.state == RecordState.ENDED)
        )
        used = select(ROUNDS.c.keys_number).where(ROUNDS.c.keys_number.is_not(None))
        stale = or_(
            KEYS.c.not_after_s <= self._clock.now_s(),
            KEYS.c.certificate_der != self._credentials.certificate_der,
        )
        connection.execute(delete(KEYS).where(stale, KEYS.c.number.not_in(used)))
