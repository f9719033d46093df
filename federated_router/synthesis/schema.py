"""The tables of synthesis jobs as statements see them; `migrations` creates them."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, LargeBinary, MetaData, Table, Text

METADATA: Final = MetaData()

JOBS: Final = Table(
    "synthesis_jobs",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("user", Text),
    Column("body_digest", LargeBinary),
    Column("request", LargeBinary),
    Column("terms", Text),
    Column("records_count", BigInteger),
    Column("slots", BigInteger),
    Column("tokens_max", BigInteger),
    Column("created_time_s", Float(53)),
    Column("state", Text),
    Column("tokens_charged", BigInteger),
    Column("closed_time_s", Float(53)),
)

BATCHES: Final = Table(
    "synthesis_batches",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("state", Text),
    Column("owner_instance", Text),
    Column("owner_boot", Text),
    Column("lease_expires_s", Float(53)),
    Column("tokens", BigInteger),
    Column("content", LargeBinary),
)

RECORDS: Final = Table(
    "synthesis_records",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("number", BigInteger),
)
