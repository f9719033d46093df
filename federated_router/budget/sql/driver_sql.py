"""Statements of the request path in the words of each database.

Decides SQL text that the driver runs as it is: what every request costs must not pay
for building it. Refuses to run anything (`driver`). A change of many rows names the
parts of one row by place, from 0; a list of keys is one value, so that the text never
changes and the driver can keep it prepared.
"""
# ruff: noqa: S608 - Names come from the schema, and values are bound.

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table

from federated_router.budget.sql.schema import ACCOUNTS, CHAIN, PROPOSALS, RESERVATIONS

Part = Callable[[int, str], str]
"""How the part at a place, of an SQL type, is written."""


@dataclass(frozen=True, slots=True)
class DriverSql:
    """The statements for one database; columns are in the tables' order."""

    chain: str
    locked_chain: str
    accounts_by_name: str
    reservations_by_request: str
    save_accounts: str
    save_reservations: str
    save_chain: str
    save_proposals: str
    delete_proposals: str
    delete_answers: str


def _columns(table: Table, prefix: str = "") -> str:
    return ", ".join(prefix + column.name for column in table.columns)


def _save_accounts(part: Part, source: str) -> str:
    # The guard says the rule of the ledger once more, where nothing above can skip it.
    return f"""
        UPDATE ledger_accounts
        SET window_start_s = {part(0, "float8")}, spent_units = {part(1, "bigint")},
            reserved_units = {part(2, "bigint")}, lifetime_units = {part(3, "bigint")},
            closed_time_s = {part(4, "float8")}
        {source}
        WHERE name = {part(5, "text")} AND spent_units = {part(6, "bigint")}
            AND reserved_units = {part(7, "bigint")}
            AND lifetime_units = {part(8, "bigint")}
            AND limit_units >= {part(9, "bigint")}"""


def _save_reservations(part: Part, source: str) -> str:
    # Held is said by its other sign, `settled_time_s`: asked for the state, PostgreSQL
    # would read every hold there is, from the index of those.
    return f"""
        UPDATE ledger_reservations
        SET lease_expires_s = {part(0, "float8")}, state = {part(1, "text")},
            steps_charged = {part(2, "bigint")}, cause = {part(3, "text")},
            settled_time_s = {part(4, "float8")}, steps_bound = {part(5, "bigint")}
        {source}
        WHERE request_id = {part(6, "text")} AND settled_time_s IS NULL
            AND steps_bound <= {part(5, "bigint")}"""


def _driver_sql(
    part: Part, source: str, *, mark: str, among: str, lock: str
) -> DriverSql:
    changed = ", ".join(
        f"{column.name} = excluded.{column.name}" for column in PROPOSALS.columns
    )
    marks = ", ".join([mark] * len(PROPOSALS.columns))
    chain = f"SELECT {_columns(CHAIN)} FROM ledger_chain WHERE only_row = 1"
    return DriverSql(
        chain=chain,
        locked_chain=chain + lock,
        accounts_by_name=f"""
            SELECT {_columns(ACCOUNTS)} FROM ledger_accounts WHERE name {among}""",
        reservations_by_request=f"""
            SELECT {_columns(RESERVATIONS, "r.")}, c.account, c.units_per_step
            FROM ledger_reservations r JOIN ledger_charges c ON c.number = r.number
            WHERE r.request_id {among}""",
        save_accounts=_save_accounts(part, source),
        save_reservations=_save_reservations(part, source),
        save_chain=f"""
            UPDATE ledger_chain
            SET sequence = {mark}, hash = {mark}, last_reservation = {mark}
            WHERE only_row = 1 AND sequence = {mark} AND last_reservation = {mark}""",
        save_proposals=f"""
            INSERT INTO ledger_proposals ({_columns(PROPOSALS)}) VALUES ({marks})
            ON CONFLICT (account) DO UPDATE SET {changed}""",
        delete_proposals=f"DELETE FROM ledger_proposals WHERE account = {mark}",
        delete_answers=f"DELETE FROM ledger_answers WHERE number {among}",
    )


SQLITE: Final = _driver_sql(
    lambda place, _: f"?{place + 1}",
    "",
    mark="?",
    among="IN (SELECT value FROM json_each(?))",
    lock="",
)
POSTGRES: Final = _driver_sql(
    lambda place, kind: f"(part->>{place})::{kind}",
    "FROM jsonb_array_elements(%s::jsonb) AS part",
    mark="%s",
    among="= ANY(%s)",
    lock=" FOR UPDATE",
)
