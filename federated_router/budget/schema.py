"""The ledger's tables as statements see them.

Decides names and types. Refuses to create anything: `migrations` does, and holds the
constraints that guard the rules once more below the code.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA: Final = MetaData()

# SQLite numbers rows by itself only in a column of exactly this type.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

ACCOUNTS: Final = Table(
    "ledger_accounts",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("limit_units", BigInteger),
    Column("delta", Float(53)),
    Column("renewal", Text),
    Column("zone", Text),
    Column("lifetime_cap_units", BigInteger),
    Column("window_start_s", Float(53)),
    Column("spent_units", BigInteger),
    Column("reserved_units", BigInteger),
    Column("lifetime_units", BigInteger),
)

RESERVATIONS: Final = Table(
    "ledger_reservations",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("request_id", Text),
    Column("body_digest", LargeBinary),
    Column("owner_instance", Text),
    Column("owner_boot", Text),
    Column("tokens_max", BigInteger),
    Column("event", Text),
    Column("reserved_time_s", Float(53)),
    Column("lease_expires_s", Float(53)),
    Column("state", Text),
    Column("tokens_charged", BigInteger),
    Column("cause", Text),
    Column("settled_time_s", Float(53)),
)

CHARGES: Final = Table(
    "ledger_charges",
    METADATA,
    Column("number", BigInteger, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("units_per_token", BigInteger),
)

ENTRIES: Final = Table(
    "ledger_events",
    METADATA,
    Column("sequence", _NUMBER, primary_key=True),
    Column("time_s", Float(53)),
    Column("kind", Text),
    Column("account", Text),
    Column("request_id", Text),
    Column("detail", Text),
)
