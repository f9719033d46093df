"""Accounts, reservations, charges and the journal.

The CHECK constraints repeat the rules of the ledger, so that a defect above them fails
a transaction and never a promise. The journal refuses changes and deletions.
"""

from alembic import op

revision = "0001"
down_revision = None

_ACCOUNTS = """
CREATE TABLE ledger_accounts (
    name {name} PRIMARY KEY,
    limit_units BIGINT NOT NULL CHECK (limit_units >= 0),
    delta DOUBLE PRECISION NOT NULL CHECK (delta > 0 AND delta < 1),
    renewal TEXT NOT NULL,
    zone TEXT NOT NULL,
    lifetime_cap_units BIGINT CHECK (lifetime_cap_units >= 0),
    window_start_s DOUBLE PRECISION NOT NULL,
    spent_units BIGINT NOT NULL CHECK (spent_units >= 0),
    reserved_units BIGINT NOT NULL CHECK (reserved_units >= 0),
    lifetime_units BIGINT NOT NULL CHECK (lifetime_units >= spent_units),
    CONSTRAINT within_limit CHECK (spent_units <= limit_units - reserved_units),
    CONSTRAINT within_lifetime
        CHECK (lifetime_units <= lifetime_cap_units - reserved_units)
)
"""

_RESERVATIONS = """
CREATE TABLE ledger_reservations (
    number {number},
    request_id TEXT NOT NULL UNIQUE,
    body_digest {bytes} NOT NULL,
    owner_instance TEXT NOT NULL,
    owner_boot TEXT NOT NULL,
    tokens_max BIGINT NOT NULL CHECK (tokens_max > 0),
    event TEXT NOT NULL,
    reserved_time_s DOUBLE PRECISION NOT NULL,
    lease_expires_s DOUBLE PRECISION NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('reserved', 'committed', 'released', 'expired')),
    tokens_charged BIGINT NOT NULL
        CHECK (tokens_charged >= 0 AND tokens_charged <= tokens_max),
    cause TEXT,
    settled_time_s DOUBLE PRECISION,
    CONSTRAINT charged_as_state_says CHECK (
        (state IN ('reserved', 'released') AND tokens_charged = 0)
        OR (state = 'committed' AND tokens_charged > 0)
        OR (state = 'expired' AND tokens_charged = tokens_max)
    ),
    CONSTRAINT settled_has_time
        CHECK ((state = 'reserved') = (settled_time_s IS NULL)),
    CONSTRAINT released_has_cause CHECK ((state = 'released') = (cause IS NOT NULL))
)
"""

_CHARGES = """
CREATE TABLE ledger_charges (
    number BIGINT NOT NULL REFERENCES ledger_reservations (number),
    account {name} NOT NULL REFERENCES ledger_accounts (name),
    units_per_token BIGINT NOT NULL CHECK (units_per_token > 0),
    PRIMARY KEY (number, account)
)
"""

_ENTRIES = """
CREATE TABLE ledger_events (
    sequence {number},
    time_s DOUBLE PRECISION NOT NULL,
    kind TEXT NOT NULL,
    account TEXT,
    request_id TEXT,
    detail TEXT NOT NULL
)
"""

_INDEXES = (
    "CREATE INDEX ledger_charges_of_account ON ledger_charges (account, number)",
    # Only what is held is ever looked for by lease or owner, and that is little.
    """CREATE INDEX ledger_reservations_held ON ledger_reservations (lease_expires_s)
       WHERE state = 'reserved'""",
)

_SQLITE_APPEND_ONLY = (
    """CREATE TRIGGER ledger_events_no_update BEFORE UPDATE ON ledger_events
       BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER ledger_events_no_delete BEFORE DELETE ON ledger_events
       BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
)

_POSTGRES_APPEND_ONLY = (
    """CREATE FUNCTION ledger_events_refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$""",
    """CREATE TRIGGER ledger_events_no_change
       BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_events
       FOR EACH STATEMENT EXECUTE FUNCTION ledger_events_refuse()""",
)

# Names compare by bytes everywhere, so that pages and locks have one order.
_SQLITE_TYPES = {
    "name": "TEXT",
    "number": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "bytes": "BLOB",
}
_POSTGRES_TYPES = {
    "name": 'TEXT COLLATE "C"',
    "number": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "bytes": "BYTEA",
}


def upgrade() -> None:
    """Create everything."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    types = _SQLITE_TYPES if on_sqlite else _POSTGRES_TYPES
    triggers = _SQLITE_APPEND_ONLY if on_sqlite else _POSTGRES_APPEND_ONLY
    tables = (_ACCOUNTS, _RESERVATIONS, _CHARGES, _ENTRIES)
    for table in tables:
        op.execute(table.format(**types))
    for statement in (*_INDEXES, *triggers):
        op.execute(statement)
