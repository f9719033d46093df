"""Tenants' buckets in a database, for routers that count together.

Decides that a tenant's rows are locked before anything is concluded from them, so that
routers take turns. The time is the database server's, or, with SQLite, that of the one
machine. Refuses to know what a bucket's number means (`bucket`).
"""

from collections.abc import Mapping, Sequence
from typing import Final, Self

from sqlalchemy import Connection, delete, select, text, update

from federated_router.admission import bucket as rules
from federated_router.admission.bucket import Buckets, Measure, Rate, Taken, Want
from federated_router.admission.schema import BUCKETS
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database
from federated_router.kit.database_address import Isolation

MIGRATIONS: Final = "federated_router.admission.migrations"
_SECOND_NS: Final = 1_000_000_000
_NEW: Final = text(
    "INSERT INTO admission_buckets (tenant, measure, full_time_ns)"
    " VALUES (:tenant, :measure, 0) ON CONFLICT DO NOTHING"
)
_SERVER_TIME: Final = text(
    "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000000 AS BIGINT)"
)


class SqlBucketStore:
    """Buckets in SQLite or PostgreSQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    async def open(cls, url: str, *, clock: Clock, timeout_s: float) -> Self:
        """Create or upgrade the table at `url`; errors as `Database.open`."""
        database = await Database.open(
            url,
            migrations=MIGRATIONS,
            timeout_s=timeout_s,
            readers_max=1,
            # Whoever waited for a tenant's rows must see what their holder wrote.
            isolation=Isolation.READ_COMMITTED,
        )
        return cls(database, clock)

    async def take(self, tenant: str, wants: Sequence[Want]) -> Taken:
        """Take of all buckets or of none; raise StoreUnavailable."""
        measures = sorted(want.rate.measure for want in wants)

        def work(connection: Connection) -> Taken:
            before = _locked(connection, tenant, measures)
            after, taken = rules.take(before, wants, self._now_ns(connection))
            _save(connection, tenant, before, after)
            return taken

        return await self._database.write("admission.take", work)

    async def give_back(self, tenant: str, returned: Mapping[Rate, int]) -> None:
        """Put unspent units back; raise StoreUnavailable."""
        measures = sorted(rate.measure for rate in returned)

        def work(connection: Connection) -> None:
            before = _locked(connection, tenant, measures)
            _save(connection, tenant, before, rules.give_back(before, returned))

        await self._database.write("admission.give_back", work)

    async def delete_full(self) -> int:
        """Delete buckets that are full again, as an unknown one is; return how many."""

        def work(connection: Connection) -> int:
            full = BUCKETS.c.full_time_ns < self._now_ns(connection)
            return connection.execute(delete(BUCKETS).where(full)).rowcount

        return await self._database.write("admission.delete_full", work)

    async def close(self) -> None:
        """Let the running transaction end, and close."""
        await self._database.close()

    def _now_ns(self, connection: Connection) -> int:
        """Return the time by which all routers of this database count."""
        if connection.dialect.name == "postgresql":
            return int(connection.execute(_SERVER_TIME).scalar_one())
        return int(self._clock.now_s() * _SECOND_NS)


def _locked(
    connection: Connection, tenant: str, measures: Sequence[Measure]
) -> Buckets:
    """Return a tenant's buckets, which nobody else changes in this transaction."""
    buckets = _read(connection, tenant, measures)
    missing = [one for one in measures if one not in buckets]
    if missing:
        rows = [{"tenant": tenant, "measure": one.value} for one in missing]
        connection.execute(_NEW, rows)
        buckets = _read(connection, tenant, measures)
    return buckets


def _read(connection: Connection, tenant: str, measures: Sequence[Measure]) -> Buckets:
    found = (
        select(BUCKETS.c.measure, BUCKETS.c.full_time_ns)
        .where(
            BUCKETS.c.tenant == tenant,
            BUCKETS.c.measure.in_([one.value for one in measures]),
        )
        .order_by(BUCKETS.c.measure)
        .with_for_update()
    )
    return {Measure(row.measure): row.full_time_ns for row in connection.execute(found)}


def _save(connection: Connection, tenant: str, before: Buckets, after: Buckets) -> None:
    for measure, full_ns in after.items():
        if full_ns != before.get(measure):
            row = (BUCKETS.c.tenant == tenant) & (BUCKETS.c.measure == measure.value)
            connection.execute(update(BUCKETS).where(row).values(full_time_ns=full_ns))
