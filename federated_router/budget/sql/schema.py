"""The ledger's tables as statements see them.

Decides names and types. Refuses to create anything: `migrations` does, and holds the
constraints that guard the rules once more below the code.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, LargeBinary, MetaData, Table, Text

METADATA: Final = MetaData()

ACCOUNTS: Final = Table(
    "ledger_accounts",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("limit_units", BigInteger),
    Column("delta", Float(53)),
    Column("renewal", Text),
    Column("zone", Text),
    Column("lifetime_cap_units", BigInteger),
    Column("rdp_order", Float(53)),
    Column("block_scheme", Text),
    Column("block_count", BigInteger),
    Column("block_limit_units", BigInteger),
    Column("block_order", Float(53)),
    Column("window_start_s", Float(53)),
    Column("spent_units", BigInteger),
    Column("reserved_units", BigInteger),
    Column("lifetime_units", BigInteger),
    Column("closed_time_s", Float(53)),
)

RESERVATIONS: Final = Table(
    "ledger_reservations",
    METADATA,
    Column("number", BigInteger, primary_key=True),
    Column("request_id", Text),
    Column("body_digest", LargeBinary),
    Column("owner_instance", Text),
    Column("owner_boot", Text),
    Column("steps_max", BigInteger),
    Column("steps_bound", BigInteger),
    Column("event", Text),
    Column("reserved_time_s", Float(53)),
    Column("lease_expires_s", Float(53)),
    Column("state", Text),
    Column("steps_charged", BigInteger),
    Column("cause", Text),
    Column("settled_time_s", Float(53)),
)

CHARGES: Final = Table(
    "ledger_charges",
    METADATA,
    Column("number", BigInteger, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("units_per_step", BigInteger),
)

ENTRIES: Final = Table(
    "ledger_events",
    METADATA,
    Column("sequence", BigInteger, primary_key=True),
    Column("time_s", Float(53)),
    Column("kind", Text),
    Column("account", Text),
    Column("request_id", Text),
    Column("detail", Text),
    Column("hash", LargeBinary),
)

CHAIN: Final = Table(
    "ledger_chain",
    METADATA,
    Column("only_row", BigInteger, primary_key=True),
    Column("ledger_id", LargeBinary),
    Column("sequence", BigInteger),
    Column("hash", LargeBinary),
    Column("last_reservation", BigInteger),
)

CHECKPOINTS: Final = Table(
    "ledger_checkpoints",
    METADATA,
    Column("sequence", BigInteger, primary_key=True),
    Column("ledger_id", LargeBinary),
    Column("hash", LargeBinary),
    Column("time_us", BigInteger),
    Column("public_key", LargeBinary),
    Column("signature", LargeBinary),
)

PROPOSALS: Final = Table(
    "ledger_proposals",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("proposal_id", Text),
    Column("proposed_by", Text),
    Column("reason", Text),
    Column("expires_time_s", Float(53)),
)

ANSWERS: Final = Table(
    "ledger_answers",
    METADATA,
    Column("number", BigInteger, primary_key=True),
    Column("request_id", Text),
    Column("cache_key", LargeBinary),
    Column("size_bytes", BigInteger),
    Column("stored_time_s", Float(53)),
    Column("expires_time_s", Float(53)),
    # The last: SQLite reads a row up to the column that is asked for.
    Column("content", LargeBinary),
)
