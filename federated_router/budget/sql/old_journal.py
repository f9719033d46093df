"""Chains a journal that was written before there was a chain.

Decides nothing: each entry keeps what it told, to the letter, and gets its place,
from 1 without gaps, and its hash. For the revision of the schema that brings the chain.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, RowMapping, text

from federated_router.budget.chain import (
    LEDGER_ID_BYTES,
    ChainHead,
    genesis,
    head_after,
    link,
)
from federated_router.budget.entries import Entry, EntryKind

_ROWS_AT_ONCE: Final = 1000
_INSERT: Final = text(
    "INSERT INTO ledger_events VALUES "
    "(:sequence, :time_s, :kind, :account, :request_id, :detail, :hash)"
)
_START: Final = text(
    "INSERT INTO ledger_chain "
    "SELECT 1, :ledger_id, :sequence, :hash, coalesce(max(number), 0) "
    "FROM ledger_reservations"
)


def chain_journal(connection: Connection, table: str) -> None:
    """Copy the entries of `table` to the journal, chained, and keep where they end.

    The ledger's identity is drawn here.
    """
    head = genesis(secrets.token_bytes(LEDGER_ID_BYTES))
    for rows in _pages(connection, table):
        head = _copy(connection, head, rows)
    connection.execute(
        _START,
        {"ledger_id": head.ledger_id, "sequence": head.sequence, "hash": head.hash},
    )


def _pages(connection: Connection, table: str) -> Iterator[Sequence[RowMapping]]:
    statement = text(
        f"SELECT * FROM {table} WHERE sequence > :after "  # noqa: S608 - ours.
        "ORDER BY sequence LIMIT :count_max"
    )
    after = 0
    while True:
        told = {"after": after, "count_max": _ROWS_AT_ONCE}
        rows = connection.execute(statement, told).mappings().all()
        if not rows:
            return
        yield rows
        after = rows[-1]["sequence"]


def _copy(
    connection: Connection, head: ChainHead, rows: Sequence[RowMapping]
) -> ChainHead:
    linked = []
    for row in rows:
        entry = Entry(
            kind=EntryKind(row["kind"]),
            time_s=row["time_s"],
            account=row["account"],
            request_id=row["request_id"],
            detail=row["detail"],
        )
        chained = link(head, entry)
        head = head_after(head, chained)
        linked.append({**row, "sequence": chained.sequence, "hash": chained.hash})
    connection.execute(_INSERT, linked)
    return head
