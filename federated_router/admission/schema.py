"""The table of tenants' buckets as statements see it; `migrations` creates it."""

from typing import Final

from sqlalchemy import BigInteger, Column, MetaData, Table, Text

METADATA: Final = MetaData()

BUCKETS: Final = Table(
    "admission_buckets",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("measure", Text, primary_key=True),
    Column("full_time_ns", BigInteger),
)
