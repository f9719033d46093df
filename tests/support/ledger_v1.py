"""A ledger as revision 1 of the schema wrote it: statements in its own words."""

import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from federated_router.budget.sql.store import MIGRATIONS
from federated_router.kit.database import Database
from tests.support.ledger_world import DATASET, USER, Balance

BALANCES: Final = {DATASET: Balance(34, 200, 34), USER: Balance(51, 300, 51)}
TIME_S: Final = 1_767_000_000.25
GAPS: Final = (1, 2, 3, 5, 6, 9, 10, 14, 15)
"""The numbers of the entries: transactions that failed took the missing ones."""

_ACCOUNT = (
    "INSERT INTO ledger_accounts VALUES (:name, 1000, 1e-6, 'none', 'UTC', NULL, "
    ":time_s, :spent, :reserved, :lifetime)"
)
_RESERVATION = (
    "INSERT INTO ledger_reservations (number, request_id, body_digest, owner_instance, "
    "owner_boot, tokens_max, event, reserved_time_s, lease_expires_s, state, "
    "tokens_charged, cause, settled_time_s) {override} VALUES (:number, :request_id, "
    ":digest, 'router-1', 'boot-1', :tokens_max, '{{}}', :time_s, :time_s, :state, "
    ":charged, :cause, :settled)"
)
_CHARGE = "INSERT INTO ledger_charges VALUES (:number, :account, :units)"
_ENTRY = (
    "INSERT INTO ledger_events (sequence, time_s, kind, account, request_id, detail) "
    "{override} VALUES (:sequence, :time_s, :kind, :account, :request_id, :detail)"
)


async def write_v1(url: str, folder: Path) -> None:
    """Create a ledger of revision 1 at `url`, with two accounts and four requests."""
    database = await Database.open(url, migrations=_only_v1(folder))
    await database.write("fill", _fill)
    await database.close()


def _only_v1(folder: Path) -> Path:
    """Return a directory that holds revision 1 and belongs to the same store."""
    directory = folder / "budget" / "migrations"
    directory.mkdir(parents=True)
    source = Path(str(files(MIGRATIONS))) / "v0001_accounts.py"
    shutil.copy(source, directory)
    return directory


def _fill(connection: Connection) -> None:
    on_sqlite = connection.dialect.name == "sqlite"
    override = "" if on_sqlite else "OVERRIDING SYSTEM VALUE"
    for name, balance in BALANCES.items():
        told = {
            "name": name,
            "time_s": TIME_S,
            "spent": balance.spent_units,
            "reserved": balance.reserved_units,
            "lifetime": balance.lifetime_units,
        }
        connection.execute(text(_ACCOUNT), told)
    for values in _reservations():
        statement = text(_RESERVATION.format(override=override))
        connection.execute(statement, values)
        for account, units in ((DATASET, 2), (USER, 3)):
            charge = {"number": values["number"], "account": account, "units": units}
            connection.execute(text(_CHARGE), charge)
    for sequence, entry in zip(GAPS, _entries(), strict=True):
        statement = text(_ENTRY.format(override=override))
        connection.execute(statement, {"sequence": sequence, **entry})


def _reservations() -> list[dict[str, object]]:
    rows = [
        ("r1", 100, "committed", 7, None, TIME_S),
        ("r2", 100, "reserved", 0, None, None),
        ("r3", 100, "released", 0, "queue_full", TIME_S),
        ("r4", 10, "expired", 10, None, TIME_S),
    ]
    return [
        {
            "number": 2 * place,
            "request_id": request_id,
            "digest": bytes(32),
            "tokens_max": tokens_max,
            "time_s": TIME_S,
            "state": state,
            "charged": charged,
            "cause": cause,
            "settled": settled,
        }
        for place, (
            request_id,
            tokens_max,
            state,
            charged,
            cause,
            settled,
        ) in enumerate(rows, start=1)
    ]


def _entries() -> list[dict[str, object]]:
    return [
        _entry("account_created", DATASET, None, {"limit_units": 1000}),
        _entry("account_created", USER, None, {"limit_units": 1000}),
        _held("r1", 100),
        _settled("committed", "r1", 7),
        _held("r2", 100),
        _held("r3", 100),
        _settled("released", "r3", 0),
        _held("r4", 10),
        _settled("expired", "r4", 10),
    ]


def _held(request_id: str, tokens_max: int) -> dict[str, object]:
    held = {DATASET: 2 * tokens_max, USER: 3 * tokens_max}
    told = {"held_units": held, "tokens_max": tokens_max, "owner": "Zoë"}
    return _entry("reserved", None, request_id, told)


def _settled(kind: str, request_id: str, tokens: int) -> dict[str, object]:
    charged = {DATASET: 2 * tokens, USER: 3 * tokens}
    told = {"charged_units": charged, "tokens": tokens}
    return _entry(kind, None, request_id, told)


def _entry(
    kind: str, account: str | None, request_id: str | None, told: dict[str, object]
) -> dict[str, object]:
    return {
        "kind": kind,
        "time_s": TIME_S,
        "account": account,
        "request_id": request_id,
        "detail": json.dumps(told, ensure_ascii=False, sort_keys=True),
    }
