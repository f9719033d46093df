"""Records of rounds in the vault's tables, each read and written in one transaction.

Decides where the parts of a record lie and what is erased with it. Refuses to know
which word stands (`vault_words`) and when anything is on disk (`vault`).
"""

from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from federated_router.crypto.beacon import draw_nonce
from federated_router.federation.round_view import Contribution
from federated_router.federation.statistics import Batch
from federated_router.federation.vault_keys import VaultKeys
from federated_router.federation.vault_rows import (
    BODIES,
    CONTENT,
    ROUNDS,
    RecordState,
    RoundRecord,
    round_record,
    whole_record,
)
from federated_router.kit.errors import RoundStateWrong

ENDED_ROUNDS_MAX: Final = 10_000
"""Names of ended rounds that are remembered; the oldest go first."""


class VaultRecords:
    """The rows of rounds; every method runs inside a transaction of the vault."""

    def __init__(self, keys: VaultKeys) -> None:
        self._keys = keys

    def joined(self, connection: Connection, round_name: str) -> RoundRecord:
        """Return the record of a round; the first time with a fresh nonce."""
        known = self.find(connection, round_name)
        if known is not None:
            return known
        connection.execute(
            insert(ROUNDS).values(
                round_name=round_name,
                state=RecordState.JOINED,
                keys_number=self._keys.current(connection).number,
                nonce=draw_nonce(),
            )
        )
        return self.require(connection, round_name)

    def find(self, connection: Connection, round_name: str) -> RoundRecord | None:
        """Return the small record; raise RoundStateWrong for a round that ended."""
        row = connection.execute(
            select(ROUNDS).where(ROUNDS.c.round_name == round_name)
        ).first()
        if row is None:
            return None
        if row.state == RecordState.ENDED:
            raise RoundStateWrong("This round has ended for this member.")
        return round_record(row, self._keys.held(connection, row.keys_number))

    def require(self, connection: Connection, round_name: str) -> RoundRecord:
        """Return the small record; raise RoundStateWrong where there is none."""
        record = self.find(connection, round_name)
        if record is None:
            raise RoundStateWrong("This member has not joined this round.")
        return record

    def find_whole(self, connection: Connection, round_name: str) -> RoundRecord | None:
        """Return the record with batch and contribution; as `find`."""
        small = self.find(connection, round_name)
        if small is None:
            return None
        body = connection.execute(
            select(BODIES)
            .join(ROUNDS, BODIES.c.round_number == ROUNDS.c.number)
            .where(ROUNDS.c.round_name == round_name)
        ).first()
        return small if body is None else whole_record(small, body)

    def unfinished(self, connection: Connection) -> tuple[RoundRecord, ...]:
        """Return the small records of rounds that have not ended, oldest first."""
        names = connection.scalars(
            select(ROUNDS.c.round_name)
            .where(ROUNDS.c.state != RecordState.ENDED)
            .order_by(ROUNDS.c.number)
        ).all()
        return tuple(self.require(connection, name) for name in names)

    def batches(self, connection: Connection) -> tuple[tuple[str, Batch], ...]:
        """Return round and batch of what was frozen, oldest first."""
        found = connection.execute(
            select(ROUNDS.c.round_name, BODIES.c.batch)
            .join(BODIES, BODIES.c.round_number == ROUNDS.c.number)
            .order_by(ROUNDS.c.number)
        )
        return tuple((name, Batch.from_bytes(batch)) for name, batch in found)

    def insert_body(
        self, connection: Connection, contribution: Contribution, batch: Batch
    ) -> None:
        """Store what is sent, and what is in it."""
        name = contribution.round_name
        number = select(ROUNDS.c.number).where(ROUNDS.c.round_name == name)
        connection.execute(
            insert(BODIES).values(
                round_number=number.scalar_subquery(),
                batch=batch.to_bytes(),
                body=contribution.body,
            )
        )

    def update(
        self,
        connection: Connection,
        round_name: str,
        columns: dict[str, bytes | int | str],
    ) -> None:
        """Store what was said in a round."""
        connection.execute(
            update(ROUNDS).where(ROUNDS.c.round_name == round_name).values(**columns)
        )

    def erase(self, connection: Connection, round_name: str) -> None:
        """Overwrite what was said in a round, and drop what nothing needs any more."""
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
        number = select(ROUNDS.c.number).where(ROUNDS.c.round_name == round_name)
        connection.execute(
            delete(BODIES).where(BODIES.c.round_number == number.scalar_subquery())
        )
        connection.execute(
            update(ROUNDS)
            .where(ROUNDS.c.round_name == round_name)
            .where(ROUNDS.c.state != RecordState.ENDED)
            .values(state=RecordState.ENDED, **dict.fromkeys(CONTENT))
        )
        _forget_names(connection)
        self._keys.delete_stale(connection)


def _forget_names(connection: Connection) -> None:
    """Delete the oldest names of ended rounds beyond the limit."""
    newest = connection.scalar(
        select(ROUNDS.c.number).order_by(ROUNDS.c.number.desc()).limit(1)
    )
    connection.execute(
        delete(ROUNDS)
        .where(ROUNDS.c.number <= (newest or 0) - ENDED_ROUNDS_MAX)
        .where(ROUNDS.c.state == RecordState.ENDED)
    )
