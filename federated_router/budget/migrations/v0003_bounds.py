"""How many steps of a reservation can have been taken so far: `steps_bound`.

Reservations of before allowed all of their steps at once, so their bound is the most
that they hold. SQLite cannot change a constraint of a table, so there the table is
written anew, with the two that point at it.
"""

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"

_CHARGED: Final = """CONSTRAINT charged_as_state_says CHECK (
        (state IN ('reserved', 'released') AND steps_charged = 0)
        OR (state = 'committed' AND steps_charged > 0)
        OR (state = 'expired' AND steps_charged = steps_bound)
    )"""
_BOUNDED: Final = """CONSTRAINT bounded_as_held
        CHECK (steps_bound > 0 AND steps_bound <= steps_max)"""
_WITHIN: Final = "CONSTRAINT charged_within_bound CHECK (steps_charged <= steps_bound)"

_POSTGRES: Final = (
    # A large ledger takes longer than any request may.
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "ALTER TABLE ledger_reservations ADD COLUMN steps_bound BIGINT",
    "UPDATE ledger_reservations SET steps_bound = steps_max",
    "ALTER TABLE ledger_reservations ALTER COLUMN steps_bound SET NOT NULL",
    "ALTER TABLE ledger_reservations DROP CONSTRAINT charged_as_state_says",
    f"ALTER TABLE ledger_reservations ADD {_CHARGED}",
    f"ALTER TABLE ledger_reservations ADD {_BOUNDED}",
    f"ALTER TABLE ledger_reservations ADD {_WITHIN}",
)

_RESERVATIONS: Final = f"""
CREATE TABLE ledger_reservations (
    number INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    body_digest BLOB NOT NULL,
    owner_instance TEXT NOT NULL,
    owner_boot TEXT NOT NULL,
    steps_max BIGINT NOT NULL CHECK (steps_max > 0),
    steps_bound BIGINT NOT NULL,
    event TEXT NOT NULL,
    reserved_time_s DOUBLE PRECISION NOT NULL,
    lease_expires_s DOUBLE PRECISION NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('reserved', 'committed', 'released', 'expired')),
    steps_charged BIGINT NOT NULL
        CHECK (steps_charged >= 0 AND steps_charged <= steps_max),
    cause TEXT,
    settled_time_s DOUBLE PRECISION,
    {_CHARGED},
    {_BOUNDED},
    {_WITHIN},
    CONSTRAINT settled_has_time
        CHECK ((state = 'reserved') = (settled_time_s IS NULL)),
    CONSTRAINT released_has_cause CHECK ((state = 'released') = (cause IS NOT NULL))
)
"""

_CHARGES: Final = """
CREATE TABLE ledger_charges (
    number BIGINT NOT NULL REFERENCES ledger_reservations (number),
    account TEXT NOT NULL REFERENCES ledger_accounts (name),
    units_per_step BIGINT NOT NULL CHECK (units_per_step > 0),
    PRIMARY KEY (number, account)
) WITHOUT ROWID
"""

_ANSWERS: Final = """
CREATE TABLE ledger_answers (
    number INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE REFERENCES ledger_reservations (request_id),
    cache_key BLOB CHECK (length(cache_key) = 32),
    size_bytes BIGINT NOT NULL CHECK (size_bytes = length(content)),
    stored_time_s DOUBLE PRECISION NOT NULL,
    expires_time_s DOUBLE PRECISION NOT NULL,
    content BLOB NOT NULL
)
"""

_SQLITE: Final = (
    "ALTER TABLE ledger_reservations RENAME TO v2_reservations",
    "ALTER TABLE ledger_charges RENAME TO v2_charges",
    "ALTER TABLE ledger_answers RENAME TO v2_answers",
    "DROP INDEX ledger_charges_of_account",
    "DROP INDEX ledger_reservations_held",
    "DROP INDEX ledger_answers_cached",
    "DROP INDEX ledger_answers_age",
    _RESERVATIONS,
    _CHARGES,
    _ANSWERS,
    """INSERT INTO ledger_reservations
       SELECT number, request_id, body_digest, owner_instance, owner_boot, steps_max,
           steps_max, event, reserved_time_s, lease_expires_s, state, steps_charged,
           cause, settled_time_s
       FROM v2_reservations""",
    "INSERT INTO ledger_charges SELECT number, account, units_per_step FROM v2_charges",
    """INSERT INTO ledger_answers
       SELECT number, request_id, cache_key, size_bytes, stored_time_s,
           expires_time_s, content
       FROM v2_answers""",
    "DROP TABLE v2_answers",
    "DROP TABLE v2_charges",
    "DROP TABLE v2_reservations",
    "CREATE INDEX ledger_charges_of_account ON ledger_charges (account, number)",
    """CREATE INDEX ledger_reservations_held ON ledger_reservations (number)
       WHERE state = 'reserved'""",
    """CREATE INDEX ledger_answers_cached ON ledger_answers (cache_key, number)
       WHERE cache_key IS NOT NULL""",
    "CREATE INDEX ledger_answers_age ON ledger_answers (expires_time_s, size_bytes)",
)


def upgrade() -> None:
    """Add the bound, equal to what is held, and the constraints that guard it."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if on_sqlite else _POSTGRES:
        op.execute(statement)
