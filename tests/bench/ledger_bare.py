"""What one reserve costs without group commit: its statements, one transaction each.

The bare driver, one thread and one connection per caller: read the chain, the account
and the request; update the balance; insert reservation, charge and entry; move the
chain; commit. Nothing is decided and nothing is hashed, so this is the databases' part.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import make_url

TURN_S: Final = 1.0
BUSY_S: Final = 30.0
STATEMENTS: Final = (
    "SELECT * FROM ledger_accounts WHERE name = {mark}",
    "SELECT number FROM ledger_reservations WHERE request_id = {mark}",
    """UPDATE ledger_accounts SET reserved_units = reserved_units + 64
       WHERE name = {mark} AND limit_units - spent_units >= reserved_units + 64""",
    """INSERT INTO ledger_reservations VALUES ({mark}, {mark}, {mark}, 'bench', 'boot',
       32, '{{}}', 0, 0, 'reserved', 0, NULL, NULL)""",
    "INSERT INTO ledger_charges VALUES ({mark}, {mark}, 2)",
    """INSERT INTO ledger_events
       VALUES ({mark}, 0, 'reserved', NULL, {mark}, '{{}}', {mark})""",
    """UPDATE ledger_chain SET sequence = {mark}, last_reservation = {mark}
       WHERE only_row = 1""",
)
HEAD: Final = "SELECT sequence, last_reservation FROM ledger_chain WHERE only_row = 1"


def bare_per_second(url: str, names: Sequence[str], callers: int) -> float:
    """Return reserves per second of so many threads, each on its own connection."""
    numbers = count()
    served: list[int] = []
    end_s = time.perf_counter() + TURN_S

    def caller() -> None:
        with closing(_connection(url)) as connection:
            served.append(_serve(connection, url, names, numbers, end_s))

    threads = [threading.Thread(target=caller) for _ in range(callers)]
    begin_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(served) != callers:
        raise RuntimeError("A caller of the bare driver failed.")
    return sum(served) / (time.perf_counter() - begin_s)


def _connection(url: str) -> Any:  # noqa: ANN401 - of either driver.
    address = make_url(url)
    if address.drivername.startswith("sqlite"):
        path = Path(str(address.database))
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection
    return psycopg.connect(
        address.set(drivername="postgresql").render_as_string(hide_password=False),
        autocommit=True,
    )


def _serve(
    connection: Any,  # noqa: ANN401 - of either driver.
    url: str,
    names: Sequence[str],
    numbers: Iterator[int],
    end_s: float,
) -> int:
    on_sqlite = url.startswith("sqlite")
    mark = "?" if on_sqlite else "%s"
    statements = [one.format(mark=mark) for one in STATEMENTS]
    begin = "BEGIN IMMEDIATE" if on_sqlite else "BEGIN"
    head = HEAD if on_sqlite else f"{HEAD} FOR UPDATE"
    run: Callable[..., Any] = connection.cursor().execute
    served = 0
    while time.perf_counter() < end_s:
        place = next(numbers)
        request_id = f"bare-{threading.get_ident()}-{time.perf_counter_ns()}"
        run(begin)
        sequence, last = run(head).fetchone()
        for statement, values in zip(
            statements,
            _values(names[place % len(names)], request_id, sequence, last),
            strict=True,
        ):
            run(statement, values)
        run("COMMIT")
        served += 1
    return served


def _values(
    name: str, request_id: str, sequence: int, last: int
) -> Iterator[tuple[object, ...]]:
    yield (name,)
    yield (request_id,)
    yield (name,)
    yield (last + 1, request_id, bytes(32))
    yield (last + 1, name)
    yield (sequence + 1, request_id, bytes(32))
    yield (sequence + 1, last + 1)
