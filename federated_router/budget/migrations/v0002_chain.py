"""The hash chain, orders and blocks of accounts, proposals, and answers kept.

Every table is written anew from the one before, because SQLite cannot add a constraint
to a table. What the journal told stays to the letter; it is numbered 1 to n and
chained here, under an identity drawn now. A *token* of revision 1 is called a *step*.
"""

from collections.abc import Iterator

from alembic import op

from federated_router.budget.sql.old_journal import chain_journal

revision = "0002"
down_revision = "0001"

_ACCOUNTS = """
CREATE TABLE ledger_accounts (
    name {name} PRIMARY KEY,
    limit_units BIGINT NOT NULL CHECK (limit_units >= 0),
    delta DOUBLE PRECISION NOT NULL CHECK (delta > 0 AND delta < 1),
    renewal TEXT NOT NULL,
    zone TEXT NOT NULL,
    lifetime_cap_units BIGINT CHECK (lifetime_cap_units >= 0),
    rdp_order DOUBLE PRECISION CHECK (rdp_order > 1),
    block_scheme TEXT CHECK (block_scheme IN ('record', 'bucket', 'batch')),
    block_count BIGINT,
    block_limit_units BIGINT CHECK (block_limit_units >= 0),
    block_order DOUBLE PRECISION CHECK (block_order > 1),
    window_start_s DOUBLE PRECISION NOT NULL,
    spent_units BIGINT NOT NULL CHECK (spent_units >= 0),
    reserved_units BIGINT NOT NULL CHECK (reserved_units >= 0),
    lifetime_units BIGINT NOT NULL CHECK (lifetime_units >= spent_units),
    closed_time_s DOUBLE PRECISION,
    CONSTRAINT within_limit CHECK (spent_units <= limit_units - reserved_units),
    CONSTRAINT within_lifetime
        CHECK (lifetime_units <= lifetime_cap_units - reserved_units),
    CONSTRAINT blocks_have_terms CHECK (
        (block_scheme IS NULL) = (block_limit_units IS NULL)
        AND (block_scheme IS NULL) = (block_count IS NULL)
        AND (block_order IS NULL OR block_scheme IS NOT NULL)
    ),
    CONSTRAINT buckets_are_counted
        CHECK ((block_scheme = 'bucket') = (block_count > 0) AND block_count >= 0)
){moving}
"""

_RESERVATIONS = """
CREATE TABLE ledger_reservations (
    number {number} PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    body_digest {bytes} NOT NULL,
    owner_instance TEXT NOT NULL,
    owner_boot TEXT NOT NULL,
    steps_max BIGINT NOT NULL CHECK (steps_max > 0),
    event TEXT NOT NULL,
    reserved_time_s DOUBLE PRECISION NOT NULL,
    lease_expires_s DOUBLE PRECISION NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('reserved', 'committed', 'released', 'expired')),
    steps_charged BIGINT NOT NULL
        CHECK (steps_charged >= 0 AND steps_charged <= steps_max),
    cause TEXT,
    settled_time_s DOUBLE PRECISION,
    CONSTRAINT charged_as_state_says CHECK (
        (state IN ('reserved', 'released') AND steps_charged = 0)
        OR (state = 'committed' AND steps_charged > 0)
        OR (state = 'expired' AND steps_charged = steps_max)
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
    units_per_step BIGINT NOT NULL CHECK (units_per_step > 0),
    PRIMARY KEY (number, account)
){keyed}
"""

_ENTRIES = """
CREATE TABLE ledger_events (
    sequence {number} PRIMARY KEY CHECK (sequence > 0),
    time_s DOUBLE PRECISION NOT NULL,
    kind TEXT NOT NULL,
    account TEXT,
    request_id TEXT,
    detail TEXT NOT NULL,
    hash {bytes} NOT NULL CHECK (length(hash) = 32)
)
"""

# The one row that every writer takes first: who holds it writes, all others wait.
_CHAIN = """
CREATE TABLE ledger_chain (
    only_row {number} PRIMARY KEY CHECK (only_row = 1),
    ledger_id {bytes} NOT NULL CHECK (length(ledger_id) = 16),
    sequence BIGINT NOT NULL CHECK (sequence >= 0),
    hash {bytes} NOT NULL CHECK (length(hash) = 32),
    last_reservation BIGINT NOT NULL CHECK (last_reservation >= 0)
)
"""

_CHECKPOINTS = """
CREATE TABLE ledger_checkpoints (
    sequence {number} PRIMARY KEY REFERENCES ledger_events (sequence),
    ledger_id {bytes} NOT NULL CHECK (length(ledger_id) = 16),
    hash {bytes} NOT NULL CHECK (length(hash) = 32),
    time_us BIGINT NOT NULL,
    public_key {bytes} NOT NULL,
    signature {bytes} NOT NULL
)
"""

_PROPOSALS = """
CREATE TABLE ledger_proposals (
    account {name} PRIMARY KEY REFERENCES ledger_accounts (name),
    proposal_id TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    expires_time_s DOUBLE PRECISION NOT NULL
)
"""

_ANSWERS = """
CREATE TABLE ledger_answers (
    number {counted} PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE REFERENCES ledger_reservations (request_id),
    cache_key {bytes} CHECK (length(cache_key) = 32),
    size_bytes BIGINT NOT NULL CHECK (size_bytes = length(content)),
    stored_time_s DOUBLE PRECISION NOT NULL,
    expires_time_s DOUBLE PRECISION NOT NULL,
    content {bytes} NOT NULL
)
"""

_INDEXES = (
    "CREATE INDEX ledger_charges_of_account ON ledger_charges (account, number)",
    # Holds are looked for by lease, owner and account, oldest first; they are few.
    """CREATE INDEX ledger_reservations_held ON ledger_reservations (number)
       WHERE state = 'reserved'""",
    """CREATE INDEX ledger_answers_cached ON ledger_answers (cache_key, number)
       WHERE cache_key IS NOT NULL""",
    # Holds all that a sweep asks of the answers that stay.
    "CREATE INDEX ledger_answers_age ON ledger_answers (expires_time_s, size_bytes)",
)

_APPEND_ONLY = ("ledger_events", "ledger_checkpoints")

# Names compare by bytes everywhere, so that pages and locks have one order.
_SQLITE_TYPES = {
    "name": "TEXT",
    "number": "INTEGER",
    "counted": "INTEGER",
    "bytes": "BLOB",
    "keyed": " WITHOUT ROWID",
    "moving": " WITHOUT ROWID",
}
_POSTGRES_TYPES = {
    "name": 'TEXT COLLATE "C"',
    "number": "BIGINT",
    "counted": "BIGINT GENERATED ALWAYS AS IDENTITY",
    "bytes": "BYTEA",
    "keyed": "",
    # Room for a balance to move within its page, so that no index has to be written.
    "moving": " WITH (fillfactor = 50)",
}

_COPIES = (
    """INSERT INTO ledger_accounts (name, limit_units, delta, renewal, zone,
           lifetime_cap_units, window_start_s, spent_units, reserved_units,
           lifetime_units)
       SELECT name, limit_units, delta, renewal, zone, lifetime_cap_units,
           window_start_s, spent_units, reserved_units, lifetime_units
       FROM v1_accounts""",
    """INSERT INTO ledger_reservations
       SELECT number, request_id, body_digest, owner_instance, owner_boot, tokens_max,
           event, reserved_time_s, lease_expires_s, state, tokens_charged, cause,
           settled_time_s
       FROM v1_reservations""",
    """INSERT INTO ledger_charges
       SELECT number, account, units_per_token FROM v1_charges""",
)


def upgrade() -> None:
    """Create the new tables beside the old, copy, and drop the old."""
    connection = op.get_bind()
    on_sqlite = connection.dialect.name == "sqlite"
    _move_aside(on_sqlite=on_sqlite)
    _create(_SQLITE_TYPES if on_sqlite else _POSTGRES_TYPES)
    for copy in _COPIES:
        op.execute(copy)
    chain_journal(connection, "v1_events")
    for table in ("v1_charges", "v1_reservations", "v1_accounts", "v1_events"):
        op.execute(f"DROP TABLE {table}")
    for statement in (*_INDEXES, *_triggers(on_sqlite=on_sqlite)):
        op.execute(statement)


def _move_aside(*, on_sqlite: bool) -> None:
    if not on_sqlite:
        # A large ledger takes longer than any request may.
        op.execute("SET LOCAL statement_timeout = 0")
        op.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    for table in ("accounts", "reservations", "charges", "events"):
        op.execute(f"ALTER TABLE ledger_{table} RENAME TO v1_{table}")
    op.execute("DROP INDEX ledger_charges_of_account")
    op.execute("DROP INDEX ledger_reservations_held")


def _create(types: dict[str, str]) -> None:
    tables = (_ACCOUNTS, _RESERVATIONS, _CHARGES, _ENTRIES, _CHAIN, _CHECKPOINTS)
    for table in (*tables, _PROPOSALS, _ANSWERS):
        op.execute(table.format(**types))


def _triggers(*, on_sqlite: bool) -> Iterator[str]:
    if on_sqlite:
        for table in _APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                yield f"""CREATE TRIGGER {table}_no_{verb.lower()}
                    BEFORE {verb} ON {table}
                    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"""
        return
    yield "DROP FUNCTION ledger_events_refuse"
    yield """CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$"""
    for table in _APPEND_ONLY:
        yield f"""CREATE TRIGGER {table}_no_change
            BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"""
